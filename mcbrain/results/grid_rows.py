"""Rows of a plan of a grid, a column at a time: a million cells are a few hundred arrays."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mcbrain.blocks.query import Statistic, only
from mcbrain.blocks.series import Series
from mcbrain.blocks.sums import reason_of
from mcbrain.errors import MissingPilotError
from mcbrain.plan.cells import Cell
from mcbrain.plan.grid_plan import GridPlan
from mcbrain.plan.plans import Tell, Work, silent
from mcbrain.plan.risks import TaskBlocks
from mcbrain.plan.sides import Family, Side, brain_problem, point_of
from mcbrain.plan.statuses import NO_MEAN, NO_VARIANCE
from mcbrain.plan.stopping import precise_enough
from mcbrain.plan.task_stage import TaskStatistic
from mcbrain.population.shifts import Shift
from mcbrain.results.column import GRID_ROWS
from mcbrain.results.columns import PREDICTIONS, RESULT_COLUMNS, STATUSES
from mcbrain.results.failed import failed
from mcbrain.results.numbers import NOTHING, Estimates, Missing, arrays
from mcbrain.results.reasons import FEW_BRAIN_SAMPLES, INTERPOLATING, REASON_WORDS
from mcbrain.results.row_writers import ColumnWriter
from mcbrain.results.settings import ENCODER, GridSettings
from mcbrain.store.blockstore import BlockStore
from mcbrain.store.protocol import Store
from mcbrain.typing import Floats

__all__ = ["GridRows"]

Columns = dict[str, NDArray[np.generic]]


@dataclass(frozen=True)
class _Prefix:
    """What a problem was asked for, the blocks behind its rows, and whether they are enough."""

    asked: tuple[Statistic, ...]
    series: Series
    met: bool


Prefixes = Mapping[bytes, _Prefix]

# The columns of a failed brain replicate that belong to the rows that used it.
_OF_NO_ROW = dict.fromkeys(("n_task", "estimator", "parameters", "penalty", "shift", *ENCODER))
_STATUS = {word: code for code, word in enumerate(STATUSES)}
_PREDICTION = {word: code for code, word in enumerate(PREDICTIONS)}


class GridRows(GridPlan):
    """A plan of a grid, and the rows that follow from its blocks."""

    def rows(self, store: Store, tell: Tell = silent) -> Iterator[pa.RecordBatch]:
        """Every row of the study in the order of its points, a batch for each model.

        Parameters
        ----------
        store : Store
        tell : callable
            See `Plan.rows`.

        Yields
        ------
        pyarrow.RecordBatch
        """
        study = self.study
        writer = ColumnWriter(RESULT_COLUMNS, GRID_ROWS, study)
        prefixes = _prefixes(self, store)
        home = {int(i): (f, s) for f in self.families for s, i in enumerate(f.indices)}
        ready: dict[Family, Columns] = {}
        left: dict[Family, int] = {}
        settings = GridSettings(study, self.kind, writer)
        for index, model in enumerate(study.models):
            family, place = home[index]
            if family not in ready:
                ready[family] = _family_columns(self, family, prefixes)
                left[family] = len(family.indices)
            columns = settings.of(index, model, family.pairs)
            for name, values in ready[family].items():
                columns[name] = values[place].ravel()
            tell(study.design.starts[index] + family.pairs.size)
            yield writer.batch(settings.rows(family.pairs), columns)
            left[family] -= 1
            if not left[family]:
                del ready[family]

    def failures(self, store: BlockStore) -> Iterator[dict[str, object]]:
        """Failures of brain problems, once each: they hurt every output that uses them.

        Parameters
        ----------
        store : BlockStore

        Yields
        ------
        dict
            Value by column of `FAILURE_COLUMNS`.
        """
        for problem, users in self.problems().items():
            found = failed(store, problem)
            once = {(block, replicate): code for (block, replicate, _), code in found.items()}
            point = point_of(self.study, users[0][0])
            for (block, replicate), code in once.items():
                yield {
                    **_OF_NO_ROW,
                    "point": point.index,
                    "n_brain": point.n_brain,
                    "block": block,
                    "replicate": block * problem.block_size + replicate,
                    "reason": reason_of(code),
                }


def _prefixes(plan: GridPlan, store: Store) -> Prefixes:
    """The blocks behind each problem; none where a pilot is missing that its penalties need."""
    found: dict[bytes, _Prefix] = {}
    for problem, users in plan.problems().items():
        try:
            for work in plan.works(problem, users):
                found[problem.key] = _prefix(work, store)
        except MissingPilotError:
            found[problem.key] = _Prefix((), store.series(problem, []), False)
    return found


def _prefix(work: Work, store: Store) -> _Prefix:
    """The blocks with which a problem stops."""
    series = store.series(work.problem, [s.id for s in work.queries])
    stop = work.stopping.stop(series, work.queries)
    return _Prefix(work.queries, series.head(stop.blocks), stop.met)


@dataclass(frozen=True)
class _Blocks:
    """The blocks behind a side; which of its numbers of task samples lack theirs, or have few."""

    brain: Series | None
    task: TaskBlocks | None
    lacking: NDArray[np.bool_]
    short: NDArray[np.bool_]

    def counts(self) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
        """Replicates, failures and core seconds at each place; with two stages, the fewer."""
        n = self.lacking.size
        none = np.iinfo(np.int64).max
        replicates, failed, seconds = np.full(n, none), np.zeros(n, np.int64), np.zeros(n)
        if self.brain is not None:
            replicates[:] = drawn = self.brain.replicates.sum()
            failed[:] = drawn - self.brain.count[0].sum()
            seconds[:] = self.brain.seconds.sum()
        for place, (_, series) in (self.task or {}).items():
            replicates[place] = min(replicates[place], series.replicates.sum())
            seconds[place] += series.seconds.sum()
        return np.where((replicates == none) | self.lacking, 0, replicates), failed, seconds

    def task_replicates(self) -> Floats:
        """Replicates of the task stage at each place; infinite where a law stands for them."""
        found = np.full(self.lacking.size, math.inf)
        for place, (_, series) in (self.task or {}).items():
            found[place] = series.replicates.sum()
        return found


@dataclass(frozen=True)
class _Imagined:
    """What stands for blocks where recordings are imagined: how many, and the time they took."""

    places: int
    draws: int
    seconds: float

    @property
    def lacking(self) -> NDArray[np.bool_]:
        """No number of task samples lacks anything."""
        return np.zeros(self.places, bool)

    @property
    def short(self) -> NDArray[np.bool_]:
        """As many are imagined as were asked for."""
        return np.zeros(self.places, bool)

    def counts(self) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
        """Imagined recordings, failures and core seconds at each place."""
        n = self.places
        return np.full(n, self.draws), np.zeros(n, np.int64), np.full(n, self.seconds)


def _blocks(plan: GridPlan, side: Side, prefixes: Prefixes) -> _Blocks:
    brain, places = None, side.n_task.size
    lacking, short = np.zeros(places, bool), np.zeros(places, bool)
    if side.simulated:
        problem = brain_problem(plan.study, side)
        found = prefixes[problem.key]
        brain, short = found.series, np.full(places, not found.met)
        if brain.n_blocks < 2:
            brain, lacking = None, ~lacking
    if plan.study.exact_task_stage:
        return _Blocks(brain, None, lacking, short)
    task: dict[int, tuple[tuple[TaskStatistic, ...], Series]] = {}
    for place in range(places):
        problem_here = plan.task_problem(side, place)
        if problem_here is not None and problem_here.key in prefixes:
            found = prefixes[problem_here.key]
            lacking[place] |= found.series.n_blocks < 2
            short[place] |= not found.met
            if found.series.n_blocks >= 2:
                task[place] = only(TaskStatistic, found.asked), found.series
    return _Blocks(brain, task, lacking, short)


@dataclass(frozen=True)
class _Base:
    """The baseline under one shift over its side's n_task: (n_task, noises) and (..., groups)."""

    side: Side
    mean: Floats
    task_deviation: Floats | None
    no_mean: NDArray[np.bool_]
    no_variance: NDArray[np.bool_]

    def beside(self, side: Side) -> _Base:
        """The same over the n_task of another side, which are among its own."""
        at = np.searchsorted(self.side.part.tasks, side.part.tasks)
        deviation = None if self.task_deviation is None else self.task_deviation[at]
        return _Base(side, self.mean[at], deviation, self.no_mean[at], self.no_variance[at])


