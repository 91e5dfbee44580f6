"""Corners of the laws: no noise, no weight, m of 0 or 1, d near k, n near a rank, no penalty."""

from __future__ import annotations

import numpy as np
import pytest

import mcbrain as mb
from mcbrain.asking.shift_text import parse_shift
from mcbrain.plan.moments import shift_coefficients, shift_drift, signal
from mcbrain.plan.penalties import minimum_between
from mcbrain.theory import exact
from mcbrain.theory.subspace import SubspaceMoments
from mcbrain.theory.wishart import task_moments

SHIFTS = [
    "id",
    "scale:0",
    "brain-insensitive:0",
    "brain-aligned:0",
    "missed-direction:0",
    "missed-direction:9",
    "mean:2:brain",
    "mean:3:missed",
    "mean:2:orthogonal",
    "spectrum:1.0",
    "concept:2.5:orthogonal",
    "concept:0.3:brain",
]


def predicted(model: mb.Model, n_task: int, rule: str, shift: str, name: str = "ridge") -> dict:
    return mb.predict(model, n_task, 0, {name: rule}, [shift]).to_pylist()[0]


def test_without_noise_a_task_that_turns_away_is_best_predicted_by_zero() -> None:
    model = mb.Model(input_dim=10, latent_dim=2, n_channels=4, misalignment=0.5, task_noise=0.0)
    row = predicted(model, 30, "optimal-shift", "concept:2.5:orthogonal")
    assert row["penalty"] == np.inf
    assert row["predicted"] == pytest.approx(1.0)
    assert predicted(model, 30, "optimal-shift", "id")["penalty"] == 0.0


def test_a_penalty_with_an_infinite_mean_never_wins() -> None:
    """M has no weight outside the subspace, where the error is infinite: 0 times infinity."""
    model = mb.Model(input_dim=12, latent_dim=3, n_channels=6, misalignment=0.3)
    row = predicted(model, 12, "optimal-shift", "brain-insensitive:0", "befs-oracle")
    # Only e_U depends on the penalty there, as under `id`: sigma_y^2 q/(n m).
    assert row["penalty"] == pytest.approx(9 / (12 * 0.3))
    assert row["predicted"] == pytest.approx(0.46592, rel=1e-4)


def random_corner(rng: np.random.Generator) -> tuple[mb.Model, int, str, str]:
    d = int(rng.choice([1, 2, 3, 4, 6, 9]))
    k = int(rng.integers(1, d + 1))
    model = mb.Model(
        input_dim=d,
        latent_dim=k,
        measured_latents=int(rng.integers(1, k + 1)),
        n_channels=k + 2,
        misalignment=0.0 if d == k else float(rng.choice([0.0, 0.3, 1.0])),
        task_noise=float(rng.choice([0.0, 1e-6, 0.5, 2.0])),
    )
    n = int(rng.choice([1, max(1, k - 1), k, k + 1, max(1, d - 1), d, d + 1, 3 * d + 9]))
    fitting = [s for s in SHIFTS if parse_shift(s).objection(model) is None]
    return model, n, str(rng.choice(fitting)), str(rng.choice(["none", "measured"]))


def test_no_penalty_is_better_than_the_one_found() -> None:
    """100 seeded corners, each against both ends and 30 decades of penalties."""
    rng = np.random.default_rng(4)
    grid = np.concatenate([[0.0], np.geomspace(1e-20, 1e10, 600), [np.inf]])
    for _ in range(100):
        model, n, text, subspace = random_corner(rng)
        shift, d = parse_shift(text), model.input_dim
        spared = getattr(SubspaceMoments, {"none": "none", "measured": "oracle"}[subspace])
        moments = spared(model.k_m)
        brain = exact.brain_moments(
            moments,
            signal(model),
            shift_coefficients(shift, model, 0),
            d,
            shift_drift(shift, model, 0),
        )
        sizes = {"n_task": n, "rank": moments.rank, "input_dim": d}
        setting = {**sizes, "task_noise": model.sigma_y}
        best = exact.optimal_shift_penalty(task_moments, brain, **setting)
        risk = exact.excess_risk(
            task_moments(*sizes.values(), np.append(grid, best)), brain, **setting
        )
        assert not np.any(np.isnan(risk)), (model, n, text)
        assert risk[-1] <= risk.min() * (1 + 1e-9) + 1e-12, (model, n, text, best)


