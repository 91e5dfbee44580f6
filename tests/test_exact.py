"""The exact risk formula against plain NumPy replicates, its special cases and its optimum.

Each replicate's excess is compared with the law *given its own subspace*, whose moments lead with
the replicate axis: the differences have mean zero exactly, whatever the spread of the brain stage.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from mcbrain.theory import exact
from mcbrain.theory.asymptotic import subspace_law
from mcbrain.theory.frame import ShiftCoefficients
from mcbrain.theory.subspace import SubspaceMoments
from mcbrain.theory.wishart import task_moments

STRUCTURED = ShiftCoefficients.structured


@dataclass(frozen=True)
class World:
    """A population in a random orthogonal frame: columns of `frame` are A, u, o, the rest."""

    n_task: int
    n_brain: int
    input_dim: int
    channels: int
    gains: tuple[float, ...]  # one per measured latent
    loadings: tuple[float, ...]  # one per latent, measured ones first
    misalignment: float
    task_noise: float
    neural_noise: float
    rank: int
    penalty: float

    @property
    def k(self) -> int:
        return len(self.loadings)

    @property
    def measured(self) -> int:
        return len(self.gains)


TALL = World(40, 30, 14, 6, (2.0, 1.5, 1.0), (0.7, 0.3, 0.5, 0.4), 0.25, 0.8, 0.7, 3, 0.3)
WORLDS = {
    "all latents measured": World(
        40, 32, 13, 6, (2.0, 1.5, 1.0), (0.8, 0.3, 0.5), 0.3, 0.8, 0.7, 3, 0.2
    ),
    "a latent unmeasured": TALL,
    "more inputs than task samples": World(
        18, 30, 24, 5, (2.0, 1.0), (0.6, 0.8), 0.2, 0.6, 0.8, 2, 0.5
    ),
    "fewer brain samples than inputs": World(
        30, 11, 16, 6, (2.0, 1.0), (0.6, 0.8), 0.2, 0.6, 0.5, 2, 0.5
    ),
    "rank below the latents": World(
        36, 30, 14, 5, (2.0, 1.5, 1.0), (0.7, 0.3, 0.5), 0.2, 0.8, 0.7, 2, 0.4
    ),
    "rank above the latents": World(36, 30, 14, 7, (2.0, 1.0), (0.6, 0.8), 0.2, 0.8, 0.7, 5, 0.4),
    "projection": World(36, 30, 14, 5, (2.0, 1.0), (0.6, 0.8), 0.2, 0.8, 0.7, 2, np.inf),
    "no penalty, more samples": World(36, 30, 14, 5, (2.0, 1.0), (0.6, 0.8), 0.2, 0.8, 0.7, 2, 0.0),
    "fewer task samples than the rank": World(
        2, 40, 14, 14, (2.0, 1.5), (0.6, 0.8), 0.2, 0.8, 0.7, 10, 0.4
    ),
    "no noise": World(12, 30, 20, 5, (2.0, 1.0), (0.6, 0.8), 0.2, 0.0, 0.7, 2, 0.3),
}


def unit(values: tuple[float, ...]) -> np.ndarray:
    a = np.asarray(values)
    return a / np.linalg.norm(a)


def random_frame(w: World) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(3).standard_normal((w.input_dim, w.input_dim)))[0]


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


def test_structured_and_dense_second_moments_agree() -> None:
    """The same M in the short frame and as a d x d matrix in another basis: same moments."""
    w = WORLDS["a latent unmeasured"]
    frame, k, d = random_frame(w), w.k, w.input_dim
    moments = subspace_law(
        30, np.array(w.gains), neural_noise=0.7, input_dim=d, n_channels=w.channels, rank=w.rank
    )
    signal = exact.signal_coordinates(w.misalignment, unit(w.loadings))
    short = STRUCTURED(k, 2.0, -0.7, 3.0, 0.5, 1.5 * unit(w.loadings))
    F = frame[:, : k + 2]
    dense = ShiftCoefficients.dense(2.0 * np.eye(d) + F @ short.frame @ F.T, frame)
    one = exact.brain_moments(moments, signal, short, d)
    two = exact.brain_moments(moments, signal, dense, d)
    for name, value in vars(one).items():
        np.testing.assert_allclose(getattr(two, name), value, rtol=1e-11, atol=1e-12, err_msg=name)


def test_known_subspace_agrees_with_the_frame() -> None:
    rng = np.random.default_rng(2)
    d, k = 12, 3
    frame = np.linalg.qr(rng.standard_normal((d, d)))[0]
    a = unit((1.0, 2.0, 0.5))
    signal = exact.signal_coordinates(0.3, a)
    drift = exact.concept_drift(signal, 0.7)
    G = rng.standard_normal((d, d))
    shift = ShiftCoefficients.dense(G @ G.T, frame)
    one = exact.brain_moments(SubspaceMoments.oracle(k), signal, shift, d, drift)
    F = frame[:, : k + 2]
    two = exact.known_subspace_moments(F @ signal, frame[:, :k], G @ G.T, F @ drift)
    for name, value in vars(one).items():
        np.testing.assert_allclose(getattr(two, name), value, rtol=1e-11, atol=1e-12, err_msg=name)


def test_grids_broadcast_to_what_loops_give() -> None:
    d, k = 20, 3
    m = np.array([0.0, 0.1, 0.5])
    factors = np.array([1.0, 4.0])[:, None]
    signal = exact.signal_coordinates(m, unit((1.0, 1.0, 2.0)))
    shift = STRUCTURED(k, factors, 1.0 - factors)
    brain = exact.brain_moments(SubspaceMoments.oracle(k), signal, shift, d)
    n = np.array([10, 30, 100])[:, None, None]
    task = task_moments(n, k, d, 0.3)
    sizes = {"rank": k, "input_dim": d, "task_noise": 0.5}
    grid = exact.excess_risk(task, brain, n_task=n, **sizes)
    assert grid.shape == (3, 2, 3)
    one = exact.brain_moments(
        SubspaceMoments.oracle(k),
        exact.signal_coordinates(0.1, unit((1.0, 1.0, 2.0))),
        STRUCTURED(k, 4.0, -3.0),
        d,
    )
    law = exact.excess_risk(task_moments(30, k, d, 0.3), one, n_task=30, **sizes)
    assert grid[1, 1, 1] == pytest.approx(float(law), rel=1e-13)


def test_shifts_inside_the_block_need_all_second_moments() -> None:
    eye = np.eye(2)
    few = SubspaceMoments(2, eye, eye, 2 * eye)
    signal = exact.signal_coordinates(0.1, unit((1.0, 1.0)))
    with pytest.raises(ValueError, match="treat all measured latents alike"):
        exact.brain_moments(few, signal, STRUCTURED(2, brain_direction=(1.0, 0.0)), 9)


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
    ols = exact.status([20, 21, 22, 23, 24, 27, 28, 12, 13, 18, 19], 0, 20, 0.0)
    assert list(ols) == [
        *("infinite_mean", "infinite_mean", "infinite_variance", "infinite_variance"),
        *("heavy_tail", "heavy_tail", "ok"),
        *("ok", "heavy_tail", "infinite_variance", "infinite_mean"),
    ]
    befs = exact.status([5, 6, 7, 9, 12, 13, 19, 20], 5, 20, 0.3)
    assert list(befs) == [
        *("infinite_mean", "infinite_mean", "infinite_variance", "heavy_tail", "heavy_tail"),
        *("ok", "ok", "ok"),
    ]
    assert exact.status(20, 5, 20, 0.0) == "infinite_mean"  # ridgeless: both singularities
    assert exact.status(20, 0, 20, 0.3) == "ok"  # ridge is bounded
    assert exact.status(20, 5, 20, np.inf) == "ok"
    assert exact.status(50, 5, 20, -0.01) == "infinite_mean"