def _family_columns(plan: GridPlan, family: Family, prefixes: Prefixes) -> Columns:
    """Result columns of a family, shape (noises, pairs, methods, shifts) each."""
    study = plan.study
    shape = (family.task_noise.size, family.pairs.size, len(study.methods), len(study.shifts))
    nothing = arrays(NOTHING, GRID_ROWS, Missing.of(["ok"]))
    reals = ("penalty", "predicted", "prediction_se", "law_error")
    out: Columns = {name: np.full(shape, math.nan) for name in reals}
    out |= {name: np.full(shape, value) for name, value in nothing.items()}
    out["status"] = np.full(shape, _STATUS["undefined"], np.int8)
    out["prediction"] = np.full(shape, _PREDICTION["none"], np.int8)
    out["reason"] = np.full(shape, REASON_WORDS.index(FEW_BRAIN_SAMPLES), np.int8)
    baseline = study.baseline()
    bases: list[_Base | None] = [None] * len(study.shifts)
    # The baseline's side comes first: the others are compared with it.
    mine = [side for side in plan.sides if side.family is family and not side.undefined]
    for side in sorted(mine, key=lambda side: baseline not in side.methods):
        try:
            for s, shift in enumerate(study.shifts):
                found = _found(plan, side, shift, prefixes)
                cell, blocks = found.cell, found.blocks
                if bases[s] is None and baseline in side.methods:
                    place = side.methods.index(baseline)
                    lost = _lost(found.moments[place], blocks.lacking)
                    deviation = cell.task_deviation
                    own = None if deviation is None else deviation[place]
                    bases[s] = _Base(side, cell.mean[place], own, *lost)
                _fill(plan, side, shift, found, bases[s], out)
        except MissingPilotError:  # of shards that are yet to be merged
            for method in side.methods:
                at = (slice(None), side.part.pairs, study.methods.index(method))
                out["status"][at], out["reason"][at] = _STATUS["mcse_not_met"], -1
    return out