@pytest.mark.parametrize("n", [2, 5, 40])
@pytest.mark.parametrize("m", [0.0, 0.5, 1.0])
def test_two_penalties_without_noise_have_the_limit_of_their_ratio(n: int, m: float) -> None:
    """eta = r m/(q (1 - m)), against the least weighted norm in NumPy; z-scores below 4.5.

    The recordings are all but noiseless, so that the subspace is that of the latents.
    """
    d, k, sizes = 20, 3, (3000, 20, 20)
    model = mb.Model(
        input_dim=d, latent_dim=k, n_channels=6, misalignment=m, task_noise=0.0, neural_noise=1e-4
    )
    [row] = mb.simulate(
        model,
        n,
        200,
        {"two-penalty:1": "optimal"},
        engine="raw",
        precision=0,
        max_replicates=sizes[0],
    ).to_pylist()
    assert row["penalty"] == 0.0
    eta = float(exact.optimal_eta(k, d, np.clip(m, 1e-12, 1 - 1e-12)))
    beta = np.zeros(d)
    beta[:k], beta[k] = np.sqrt((1 - m) / k), np.sqrt(m)
    weight = np.where(np.arange(d) < k, eta**-0.5, 1.0)
    X = np.random.default_rng(1).standard_normal((sizes[0], n, d))
    found = weight * np.einsum("rij,rj->ri", np.linalg.pinv(X * weight, rcond=1e-13), X @ beta)
    excess = ((found - beta) ** 2).sum(axis=1)
    if row["mean"] is not None:
        error = excess.std() * np.sqrt(2 / sizes[0])
        assert abs(row["mean"] - excess.mean()) <= 4.5 * error + 1e-8
    assert row["median"] == pytest.approx(np.median(excess), rel=0.08, abs=1e-8)


def test_two_penalties_with_nothing_outside_are_ridge() -> None:
    model = mb.Model(input_dim=6, latent_dim=6, n_channels=9, task_noise=0.5)
    asked = {"two-penalty:1": "optimal", "ridge": "optimal"}
    bands, ridge = mb.predict(model, 4, 40, asked).to_pylist()
    assert bands["penalty"] == ridge["penalty"] == pytest.approx(0.25 * 6 / 4)
    assert bands["predicted"] == ridge["predicted"]


FRAMES = [(6, 5, 5), (6, 6, 6), (6, 6, 3), (6, 5, 2), (2, 2, 1), (1, 1, 1)]


@pytest.mark.parametrize(("d", "k", "measured"), FRAMES)
def test_every_engine_and_law_has_a_number_where_the_frame_is_small(
    d: int, k: int, measured: int
) -> None:
    """At most 60 z-scores a case below 4.5: false alarm below 3e-3 for the table."""
    model = mb.Model(
        input_dim=d, latent_dim=k, measured_latents=measured, n_channels=8, task_noise=0.7,
        misalignment=0.3 if d > k else 0.0,
    )  # fmt: skip
    fitting = [s for s in SHIFTS if parse_shift(s).objection(model) is None]
    asked = (model, 2 * d + 9, 40, {"ridge": 0.2, "befs": 0.3, "befs-oracle": "optimal"}, fitting)
    drawn = mb.simulate(*asked, engine="raw", precision=0, max_replicates=3000, seed=3).to_pylist()
    laws = mb.predict(*asked, seed=3).to_pylist()
    spectral = mb.simulate(
        *asked, engine="spectral", precision=0, max_replicates=2000, seed=3
    ).to_pylist()
    assert "spectrum:1.0" in fitting
    for row, law, other in zip(drawn, laws, spectral, strict=True):
        value, error = row["predicted"], np.hypot(row["mcse"], row["prediction_se"] or 0.0)
        assert abs(row["mean"] - value) <= 4.5 * error + 1e-12, row
        assert law["predicted"] == pytest.approx(value, rel=0.2, abs=1e-12)
        assert other["mean"] == pytest.approx(value, rel=0.1, abs=1e-12)


@pytest.mark.parametrize("departure", [{"neural_law": "poisson"}, {"latents": "tanh"}], ids=str)
@pytest.mark.parametrize("shift", ["id", "concept:0.4:orthogonal"])
def test_recordings_do_not_touch_the_laws_of_what_does_not_use_them(
    departure: dict[str, str], shift: str
) -> None:
    """Ridge, OLS and the oracle: Gaussian inputs are enough. z-scores below 4.5."""
    model = mb.Model(
        input_dim=12, latent_dim=2, n_channels=6, misalignment=0.3, task_noise=0.6, **departure
    )
    rows = mb.simulate(
        model,
        20,
        0,
        {"ols": 0.0, "ridge": ["optimal", "optimal-shift"], "befs-oracle": "optimal"},
        [shift],
        engine="raw",
        precision=0,
        max_replicates=4000,
    ).to_pylist()
    optimum = {"ridge": 0.36 * 12 / 20, "befs-oracle": 0.36 * 10 / (20 * 0.3)}
    for row in rows:
        assert row["prediction"] == "exact"
        if row["mcse"]:
            assert abs(row["mean"] - row["predicted"]) < 4.5 * row["mcse"], row
        if row["penalty_rule"] == "optimal":
            assert row["penalty"] == pytest.approx(optimum[row["estimator"]], rel=1e-12)


