"""Block sums to rows: means with standard errors, quantiles, gains, and the laws beside them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from mcbrain.asking.studies import Point
from mcbrain.blocks.query import Query
from mcbrain.blocks.series import looks
from mcbrain.errors import MissingPilotError
from mcbrain.plan.point_plan import SampledPlan, Work, fixed_count, precise_enough, rounding_risk
from mcbrain.plan.statuses import has_mean, has_variance, row_status
from mcbrain.results.columns import RESULT_SCHEMA, RowWriter, result_words
from mcbrain.results.predictor import Prediction, Predictor
from mcbrain.results.reasons import FEW_BRAIN_SAMPLES
from mcbrain.store.blockstore import BlockStore
from mcbrain.store.stored import StoredBlocks

__all__ = ["sampled_rows", "shown_penalty", "stops"]

_QUANTILES = {"q05": 0.05, "median": 0.5, "q95": 0.95}


def sampled_rows(
    plan: SampledPlan, store: BlockStore, predictor: Predictor
) -> Iterator[pa.RecordBatch]:
    """Every row of a study that whole replicates were drawn for, in batches.

    Parameters
    ----------
    plan : SampledPlan
    store : BlockStore
    predictor : Predictor
        The laws, with brain moments from the pilots where there are any.
    """
    writer = RowWriter(RESULT_SCHEMA, result_words(plan.study))
    for point in plan.study.points():
        try:
            rows = list(_point_rows(plan, store, predictor, point))
        except MissingPilotError:  # of a shard that is yet to be merged
            rows = [{**row, **_MISSING} for row in _settings(plan, point)]
        for row in rows:
            writer.add(row)
        if writer.full():
            yield writer.take()
    yield writer.take()


def _point_rows(
    plan: SampledPlan, store: BlockStore, predictor: Predictor, point: Point
) -> Iterator[dict[str, Any]]:
    study, work = plan.study, plan.work(point)
    asked = plan.queries(point)
    found = _measured(work, plan, store, point)
    pairs = [(c, s) for c in study.choices for s in study.shifts]
    settings = _settings(plan, point)
    for (choice, shift), query, row in zip(pairs, asked, settings, strict=True):
        row["penalty"] = shown_penalty(query)
        row |= _UNDEFINED if query is None else found[query]
        law = Prediction() if query is None else predictor.predict(point, choice, shift, query.row)
        row |= {
            "predicted": law.value,
            "prediction_se": law.standard_error,
            "prediction": law.kind,
        }
        yield row


def _settings(plan: SampledPlan, point: Point) -> Iterator[dict[str, Any]]:
    """What each row of a point is about."""
    scale = {"point": point.index, **point.model.columns()}
    for choice in plan.study.choices:
        for shift in plan.study.shifts:
            yield {
                **scale,
                "n_task": point.n_task,
                "n_brain": point.n_brain,
                "estimator": choice.estimator.name,
                "penalty_rule": choice.rule.kind,
                "shift": shift.label,
                "engine": plan.kind,
            }


_UNDEFINED: dict[str, Any] = {
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


def shown_penalty(query: Query | None) -> float | None:
    """The penalty of an output; None where it differs by replicate or has no meaning."""
    if query is None or query.row.estimator.penalty == "infinite" or math.isnan(query.row.penalty):
        return None
    return query.row.penalty


def _measured(
    work: Work, plan: SampledPlan, store: BlockStore, point: Point
) -> dict[Query, dict[str, Any]]:
    """The simulated columns of each query of a point, from the prefix where it stopped."""
    queries: tuple[Any, ...] = work.queries
    stored = store.of(work.problem)
    ends = stops(work, stored)
    ids = [q.id for q in queries]
    histograms = stored.histograms(ids, [ends[q] for q in queries])
    return {
        query: _columns(plan, point, query, work, stored, ends[query])
        | {name: histogram.quantile(q) for name, q in _QUANTILES.items()}
        for query, histogram in zip(queries, histograms, strict=True)
    }


def stops(work: Work, stored: StoredBlocks) -> dict[Any, int]:
    """Number of blocks behind each query: the first look at which it was precise enough."""
    found: dict[Any, int] = {}
    sizes = looks(work.max_blocks)
    for query in work.queries:
        series = stored.series([query.id])
        found[query] = min(series.n_blocks, sizes[-1])
        for size in sizes[:-1]:
            if size <= series.n_blocks and bool(work.done(series.head(size), (query,))[0]):
                found[query] = size
                break
    return found


def _columns(
    plan: SampledPlan, point: Point, query: Query, work: Work, stored: StoredBlocks, size: int
) -> dict[str, Any]:
    """The simulated columns of a query, from so many blocks."""
    baseline = query.baseline or query.row
    base = Query(baseline, query.shift, query.baseline)
    series = stored.series([query.id, base.id]).head(size)
    counts, means, squares = series.totals()
    count, mean, m2 = (float(x[0]) for x in (counts, means, squares))
    nothing = means <= rounding_risk(point.model)
    mcse = float(series.mcse()[0])
    replicates = int(series.replicates.sum())
    failed = replicates - int(count)
    moments = row_status(query.row, point, count)
    status = moments
    if status == "ok" and failed:
        status = "failed_replicates"
    elif (count == 0 and has_mean(moments)) or (
        status == "ok" and not _finished(plan, work, size, mean, mcse, nothing[0])
    ):
        status = "mcse_not_met"
    finite_mean, finite_variance = has_mean(moments), has_variance(moments)
    against = row_status(baseline, point)
    gain, gain_mcse, better = _against_baseline(query, base, stored, size)
    # A risk of nothing but rounding is no divisor, and wins or loses by chance.
    if nothing[0] and query.baseline != query.row:
        gain, better = None, None if nothing[1] else better
    gain_mcse = None if nothing.any() and query.baseline != query.row else gain_mcse
    return {
        "status": status,
        "replicates": replicates,
        "failed": failed,
        "mean": _number(mean) if finite_mean else None,
        "mcse": _number(mcse) if finite_variance else None,
        "sd": _number(math.sqrt(m2 / (count - 1))) if finite_variance and count > 1 else None,
        "gain": gain if has_mean(moments, against) else None,
        "gain_mcse": gain_mcse if has_variance(moments, against) else None,
        "p_better": better,
        "seconds": float(series.seconds.sum()),
    }


def _finished(
    plan: SampledPlan, work: Work, size: int, mean: float, mcse: float, nothing: bool
) -> bool:
    """Whether a mean meets its targets, is `nothing` but rounding, or has every replicate that was
    asked for.
    """
    precision = plan.study.precision
    if fixed_count(precision):
        return size >= work.max_blocks
    return nothing or bool(precise_enough(precision, np.array([mean]), np.array([mcse]))[0])


def _against_baseline(
    query: Query, base: Query, stored: StoredBlocks, size: int
) -> tuple[float | None, float | None, float | None]:
    """Gain, its error and p_better, over the replicates in which both rows have values."""
    if query.baseline is None or not size:
        return None, None, None
    if query.baseline == query.row:
        return 1.0, 0.0, None
    pairs = stored.pairs(query.id, base.id, size)
    gain, error = pairs.gain()
    return _number(gain), _number(error), _number(pairs.p_better())


def _number(value: float) -> float | None:
    """A finite number, or null."""
    return float(value) if math.isfinite(value) else None
