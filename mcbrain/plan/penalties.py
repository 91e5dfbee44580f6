"""Penalties, frozen before the first replicate of a point (theory/README.md 2).

The rule `optimal` of an estimator that uses brain data needs m_bar, from the moments of the
estimated subspace. Where no law gives the optimum, a pilot of whole replicates compares a grid.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from mcbrain.blocks import Problem, Query, Row, data_parameters
from mcbrain.errors import InputError, MissingPilotError, unhandled
from mcbrain.estimators import Choice
from mcbrain.model import Model
from mcbrain.plan.moments import brain_statistics, shift_coefficients, shift_drift, signal
from mcbrain.plan.subspaces import PILOT_BLOCKS, Subspaces
from mcbrain.reading import parse_shift
from mcbrain.shifts import Shift
from mcbrain.store.blockstore import BlockStore
from mcbrain.study import Point, Study
from mcbrain.theory import exact
from mcbrain.theory.wishart import task_moments

__all__ = ["Penalties", "pilots"]

# Quarter decades about the value that is optimal for ridge, further up: BEFS penalises more.
_GRID = np.geomspace(1e-3, 1e5, 33)
_ID = parse_shift("id")


def has_law(choice: Choice, model: Model, shift: Shift) -> bool:
    """Whether the optimum of a choice follows from moments of the subspace alone."""
    if not model.isotropic or not shift.has_moment:
        return False
    return not choice.estimator.two_bands or choice.rule.kind == "optimal"


def task_noise(model: Model) -> float:
    """sigma_y / |beta|, the scale in which the laws are written."""
    return model.sigma_y / model.signal_norm


def pilots(
    study: Study, subspaces: Subspaces, points: Iterable[Point]
) -> Iterator[tuple[Problem, tuple[Any, ...]]]:
    """Each pilot problem that some points need, and the statistics wanted of it, once.

    Parameters
    ----------
    study : Study
    subspaces : Subspaces
    points : iterable of Point
    """
    wanted: dict[Problem, dict[Any, None]] = {}
    points = list(dict.fromkeys(points))
    # Brain data has the same law at every number of task samples.
    for point in {(p.model, p.n_brain): p for p in points}.values():
        if point.model.isotropic and any(
            subspaces.simulated(c.estimator, point) and not study.undefined(c, point)
            for c in study.choices
        ):
            statistics = brain_statistics(point.model.k_m)
            wanted.setdefault(subspaces.problem(point), dict.fromkeys(statistics, None))
    for choice in study.choices:
        for shift in _shifts(study, choice):
            if all(has_law(choice, model, shift) for model in study.models):
                continue
            for point in points:
                if study.undefined(choice, point) or has_law(choice, point.model, shift):
                    continue
                grid = grid_queries(study, choice, point, shift)
                wanted.setdefault(_grid_problem(study, point), {}).update(dict.fromkeys(grid))
    for problem, asked in wanted.items():
        yield problem, tuple(asked)


def _shifts(study: Study, choice: Choice) -> tuple[Shift, ...]:
    """The shifts under which a choice's penalty must be optimised."""
    match choice.rule.kind:
        case "fixed" | "loo" | "gcv":
            return ()
        case "optimal":
            return (_ID,)
        case "optimal-shift":
            return study.shifts
    raise unhandled("penalty rule", choice.rule.kind, "the pilots (plan/penalties.py)")


def _grid_problem(study: Study, point: Point) -> Problem:
    data = data_parameters(point.model, point.n_task, point.n_brain)
    return Problem("pilot-raw", data, study.seed)


def grid_queries(study: Study, choice: Choice, point: Point, shift: Shift) -> tuple[Query, ...]:
    """The grid of penalties that a pilot of whole replicates compares."""
    noise = task_noise(point.model) or 1e-3
    centre = float(exact.optimal_penalty(noise, point.n_task, 0, point.model.input_dim))
    estimator, rank = choice.estimator, study.rank(point.model)
    encoding = float(study.encoding.penalty)
    return tuple(
        Query(Row(estimator, "fixed", float(v), estimator.eta, rank, encoding), shift, None)
        for v in centre * _GRID
    )


