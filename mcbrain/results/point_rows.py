"""Block sums to rows: means with standard errors, quantiles, gains, and the laws beside them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

import pyarrow as pa

from mcbrain.asking.studies import Point
from mcbrain.blocks.problem import latest
from mcbrain.blocks.query import Query, Statistic, only
from mcbrain.blocks.series import standard_error
from mcbrain.blocks.sums import reason_of
from mcbrain.errors import MissingPilotError
from mcbrain.plan.plans import Tell, Work, silent
from mcbrain.plan.point_plan import PointPlan
from mcbrain.plan.statuses import has_mean, has_variance, row_status
from mcbrain.plan.stopping import Stop, rounding_risk
from mcbrain.population.model import Model
from mcbrain.results.columns import RESULT_SCHEMA, RowWriter, result_words
from mcbrain.results.failed import failed
from mcbrain.results.predictor import Prediction, Predictor
from mcbrain.results.reasons import FEW_BRAIN_SAMPLES
from mcbrain.store.blockstore import BlockStore
from mcbrain.store.protocol import Store
from mcbrain.store.stored import StoredBlocks

__all__ = ["PointRows"]

_QUANTILES = {"q05": 0.05, "median": 0.5, "q95": 0.95}


class PointRows(PointPlan):
    """A plan of points, and the rows that follow from its blocks."""

    def rows(self, store: Store, tell: Tell = silent) -> Iterator[pa.RecordBatch]:
        """Every row of the study in the order of its points, in batches.

        Parameters
        ----------
        store : Store
        tell : callable
            See `Plan.rows`.
        """
        writer = RowWriter(RESULT_SCHEMA, result_words(self.study))
        predictor = Predictor(self.study, self.penalties.subspaces)
        for point in self.study.points():
            try:
                rows = list(_point_rows(self, store, predictor, point))
            except MissingPilotError:  # of a shard that is yet to be merged
                rows = [{**row, **_MISSING} for row in _settings(self, point)]
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
        """
        for problem, points in self.problems().items():
            if found := failed(store, problem):
                for point in points:
                    yield from _failures(self, store, point, found)


def _point_rows(
    plan: PointPlan, store: Store, predictor: Predictor, point: Point
) -> Iterator[dict[str, object]]:
    study, work = plan.study, plan.work(point)
    asked = plan.queries(point)
    found = _measured(work, store, point)
    pairs = [(c, s) for c in study.methods for s in study.shifts]
    settings = _settings(plan, point)
    for (method, shift), query, row in zip(pairs, asked, settings, strict=True):
        row["penalty"] = None if query is None else query.fit.shown
        row |= _UNDEFINED if query is None else found[query]
        law = Prediction() if query is None else predictor.predict(point, method, shift, query.fit)
        row |= {
            "predicted": law.value,
            "prediction_se": law.standard_error,
            "prediction": law.kind,
        }
        yield row


def _settings(plan: PointPlan, point: Point) -> Iterator[dict[str, object]]:
    """What each row of a point is about."""
    scale = {"point": point.index, **_model_columns(point.model)}
    for method in plan.study.methods:
        for shift in plan.study.shifts:
            yield {
                **scale,
                "n_task": point.n_task,
                "n_brain": point.n_brain,
                "estimator": method.estimator.name,
                "penalty_rule": method.rule.kind,
                "shift": shift.label,
                "engine": plan.kind,
            }


@latest
def _model_columns(model: Model) -> dict[str, object]:
    return model.columns()


_UNDEFINED: dict[str, object] = {
    "status": "undefined",
    "replicates": 0,
    "failed": 0,
    **dict.fromkeys(
        ("mean", "mcse", "sd", "q05", "median", "q95", "gain", "gain_mcse", "p_better")
    ),
    "seconds": 0.0,
    "reason": FEW_BRAIN_SAMPLES,
}


_MISSING = {**_UNDEFINED, "status": "mcse_not_met", "prediction": "none", "reason": None}


def _measured(work: Work, store: Store, point: Point) -> dict[Query, dict[str, object]]:
    """The simulated columns of each query of a point, from the prefix where it stopped."""
    queries, stored = only(Query, work.queries), store.of(work.problem)
    stops = work.stops(stored)
    ids = [q.id for q in queries]
    histograms = stored.histograms(ids, [stops[q].blocks for q in queries])
    columns: dict[Query, dict[str, object]] = {}
    for some in _together(queries, stops, stored.alike(ids)):
        columns |= _columns(point, some, stored, stops)
    for query, histogram in zip(queries, histograms, strict=True):
        columns[query] |= {name: histogram.quantile(q) for name, q in _QUANTILES.items()}
    return columns


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


