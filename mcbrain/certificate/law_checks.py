"""Laws against rows of the raw and sufficient engines, at fixed counts of replicates."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from mcbrain.asking.estimators import Method
from mcbrain.asking.studies import Study
from mcbrain.blocks.query import Fit
from mcbrain.certificate.design import Cell
from mcbrain.certificate.scores import Score, difference_score
from mcbrain.plan.statuses import row_status
from mcbrain.plan.subspaces import PILOT_BLOCKS, LawSubspaces
from mcbrain.population.shifts import Shift
from mcbrain.results.predictor import Predictor
from mcbrain.running.computing import compute

__all__ = ["ResultRow", "fit_of", "independent_scores", "law_scores", "outputs"]

ResultRow = dict[str, Any]
"""A row of an Arrow table: a number, a word or null, by its column."""

# The check that a row belongs to, by the kind of its prediction; only laws that are exact are held
# to their standard errors here.
_FAMILIES = {
    "exact": "exact laws",
    "semi-exact": "semi-exact laws",
    "asymptotic": "none",
    "same-law": "none",
    "none": "none",
}

# A score is normal only where the risk has enough moments: they must exist even with this many task
# samples more or fewer, nearer to a pole of the risk.
_MARGIN = 5


def law_scores(cell: Cell, threads: int | None) -> list[Score]:
    """A score for each row of a cell: its law against its simulated mean.

    Parameters
    ----------
    cell : Cell
        Its study names the engine raw or sufficient and a fixed count of replicates.
    threads : int, optional
        Threads of the run; all cores by default. No number depends on it.

    Returns
    -------
    list of Score
        In the order of the rows.
    """
    rows = compute(cell.study, threads=threads).table.to_pylist()
    return [
        _score(cell, method, shift, row)
        for (method, shift), row in zip(outputs(cell.study), rows, strict=True)
    ]


def outputs(study: Study) -> Iterator[tuple[Method, Shift]]:
    """The outputs of a study of one point, in the order of its rows.

    Parameters
    ----------
    study : Study
        Of one model at one n_task and one n_brain.

    Yields
    ------
    Method, Shift
        What is fitted, and what it is tested on.
    """
    for method in study.methods:
        for shift in study.shifts:
            yield method, shift


def _score(cell: Cell, method: Method, shift: Shift, row: ResultRow) -> Score:
    """The score of one row."""
    family = _FAMILIES[row["prediction"]]
    point = cell.point
    score = Score(
        family,
        cell.index,
        f"{row['estimator']} under {row['shift']}",
        None,
        setting=cell.words,
        input_dim=point.model.input_dim,
        n_task=point.n_task,
        n_brain=point.n_brain,
        rank=cell.study.rank(point.model),
        estimator=row["estimator"],
        penalty=row["penalty"],
        shift=row["shift"],
        engine=row["engine"],
        replicates=row["replicates"],
        mean=row["mean"],
        mcse=row["mcse"],
        reference=row["predicted"],
        reference_se=row["prediction_se"],
    )
    if reason := _excluded(cell, method, row):
        return replace(score, excluded=reason)
    if row["prediction"] == "asymptotic":
        return replace(score, excluded="approximation", asymptotic=row["predicted"])
    z = difference_score(
        row["mean"],
        row["mcse"],
        row["predicted"],
        row["prediction_se"] or 0.0,
        dof=row["replicates"] - 1,
        reference_dof=PILOT_BLOCKS - 1,
    )
    return replace(score, z=z, asymptotic=_asymptotic(cell, method, shift, row))


def _excluded(cell: Cell, method: Method, row: ResultRow) -> str:
    """Why a row's mean is not normal enough for a z-score, or has no law; empty if it is."""
    if row["status"] != "ok":
        return str(row["status"])
    if row["predicted"] is None:
        return "no law"
    solved, point = fit_of(cell.study, method, row), cell.point
    near = (replace(point, n_task=max(point.n_task + step, 1)) for step in (-_MARGIN, _MARGIN))
    if any(row_status(solved, p) != "ok" for p in near):
        return "heavy_tail nearby"
    return ""


def fit_of(study: Study, method: Method, row: ResultRow) -> Fit:
    """The fit behind a results row.

    Parameters
    ----------
    study : Study
        Of one model.
    method : Method
        What the row is of.
    row : dict
        With the penalty that was in force; None is an infinite one.

    Returns
    -------
    Fit
        At that penalty.
    """
    penalty = math.inf if row["penalty"] is None else row["penalty"]
    rank, encoding = method.encoder.rank_of(study.models[0]), method.encoder.rule.value
    return Fit(method.estimator, "fixed", penalty, method.estimator.eta, rank, encoding)


def _asymptotic(cell: Cell, method: Method, shift: Shift, row: ResultRow) -> float | None:
    """What the law of brain data in high dimension says, at the row's own penalty."""
    if row["prediction"] != "semi-exact":
        return None
    predictor = Predictor(cell.study, LawSubspaces(cell.study))
    return predictor.predict(cell.point, method, shift, fit_of(cell.study, method, row)).value


def independent_scores(scores: list[Score], seed: int) -> list[float]:
    """One score of each cell, drawn by the seed: no two of them share data.

    Parameters
    ----------
    scores : list of Score
        Scores of many cells.
    seed : int
        Of the draw.

    Returns
    -------
    list of float
        A z-score for each cell that has one.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(2,)))
    by_cell: dict[int, list[float]] = {}
    for score in scores:
        if score.z is not None:
            by_cell.setdefault(score.cell, []).append(score.z)
    return [values[int(rng.integers(len(values)))] for values in by_cell.values()]