def _fill(
    plan: GridPlan,
    side: Side,
    shift: Shift,
    found: _Found,
    base: _Base | None,
    out: Columns,
) -> None:
    """Write a side under a shift into its family's columns."""
    study = plan.study
    base = None if base is None else base.beside(side)
    columns = _columns(plan, side, found, base)
    for place, method in enumerate(side.methods):
        at = (slice(None), side.part.pairs, study.methods.index(method), study.shifts.index(shift))
        for name, values in columns.items():
            if name != "penalty" or method.estimator.penalty != "infinite":
                out[name][at] = values[place].T[:, side.part.place]


@dataclass(frozen=True)
class _Found:
    """What is known of a side under a shift; arrays over (methods, n_task, noises).

    Attributes
    ----------
    blocks : _Blocks or _Imagined
        What the cell rests on.
    cell, law : Cell
        By what was drawn, and as the laws predict it.
    penalty, law_error : ndarray
    moments : ndarray of str
        Words of `STATUSES`.
    kind : str
        Of the law.
    """

    blocks: _Blocks | _Imagined
    cell: Cell
    law: Cell
    penalty: Floats
    law_error: Floats
    moments: NDArray[np.str_]
    kind: str


def _found(plan: GridPlan, side: Side, shift: Shift, prefixes: Prefixes) -> _Found:
    """The risk of a side under a shift: from blocks, or over imagined recordings."""
    if plan.imagined(side):
        cell, error = plan.drawn.cell(side, shift), plan.drawn.law_error(side, shift)
        penalty, moments = plan.drawn.penalty(side, shift), plan.drawn.status(side, shift)
        blocks = _Imagined(side.n_task.size, *plan.drawn.spent(side))
        return _Found(blocks, cell, cell, penalty, error, moments, "same-law")
    drawn = _blocks(plan, side, prefixes)
    cell = plan.risks.cell(side, shift, drawn.brain, drawn.task)
    kind = "semi-exact" if side.simulated else "exact"
    return _Found(
        drawn,
        cell,
        plan.risks.predicted(side, shift),
        plan.risks.grid(side, shift).penalty,
        np.full(cell.mean.shape, math.nan),
        plan.risks.status(side, shift, drawn.task_replicates()),
        "same-law" if plan.study.exact_task_stage else kind,
    )


