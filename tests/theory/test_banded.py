"""The two-penalty law: its exact neighbours and plain NumPy replicates."""

from __future__ import annotations

import numpy as np
import pytest

from mcbrain.theory import exact
from mcbrain.theory.banded import two_penalty_excess
from mcbrain.theory.brain import brain_moments
from mcbrain.theory.frame import ShiftCoefficients, concept_drift, signal_coordinates
from mcbrain.theory.subspace import SubspaceMoments
from mcbrain.theory.wishart import task_moments

K, M, SIGMA = 6, 0.25, 0.7
A = np.full(K, K**-0.5)
SIGNAL = signal_coordinates(M, A)
SHIFTS = {
    "id": ShiftCoefficients.structured(K),
    "brain-insensitive:4": ShiftCoefficients.structured(K, 4.0, -3.0),
    "missed-direction:9": ShiftCoefficients.structured(K, missed=8.0),
}


def simulated(n: int, d: int, penalty: float, eta: float, reps: int) -> tuple[np.ndarray, ...]:
    """Mean excess and its standard error under every shift and under a concept change."""
    rng = np.random.default_rng(3)
    beta = np.zeros(d)
    beta[: K + 2] = SIGNAL
    weights = penalty * np.repeat((eta, 1.0), [K, d - K])
    X = rng.standard_normal((reps, n, d))
    y = X @ beta + SIGMA * rng.standard_normal((reps, n))
    Xt = np.swapaxes(X, 1, 2)
    found = np.linalg.solve(Xt @ X / n + np.diag(weights), Xt @ y[..., None] / n)[..., 0]
    error = found - beta
    excess = []
    for shift in SHIFTS.values():
        F = error[:, : K + 2]
        excess.append(
            shift.identity * (error**2).sum(axis=1) + np.einsum("ri,ij,rj->r", F, shift.frame, F)
        )
    drift = np.zeros(d)
    drift[: K + 2] = concept_drift(SIGNAL, 0.5)
    excess.append(((error - drift) ** 2).sum(axis=1))
    table = np.array(excess)
    return table.mean(axis=1), table.std(axis=1) / np.sqrt(reps)


def predicted(n: int, d: int, penalty: float, eta: float) -> np.ndarray:
    moments = SubspaceMoments.oracle(K)
    brains = [brain_moments(moments, SIGNAL, shift, d) for shift in SHIFTS.values()]
    brains.append(brain_moments(moments, SIGNAL, SHIFTS["id"], d, concept_drift(SIGNAL, 0.5)))
    sizes = {"n_task": n, "rank": K, "input_dim": d, "task_noise": SIGMA}
    return np.array([two_penalty_excess(b, **sizes, penalty=penalty, eta=eta) for b in brains])


@pytest.mark.parametrize("n", [20, 45, 150])
@pytest.mark.parametrize("eta", [0.1, 0.5, 4.0])
def test_law_is_within_three_percent_at_d_45(n: int, eta: float) -> None:
    """36 z-scores below 4.5 beyond the stated 3 %: false alarm below 3e-4."""
    mean, error = simulated(n, 45, 0.5, eta, 1200)
    assert np.all(np.abs(predicted(n, 45, 0.5, eta) - mean) < 0.03 * mean + 4.5 * error)


@pytest.mark.parametrize(("eta", "spared"), [(1.0, False), (1e-9, True)])
def test_ends_approach_the_exact_laws_of_ridge_and_befs(eta: float, spared: bool) -> None:
    """At d = 400 the difference from the exact law is below 0.5 %, and falls at least like 1/n."""
    errors = []
    for scale in (1, 2):
        d, n = 400 * scale, 600 * scale
        moments = SubspaceMoments.oracle(K) if spared else SubspaceMoments.none(K)
        brain = brain_moments(moments, SIGNAL, SHIFTS["id"], d)
        rank = K if spared else 0
        sizes = {"n_task": n, "rank": rank, "input_dim": d}
        task = task_moments(*sizes.values(), 0.4)
        law = exact.excess_risk(task, brain, **sizes, task_noise=SIGMA)
        errors.append(float(predicted(n, d, 0.4, eta)[0] / law - 1))
    assert abs(errors[0]) < 0.005
    assert errors[0] / errors[1] > 1.8


def test_bands_of_the_closed_form_are_nearly_the_best() -> None:
    n, d = 60, 45
    outside, inside = exact.optimal_band_penalties(SIGMA, n, K, d, M)
    best = predicted(n, d, float(outside), float(inside / outside))[0]
    for a in (0.5, 1.0, 2.0):
        for b in (0.5, 1.0, 2.0):
            other = predicted(n, d, float(outside) * a, float(inside / outside) * b)[0]
            assert best <= other * (1 + 1e-9)


def test_no_number_without_a_positive_penalty() -> None:
    assert np.all(np.isnan(predicted(30, 20, 0.0, 0.5)))
    assert np.all(np.isnan(predicted(30, 20, 0.5, 0.0)))
