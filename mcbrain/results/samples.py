"""What blocks say of the outputs of many points, by arrays over all of them.

Blocks of problems that have as many are laid one below the other, so that a thousand points cost
little more than one. No number depends on what lies beside it: every sum runs along a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcbrain.asking.studies import Point
from mcbrain.blocks.histogram import quantiles
from mcbrain.blocks.query import Query, only
from mcbrain.blocks.series import Series, standard_error
from mcbrain.plan.plans import Work
from mcbrain.plan.point_plan import PointPlan, together
from mcbrain.plan.stopping import rounding_risk
from mcbrain.results.bias import MADE_OF, decompose
from mcbrain.results.numbers import Sample
from mcbrain.store.pairs import Pairs
from mcbrain.store.stored import StoredBlocks
from mcbrain.typing import Floats, Integers

__all__ = ["Asked", "Outputs", "outputs"]

_QUANTILES = (0.05, 0.5, 0.95)
_MOST = 1_000_000  # numbers of blocks and statistics in each array, about, which bounds the memory


@dataclass(frozen=True)
class Asked:
    """A point, the work behind it, and the blocks that there are.

    Attributes
    ----------
    point : Point
    work : Work
    stored : StoredBlocks
    """

    point: Point
    work: Work
    stored: StoredBlocks


@dataclass(frozen=True)
class Outputs:
    """The outputs of some points, each with what its blocks say.

    Attributes
    ----------
    queries : list of (int, Query)
        The place of the point of each output, and the query.
    met : ndarray of bool, shape (outputs,)
        Whether it has the blocks that were asked for.
    sample : Sample
        Arrays of shape (outputs,).
    """

    queries: list[tuple[int, Query]]
    met: NDArray[np.bool_]
    sample: Sample


def outputs(plan: PointPlan, asked: Sequence[Asked]) -> Iterator[Outputs]:
    """What the blocks of some points say of every query of their works.

    Parameters
    ----------
    plan : PointPlan
        Whose points these are.
    asked : sequence of Asked
        The points.

    Yields
    ------
    Outputs
        Those of problems with equally many blocks together.
    """
    stacks: dict[tuple[int, int, bool], list[_Unit]] = {}
    size = 0
    for unit in _units(asked):
        key = unit.series.n_blocks, unit.asked.work.stopping.max_blocks, unit.stop is None
        stacks.setdefault(key, []).append(unit)
        size += unit.series.count.size
        if size > _MOST:
            yield from (_Stack(plan, units).outputs() for units in stacks.values())
            stacks, size = {}, 0
    yield from (_Stack(plan, units).outputs() for units in stacks.values())


@dataclass(frozen=True)
class _Unit:
    """Queries of a point that come from the same blocks, and these blocks.

    Attributes
    ----------
    place : int
        Of the point.
    asked : Asked
        The point.
    queries : tuple of Query
        The first statistics of the series, in their order.
    bases : list of int
        The statistic of the series that each query is compared with.
    series : Series
        The blocks, as far as there are any.
    stop : tuple of int and bool, or None
        Where the queries stop and whether that is enough; None where that is to be found.
    """

    place: int
    asked: Asked
    queries: tuple[Query, ...]
    bases: list[int]
    series: Series
    stop: tuple[int, bool] | None


def _units(asked: Sequence[Asked]) -> Iterator[_Unit]:
    """The queries of each point as one unit, or each alone where its blocks are mixed."""
    for place, one in enumerate(asked):
        queries = only(Query, one.work.queries)
        ids = [query.id for query in queries]
        if one.stored.alike(ids):
            where = {name: i for i, name in enumerate(ids)}
            bases = [where[query.of_baseline.id] for query in queries]
            yield _Unit(place, one, queries, bases, one.stored.series(ids), None)
            continue
        stops = one.work.stops(one.stored)
        for query in queries:
            stop = stops[query]
            series = one.stored.series([query.id, query.of_baseline.id]).head(stop.blocks)
            yield _Unit(place, one, (query,), [1], series, (stop.blocks, stop.met))


class _Stack:
    """Units with equally many blocks, one below the other.

    Parameters
    ----------
    plan : PointPlan
        Whose points these are.
    units : list of _Unit
        At least one.
    """

    def __init__(self, plan: PointPlan, units: list[_Unit]) -> None:
        self._plan, self._units = plan, units
        series = [unit.series for unit in units]
        self._count, self._mean, self._m2, self._better = (
            np.concatenate([getattr(one, name) for one in series])
            for name in ("count", "mean", "m2", "better")
        )
        self._replicates = np.stack([one.replicates for one in series])
        self._seconds = np.stack([one.seconds for one in series])
        sizes = np.array([len(unit.queries) for unit in units])
        widths = [one.count.shape[0] for one in series]
        first = np.cumsum([0, *widths[:-1]])
        # Of each output: its unit, its row, and the row of what it is compared with.
        self._unit = np.repeat(np.arange(len(units)), sizes)
        self._own = np.concatenate([f + np.arange(n) for f, n in zip(first, sizes, strict=True)])
        self._base = np.concatenate(
            [f + np.array(unit.bases, int) for f, unit in zip(first, units, strict=True)]
        )
        self._queries = [query for unit in units for query in unit.queries]
        limits = np.array([rounding_risk(unit.asked.point.model) for unit in units])
        self._rounding = limits[self._unit]

    def outputs(self) -> Outputs:
        """Where each output stops, and what its blocks say up to there."""
        stops, met = self._stops()
        size = stops.size
        found = {
            name: np.full(size, np.nan)
            for name in (
                *("seconds", "mean", "mcse", "gain", "gain_mcse", "count", "m2", "p_better"),
                *MADE_OF,
            )
        }
        replicates, failed = (np.zeros(size, np.int64) for _ in range(2))
        whole = {"replicates": replicates, "failed": failed}
        for stop in np.unique(stops).tolist():
            at = np.flatnonzero(stops == stop)
            for name, values in self._up_to(stop, at).items():
                (whole if name in whole else found)[name][at] = values
        if self._plan.study.output.bias_variance:
            self._decompose(stops, found)
        q05, median, q95 = self._quantiles(stops)
        sample = Sample(
            replicates=replicates,
            failed=failed,
            **found,
            q05=q05,
            median=median,
            q95=q95,
            total=lambda name: self._total(name, stops),
        )
        places = [self._units[u].place for u in self._unit.tolist()]
        return Outputs(list(zip(places, self._queries, strict=True)), met, sample)

    def _stops(self) -> tuple[Integers, NDArray[np.bool_]]:
        """The number of blocks of each output, and whether that is enough."""
        if self._units[0].stop is not None:
            known = [unit.stop for unit in self._units if unit.stop is not None]
            return np.array([n for n, _ in known]), np.array([met for _, met in known])
        points = [self._units[u].asked.point for u in self._unit.tolist()]
        pairs = zip(points, self._queries, strict=True)
        hopeless = np.array([self._plan.hopeless(q.fit, point) for point, q in pairs], bool)
        stopping = self._units[0].asked.work.stopping

        def enough(series: Series, rows: Integers) -> NDArray[np.bool_]:
            if stopping.judge is None:
                return stopping.met(series, tuple(self._queries[i] for i in rows.tolist()))
            good = self._plan.enough(series, hopeless[rows], self._rounding[rows])
            if not self._plan.study.metrics:
                return good
            return self._with_metrics(rows, good)

        return stopping.apart(self._series(self._own, self._count.shape[1]), enough)

    def _with_metrics(self, rows: Integers, good: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which outputs may stop where those of a point that belong together stop together."""
        unit, precision = self._unit[rows], self._plan.study.precision
        found = good.copy()
        for one in np.unique(unit).tolist():
            at = np.flatnonzero(unit == one)
            queries = [self._queries[i] for i in rows[at].tolist()]
            found[at] = together(queries, good[at], precision)
        return found

    def _series(self, rows: Integers, size: int) -> Series:
        """Rows of several problems up to a number of blocks; what problems count is left out."""
        none = np.zeros(size)
        count, mean, m2, better = (
            np.ascontiguousarray(sums[rows, :size])
            for sums in (self._count, self._mean, self._m2, self._better)
        )
        return Series(none.astype(np.int64), count, mean, m2, better, none)

    def _up_to(self, stop: int, at: Integers) -> dict[str, NDArray[np.generic]]:
        """What the first blocks say of some outputs, by the names of a sample's fields."""
        size = min(stop, self._count.shape[1])
        series = self._series(np.concatenate([self._own[at], self._base[at]]), size)
        count, mean, m2 = series.totals()
        mine, other = slice(at.size), slice(at.size, None)
        replicates = self._seen(at, size)
        seconds = np.ascontiguousarray(self._seconds[:, :size]).sum(axis=1)[self._unit[at]]
        gain, gain_mcse, better = self._against(series, at, size)
        # A risk of nothing but rounding is no divisor, and wins or loses by chance.
        nothing, base_nothing = mean[mine] <= self._rounding[at], mean[other] <= self._rounding[at]
        compared = self._compared(at)
        return {
            "replicates": replicates,
            "failed": replicates - count[mine].astype(np.int64),
            "seconds": seconds,
            "mean": mean[mine],
            "mcse": standard_error(count[mine], m2[mine]),
            "gain": np.where(compared & nothing, np.nan, gain),
            "gain_mcse": np.where(compared & (nothing | base_nothing), np.nan, gain_mcse),
            "count": count[mine],
            "m2": m2[mine],
            "p_better": np.where(compared & nothing & base_nothing, np.nan, better),
        }

    def _decompose(self, stops: Integers, found: dict[str, Floats]) -> None:
        """Fill in what the mean of each output is made of, where its probes were measured."""
        for i, (u, query, stop) in enumerate(
            zip(self._unit.tolist(), self._queries, stops.tolist(), strict=True)
        ):
            asked = self._units[u].asked
            probes = self._plan.probes(asked.point, query.fit) if query.metric is None else ()
            size = min(stop, self._count.shape[1])
            series = asked.stored.series([probe.id for probe in probes]).head(size)
            if not probes or series.n_blocks < size:
                continue
            own, mean = self._series(self._own[[i]], size).mean[0], float(found["mean"][i])
            made_of = decompose(self._plan.problem(asked.point), query.shift, series, own, mean)
            for name, value in ({} if made_of is None else vars(made_of)).items():
                found[name][i] = value

    def _seen(self, at: Integers, size: int) -> Integers:
        """Replicates that some outputs have seen: the first of each block where they are costly."""
        seen = np.ascontiguousarray(self._replicates[:, :size]).sum(axis=1)[self._unit[at]]
        if any(method.estimator.own for method in self._plan.study.methods):
            for i, output in enumerate(at.tolist()):
                own, unit = self._queries[output].fit.estimator.own, self._units[self._unit[output]]
                if own is not None:
                    blocks = unit.series.replicates[:size].size
                    seen[i] = blocks * own.seen(unit.asked.work.problem.block_size)
        return np.asarray(seen)

    def _compared(self, at: Integers) -> NDArray[np.bool_]:
        """Which of some outputs are not the baseline itself."""
        queries = (self._queries[i] for i in at.tolist())
        return np.array([query.baseline != query.fit for query in queries], bool)

    def _against(self, series: Series, at: Integers, size: int) -> tuple[Floats, Floats, Floats]:
        """Gain, its error and p_better, over the replicates in which both have values.

        NaN where the blocks do not say; the gain of the baseline itself is 1.
        """
        gain, error, better = (np.full(at.size, np.nan) for _ in range(3))
        if not size:
            return gain, error, better
        compared = self._compared(at)
        gain[~compared], error[~compared] = 1.0, 0.0
        based = [self._queries[i].baseline is not None for i in at.tolist()]
        beside = np.flatnonzero(compared & np.array(based, bool))
        if beside.size:
            pairs = self._pairs(series, at, beside, size)
            gain[beside], error[beside] = pairs.gain()
            better[beside] = pairs.p_better()
        return gain, error, better

    def _pairs(self, series: Series, at: Integers, beside: Integers, size: int) -> Pairs:
        """Some outputs and their baselines, both among the rows of a series."""
        unit = self._unit[at[beside]]
        drawn = self._replicates[unit, :size]
        own, other = (series.rows(places.tolist()) for places in (beside, at.size + beside))
        pairs = Pairs.of(own, other, drawn)
        edges = np.flatnonzero(np.diff(unit, prepend=-1, append=-1))
        for first, stop in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            queries = [self._queries[i] for i in at[beside[first:stop]].tolist()]
            ids = [query.id for query in queries]
            self._units[unit[first]].asked.stored.lay_pairs(ids, pairs.rows(first, stop))
        return pairs

    def _quantiles(self, stops: Integers) -> tuple[Floats, Floats, Floats]:
        """The quantiles of each output over its replicates."""
        histograms = []
        first = 0
        for unit in self._units:
            last = first + len(unit.queries)
            ids = [query.id for query in unit.queries]
            histograms += unit.asked.stored.histograms(ids, stops[first:last].tolist())
            first = last
        q05, median, q95 = quantiles(histograms, _QUANTILES)
        return q05, median, q95

    def _total(self, name: str, stops: Integers) -> Floats:
        """The sum of what blocks add up, of each output."""
        outputs = zip(self._unit.tolist(), self._queries, stops.tolist(), strict=True)
        return np.array(
            [self._units[u].asked.stored.total(name, q.id, stop) for u, q, stop in outputs]
        )