def _columns(plan: GridPlan, side: Side, found: _Found, base: _Base | None) -> Columns:
    """Columns of a side under a shift, shape (methods, n_task, noises) each."""
    precision, cell, blocks = plan.study.precision, found.cell, found.blocks
    moments, law = found.moments, found.law
    if precision.fixed_count:
        unfinished = np.broadcast_to(blocks.short[:, None], moments.shape)
    else:
        unfinished = ~precise_enough(precision, cell.mean, cell.error)
    lacking = np.broadcast_to(blocks.lacking[:, None], moments.shape)
    unmet = np.where(moments == "ok", unfinished | lacking, lacking & (moments != "infinite_mean"))
    words = np.where(unmet, "mcse_not_met", moments)
    predicted = np.where(np.isfinite(law.mean), law.mean, math.nan)
    known = ~lacking & np.isfinite(predicted)
    missing = Missing(*_lost(moments, blocks.lacking))
    if base is not None:
        missing = replace(missing, base_mean=base.no_mean, base_variance=base.no_variance)
    return {
        **arrays(_estimates(side, blocks, cell, base), GRID_ROWS, missing),
        "penalty": found.penalty,
        "predicted": predicted,
        "prediction_se": np.where(known & side.simulated, law.error, math.nan),
        "prediction": np.where(known, _PREDICTION[found.kind], _PREDICTION["none"]),
        "law_error": np.where(known, found.law_error, math.nan),
        "status": _codes(words),
        "reason": np.where(words == "undefined", REASON_WORDS.index(INTERPOLATING), -1),
    }


def _estimates(
    side: Side, blocks: _Blocks | _Imagined, cell: Cell, base: _Base | None
) -> Estimates[Floats]:
    """What the blocks of a side say, shape (methods, n_task, noises)."""
    shape = cell.mean.shape
    replicates, failed, seconds = blocks.counts()
    gain, gain_error = (np.full(shape, math.nan),) * 2 if base is None else _gain(cell, side, base)
    return Estimates(
        replicates=np.broadcast_to(replicates[:, None], shape),
        failed=np.broadcast_to(failed[:, None], shape),
        seconds=np.broadcast_to(seconds[:, None], shape),
        mean=cell.mean,
        mcse=cell.error,
        gain=gain,
        gain_mcse=gain_error,
    )


def _lost(
    moments: NDArray[np.str_], lacking: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which of some means are not there, and which have no error; words (..., n_task, noises)."""
    no_mean = np.isin(moments, NO_MEAN) | lacking[:, None]
    return no_mean, no_mean | np.isin(moments, NO_VARIANCE)


def _codes(words: NDArray[np.str_]) -> NDArray[np.int8]:
    distinct, places = np.unique(words, return_inverse=True)
    return np.array([_STATUS[str(w)] for w in distinct], np.int8)[places].reshape(words.shape)


def _gain(cell: Cell, side: Side, base: _Base) -> tuple[Floats, Floats]:
    """The baseline's risk over a side's, and its error.

    Choices without a subspace share their task blocks with the baseline, so their errors are joint.
    """
    above = base.mean
    with np.errstate(invalid="ignore", divide="ignore"):
        gain = above / cell.mean
        spread = cell.brain_variance / cell.mean**2
        if cell.task_deviation is not None and base.task_deviation is not None:
            own = cell.task_deviation / cell.mean[..., None]
            others = base.task_deviation / above[..., None]
            if side.rank == 0:
                # The same blocks; beyond them are zeros, for other n_task of the baseline's.
                others = others[..., : own.shape[-1]]
                spread = spread + ((own - others) ** 2).sum(axis=-1)
            else:
                spread = spread + (own**2).sum(axis=-1) + (others**2).sum(axis=-1)
        error = np.sqrt(spread) * gain
        known = np.isfinite(error) & ~np.isnan(cell.error)
    return np.where(np.isfinite(gain), gain, math.nan), np.where(known, error, math.nan)
