"""The expansion behind law 5b: each of its steps on its own, then all of them (theory page 5b)."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from mcbrain.certificate.brain_law import BrainCell, compare
from mcbrain.theory.asymptotic import subspace_law
from mcbrain.theory.expansion import expansion
from mcbrain.theory.inverse_means import (
    mean_inverse,
    mean_inverse_diagonal,
    mean_with_inverse,
)
from mcbrain.theory.outliers import limiting_odds, overlap_correction

SPIKED = [  # rows, columns, squared singular values of the signal
    (20, 15, (60.0,)),
    (15, 8, (150.0, 60.0)),
    (12, 30, (80.0,)),
    (30, 20, (150.0, 80.0, 80.0)),
]


def overlaps(rows: int, columns: int, signal: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The limit of the squared overlaps, and the term of order 1/size."""
    s, r = np.array(signal), len(signal)
    m, k = np.array([float(rows - r)]), np.array([float(columns - r)])
    odds = limiting_odds(s, m, k)
    return odds / (1.0 + odds), overlap_correction(s, m, k)


def generating_function(z: complex, omega: np.ndarray, s: np.ndarray, m: int, k: int) -> complex:
    """Phi without its leading term: the loop expansion of E log det(YY' + Omega), Omega = -z."""
    w = -z
    roots = np.roots([w, w + k - m, -m])
    g1 = min(roots, key=lambda g: abs(g - m / (w + k / (1 + g))) - np.sign(g.imag * z.imag))
    g2 = k / (1 + g1)
    D = (omega + g2) * (1 + g1) + s
    gradient = np.array([np.sum((omega + g2) / D), np.sum((1 + g1) / D)])
    a0, b0 = m / (w + g2) ** 2, k / (1 + g1) ** 2
    hessian = -np.array([[b0, 1], [1, a0]])
    step = -np.linalg.solve(hessian, gradient)
    ladder = -2 * np.sum(s / D**2)
    ladder = ladder - np.sum(((1 + g1) / D) ** 2) * b0 - a0 * np.sum(((omega + g2) / D) ** 2)
    Q = 1 - a0 * b0
    noise = np.array([2 * a0 * b0 / (1 + g1), 2 * a0 * b0 / (w + g2)]) / Q
    return (gradient @ step + ladder / Q + noise @ step) / 2


@pytest.mark.parametrize(("rows", "columns", "signal"), SPIKED)
def test_the_correction_is_the_derivative_of_the_generating_function(
    rows: int, columns: int, signal: tuple[float, ...]
) -> None:
    """By finite differences, around a circle in the plane of eigenvalues."""
    s, r = np.array(signal), len(signal)
    m, k = rows - r, columns - r
    outliers, edge = (s + m) * (s + k) / s, (np.sqrt(m) + np.sqrt(k)) ** 2
    left, right = (outliers.min() + edge) / 2, 1.5 * outliers.max()
    radius, points, h = (right - left) / 2, 256, 1e-2
    for j in range(r):
        total = 0.0j
        for angle in (np.arange(points) + 0.5) * (2 * np.pi / points):
            z = (left + right) / 2 + radius * np.exp(1j * angle)
            omega, unit = np.full(r, -z), np.eye(r)[j] * h
            one = [generating_function(z, omega + c * unit, s, m, k) for c in (1, -1, 2, -2)]
            slope = (8 * (one[0] - one[1]) - (one[2] - one[3])) / (12 * h)
            total -= slope * radius * np.exp(1j * angle) / points
        # The circle needs more points than the ellipse: both are good to 1e-3 of the correction.
        assert overlaps(rows, columns, signal)[1][j] == pytest.approx(total.real, rel=2e-3)


