"""Engine against engine, replicate by replicate: means, spreads and whole distributions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mcbrain.asking.from_python import adhoc_study
from mcbrain.asking.studies import Study
from mcbrain.blocks.problem import BrainProblem
from mcbrain.certificate.design import Extent, random_model
from mcbrain.certificate.replicate_draws import draws, point_plan
from mcbrain.certificate.scores import Score, difference_score, two_sided_score
from mcbrain.engines.brain import reduced_stage
from mcbrain.plan.statuses import row_status
from mcbrain.running.computing import compute
from mcbrain.typing import Floats

__all__ = ["brain_stage_scores", "engine_scores", "spectral_scores"]


Row = dict[str, Any]  # of an Arrow table: a number, a word or null, by its column
Settings = Mapping[str, float | list[float]]

# Engines are compared on outputs without a law too: two penalties, an adversary, unequal variances
# of the inputs.
_ESTIMATORS: Settings = {
    "ols": 0.0,
    "ridge": 0.3,
    "befs": [0.05, 1.0],
    "befs-oracle": 0.3,
    "projection": 0.0,
    "two-penalty:0.3": 0.3,
}
_SHIFTS = ["id", "brain-insensitive:4", "spectrum:1.0", "adversarial:0.5"]
_LARGEST_DIM = 32
# Degrees of freedom of the standard error of a spectral row: its blocks less one, at the smallest
# count of replicates that is used here.
_SPECTRAL_DOF = 31


def engine_scores(extent: Extent, seed: int) -> Iterator[Score]:
    """Engine raw against engine sufficient: every estimator, rule and shift that both serve.

    Parameters
    ----------
    extent : Extent
        How many points are compared, and how many replicates of each.
    seed : int
        Fixes points and replicates.

    Yields
    ------
    Score
        Means, spreads and distributions of each output.
    """
    for cell in range(extent.pairs):
        study = _pair(seed, cell)
        point = next(study.points())
        count = extent.blocks * 64
        one, two = (draws(study, kind, count) for kind in ("raw", "sufficient"))
        blank = _blank(study, cell, "raw against sufficient")
        plan = point_plan(study, "raw")
        for column, query in enumerate(q for q in plan.queries(point) if q is not None):
            row = replace(
                blank,
                estimator=f"{query.fit.estimator.name} {query.fit.rule}",
                penalty=None if query.fit.selects else query.fit.penalty,
                shift=query.shift.label,
            )
            status = row_status(query.fit, point)
            x, y = one.excess[:, column], two.excess[:, column]
            yield from _compared(row, "excess", x, y, status)
        if point.n_brain >= study.rank(point.model):
            yield from _compared(blank, "m_hat", one.m_hat, two.m_hat, "ok")


def brain_stage_scores(extent: Extent, seed: int) -> Iterator[Score]:
    """The reduced brain stage against the whole one: moments and distribution of C^ = A'PA.

    Parameters
    ----------
    extent : Extent
        How many points are compared, and how many replicates of each.
    seed : int
        Fixes points and replicates.

    Yields
    ------
    Score
        Means, spreads and distributions of numbers of C^.
    """
    for cell in range(extent.pairs):
        study = _pair(seed, 1000 + cell, isotropic=True)
        point = next(study.points())
        count = extent.blocks * 64
        whole = draws(study, "raw", count).overlap
        rank = study.rank(point.model)
        problem = BrainProblem.of(point.model, point.n_brain, rank, 0.0, seed)
        reduced, _ = reduced_stage(problem, 0, count)
        # The raw engine reports all latents, the reduced stage only those that are recorded.
        k = reduced.shape[1]
        whole = whole[:, :k, :k]
        blank = _blank(study, cell, "reduced brain stage against whole")
        for name, function in _overlap_statistics(k).items():
            yield from _compared(blank, name, function(reduced), function(whole), "ok")


def spectral_scores(extent: Extent, seed: int, threads: int | None) -> Iterator[Score]:
    """Rows of engine spectral against rows of engine raw.

    Where the subspace is known the exact law of the task stage is switched off, so that simulated
    spectra are compared; where it is estimated, simulated brain problems are.

    Parameters
    ----------
    extent : Extent
        How many points are compared, and how many replicates of each.
    seed : int
        Fixes points and replicates.
    threads : int, optional
        Threads of the runs; all cores by default. No number depends on it.

    Yields
    ------
    Score
        One for each row.
    """
    known: Settings = {"ols": 0.0, "ridge": 0.3, "befs-oracle": 0.3}
    estimated: Settings = {"befs": [0.05, 1.0], "projection": 0.0}
    for cell in range(extent.pairs):
        for methods, exact, count in ((known, False, 2**15), (estimated, True, 64 * extent.blocks)):
            study = _pair(seed, 2000 + cell, isotropic=True, methods=methods)
            blank = _blank(study, cell, "spectral against raw")
            raw = _rows(study.with_options(engine="raw"), count, threads)
            fast = _rows(
                study.with_options(engine="spectral", exact_task_stage=exact), count, threads
            )
            for x, y in zip(raw, fast, strict=True):
                yield _row_score(blank, x, y)


def _row_score(blank: Score, x: Row, y: Row) -> Score:
    """A row of engine raw against the same row of engine spectral."""
    row = replace(blank, what="mean excess", estimator=x["estimator"], shift=x["shift"])
    row = replace(row, penalty=x["penalty"], mean=x["mean"], mcse=x["mcse"])
    row = replace(row, reference=y["mean"], reference_se=y["mcse"])
    if x["status"] != "ok":
        return replace(row, excluded=x["status"])
    z = difference_score(
        x["mean"],
        x["mcse"],
        y["mean"],
        y["mcse"] or 0.0,
        dof=x["replicates"] - 1,
        reference_dof=_SPECTRAL_DOF,
    )
    return replace(row, z=z)


def _pair(
    seed: int, cell: int, *, isotropic: bool = False, methods: Settings = _ESTIMATORS
) -> Study:
    """A random point at which engines are compared."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(3, cell)))
    d = int(rng.integers(8, _LARGEST_DIM + 1))
    model = random_model(rng, d)
    n_task, n_brain = (max(2, round(d * float(np.exp(rng.uniform(-1.2, 2.5))))) for _ in "tb")
    shifts = list(_SHIFTS)
    if isotropic:
        shifts = ["id", "brain-insensitive:4", "spectrum:1.0"]
    elif rng.random() < 0.3:
        model = replace(model, covariance="powerlaw:1.0", snr_task=None, snr_brain=None)
        shifts.remove("adversarial:0.5")
    n_brain = max(n_brain, model.k_m)
    return adhoc_study(model, n_task, n_brain, methods, shifts, seed=seed, name=f"engines-{cell}")


