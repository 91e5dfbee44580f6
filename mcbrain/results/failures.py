"""Replicates that failed: which, of what, and why; each can be drawn again with `replay`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mcbrain.asking.studies import Point
from mcbrain.blocks.problem import Problem
from mcbrain.blocks.sums import REASONS
from mcbrain.errors import InputError
from mcbrain.plan.grid_plan import FactoredPlan
from mcbrain.plan.plans import open_plan
from mcbrain.plan.point_plan import SampledPlan, block_size
from mcbrain.plan.sides import Side, point_of
from mcbrain.results.point_rows import shown_penalty, stops
from mcbrain.store.blockstore import BlockStore, blocks_behind
from mcbrain.store.columns import flat, numbers
from mcbrain.store.folder import ResultsFolder

__all__ = ["FAILURE_SCHEMA", "failures"]

_WORD = pa.dictionary(pa.int32(), pa.string())

# Penalty, estimator and shift are null where a whole brain replicate failed, whatever its use.
FAILURE_SCHEMA = pa.schema(
    [
        ("point", pa.int32()),
        ("n_task", pa.int64()),
        ("n_brain", pa.int64()),
        ("estimator", _WORD),
        ("penalty", pa.float64()),
        ("shift", _WORD),
        ("block", pa.int64()),
        ("replicate", pa.int64()),
        ("reason", _WORD),
    ]
)


def failures(folder: str | Path) -> pa.Table:
    """The failed replicates behind the results of a folder, a row for each output that they hurt.

    Parameters
    ----------
    folder : str or Path
        A results folder with its blocks.

    Returns
    -------
    pyarrow.Table
        Columns as in `FAILURE_SCHEMA`; `replicate` is counted within the point, as `replay` counts.

    Raises
    ------
    InputError
        Not a results folder, or no run has come to its end there.
    """
    home = ResultsFolder(folder)
    study, engine = home.study(), home.record().get("engine")
    if engine is None:
        raise InputError(f"{home.path}: no run has come to its end here; run the study first")
    if engine == "law":
        return FAILURE_SCHEMA.empty_table()
    store = blocks_behind(home)
    plan = open_plan(study, engine, store)
    if isinstance(plan, FactoredPlan):
        rows = [
            row
            for problem, users in plan.problems().items()
            for row in _of_brain(plan, problem, users[0][0], _stored(store, problem))
        ]
    else:
        rows = [
            row
            for problem, points in plan.problems().items()
            if (found := _stored(store, problem))
            for point in points
            for row in _of_point(plan, store, problem, point, found)
        ]
    return pa.Table.from_pylist(rows, FAILURE_SCHEMA)


def _stored(store: BlockStore, problem: Problem) -> dict[tuple[int, int, int], int]:
    """(block, replicate within it, statistic) -> code, for every failure of a problem."""
    table = store.rows((problem.key, problem.seed))
    values, ends = flat(table, "failures")
    if not values.size:
        return {}
    statistics, starts = flat(table, "statistics")
    entries = values.reshape(-1, 3).astype(np.int64)
    row = np.repeat(np.arange(table.num_rows), np.diff(ends) // 3)
    block, statistic = numbers(table, "index")[row], statistics[starts[row] + entries[:, 1]]
    names = zip(block.tolist(), entries[:, 0].tolist(), statistic.tolist(), strict=True)
    return dict(sorted(zip(names, entries[:, 2].tolist(), strict=True)))


def _of_point(
    plan: SampledPlan,
    store: BlockStore,
    problem: Problem,
    point: Point,
    found: dict[tuple[int, int, int], int],
) -> Iterator[dict[str, Any]]:
    """Failures in the blocks behind each output of a point, in the order of the results."""
    work = plan.work(point)
    last, size = stops(work, store.of(problem)), block_size(problem)
    pairs = [(c, s) for c in plan.study.choices for s in plan.study.shifts]
    for (choice, shift), query in zip(pairs, plan.queries(point), strict=True):
        for (block, replicate, statistic), code in found.items():
            if query is not None and query.id == statistic and block < last[query]:
                yield {
                    "point": point.index,
                    "n_task": point.n_task,
                    "n_brain": point.n_brain,
                    "estimator": choice.estimator.name,
                    "penalty": shown_penalty(query),
                    "shift": shift.label,
                    "block": block,
                    "replicate": block * size + replicate,
                    "reason": REASONS.get(code, f"code {code}"),
                }


def _of_brain(
    plan: FactoredPlan,
    problem: Problem,
    side: Side,
    found: dict[tuple[int, int, int], int],
) -> Iterator[dict[str, Any]]:
    """Failures of a brain problem, once each: they hurt every output that uses it."""
    point, size = point_of(plan.study, side), block_size(problem)
    once = {(block, replicate): code for (block, replicate, _), code in found.items()}
    for (block, replicate), code in once.items():
        yield {
            "point": point.index,
            "n_brain": point.n_brain,
            "block": block,
            "replicate": block * size + replicate,
            "reason": REASONS.get(code, f"code {code}"),
        }