@pytest.mark.parametrize(("rows", "columns", "signal"), SPIKED)
def test_overlaps_are_several_times_nearer_than_their_limit(
    rows: int, columns: int, signal: tuple[float, ...]
) -> None:
    """10,000 draws: the error of the expansion is at most half the limit's, or within 4.5 se."""
    rng, r = np.random.default_rng(rows), len(signal)
    Y = rng.standard_normal((10_000, rows, columns))
    Y[:, np.arange(r), np.arange(r)] += np.sqrt(signal)
    U = np.linalg.svd(Y, full_matrices=False)[0][:, :r, :r]
    found = np.sum(U**2, axis=2)
    mean, error = found.mean(axis=0), found.std(axis=0) / np.sqrt(len(found))
    limit, correction = overlaps(rows, columns, signal)
    off = np.abs(limit + correction - mean)
    assert np.all(off < 0.5 * np.abs(limit - mean) + 4.5 * error)


def wishart(rng: np.random.Generator, count: int, freedom: int, size: int) -> np.ndarray:
    G = rng.standard_normal((count, freedom, size))
    return np.asarray(np.swapaxes(G, 1, 2) @ G)


@pytest.mark.parametrize("n", [6, 7, 8, 12])
def test_the_overlaps_of_the_subspace_follow_from_those_of_the_recordings(n: int) -> None:
    """E C^ = min(1, n/d) - E (1 + B)^-1 at d = 8, p = 5, r = 2, below and above d.

    20,000 draws of B against 5,000 raw brain stages, within 4.5 standard errors of two means:
    false alarm below 1e-4.
    """
    d, p, r, gains = 8, 5, 2, np.array([2.0, 1.0])
    rng, count = np.random.default_rng(n), 20_000
    # The left singular vectors of the recordings, first rows along the latents' own samples.
    psi = wishart(rng, count, n, r)
    root = _power(psi, 0.5)
    rows = min(n, d)
    Y = rng.standard_normal((count, rows, p))
    Y[:, :r, :r] += root * gains
    U = np.linalg.svd(Y, full_matrices=False)[0][:, :, :r]
    Q = np.linalg.inv(wishart(rng, count, abs(n - d) + r, r))
    T = _power(np.swapaxes(U[:, r:], 1, 2) @ U[:, r:], 0.5)
    N = T @ Q @ T
    J = rng.standard_normal((count, r, r)) @ _power(N, 0.5)
    left = U[:, :r] - J
    half = _power(psi, -0.5)
    hidden = wishart(rng, count, d - n, r) if n < d else 0.0
    B = half @ (left @ np.linalg.inv(N) @ np.swapaxes(left, 1, 2) + hidden) @ half
    missed = np.diagonal(np.linalg.inv(np.eye(r) + B), axis1=1, axis2=2)
    raw = np.array([_raw_overlaps(rng, n, d, p, gains) for _ in range(5_000)])
    error = np.hypot(missed.std(axis=0) / count**0.5, raw.std(axis=0) / len(raw) ** 0.5)
    assert np.all(np.abs(min(1.0, n / d) - missed.mean(axis=0) - raw.mean(axis=0)) < 4.5 * error)


def _power(matrix: np.ndarray, exponent: float) -> np.ndarray:
    values, vectors = np.linalg.eigh(matrix)
    scaled = vectors * np.maximum(values, 1e-12)[:, None, :] ** exponent
    return np.asarray(scaled @ np.swapaxes(vectors, 1, 2))


def _raw_overlaps(
    rng: np.random.Generator, n: int, d: int, p: int, gains: np.ndarray
) -> np.ndarray:
    r = gains.size
    X = rng.standard_normal((n, d))
    recordings = rng.standard_normal((n, p))
    recordings[:, :r] += X[:, :r] * gains
    B = np.linalg.lstsq(X, recordings, rcond=None)[0]
    V = np.linalg.svd(X @ B, full_matrices=False)[2][:r].T
    A = np.linalg.qr(B @ V)[0][:r]
    return np.asarray(np.sum(A**2, axis=1))


