"""Published results that the laws must contain; each test names the one it is held against."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mcbrain.theory import exact
from mcbrain.theory.asymptotic import subspace_law
from mcbrain.theory.brain import BrainMoments, brain_moments
from mcbrain.theory.frame import ShiftCoefficients, signal_coordinates
from mcbrain.theory.subspace import SubspaceMoments
from mcbrain.theory.wishart import resolvent, task_moments


def known_block(latents: int, input_dim: int, misalignment: float, spared: bool) -> BrainMoments:
    """P = the brain block, or 0; test inputs as in training."""
    signal = signal_coordinates(misalignment, np.full(latents, latents**-0.5))
    make = SubspaceMoments.oracle if spared else SubspaceMoments.none
    return brain_moments(make(latents), signal, ShiftCoefficients.structured(latents), input_dim)


def law(n: int, rank: int, d: int, penalty: float, sigma: float, m: float, latents: int) -> float:
    brain = known_block(latents, d, m, spared=rank > 0)
    sizes = {"n_task": n, "rank": rank, "input_dim": d}
    task = task_moments(*sizes.values(), penalty)
    return float(exact.excess_risk(task, brain, **sizes, task_noise=sigma))


@pytest.mark.parametrize(("n", "p"), [(30, 5), (30, 28), (30, 32), (30, 60), (10, 40)])
def test_belkin_hsu_xu_double_descent(n: int, p: int) -> None:
    """Belkin, Hsu & Xu 2020, Two models of double descent for weak features, Theorem 1.

    Least squares on p of D = 80 Gaussian features, with n on either side of p: the projection
    estimator with a known subspace, exactly.
    """
    sigma, m = 0.6, 0.35
    if p <= n - 2:
        risk = (m + sigma**2) * (1 + p / (n - p - 1))
    else:
        risk = (1 - m) * (1 - n / p) + (m + sigma**2) * (1 + n / (p - n - 1))
    assert law(n, p, 80, np.inf, sigma, m, p) + sigma**2 == pytest.approx(risk, rel=1e-12)


@pytest.mark.parametrize("gamma", [0.25, 1.0, 4.0])
@pytest.mark.parametrize("snr", [0.3, 5.0])
def test_dicker_and_dobriban_wager_ridge_limit(gamma: float, snr: float) -> None:
    """Dicker 2016, Bernoulli 22, 1-37, Corollary 1; Dobriban & Wager 2018, Ann. Stat. 46, 247-279.

    Excess of optimally tuned ridge over the noise variance as d/n -> gamma; the finite-size law
    must approach it like 1/n.
    """
    a = snr * (gamma - 1) / gamma
    limit = ((a - 1) + np.sqrt((a - 1) ** 2 + 4 * snr)) / 2
    errors = []
    for n in (200, 400):
        d, sigma = round(gamma * n), snr**-0.5
        penalty = float(exact.optimal_penalty(sigma, n, 0, d))
        errors.append(law(n, 0, d, penalty, sigma, 0.0, 1) / sigma**2 / limit - 1)
    assert abs(errors[1]) < 0.01
    assert errors[1] / errors[0] == pytest.approx(0.5, abs=0.06)


def weighted_ridge(X: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """argmin |y - Xb|^2/n + sum_j weights_j b_j^2."""
    n = len(y)
    return np.linalg.solve(X.T @ X / n + np.diag(weights), X.T @ y / n)


def test_wu_xu_optimal_weights_are_the_bands_and_befs_is_their_limit() -> None:
    """Wu & Xu 2020, On the optimal weighted l2 regularization in overparameterized regression.

    Weights proportional to the inverse second moment of beta are best. With the signal spread
    evenly within P and outside, these are the two bands, noise over signal per direction; with all
    but no signal cost inside P the projection penalty is their limit.
    """
    d, r, n, sigma, m = 24, 4, 16, 0.7, 0.3
    outside, inside = exact.optimal_band_penalties(sigma, n, r, d, m)
    second_moment = np.concatenate([np.full(r, (1 - m) / r), np.full(d - r, m / (d - r))])
    weights = np.concatenate([np.full(r, inside), np.full(d - r, outside)])
    np.testing.assert_allclose(weights, sigma**2 / n / second_moment)

    rng = np.random.default_rng(8)
    excess: dict[tuple[float, float], float] = {}
    scales = [(1.0, 1.0), (2.0, 1.0), (0.5, 1.0), (1.0, 2.0), (1.0, 0.5)]
    draws = []
    for _ in range(1500):
        beta = np.sqrt(second_moment) * rng.standard_normal(d)
        X = rng.standard_normal((n, d))
        draws.append((beta, X, X @ beta + sigma * rng.standard_normal(n)))
    for scale in scales:
        bands = weights * np.repeat(scale, [r, d - r])
        excess[scale] = np.mean(
            [np.sum((weighted_ridge(X, y, bands) - b) ** 2) for b, X, y in draws]
        )
    assert min(excess, key=lambda s: excess[s]) == (1.0, 1.0)

    beta, X, y = draws[0]
    spare = np.concatenate([np.zeros(r), np.full(d - r, float(outside))])
    befs = weighted_ridge(X, y, spare)
    for eta in (1e-3, 1e-6):
        near = weighted_ridge(X, y, spare + np.repeat((eta * float(outside), 0.0), [r, d - r]))
        assert np.linalg.norm(near - befs) < 200 * eta


@pytest.mark.parametrize(("n", "q"), [(20, 3), (60, 12), (15, 10)])
def test_matsumoto_inverse_wishart_moments(n: int, q: int) -> None:
    """Matsumoto 2012, J. Theor. Probab. 25, 798-822, moments of the inverse real Wishart.

    E tr W^-1 and E tr W^-2 = q [1/(v(v-2)) + (q-1)/((v+1)v(v-2))], v = n-q-1.
    """
    g, slope = resolvent(n, q, 0.0)
    v = n - q - 1
    second = q * (1 / (v * (v - 2)) + (q - 1) / ((v + 1) * v * (v - 2)))
    assert float(g) == pytest.approx(q / v, rel=1e-9)
    assert -float(slope) == pytest.approx(second, rel=1e-9)


def test_inverse_wishart_of_scipy() -> None:
    """scipy.stats.invwishart: mean and entrywise variances give the same two traces."""
    n, q = 25, 6
    inverse = stats.invwishart(df=n, scale=np.eye(q))
    g, slope = resolvent(n, q, 0.0)
    assert float(g) == pytest.approx(np.trace(inverse.mean()), rel=1e-9)
    second = np.sum(inverse.var() + inverse.mean() ** 2)
    assert -float(slope) == pytest.approx(second, rel=1e-9)


@pytest.mark.parametrize(("n", "q", "z"), [(12, 5, 4.0), (5, 8, 1.5)])
def test_wishart_of_scipy_and_the_stein_haff_identity(n: int, q: int, z: float) -> None:
    """Stein 1975 and Haff 1979, J. Multivar. Anal. 9, 531-544, on draws of scipy.stats.wishart.

    E (sum f)^2 = z [q - (z + n - q - 1) g + z g'], and the task moments that follow from it.
    Five z-scores below 4.5 in each case: false alarm 7e-5.
    """
    size = min(n, q)  # a wishart of scipy has at least as many degrees of freedom as dimensions
    draws = stats.wishart(df=max(n, q), scale=np.eye(size)).rvs(40_000, random_state=4)
    x = np.concatenate([np.linalg.eigvalsh(draws), np.zeros((40_000, q - size))], axis=1)
    f, s = z / (x + z), x / (x + z) ** 2
    g, slope = (float(v) for v in resolvent(n, q, z))
    t = task_moments(n, 0, q, z / n)
    one, two = f.sum(axis=1), (f**2).sum(axis=1)
    c2 = (q * two - one**2) / (q * (q + 2) * (q - 1))
    for sample, value in [
        ((1 / (x + z)).sum(axis=1), g),
        (one**2, z * (q - (z + n - q - 1) * g + z * slope)),
        (s.mean(axis=1), float(t.noise)),
        (c2, float(t.c2)),
        ((one**2 + 2 * two) / (q * (q + 2)) - c2, float(t.c1)),
    ]:
        assert abs(sample.mean() - value) < 4.5 * sample.std() / 200


def spiked_overlap(q: int, p: int, th: float) -> float:
    """cos^2 of a left singular vector with a spike of squared value th in q x p unit noise."""
    return max(0.0, 1 - q * (p + th) / (th * (th + q))) if th**2 > q * p else 0.0


@pytest.mark.parametrize("factor", [0.5, 1.5, 4.0])
def test_benaych_georges_nadakuditi_overlap(factor: float) -> None:
    """Benaych-Georges & Nadakuditi 2012, J. Multivar. Anal. 111, 120-135, section 3.1.

    One 1,200 x 700 matrix; its overlap fluctuates by about 0.02 (five of these allowed).
    """
    d, p = 1200, 700
    th = factor * np.sqrt(d * p)
    Y = np.random.default_rng(2).standard_normal((d, p))
    Y[0, 0] += np.sqrt(th)
    top = np.linalg.eigh(Y.T @ Y)[1][:, -1]
    left = Y @ top
    assert left[0] ** 2 / (left @ left) == pytest.approx(spiked_overlap(d, p, th), abs=0.1)


@pytest.mark.parametrize("factor", [1.5, 4.0])
@pytest.mark.parametrize("shape", [(0.5, 0.7), (2.0, 0.7), (5.0, 3.0)], ids=str)
def test_brain_law_tends_to_the_overlap_of_benaych_georges_nadakuditi(
    factor: float, shape: tuple[float, float]
) -> None:
    """At d = 1e6 the brain law is the overlap above, carried through the regression on inputs."""
    d = 10**6
    n, p = round(shape[0] * d), round(shape[1] * d)
    left = min(n, d)
    th = factor * np.sqrt(float(left) * p)
    gain = np.array([np.sqrt(th / n)])
    found = subspace_law(n, gain, neural_noise=1.0, input_dim=d, n_channels=p).c[0, 0]
    cos2 = spiked_overlap(left, p, th)
    if n > d:
        limit = (cos2 / n) / (cos2 / n + (1 - cos2) / (n - d))
    else:
        limit = n / d * cos2 / (cos2 + (1 - cos2) / (1 - n / d))
    assert found == pytest.approx(limit, rel=2e-3)


@pytest.mark.parametrize("n", [300, 3000])
def test_jirak_wahl_relative_perturbation(n: int) -> None:
    """Jirak & Wahl 2020, Proc. Amer. Math. Soc. 148, 479-494: the error of an empirical eigenspace.

    |P^ - P|^2 is of order (1/n) sum over pairs of l_i l_j/(l_i - l_j)^2 (i in, j out), relative
    gaps and not absolute ones: twice that sum in the mean to first order, and within a factor 2 of
    it long before. Checked on the recordings' covariance HH' + sigma^2 I.
    """
    rng = np.random.default_rng(6)
    gains, noise, p = np.array([2.0, 1.5, 1.0]), 0.5, 12
    spectrum = np.full(p, noise**2)
    spectrum[:3] += gains**2
    inside, outside = spectrum[:3, None], spectrum[None, 3:]
    bound = 2 / n * np.sum(inside * outside / (inside - outside) ** 2)
    errors = []
    for _ in range(200):
        R = rng.standard_normal((n, p)) * np.sqrt(spectrum)
        V = np.linalg.eigh(R.T @ R)[1][:, -3:]
        errors.append(2 * (3 - np.sum(V[:3] ** 2)))
    assert np.max(errors) < 4 * bound
    assert np.mean(errors) == pytest.approx(bound, rel=0.1)


def test_brain_law_reaches_the_relative_perturbation_of_its_singular_vectors() -> None:
    """The same first-order term for the left vectors of the recordings' signal, p columns of them.

    2 (r - E tr C^) tends to 2 q sum (p + th)/th^2, th = D^2 n_B/sigma_r^2, as n_B grows.
    """
    n, d, p, gains = 10**6, 50, 30, np.array([2.0, 1.5, 1.0])
    C = subspace_law(n, gains, neural_noise=0.5, input_dim=d, n_channels=p).c
    th = gains**2 * n / 0.25
    assert 2 * (3 - np.trace(C)) == pytest.approx(2 * 47 * np.sum((p + th) / th**2), rel=1e-3)


def test_zhang_schneider_limits() -> None:
    """Zhang & Schneider 2010, Projection penalties: dimension reduction without loss, ICML.

    The penalty interpolates between the reduced model and the full one.
    """
    sizes = {"n": 40, "rank": 4, "d": 20, "sigma": 0.7, "m": 0.2, "latents": 4}
    reduced = 0.2 + (0.49 + 0.2) * 4 / (40 - 5)
    full = 0.49 * 20 / (40 - 21)
    assert law(penalty=1e9, **sizes) == pytest.approx(reduced, rel=1e-6)
    assert law(penalty=1e-9, **sizes) == pytest.approx(full, rel=1e-6)


def test_gross_restricted_estimators() -> None:
    """Gross 2003, Restricted ridge estimation, Statistics & Probability Letters 65, 57-64.

    With an infinite penalty outside P, BEFS is least squares under the restriction (I-P) b = 0:
    b_ols - S^-1 R'(R S^-1 R')^-1 R b_ols; with a ridge inside, S becomes S + k I.
    """
    rng = np.random.default_rng(9)
    n, d, r = 30, 8, 3
    X, y = rng.standard_normal((n, d)), rng.standard_normal(n)
    restriction = np.eye(d)[r:]
    for inside in (0.0, 0.4):
        S = X.T @ X / n + inside * np.eye(d)
        free = np.linalg.solve(S, X.T @ y / n)
        back = np.linalg.solve(S, restriction.T)
        gross = free - back @ np.linalg.solve(restriction @ back, restriction @ free)
        bands = np.repeat((inside, 1e10), [r, d - r])
        np.testing.assert_allclose(weighted_ridge(X, y, bands), gross, atol=1e-8)


def test_hoerl_kennard_ridge_beats_least_squares() -> None:
    """Hoerl & Kennard 1970, Technometrics 12, 55-67: some penalty > 0 always improves on OLS."""
    for sigma in (0.05, 1.0, 5.0):
        ols = law(60, 0, 20, 0.0, sigma, 0.0, 1)
        penalty = float(exact.optimal_penalty(sigma, 60, 0, 20))
        assert law(60, 0, 20, penalty, sigma, 0.0, 1) < ols
