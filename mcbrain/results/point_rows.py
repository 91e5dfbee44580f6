"""Block sums to rows: means with standard errors, quantiles, gains, and the laws beside them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial

import pyarrow as pa

from mcbrain.asking.studies import Point
from mcbrain.blocks.histogram import Histogram
from mcbrain.blocks.query import Query, Statistic, only
from mcbrain.blocks.series import standard_error
from mcbrain.blocks.sums import reason_of
from mcbrain.errors import MissingPilotError
from mcbrain.plan.plans import Tell, Work, silent
from mcbrain.plan.point_plan import PointPlan
from mcbrain.plan.statuses import has_mean, row_status
from mcbrain.plan.stopping import Stop, rounding_risk
from mcbrain.results.column import POINT_ROWS
from mcbrain.results.columns import RESULT_COLUMNS
from mcbrain.results.failed import failed
from mcbrain.results.numbers import NOTHING, Missing, Sample, numbers
from mcbrain.results.predictor import Prediction, Predictor
from mcbrain.results.reasons import FEW_BRAIN_SAMPLES
from mcbrain.results.row_writers import RowWriter
from mcbrain.results.settings import ENCODER, of_fit, of_method, settings
from mcbrain.store.blockstore import BlockStore
from mcbrain.store.protocol import Store
from mcbrain.store.stored import StoredBlocks

__all__ = ["PointRows"]


class PointRows(PointPlan):
    """A plan of points, and the rows that follow from its blocks."""

    def rows(self, store: Store, tell: Tell = silent) -> Iterator[pa.RecordBatch]:
        """Every row of the study in the order of its points, in batches.

        Parameters
        ----------
        store : Store
        tell : callable
            See `Plan.rows`.

        Yields
        ------
        pyarrow.RecordBatch
        """
        writer = RowWriter(RESULT_COLUMNS, POINT_ROWS, self.study)
        predictor = Predictor(self.study, self.penalties.subspaces)
        for point in self.study.points():
            try:
                rows = list(_point_rows(self, store, predictor, point))
            except MissingPilotError:  # of a shard that is yet to be merged
                rows = [{**row, **_MISSING} for _, _, row in settings(self.study, self.kind, point)]
            for row in rows:
                writer.add(row)
            tell(point.index + 1)
            if writer.full():
                yield writer.take()
        yield writer.take()

    def failures(self, store: BlockStore) -> Iterator[dict[str, object]]:
        """Failures in the blocks behind each output of a point, in the order of the results.

        Parameters
        ----------
        store : BlockStore

        Yields
        ------
        dict
            Value by column of `FAILURE_COLUMNS`.
        """
        for problem, points in self.problems().items():
            if found := failed(store, problem):
                for point in points:
                    yield from _failures(self, store, point, found)


def _point_rows(
    plan: PointPlan, store: Store, predictor: Predictor, point: Point
) -> Iterator[dict[str, object]]:
    asked, found = plan.queries(point), _simulated(plan.work(point), store, point)
    rows = settings(plan.study, plan.kind, point)
    for (method, shift, row), query in zip(rows, asked, strict=True):
        if query is None:
            yield {**row, **_UNDEFINED}
            continue
        law = predictor.predict(point, method, shift, query.fit)
        own = of_fit(method, point, query.fit)
        yield {**row, **own, **found[query], **law.columns()}


_NOT_SIMULATED: dict[str, object] = {
    "penalty": None,
    **numbers(NOTHING, POINT_ROWS, Missing.of("undefined")),
    **Prediction().columns(),
}
_UNDEFINED = {**_NOT_SIMULATED, "status": "undefined", "reason": FEW_BRAIN_SAMPLES}
_MISSING = {**_NOT_SIMULATED, "status": "mcse_not_met", "reason": None}


def _simulated(work: Work, store: Store, point: Point) -> dict[Query, dict[str, object]]:
    """The simulated columns of each query of a point, from the prefix where it stopped."""
    queries, stored = only(Query, work.queries), store.of(work.problem)
    stops = work.stops(stored)
    ids = [q.id for q in queries]
    asked = [stops[q].blocks for q in queries]
    histograms = dict(zip(queries, stored.histograms(ids, asked), strict=True))
    found: dict[Query, dict[str, object]] = {}
    for some in _together(queries, stops, stored.alike(ids)):
        samples = _samples(point, some, stored, stops[some[0]].blocks, histograms)
        for query, sample in zip(some, samples, strict=True):
            found[query] = _columns(point, query, sample, stops[query])
    return found


def _together(
    queries: Sequence[Query], stops: Mapping[Statistic, Stop], alike: bool
) -> Iterable[list[Query]]:
    """Queries whose columns follow from the same blocks; each alone where blocks are mixed."""
    if not alike:
        return [[query] for query in queries]
    found: dict[int, list[Query]] = {}
    for query in queries:
        found.setdefault(stops[query].blocks, []).append(query)
    return found.values()


def _columns(point: Point, query: Query, found: Sample, stop: Stop) -> dict[str, object]:
    """The simulated columns of a query, from what the blocks say where it stopped."""
    moments = row_status(query.fit, point, found.count)
    against = row_status(query.baseline or query.fit, point)
    status = moments
    if status == "ok" and found.failed:
        status = "failed_replicates"
    elif (found.count == 0 and has_mean(moments)) or (status == "ok" and not stop.met):
        status = "mcse_not_met"
    columns = numbers(found, POINT_ROWS, Missing.of(moments, against))
    return {**columns, "status": status, "reason": None}


def _samples(
    point: Point,
    queries: list[Query],
    stored: StoredBlocks,
    size: int,
    histograms: Mapping[Query, Histogram],
) -> Iterator[Sample]:
    """What the first blocks say of each of some queries, which come from the same blocks."""
    bases = [Query(q.baseline or q.fit, q.shift, q.baseline) for q in queries]
    series = stored.series([q.id for q in (*queries, *bases)]).head(size)
    counts, means, squares = series.totals()
    nothing = (means <= rounding_risk(point.model)).tolist()
    errors = standard_error(counts, squares)
    replicates, seconds = int(series.replicates.sum()), float(series.seconds.sum())
    against = _against_baselines(queries, bases, stored, size)
    for i, query in enumerate(queries):
        gain, gain_mcse, better = against[query]
        # A risk of nothing but rounding is no divisor, and wins or loses by chance.
        if query.baseline != query.fit:
            mine, other = nothing[i], nothing[len(queries) + i]
            gain = math.nan if mine else gain
            gain_mcse = math.nan if mine or other else gain_mcse
            better = math.nan if mine and other else better
        yield Sample(
            replicates=replicates,
            failed=replicates - int(counts[i]),
            seconds=seconds,
            mean=means[i],
            mcse=errors[i],
            gain=gain,
            gain_mcse=gain_mcse,
            count=counts[i],
            m2=squares[i],
            p_better=better,
            histogram=histograms[query],
            total=partial(_total, stored, query, size),
        )


def _total(stored: StoredBlocks, query: Query, size: int, name: str) -> float:
    return stored.total(name, query.id, size)


# Gain, its error and p_better; NaN where the blocks do not say.
_Against = tuple[float, float, float]


def _against_baselines(
    queries: list[Query], bases: list[Query], stored: StoredBlocks, size: int
) -> dict[Query, _Against]:
    """How each query does against its baseline, over the replicates in which both have values."""
    found: dict[Query, _Against] = dict.fromkeys(queries, (math.nan, math.nan, math.nan))
    if not size:
        return found
    found |= {q: (1.0, 0.0, math.nan) for q in queries if q.baseline == q.fit}
    beside = [i for i, q in enumerate(queries) if q.baseline not in (None, q.fit)]
    if beside:
        pairs = stored.pairs([queries[i].id for i in beside], [bases[i].id for i in beside], size)
        gain, error = pairs.gain()
        columns = (x.tolist() for x in (gain, error, pairs.p_better()))
        for i, one in zip(beside, zip(*columns, strict=True), strict=True):
            found[queries[i]] = one
    return found


def _failures(
    plan: PointPlan, store: BlockStore, point: Point, found: dict[tuple[int, int, int], int]
) -> Iterator[dict[str, object]]:
    """Failures in the blocks behind each output of a point."""
    work = plan.work(point)
    stops, size = work.stops(store.of(work.problem)), work.problem.block_size
    pairs = [(c, s) for c in plan.study.methods for s in plan.study.shifts]
    for (method, shift), query in zip(pairs, plan.queries(point), strict=True):
        own = of_method(point.model, method)
        for (block, replicate, statistic), code in found.items():
            if query is not None and query.id == statistic and block < stops[query].blocks:
                yield {
                    "point": point.index,
                    "n_task": point.n_task,
                    "n_brain": point.n_brain,
                    "estimator": method.estimator.name,
                    **{name: own[name] for name in ENCODER},
                    **of_fit(method, point, query.fit),
                    "shift": shift.label,
                    "block": block,
                    "replicate": block * size + replicate,
                    "reason": reason_of(code),
                }
