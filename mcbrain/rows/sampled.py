"""Block sums to rows: means with standard errors, quantiles, gains, and the laws beside them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from mcbrain.blocks import Query, Series, jackknife, looks
from mcbrain.errors import MissingPilotError
from mcbrain.plan.sampled import SampledPlan, Work, precise_enough, row_status
from mcbrain.rows.columns import RESULT_SCHEMA, RowWriter, result_words
from mcbrain.rows.predictor import Prediction, Predictor
from mcbrain.store.blockstore import BlockStore
from mcbrain.store.stored import StoredBlocks
from mcbrain.study import Point, Precision

__all__ = ["quantile", "sampled_rows", "shown_penalty", "stops"]

_LOG_BIN = math.log(1.01)


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
}


_MISSING = {**_UNDEFINED, "status": "mcse_not_met", "prediction": "none"}


def shown_penalty(query: Query | None) -> float | None:
    """The penalty of an output; None where it differs by replicate or has no meaning."""
    if query is None or query.row.estimator.name == "projection" or math.isnan(query.row.penalty):
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
    rows: dict[Query, dict[str, Any]] = {}
    for query, histogram in zip(queries, histograms, strict=True):
        base = Query(query.baseline, query.shift, query.baseline) if query.baseline else query
        series = stored.series([query.id, base.id]).head(ends[query])
        rows[query] = _columns(plan, point, query, series, histogram)
    return rows


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
    plan: SampledPlan, point: Point, query: Query, series: Series, histogram: dict[int, int]
) -> dict[str, Any]:
    count, mean, m2 = (float(x[0]) for x in series.totals())
    mcse = float(series.mcse()[0])
    replicates = int(series.replicates.sum())
    failed = replicates - int(count)
    status = row_status(query.row, point)
    if status == "ok" and failed:
        status = "failed_replicates"
    elif count == 0 or (status == "ok" and not _enough(plan.study.precision, mean, mcse)):
        status = "mcse_not_met"
    finite_mean = status != "infinite_mean"
    finite_variance = status not in ("infinite_mean", "infinite_variance")
    gain, gain_mcse = _gain(query, series) if finite_mean else (None, None)
    better = None
    if query.baseline is not None and query.baseline != query.row and count:
        better = float(series.better[0].sum()) / count
    return {
        "status": status,
        "replicates": replicates,
        "failed": failed,
        "mean": _number(mean) if finite_mean else None,
        "mcse": _number(mcse) if finite_variance else None,
        "sd": _number(math.sqrt(m2 / (count - 1))) if finite_variance and count > 1 else None,
        **{
            name: quantile(histogram, q)
            for name, q in (("q05", 0.05), ("median", 0.5), ("q95", 0.95))
        },
        "gain": gain,
        "gain_mcse": gain_mcse if finite_variance else None,
        "p_better": better,
        "seconds": float(series.seconds.sum()),
    }


def _enough(precision: Precision, mean: float, mcse: float) -> bool:
    """Whether a mean meets its targets; where a number of replicates was asked for, it does."""
    exact_count = 0 in (precision.relative, precision.absolute)
    return exact_count or bool(precise_enough(precision, np.array([mean]), np.array([mcse]))[0])


def _gain(query: Query, series: Series) -> tuple[float | None, float | None]:
    """Baseline's mean over the row's mean, with its jackknife error over blocks."""
    if query.baseline is None or not series.n_blocks:
        return None, None
    if query.baseline == query.row:
        return 1.0, 0.0
    _, mean, _ = series.totals()
    leave = series.without_each_block()
    with np.errstate(invalid="ignore", divide="ignore"):
        return _number(mean[1] / mean[0]), _number(jackknife(leave[1] / leave[0]))


def quantile(histogram: dict[int, int], probability: float) -> float | None:
    """Quantile of a sparse log-histogram with bins of 1 %, geometric within a bin.

    Parameters
    ----------
    histogram : dict
        Bin -> count; bin b holds values in [1.01^b, 1.01^(b+1)); the lowest bin holds zeros.
    probability : float
    """
    total = sum(histogram.values())
    if not total:
        return None
    rank, below = probability * total, 0
    for place in sorted(histogram):
        count = histogram[place]
        if below + count >= rank:
            if place <= -32768:
                return 0.0
            return math.exp((place + (rank - below) / count) * _LOG_BIN)
        below += count
    return None


def _number(value: float) -> float | None:
    """A finite number, or null."""
    return float(value) if math.isfinite(value) else None
