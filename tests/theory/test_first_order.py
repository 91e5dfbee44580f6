"""First-order laws: each is the leading term of an exact or simulated quantity."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq

from mcbrain.theory import exact, first_order
from mcbrain.theory.asymptotic import subspace_law
from mcbrain.theory.brain import brain_moments
from mcbrain.theory.frame import ShiftCoefficients, signal_coordinates
from mcbrain.theory.subspace import SubspaceMoments
from mcbrain.theory.wishart import task_moments

D, K, SIGMA = 40, 4, 0.7


def optimal_excess(n: float, rank: int, m_bar: float) -> float:
    """Exact excess under `id` at the optimal penalty; the misalignment stands for m_bar."""
    signal = signal_coordinates(m_bar, np.full(K, K**-0.5))
    subspace = SubspaceMoments.oracle(K) if rank else SubspaceMoments.none(K)
    brain = brain_moments(subspace, signal, ShiftCoefficients.structured(K), D)
    penalty = exact.optimal_penalty(SIGMA, n, rank, D, m_bar if rank else 1.0)
    sizes = {"n_task": n, "rank": rank, "input_dim": D}
    task = task_moments(*sizes.values(), penalty)
    return float(exact.excess_risk(task, brain, **sizes, task_noise=SIGMA))


@pytest.mark.parametrize(("rank", "m_bar"), [(0, 1.0), (4, 0.2)])
def test_large_n_risk_misses_by_the_third_order(rank: int, m_bar: float) -> None:
    """The error falls eightfold when n doubles."""
    errors = [
        optimal_excess(n, rank, m_bar)
        - float(first_order.excess_at_optimum(n, rank, D, SIGMA, m_bar))
        for n in (100_000, 200_000)
    ]
    assert errors[0] / errors[1] == pytest.approx(8.0, rel=0.01)


@pytest.mark.parametrize("m_bar", [0.05, 0.5])
def test_value_of_brain_data_at_large_n(m_bar: float) -> None:
    n = 100_000
    befs = optimal_excess(n, K, m_bar)
    ols = SIGMA**2 * D / (befs) + D + 1 - n
    law = float(first_order.large_sample_value(m_bar, K, D, SIGMA))
    assert ols == pytest.approx(law, rel=5e-3)
    ridge = brentq(lambda v: optimal_excess(n + round(v), 0, 1.0) - befs, -50, 500, xtol=0.5)
    law = float(first_order.large_sample_value(m_bar, K, D, SIGMA, baseline="ridge"))
    assert ridge == pytest.approx(law, abs=1.0)


def simulated_missed_fraction(n: int, reps: int) -> tuple[float, float]:
    """Mean and standard error of m_hat by plain regression of recordings on inputs."""
    rng = np.random.default_rng(11)
    d, k, p, m = 8, 2, 5, 0.3
    gains, a = np.array([1.5, 0.8]), np.array([0.6, 0.8])
    beta = np.zeros(d)
    beta[:k], beta[k] = np.sqrt(1 - m) * a, np.sqrt(m)
    X = rng.standard_normal((reps, n, d))
    recordings = rng.standard_normal((reps, n, p)) * 0.9
    recordings[..., :k] += X[..., :k] * gains
    gram = np.swapaxes(X, 1, 2) @ X
    B = np.linalg.solve(gram, np.swapaxes(X, 1, 2) @ recordings)
    fit = np.swapaxes(B, 1, 2) @ gram @ B
    V = np.linalg.eigh(fit)[1][..., -k:]
    Q = np.linalg.qr(B @ V)[0]
    missed = 1.0 - ((beta @ Q) ** 2).sum(axis=-1)
    return float(missed.mean()), float(missed.std() / np.sqrt(reps))


def test_missed_fraction_falls_as_delta_over_n() -> None:
    """At n_B = 600 the next order is within 6 % of delta; z below 4.5: false alarm 7e-6."""
    mean, error = simulated_missed_fraction(600, 3000)
    delta = first_order.brain_error(0.3, (0.6, 0.8), (1.5, 0.8), neural_noise=0.9, input_dim=8)
    law = float(first_order.missed_fraction(0.3, delta, 600, 8))
    assert abs(mean - law) < 4.5 * error + 0.06 * abs(float(delta)) / 591


def test_delta_is_the_limit_of_the_brain_law() -> None:
    gains, a, m, n = np.array([2.0, 1.0, 0.7]), np.array([0.6, 0.64, 0.48]), 0.2, 10**7
    subspace = subspace_law(n, gains, neural_noise=1.2, input_dim=30, n_channels=20)
    missed = brain_moments(
        subspace, signal_coordinates(m, a), ShiftCoefficients.structured(3), 30
    ).m_hat
    delta = first_order.brain_error(m, a, gains, neural_noise=1.2, input_dim=30)
    assert (missed - m) * (n - 31) == pytest.approx(float(delta), rel=1e-3)


def test_first_order_sees_nothing_up_to_d_plus_1() -> None:
    assert first_order.missed_fraction(0.1, 2.0, 41, 40) == np.inf
    assert first_order.brain_value(30, 0.1, 2.0, 4, 40, 0.7) == 0.0


def test_value_is_linear_when_aligned_and_saturates_when_not() -> None:
    n = np.array([141.0, 241.0, 1e12])
    aligned = first_order.brain_value(n, 0.0, 5.0, K, D, SIGMA)
    assert aligned[1] / aligned[0] == pytest.approx(2.0)
    rate = first_order.initial_rate(5.0, K, D, SIGMA)
    assert aligned[0] == pytest.approx(float(rate) * 100)
    saturated = first_order.brain_value(n, 0.1, 5.0, K, D, SIGMA)
    limit = float(first_order.large_sample_value(0.1, K, D, SIGMA))
    assert saturated[2] == pytest.approx(limit)
    half = first_order.brain_value(D + 1 + 5.0 / 0.1, 0.1, 5.0, K, D, SIGMA)
    assert half == pytest.approx(limit / 2)


def test_aligned_rate_is_the_ratio_of_signal_to_noise_ratios() -> None:
    a, gains, noise = np.full(4, 0.5), np.array([1.0, 2.0, 1.0, 0.5]), 1.3
    delta = first_order.brain_error(0.0, a, gains, neural_noise=noise, input_dim=D)
    snr_brain = 1 / (noise**2 * np.sum(a**2 / gains**2))
    rate = first_order.initial_rate(delta, K, D, SIGMA)
    assert rate == pytest.approx((1 - K / D) * snr_brain * SIGMA**2)


@pytest.mark.parametrize("baseline", ["ols", "ridge"])
@pytest.mark.parametrize("price", [0.002, 0.05, 1.0, 40.0])
def test_budget_is_the_best_of_all_numbers_of_brain_samples(baseline: str, price: float) -> None:
    m, delta = 0.02, 3.0
    n = np.arange(0, 20_000)
    value = first_order.brain_value(n, m, delta, K, D, SIGMA, baseline)
    gain = np.where(n > 0, value - price * n, 0.0)
    law = first_order.large_sample_budget(price, m, delta, K, D, SIGMA, baseline)
    best = int(np.argmax(gain))
    assert bool(law.worth_collecting) == (best > 0)
    assert float(law.n_brain) == pytest.approx(best, abs=1.0)
    if best:
        assert float(law.gain) == pytest.approx(gain[best], rel=1e-3)


def test_unknown_baseline_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match="'ols' or 'ridge' is allowed"):
        first_order.large_sample_value(0.1, K, D, SIGMA, baseline="lasso")