@pytest.mark.parametrize(("shape", "scale", "s"), [(0.5, 2.0, 1.0), (3.0, 0.1, 1.0), (40.0, 1, 2)])
def test_the_mean_inverse_is_that_of_a_gamma_variable(shape: float, scale: float, s: float) -> None:
    density = stats.gamma(shape, scale=scale)
    wanted = integrate.quad(lambda x: density.pdf(x) / (x + s), 0, np.inf)[0]
    found = mean_inverse(np.array(shape * scale), np.array(shape * scale**2), np.array(s))
    assert found == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize(
    ("size", "freedom", "mean"), [(3, 3, 2.0), (3, 6, 2.0), (3, 20, 30.0), (6, 2, 0.3), (6, 6, 2.0)]
)
def test_the_mean_inverse_of_one_plus_a_wishart_matrix(
    size: int, freedom: int, mean: float
) -> None:
    """Within 7 %, also for as few degrees of freedom as latents and for fewer; 40,000 draws.

    Without the fluctuations it would be off by 11 to 37 %.
    """
    rng = np.random.default_rng(size + freedom)
    W = wishart(rng, 40_000, freedom, size) * (mean / freedom)
    wanted = np.diagonal(np.linalg.inv(np.eye(size) + W), axis1=1, axis2=2).mean()
    variance = (1.0 + np.eye(size)) * mean**2 / freedom
    found = mean_inverse_diagonal(np.full(size, mean), variance)
    np.testing.assert_allclose(found, wanted, rtol=0.07)
    back = mean_with_inverse(1.0 - found, variance)
    np.testing.assert_allclose(back, mean, rtol=0.05)


GOOD = [
    BrainCell(15, 10, 150, (1.0,) * 2, (2**-0.5,) * 2, 0.7),
    BrainCell(15, 28, 40, (1.0,) * 5, (5**-0.5,) * 5, 0.3),
    BrainCell(15, 14, 80, (1.0,) * 9, (1.0 / 3.0,) * 9, 0.3),
    BrainCell(30, 40, 34, (2.0, 1.5, 1.0), (3**-0.5,) * 3, 0.4),
    BrainCell(30, 40, 25, (2.0, 1.5, 1.0), (3**-0.5,) * 3, 0.3),
    BrainCell(60, 40, 300, (1.0,) * 8, (8**-0.5,) * 8, 1.0),
]


@pytest.mark.parametrize("cell", GOOD, ids=str)
def test_where_its_corrections_are_small_the_law_is_good_to_two_percent(cell: BrainCell) -> None:
    """Weight above 0.8; 2 % and 4.5 standard errors of 0.3 to 0.5 %: false alarm below 1e-4."""
    signal = np.square(cell.gains) * cell.n_brain / cell.neural_noise**2
    n = np.array([float(cell.n_brain)])
    _, weight = expansion(signal, n, cell.input_dim, cell.n_channels)
    assert weight[0] > 0.8
    found = compare(cell, seed=4)
    assert abs(found.error) < 0.02 + 4.5 * found.standard_error / found.m_bar


def test_an_invisible_latent_takes_the_expansion_away() -> None:
    n = np.array([100.0])
    _, all_seen = expansion(np.array([400.0, 300.0]), n, 60, 40)
    overlap, one_lost = expansion(np.array([400.0, 3.0]), n, 60, 40)
    assert all_seen[0] > 0.5
    assert one_lost[0] == 0.0
    np.testing.assert_array_equal(overlap, 0.0)


def test_the_law_has_no_step_where_the_expansion_begins() -> None:
    """n_B from far below the threshold to far above it, in steps of 1 %: m_bar moves by less."""
    n = 70.0 * 1.01 ** np.arange(300)
    law = subspace_law(n, np.ones(3), neural_noise=1.5, input_dim=60, n_channels=40)
    missed = 1.0 - law.c[:, 0, 0]
    assert np.all(np.abs(np.diff(np.log(missed))) < 0.03)
    assert missed[0] > 0.9
    assert missed[-1] < 0.1


@pytest.mark.parametrize("n", [6, 10, 30, 59, 60, 61, 500])
@pytest.mark.parametrize("rank", [1, 5])
def test_without_signal_nothing_fluctuates(n: int, rank: int) -> None:
    law = subspace_law(n, np.zeros(rank), neural_noise=1.0, input_dim=60, n_channels=20)
    np.testing.assert_allclose(np.diagonal(law.c), rank / 60, rtol=1e-2)