def test_a_pilots_minimum_lies_between_its_grid() -> None:
    """Against the exact optimum: a grid of quarter decades alone is up to 1.1 % above it."""
    rng = np.random.default_rng(0)
    for _ in range(60):
        d, sigma, m = int(rng.integers(4, 60)), float(np.exp(rng.uniform(-1, 1))), rng.uniform()
        k = int(rng.integers(1, min(d - 2, 6) + 1))
        n = int(rng.integers(k + 5, 3 * d + 9))
        model = mb.Model(input_dim=d, latent_dim=k, n_channels=k, misalignment=m, task_noise=sigma)
        moment = shift_coefficients(parse_shift("id"), model, 0)
        brain = exact.brain_moments(SubspaceMoments.oracle(k), signal(model), moment, d)
        best = float(exact.optimal_penalty(sigma, n, k, d, m))
        scale = best * 10 ** rng.uniform(-1, 1)
        grid = np.concatenate([[0.0], scale * 10.0 ** np.arange(-5, 5.01, 0.25), [np.inf]])
        setting = {"n_task": n, "rank": k, "input_dim": d, "task_noise": sigma}
        tasks = [task_moments(n, k, d, x) for x in (grid, best)]
        risk, least = (exact.excess_risk(t, brain, **setting) for t in tasks)
        found = exact.excess_risk(
            task_moments(n, k, d, minimum_between(grid, risk)), brain, **setting
        )
        assert found <= least * (1 + 1e-4)


def test_a_risk_that_is_not_a_number_is_never_the_least() -> None:
    grid = np.concatenate([[0.0], 10.0 ** np.arange(-1, 1.01, 0.25), [np.inf]])
    risk = np.full(grid.size, np.nan)
    risk[4] = 1.0
    assert minimum_between(grid, risk) == grid[4]
    risk = (np.log10(np.maximum(grid, 1e-9)) - 0.1) ** 2
    risk[[0, -1]] = np.nan
    assert minimum_between(grid, risk) == pytest.approx(10**0.1, rel=1e-5)
    risk[-1] = -1.0
    assert minimum_between(grid, risk) == np.inf


@pytest.mark.parametrize("departure", [{"covariance": "powerlaw:1.0"}, {"inputs": "rademacher"}])
def test_outside_the_laws_no_neighbouring_penalty_is_better(departure: dict[str, str]) -> None:
    """Penalties 10 % to either side, on the same data: the pilot's own error costs under 0.1 %."""
    model = mb.Model(
        input_dim=12, latent_dim=2, n_channels=6, misalignment=0.3, task_noise=0.6, **departure
    )
    common = {"engine": "raw", "precision": 0, "max_replicates": 6000}
    for name in ("ridge", "befs"):
        [tuned] = mb.simulate(model, 20, 60, {name: "optimal"}, **common).to_pylist()
        near = [tuned["penalty"] * f for f in (0.5, 0.9, 1.1, 2.0)]
        others = mb.simulate(model, 20, 60, {name: near}, **common).to_pylist()
        assert tuned["mean"] <= min(r["mean"] for r in others) * 1.001


@pytest.mark.long
@pytest.mark.parametrize("seed", range(6))
def test_laws_hold_in_every_corner(seed: int) -> None:
    """40 corners a seed, raw engine against law where both exist: z-scores below 5.5."""
    rng = np.random.default_rng(seed)
    asked = {
        "ols": 0.0,
        "ridge": ["optimal", "optimal-shift", 0.0, 1e6],
        "befs": ["optimal", "optimal-shift", 0.0, 0.3, 1e6],
        "befs-oracle": ["optimal", "optimal-shift"],
        "projection": 0.0,
    }
    for _ in range(40):
        model, n, shift, _ = random_corner(rng)
        n_brain = int(rng.choice([0, model.k_m, model.input_dim + 1, 4 * model.input_dim + 20]))
        rows = mb.simulate(
            model,
            n,
            n_brain,
            asked,
            [shift],
            engine="raw",
            precision=0,
            max_replicates=4000,
            seed=seed,
        ).to_pylist()
        for row in rows:
            if row["mcse"] is None or row["predicted"] is None or row["status"] != "ok":
                continue
            error = np.hypot(row["mcse"], row["prediction_se"] or 0.0)
            gap = abs(row["mean"] - row["predicted"])
            assert gap <= 5.5 * error + 1e-7 * (1 + row["predicted"]), (model, n, n_brain, row)
