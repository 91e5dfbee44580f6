"""The exact risk formula against plain NumPy replicates (theory/README.md 4b).

Each replicate's excess is compared with the law *given its own subspace*, whose moments lead with
the replicate axis: the differences have mean zero exactly, whatever the spread of the brain stage.
"""

from __future__ import annotations

import numpy as np
import pytest

from mcbrain.theory import exact
from mcbrain.theory.frame import ShiftCoefficients
from mcbrain.theory.subspace import SubspaceMoments
from mcbrain.theory.wishart import task_moments
from tests.support.worlds import WORLDS, World, random_frame, unit

STRUCTURED = ShiftCoefficients.structured


def estimated_subspaces(w: World, frame: np.ndarray, reps: int, rng: np.random.Generator):
    """Orthonormal bases (reps, d, rank): reduced-rank regression of recordings on inputs."""
    X = rng.standard_normal((reps, w.n_brain, w.input_dim))
    H = np.zeros((w.measured, w.channels))
    H[:, : w.measured] = np.diag(w.gains)
    noise = w.neural_noise * rng.standard_normal((reps, w.n_brain, w.channels))
    recordings = X @ frame[:, : w.measured] @ H + noise
    B = np.linalg.pinv(X) @ recordings
    V = np.linalg.svd(X @ B, full_matrices=False)[2][:, : w.rank]
    return np.linalg.qr(B @ np.swapaxes(V, 1, 2))[0]


def befs(X: np.ndarray, y: np.ndarray, Q: np.ndarray, penalty: float) -> np.ndarray:
    """argmin |y - Xb|^2/n + penalty |(I - QQ')b|^2 for a stack of replicates."""
    n, d, rank = X.shape[1], X.shape[2], Q.shape[2]
    Qt = np.swapaxes(Q, 1, 2)
    if np.isinf(penalty) or n <= rank:
        return (Q @ (np.linalg.pinv(X @ Q) @ y[..., None]))[..., 0]
    Xt = np.swapaxes(X, 1, 2)
    penalised = Xt @ X / n + penalty * (np.eye(d) - Q @ Qt)
    return np.linalg.solve(penalised, Xt @ y[..., None] / n)[..., 0]


def shifts_of(w: World) -> dict[str, tuple[ShiftCoefficients, np.ndarray | None]]:
    k, d = w.k, w.input_dim
    a = unit(w.loadings)
    signal = exact.signal_coordinates(w.misalignment, a)
    turn = np.zeros(k)
    turn[0], turn[-1] = a[-1], -a[0]
    turn /= np.linalg.norm(turn)
    G = np.random.default_rng(5).standard_normal((d, d))
    frame = random_frame(w)
    return {
        "id": (STRUCTURED(k), None),
        "scale:3": (STRUCTURED(k, 3.0), None),
        "brain-insensitive:4": (STRUCTURED(k, 4.0, -3.0), None),
        "brain-aligned:4": (STRUCTURED(k, brain=3.0), None),
        "missed-direction:9": (STRUCTURED(k, missed=8.0), None),
        "mean:2:brain": (STRUCTURED(k, brain_direction=2.0 * a), None),
        "mean:2:orthogonal": (STRUCTURED(k, outside=4.0), None),
        "concept:0.4:brain": (STRUCTURED(k), exact.concept_drift(signal, 0.4, turn)),
        "concept:0.4:orthogonal": (STRUCTURED(k, 4.0, -3.0), exact.concept_drift(signal, 0.4)),
        "dense": (ShiftCoefficients.dense(G @ G.T / d, frame), None),
    }


def replicate_moments(Q: np.ndarray, A: np.ndarray, rank: int) -> SubspaceMoments:
    """C^ and its products for every replicate, along the first axis."""
    half = A.T @ Q
    C = half @ np.swapaxes(half, 1, 2)
    diagonal = np.diagonal(C, axis1=1, axis2=2)
    trace = diagonal.sum(axis=1)[:, None, None]
    product = diagonal[:, :, None] * diagonal[:, None, :]
    return SubspaceMoments(rank, C, C @ C, trace * C, product, C**2)


def z_scores(w: World, reps: int, seed: int) -> dict[str, float]:
    rng = np.random.default_rng(seed)
    frame = random_frame(w)
    signal = exact.signal_coordinates(w.misalignment, unit(w.loadings))
    beta = frame[:, : w.k + 2] @ signal
    Q = estimated_subspaces(w, frame, reps, rng)
    X = rng.standard_normal((reps, w.n_task, w.input_dim))
    y = X @ beta + w.task_noise * rng.standard_normal((reps, w.n_task))
    error = befs(X, y, Q, w.penalty) - beta
    moments = replicate_moments(Q, frame[:, : w.measured], w.rank)
    task = task_moments(w.n_task, w.rank, w.input_dim, w.penalty)
    found = {}
    for name, (shift, drift) in shifts_of(w).items():
        size = shift.frame.shape[-1]
        E = error if drift is None else error - frame[:, : w.k + 2] @ drift
        F = E @ frame[:, :size]
        excess = shift.identity * (E**2).sum(axis=1) + np.einsum("ri,ij,rj->r", F, shift.frame, F)
        brain = exact.brain_moments(moments, signal, shift, w.input_dim, drift)
        law = exact.excess_risk(
            task,
            brain,
            n_task=w.n_task,
            rank=w.rank,
            input_dim=w.input_dim,
            task_noise=w.task_noise,
        )
        gap = excess - law
        found[name] = float(gap.mean() / (gap.std() / np.sqrt(reps)))
    return found


@pytest.mark.parametrize("name", WORLDS)
def test_mean_excess_is_the_law_under_every_shift(name: str) -> None:
    """100 z-scores below 4.5: false alarm 7e-4 for the whole table."""
    found = z_scores(WORLDS[name], 2500, seed=17)
    assert max(abs(z) for z in found.values()) < 4.5, found


@pytest.mark.long
@pytest.mark.parametrize("name", WORLDS)
def test_mean_excess_is_the_law_with_many_replicates(name: str) -> None:
    """20 batches of 5,000 replicates; 2,000 z-scores below 5.5: false alarm 8e-5."""
    batches = [z_scores(WORLDS[name], 5000, seed) for seed in range(20)]
    pooled = {s: sum(b[s] for b in batches) / np.sqrt(20) for s in batches[0]}
    assert max(abs(z) for b in batches for z in b.values()) < 5.5
    assert max(abs(z) for z in pooled.values()) < 4.5, pooled
