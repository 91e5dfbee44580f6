"""The exact risk formula: special cases in closed form, the optimal penalty, infinite means."""

from __future__ import annotations

import numpy as np
import pytest

from mcbrain.theory import exact
from mcbrain.theory.frame import ShiftCoefficients
from mcbrain.theory.subspace import SubspaceMoments
from mcbrain.theory.tails import status
from mcbrain.theory.wishart import task_moments
from tests.support.worlds import unit

STRUCTURED = ShiftCoefficients.structured


def known(d: int, k: int, m: float, penalty: float, n: int, sigma: float, subspace: str) -> float:
    """E excess under `id` with P = 0 (ridge, OLS) or the measured block."""
    signal = exact.signal_coordinates(m, np.full(k, k**-0.5))
    moments = SubspaceMoments.oracle(k) if subspace == "oracle" else SubspaceMoments.none(k)
    brain = exact.brain_moments(moments, signal, STRUCTURED(k), d)
    sizes = {"n_task": n, "rank": moments.rank, "input_dim": d}
    return float(
        exact.excess_risk(task_moments(*sizes.values(), penalty), brain, **sizes, task_noise=sigma)
    )


def test_ols_is_noise_times_d_over_n_minus_d_minus_1() -> None:
    assert known(20, 3, 0.2, 0.0, 50, 0.7, "none") == pytest.approx(0.49 * 20 / 29, rel=1e-9)


def test_minimum_norm_below_d_is_lost_signal_plus_amplified_noise() -> None:
    law = known(50, 3, 0.2, 0.0, 20, 0.7, "none")
    assert law == pytest.approx(1 - 20 / 50 + 0.49 * 20 / 29, rel=1e-9)


def test_projection_treats_the_missed_part_as_noise() -> None:
    law = known(30, 4, 0.2, np.inf, 25, 0.7, "oracle")
    assert law == pytest.approx(0.2 + (0.49 + 0.2) * 4 / 20, rel=1e-9)


def test_ridgeless_befs_below_d_is_minimum_norm_outside_the_subspace() -> None:
    n, r, q = 20, 4, 46
    outside = 0.2 * (1 - (n - r) / q) + 0.49 * (n - r) / (50 - n - 1)
    law = known(50, 4, 0.2, 0.0, n, 0.7, "oracle")
    assert law == pytest.approx((outside * (n - 1) + 0.49 * r) / (n - r - 1), rel=1e-9)


def test_id_risk_has_its_short_form() -> None:
    """e_U (n-1)/(n-r-1) + sigma_y^2 r/(n-r-1), with e_U of plain ridge in q dimensions."""
    n, d, r, sigma, penalty = 23, 31, 5, 0.6, 0.4
    t = task_moments(n, r, d, penalty)
    q = d - r
    e_u = 0.3 * (t.c1 + q * t.c2) + q * sigma**2 * t.noise
    law = known(d, r, 0.3, penalty, n, sigma, "oracle")
    short = (e_u * (n - 1) + sigma**2 * r) / (n - r - 1)
    assert law == pytest.approx(float(short), rel=1e-12)


@pytest.mark.parametrize("n", [4, 5, 6])
def test_mean_is_infinite_next_to_the_rank(n: int) -> None:
    assert known(30, 5, 0.2, 0.3, n, 0.7, "oracle") == np.inf


def test_mean_is_infinite_next_to_d_without_penalty_but_not_without_noise() -> None:
    for n in (29, 30, 31):
        assert known(30, 5, 0.2, 0.0, n, 0.7, "none") == np.inf
    assert known(30, 5, 0.2, 0.0, 31, 0.0, "none") == 0.0
    assert known(30, 5, 0.2, 0.0, 29, 0.0, "none") == pytest.approx(1 / 30)


@pytest.mark.parametrize(("n", "rank"), [(12, 0), (60, 0), (12, 4), (60, 4)])
def test_optimal_penalty_minimises_the_risk(n: int, rank: int) -> None:
    d, sigma, m = 30, 0.8, 0.3
    subspace = "oracle" if rank else "none"
    best = float(exact.optimal_penalty(sigma, n, rank, d, m if rank else 1.0))
    at = known(d, 4, m, best, n, sigma, subspace)
    for factor in (0.98, 1.02):
        assert known(d, 4, m, best * factor, n, sigma, subspace) > at
    # There e_U is (sigma_y^2/n) E tau1 = sigma_y^2 q mean_f / (n lambda).
    q = d - rank
    e_u = sigma**2 * q * float(task_moments(n, rank, d, best).mean_f) / (n * best)
    short = (e_u * (n - 1) + sigma**2 * rank) / (n - rank - 1) if rank else e_u
    assert at == pytest.approx(short, rel=1e-9)


def test_optimal_penalty_at_its_ends() -> None:
    assert exact.optimal_penalty(0.5, 20, 3, 10, 0.0) == np.inf
    assert exact.optimal_penalty(0.0, 20, 3, 10, 0.5) == 0.0
    outside, inside = exact.optimal_band_penalties(0.5, 20, 3, 10, 0.2)
    assert outside == pytest.approx(0.25 * 7 / (20 * 0.2))
    assert inside == pytest.approx(0.25 * 3 / (20 * 0.8))


@pytest.mark.parametrize("factor", [0.0, 1.0, 9.0, 200.0])
def test_optimal_shift_penalty_is_the_best_of_a_fine_grid(factor: float) -> None:
    d, k, n, sigma = 30, 3, 40, 0.8
    signal = exact.signal_coordinates(0.2, unit((1.0, 1.0, 1.0)))
    brain = exact.brain_moments(
        SubspaceMoments.oracle(k), signal, STRUCTURED(k, missed=factor - 1.0), d
    )
    sizes = {"n_task": n, "rank": k, "input_dim": d}
    best = exact.optimal_shift_penalty(task_moments, brain, **sizes, task_noise=sigma)
    grid = np.concatenate([[0.0], np.geomspace(1e-6, 1e6, 3000), [best, np.inf]])
    risk = exact.excess_risk(task_moments(*sizes.values(), grid), brain, **sizes, task_noise=sigma)
    assert risk[-2] == pytest.approx(risk.min(), rel=1e-9)
    if factor == 1.0:
        assert best == pytest.approx(float(exact.optimal_penalty(sigma, n, k, d, 0.2)), rel=1e-4)


def test_status_follows_the_distance_to_the_singular_sizes() -> None:
    ols = status([20, 21, 22, 23, 24, 27, 28, 12, 13, 18, 19], 0, 20, 0.0)
    assert list(ols) == [
        *("infinite_mean", "infinite_mean", "infinite_variance", "infinite_variance"),
        *("heavy_tail", "heavy_tail", "ok"),
        *("ok", "heavy_tail", "infinite_variance", "infinite_mean"),
    ]
    befs = status([5, 6, 7, 9, 12, 13, 19, 20], 5, 20, 0.3)
    assert list(befs) == [
        *("infinite_mean", "infinite_mean", "infinite_variance", "heavy_tail", "heavy_tail"),
        *("ok", "ok", "ok"),
    ]
    assert status(20, 5, 20, 0.0) == "infinite_mean"  # ridgeless: both singularities
    assert status(20, 0, 20, 0.3) == "ok"  # ridge is bounded
    assert status(20, 5, 20, np.inf) == "ok"
    assert status(50, 5, 20, -0.01) == "infinite_mean"