class Penalties:
    """Every penalty of a study, as a number, the same in every engine.

    Parameters
    ----------
    study : Study
    subspaces : Subspaces
        Moments of the estimated subspace.
    store : BlockStore, optional
        Holds the pilots that compare grids; without one such penalties are an error.
    """

    def __init__(self, study: Study, subspaces: Subspaces, store: BlockStore | None = None) -> None:
        self.study = study
        self.subspaces = subspaces
        self.store = store
        self._best: dict[tuple[int, Choice, Shift], float] = {}

    def resolve(self, choice: Choice, point: Point, shift: Shift) -> tuple[float, float]:
        """Per-sample penalty and eta of a choice at a point; a NaN penalty is each replicate's own.

        Raises
        ------
        InputError
            The pilot has not been run, or no law gives the optimum and nothing may be simulated.
        """
        rule, estimator = choice.rule, choice.estimator
        if rule.selects:
            return math.nan, estimator.eta
        if rule.kind == "fixed":
            return self.study.per_sample(rule.value, point.n_task), estimator.eta
        if rule.kind not in ("optimal", "optimal-shift"):
            raise unhandled("penalty rule", rule.kind, "the choice of penalties")
        if rule.kind == "optimal":
            shift = _ID
        if estimator.two_bands and has_law(choice, point.model, shift):
            return self._bands(choice, point)
        name = (point.index, choice, shift)
        if name not in self._best:
            lawful = has_law(choice, point.model, shift)
            find = self._from_law if lawful else self._best_of_grid
            self._best[name] = find(choice, point, shift)
        return self._best[name], estimator.eta

    def _from_law(self, choice: Choice, point: Point, shift: Shift) -> float:
        model, n, d = point.model, point.n_task, point.model.input_dim
        noise, seed = task_noise(model), self.study.seed
        if choice.rule.kind == "optimal":
            m_bar, rank = self.missed(choice, point)
            return float(exact.optimal_penalty(noise, n, rank, d, m_bar))
        subspace = self.subspaces.moments(choice.estimator, point)
        coefficients = shift_coefficients(shift, model, seed)
        drift = shift_drift(shift, model, seed)
        brain = exact.brain_moments(subspace, signal(model), coefficients, d, drift)
        return exact.optimal_shift_penalty(
            task_moments, brain, n_task=n, rank=subspace.rank, input_dim=d, task_noise=noise
        )

    def missed(self, choice: Choice, point: Point) -> tuple[float, int]:
        """m_bar of the subspace that a choice spares, and its rank (theory/README.md 4c)."""
        model, estimator = point.model, choice.estimator
        subspace = self.subspaces.moments(estimator, point)
        if estimator.subspace == "measured":
            return model.measured.misalignment, subspace.rank  # exactly, so that 0 is projection
        if subspace.rank == 0:
            return 1.0, 0
        identity = shift_coefficients(_ID, model, self.study.seed)
        brain = exact.brain_moments(subspace, signal(model), identity, model.input_dim)
        return max(float(brain.m_hat), 0.0), subspace.rank

    def _bands(self, choice: Choice, point: Point) -> tuple[float, float]:
        """Penalty outside the subspace, and eta, from the two bands' own closed forms."""
        model, d = point.model, point.model.input_dim
        noise = task_noise(model)
        if not self.subspaces.simulated(choice.estimator, point):
            return float(exact.optimal_penalty(noise, point.n_task, 0, d)), 1.0
        missed, rank = self.missed(choice, point)
        m_bar = min(max(missed, 1e-12), 1.0 - 1e-12)
        bands = exact.optimal_band_penalties(noise, point.n_task, rank, d, m_bar)
        outside, inside = (float(x) for x in bands)
        return outside, inside / outside if outside > 0 else 0.0

    def _best_of_grid(self, choice: Choice, point: Point, shift: Shift) -> float:
        if self.store is None:
            raise InputError(
                f"{choice.estimator.name} = '{choice.rule.kind}': no law gives this optimum for "
                f"this model and shift '{shift.label}'; simulate it, or give a number"
            )
        grid = grid_queries(self.study, choice, point, shift)
        series = self.store.series(_grid_problem(self.study, point), [q.id for q in grid])
        series = series.head(PILOT_BLOCKS)
        if series.n_blocks < PILOT_BLOCKS:
            raise MissingPilotError(
                "the pilot for the optimal penalty is not complete; run the study first"
            )
        return grid[int(np.nanargmin(series.totals()[1]))].row.penalty
