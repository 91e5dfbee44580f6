"""The exact task stage: what holds between its moments, its optimum, simulation and bad input.

`test_wishart_digits.py`, `test_wishart_large.py` and `test_wishart_limits.py` hold its digits.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcbrain.errors import InputError
from mcbrain.theory.wishart import resolvent, task_moments


@pytest.mark.parametrize("n", [10, 11, 30, 2000])
def test_swapping_rows_and_columns_adds_the_zero_eigenvalues(n):
    z = np.geomspace(1e-10, 1e10, 41)
    g, g_prime = resolvent(n, 10, z)
    h, h_prime = resolvent(10, n, z)
    np.testing.assert_allclose(h, g + (n - 10) / z, rtol=1e-13)
    np.testing.assert_allclose(h_prime, g_prime - (n - 10) / z**2, rtol=1e-13)


@given(
    n=st.integers(1, 400),
    q=st.integers(1, 60),
    log_penalty=st.floats(-12, 12),
    rank=st.integers(0, 5),
)
@settings(deadline=None, max_examples=150)
def test_moments_obey_their_inequalities_and_the_stein_haff_identity(n, q, log_penalty, rank):
    penalty = 10.0**log_penalty
    moments = task_moments(n + rank, rank, q + rank, penalty)
    z = (n + rank) * penalty
    mean_square = moments.c1 + q * moments.c2
    assert 0 <= moments.noise <= 0.25 * (1 + 1e-12) / z
    assert 0 <= moments.c2 <= mean_square * (1 + 1e-12)
    assert -1e-12 * mean_square <= moments.c1
    assert moments.mean_f**2 <= mean_square * (1 + 1e-12)
    assert mean_square <= moments.mean_f * (1 + 1e-12)
    # E (sum f)^2 two ways: from c1 and c2, and from g alone.
    g, g_prime = resolvent(n, q, z)
    square = q * (q * mean_square - (q + 2) * (q - 1) * moments.c2)
    scale = z * (q + (z + n + q) * g)
    assert abs(square - z * (q - (z + n - q - 1) * g + z * g_prime)) < 1e-11 * scale


def test_the_optimal_penalty_is_optimal_and_leaves_the_resolvent_as_risk():
    """lambda* = sigma_y^2 q / (n m_bar); then e_U = (sigma_y^2/n) E tau1 = sigma_y^2 g (4c)."""
    n = np.array([15, 40, 110, 120, 121, 400, 10**7])[:, None, None]
    rank, d = 10, 120
    m_bar = np.array([0.001, 0.2, 1.0])[:, None]
    variance = np.array([1e-4, 0.5, 30.0])
    q = d - rank
    best = variance * q / (n * m_bar)

    def outside(penalty):
        moments = task_moments(n, rank, d, penalty)
        return m_bar * (moments.c1 + q * moments.c2) + q * variance * moments.noise

    g, _ = resolvent(n - rank, q, n * best)
    np.testing.assert_allclose(outside(best), variance * g, rtol=1e-12)
    risk = outside(best)
    for factor in (0.99, 1.01):
        assert np.all(outside(best * factor) >= risk * (1 - 1e-13))


def test_a_cell_of_a_grid_equals_the_same_cell_alone():
    n, penalty = np.array([4, 20, 31, 5000]), np.array([0.0, 1e-30, 0.3, np.inf])
    grid = task_moments(n[:, None], 1, np.array([9, 31])[:, None, None], penalty)
    assert grid.c2.shape == (2, 4, 4)
    for i, d in enumerate((9, 31)):
        for j, rows in enumerate(n):
            for k, value in enumerate(penalty):
                alone = task_moments(rows, 1, d, value)
                for field in ("noise", "c1", "c2", "mean_f"):
                    assert getattr(grid, field)[i, j, k] == getattr(alone, field)


def test_bad_input_is_refused_in_a_sentence():
    with pytest.raises(InputError, match=r"n_task must be a whole number >= 0, got 2\.5"):
        task_moments(2.5, 0, 4, 1.0)
    with pytest.raises(InputError, match=r"penalty must be >= 0, got -1\.0"):
        task_moments(5, 0, 4, [1.0, -1.0])
    with pytest.raises(InputError, match=r"rank must not exceed input_dim"):
        task_moments(5, 6, 4, 1.0)
    with pytest.raises(InputError, match="z must be >= 0, got nan"):
        resolvent(5, 4, np.nan)


@pytest.mark.parametrize(
    ("n", "rank", "d", "penalty"),
    [(30, 2, 12, 0.3), (8, 2, 12, 0.3), (12, 2, 12, 0.01), (13, 0, 12, 0.5), (60, 3, 8, 2.0)],
)
def test_task_moments_agree_with_simulation(n, rank, d, penalty):
    """Plain NumPy, 10,000 draws; 20 comparisons at |z| < 4.5: false-alarm rate 1.4e-4."""
    q, rows, draws = d - rank, n - rank, 10_000
    rng = np.random.default_rng([20260510, n, rank, d])
    w = rng.standard_normal((draws, rows, q))
    spectrum = np.maximum(np.linalg.eigvalsh(np.swapaxes(w, 1, 2) @ w), 0.0)
    f = n * penalty / (spectrum + n * penalty)
    once, twice = f.sum(axis=1), (f * f).sum(axis=1)
    c2 = (q * twice - once**2) / (q * (q + 2) * (q - 1))
    simulated = {
        "noise": (spectrum / (spectrum + n * penalty) ** 2).sum(axis=1) / q,
        "c1": (once**2 + 2 * twice) / (q * (q + 2)) - c2,
        "c2": c2,
        "mean_f": once / q,
    }
    exact = task_moments(n, rank, d, penalty)
    for field, values in simulated.items():
        error = values.std(ddof=1) / np.sqrt(draws)
        assert abs(values.mean() - getattr(exact, field)) < 4.5 * error