def _columns(
    point: Point, queries: list[Query], stored: StoredBlocks, stops: Mapping[Statistic, Stop]
) -> dict[Query, dict[str, object]]:
    """The simulated columns of queries, from the blocks where all of them stopped."""
    size, n = stops[queries[0]].blocks, len(queries)
    bases = [Query(q.baseline or q.fit, q.shift, q.baseline) for q in queries]
    series = stored.series([q.id for q in (*queries, *bases)]).head(size)
    counts, means, squares = series.totals()
    nothing = (means <= rounding_risk(point.model)).tolist()
    errors = standard_error(counts, squares).tolist()
    replicates, seconds = int(series.replicates.sum()), float(series.seconds.sum())
    against = _against_baselines(queries, bases, stored, size)
    found: dict[Query, dict[str, object]] = {}
    for i, query in enumerate(queries):
        count, mean, m2 = float(counts[i]), float(means[i]), float(squares[i])
        failed = replicates - int(count)
        moments = row_status(query.fit, point, count)
        status = moments
        if status == "ok" and failed:
            status = "failed_replicates"
        elif (count == 0 and has_mean(moments)) or (status == "ok" and not stops[query].met):
            status = "mcse_not_met"
        finite_mean, finite_variance = has_mean(moments), has_variance(moments)
        other = row_status(bases[i].fit, point)
        gain, gain_mcse, better = against[query]
        # A risk of nothing but rounding is no divisor, and wins or loses by chance.
        if query.baseline != query.fit:
            if nothing[i]:
                gain, better = None, None if nothing[n + i] else better
            gain_mcse = None if nothing[i] or nothing[n + i] else gain_mcse
        found[query] = {
            "status": status,
            "replicates": replicates,
            "failed": failed,
            "mean": _number(mean) if finite_mean else None,
            "mcse": _number(errors[i]) if finite_variance else None,
            "sd": _number(math.sqrt(m2 / (count - 1))) if finite_variance and count > 1 else None,
            "gain": gain if has_mean(moments, other) else None,
            "gain_mcse": gain_mcse if has_variance(moments, other) else None,
            "p_better": better,
            "seconds": seconds,
        }
    return found


# Gain, its error and p_better.
_Against = tuple[float | None, float | None, float | None]


def _against_baselines(
    queries: list[Query], bases: list[Query], stored: StoredBlocks, size: int
) -> dict[Query, _Against]:
    """How each query does against its baseline, over the replicates in which both have values."""
    found: dict[Query, _Against] = dict.fromkeys(queries, (None, None, None))
    if not size:
        return found
    found |= {q: (1.0, 0.0, None) for q in queries if q.baseline == q.fit}
    beside = [i for i, q in enumerate(queries) if q.baseline not in (None, q.fit)]
    if beside:
        pairs = stored.pairs([queries[i].id for i in beside], [bases[i].id for i in beside], size)
        gain, error = pairs.gain()
        columns = (x.tolist() for x in (gain, error, pairs.p_better()))
        for i, (one, its, better) in zip(beside, zip(*columns, strict=True), strict=True):
            found[queries[i]] = _number(one), _number(its), _number(better)
    return found


def _number(value: float) -> float | None:
    """A finite number, or null."""
    return float(value) if math.isfinite(value) else None


def _failures(
    plan: PointPlan, store: BlockStore, point: Point, found: dict[tuple[int, int, int], int]
) -> Iterator[dict[str, object]]:
    """Failures in the blocks behind each output of a point."""
    work = plan.work(point)
    stops, size = work.stops(store.of(work.problem)), work.problem.block_size
    pairs = [(c, s) for c in plan.study.methods for s in plan.study.shifts]
    for (method, shift), query in zip(pairs, plan.queries(point), strict=True):
        for (block, replicate, statistic), code in found.items():
            if query is not None and query.id == statistic and block < stops[query].blocks:
                yield {
                    "point": point.index,
                    "n_task": point.n_task,
                    "n_brain": point.n_brain,
                    "estimator": method.estimator.name,
                    "penalty": query.fit.shown,
                    "shift": shift.label,
                    "block": block,
                    "replicate": block * size + replicate,
                    "reason": reason_of(code),
                }
