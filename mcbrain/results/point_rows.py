"""Block sums to rows: means with standard errors, quantiles, gains, and the laws beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

import numpy as np
import pyarrow as pa

from mcbrain.asking.studies import Point, Study
from mcbrain.blocks.query import Query
from mcbrain.blocks.sums import reason_of
from mcbrain.errors import MissingPilotError
from mcbrain.plan.plans import Tell, silent
from mcbrain.plan.point_plan import PointPlan
from mcbrain.plan.statuses import has_mean
from mcbrain.results.column import POINT_ROWS
from mcbrain.results.columns import columns_of
from mcbrain.results.failed import failed
from mcbrain.results.numbers import NOTHING, Missing, numbers
from mcbrain.results.predictor import Case, Prediction, Predictor, no_metrics
from mcbrain.results.reasons import FEW_BRAIN_SAMPLES
from mcbrain.results.row_writers import RowWriter
from mcbrain.results.samples import Asked, outputs
from mcbrain.results.settings import ENCODER, of_fit, of_method, settings
from mcbrain.store.blockstore import BlockStore
from mcbrain.store.protocol import Store

__all__ = ["PointRows"]

_TOGETHER = 1_000  # points whose rows are made at once, which bounds the memory


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
        writer = RowWriter(columns_of(self.study), POINT_ROWS, self.study)
        predictor = Predictor(self.study, self.penalties.subspaces)
        width = len(self.study.methods) * len(self.study.shifts)
        points = iter(self.study.points())
        while some := list(islice(points, min(_TOGETHER, -(-writer.room // width)))):
            for row in _rows(self, store, predictor, some):
                writer.add(row)
            tell(some[-1].index + 1)
            if writer.room <= 0:
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


@dataclass(frozen=True)
class _Point:
    """A point whose penalties are known: its blocks, its queries, and what its laws rest on."""

    asked: Asked
    queries: list[Query | None]
    cases: list[Case | None]

    @classmethod
    def of(cls, plan: PointPlan, store: Store, predictor: Predictor, point: Point) -> _Point:
        """Look a point up; MissingPilotError where a pilot lacks that it needs."""
        queries, work = plan.queries(point), plan.work(point)
        pairs = ((method, shift) for method in plan.study.methods for shift in plan.study.shifts)
        cases = [
            predictor.case(point, method, shift, query.fit) if query else None
            for (method, shift), query in zip(pairs, queries, strict=True)
        ]
        return cls(Asked(point, work, store.of(work.problem)), queries, cases)


def _rows(
    plan: PointPlan, store: Store, predictor: Predictor, points: Sequence[Point]
) -> Iterator[dict[str, object]]:
    """The rows of some points, in their order."""
    there: dict[int, _Point] = {}
    for point in points:
        with suppress(MissingPilotError):  # of a shard that is yet to be merged
            there[point.index] = _Point.of(plan, store, predictor, point)
    columns = _simulated(plan, [one.asked for one in there.values()])
    cases = [case for one in there.values() for case in one.cases if case is not None]
    laws = iter(predictor.predictions(cases))
    unmeasured = _without_metrics(plan.study)
    for point in points:
        rows = settings(plan.study, plan.kind, point)
        if point.index not in there:
            yield from ({**row, **_MISSING, **unmeasured} for _, _, row in rows)
            continue
        for (method, shift, row), query in zip(rows, there[point.index].queries, strict=True):
            if query is None:
                yield {**row, **_UNDEFINED, **unmeasured}
                continue
            yield {
                **row,
                **of_fit(method, point, query.fit),
                **columns[point.index, query.id],
                **next(laws).columns(),
                **unmeasured,
                **_of_metrics(columns, point, plan.measured(point, query)),
                **predictor.metrics(point, method, shift, query.fit),
            }


def _without_metrics(study: Study) -> dict[str, object]:
    """The columns of a study's metrics without numbers."""
    measured = [name for m in study.metrics for name in (m.name, f"{m.name}_mcse")]
    columns: dict[str, object] = dict.fromkeys((*measured, *no_metrics(study)))
    return columns


def _of_metrics(
    found: Mapping[tuple[int, int], Mapping[str, object]], point: Point, queries: Iterable[Query]
) -> dict[str, object]:
    """The columns of what is measured of an output: mean and standard error of each metric."""
    columns: dict[str, object] = {}
    for query in queries:
        assert query.metric is not None
        name, own = query.metric.name, found[point.index, query.id]
        columns |= {name: own["mean"], f"{name}_mcse": own["mcse"]}
    return columns


_NOT_SIMULATED: dict[str, object] = {
    "penalty": None,
    **next(numbers(NOTHING, POINT_ROWS, Missing.of(["undefined"]))),
    **Prediction().columns(),
}
_UNDEFINED = {**_NOT_SIMULATED, "status": "undefined", "reason": FEW_BRAIN_SAMPLES}
_MISSING = {**_NOT_SIMULATED, "status": "mcse_not_met", "reason": None}


def _simulated(plan: PointPlan, asked: Sequence[Asked]) -> dict[tuple[int, int], dict[str, object]]:
    """The simulated columns of each query, by the number of its point and its id."""
    found: dict[tuple[int, int], dict[str, object]] = {}
    for some in outputs(plan, asked):
        points = [asked[place].point for place, _ in some.queries]
        fits = [(query.fit, query.baseline or query.fit) for _, query in some.queries]
        counts, failed = some.sample.count.tolist(), np.asarray(some.sample.failed).tolist()
        # A metric is bounded, so that its moments exist.
        bounded = [query.metric is not None for _, query in some.queries]
        moments = [
            "ok" if metric else plan.moments(own, point, count)
            for (own, _), point, count, metric in zip(fits, points, counts, bounded, strict=True)
        ]
        against = [
            "ok" if metric else plan.moments(base, point)
            for (_, base), point, metric in zip(fits, points, bounded, strict=True)
        ]
        rows = numbers(some.sample, POINT_ROWS, Missing.of(moments, against))
        words = map(_status, moments, counts, failed, some.met.tolist())
        for point, (_, query), row, status in zip(points, some.queries, rows, words, strict=True):
            found[point.index, query.id] = {**row, "status": status, "reason": None}
    return found


def _status(moments: str, count: float, failed: int, met: bool) -> str:
    """The word of column `status` of an output with so many values."""
    if moments == "ok" and failed:
        return "failed_replicates"
    if (count == 0 and has_mean(moments)) or (moments == "ok" and not met):
        return "mcse_not_met"
    return moments


def _failures(
    plan: PointPlan, store: BlockStore, point: Point, found: dict[tuple[int, int, int], int]
) -> Iterator[dict[str, object]]:
    """Failures in the blocks behind each output of a point."""
    work = plan.work(point)
    stops, size = work.stops(store.of(work.problem)), work.problem.block_size
    pairs = [(c, s) for c in plan.study.methods for s in plan.study.shifts]
    for (method, shift), query in zip(pairs, plan.queries(point), strict=True):
        own, told = method.estimator.own, of_method(point.model, method)
        for (block, replicate, statistic), code in found.items():
            if query is not None and query.id == statistic and block < stops[query].blocks:
                yield {
                    "point": point.index,
                    "n_task": point.n_task,
                    "n_brain": point.n_brain,
                    "estimator": method.estimator.name,
                    "parameters": told["parameters"],
                    **{name: told[name] for name in ENCODER},
                    **of_fit(method, point, query.fit),
                    "shift": shift.label,
                    "block": block,
                    "replicate": block * size + replicate,
                    "reason": reason_of(code, own),
                }