def _overlap_statistics(k: int) -> dict[str, Callable[[Floats], Floats]]:
    """Numbers of C^ that are compared, as functions of (n, k, k)."""
    found: dict[str, Callable[[Floats], Floats]] = {
        "C_11": lambda c: c[:, 0, 0],
        "tr C": lambda c: np.trace(c, axis1=1, axis2=2),
        "tr C^2": lambda c: np.sum(c * c, axis=(1, 2)),
    }
    if k > 1:
        found["C_kk"] = lambda c: c[:, -1, -1]
        found["C_12^2"] = lambda c: c[:, 0, 1] ** 2
    return found


def _blank(study: Study, cell: int, family: str) -> Score:
    """A score that says which point it is of, and nothing else yet."""
    point = next(study.points())
    model = point.model
    return Score(
        family,
        cell,
        "",
        None,
        setting=(
            f"d={model.input_dim} k={model.latent_dim}/{model.k_m} p={model.n_channels} "
            f"n_T={point.n_task} n_B={point.n_brain} {model.covariance}"
        ),
        input_dim=model.input_dim,
        n_task=point.n_task,
        n_brain=point.n_brain,
        rank=study.rank(model),
    )


def _compared(row: Score, name: str, x: Floats, y: Floats, status: str) -> Iterator[Score]:
    """Mean, spread and distribution of two independent samples.

    The spread is that of log x about its median (Brown and Forsythe 1974, by Welch's t test): an
    excess risk has a heavy tail, its logarithm has not. Values that are constant to rounding, such
    as C^ = I, are compared as numbers.
    """
    from scipy.stats import ks_2samp

    x, y = x[np.isfinite(x)], y[np.isfinite(y)]
    row = replace(row, replicates=min(x.size, y.size))
    if row.replicates < 2:
        yield replace(row, what=f"{name}: mean", excluded="no finite value")
        return
    scale = max(float(np.abs(x).max()), float(np.abs(y).max()), 1e-300)
    if max(np.ptp(x), np.ptp(y)) <= 1e-9 * scale:
        same = abs(float(x.mean() - y.mean())) <= 1e-9 * scale
        yield replace(row, what=f"{name}: constant", z=0.0 if same else np.inf)
        return
    if status == "ok":
        yield _mean_score(replace(row, what=f"{name}: mean"), x, y)
    else:
        yield replace(row, what=f"{name}: mean", excluded=status)
    logs = [np.log(np.maximum(v, 1e-300)) for v in (x, y)]
    distances = [np.abs(v - np.median(v)) for v in logs]
    yield _mean_score(replace(row, what=f"{name}: spread"), *distances)
    p_value = float(ks_2samp(x, y, method="asymp").pvalue)
    yield replace(row, what=f"{name}: distribution", z=two_sided_score(p_value))


def _mean_score(row: Score, x: Floats, y: Floats) -> Score:
    """The means of two independent samples, compared by Welch's t test."""
    errors = [float(v.std(ddof=1) / np.sqrt(v.size)) for v in (x, y)]
    z = difference_score(
        float(x.mean()),
        errors[0],
        float(y.mean()),
        errors[1],
        dof=x.size - 1,
        reference_dof=y.size - 1,
    )
    return replace(
        row,
        z=z,
        mean=float(x.mean()),
        mcse=errors[0],
        reference=float(y.mean()),
        reference_se=errors[1],
    )


def _rows(study: Study, count: int, threads: int | None) -> list[Row]:
    """Rows of a study at a fixed count of replicates."""
    import msgspec

    precision = msgspec.structs.replace(study.precision, relative=0.0, max_replicates=count)
    table = compute(study.with_options(precision=precision), threads=threads).table
    rows: list[Row] = table.to_pylist()
    return rows
