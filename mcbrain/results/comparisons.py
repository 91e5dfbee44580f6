"""Two outputs of a study on the same data: difference, ratio and share of wins, with errors."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from mcbrain.asking.estimators import Method
from mcbrain.asking.studies import Point, Study
from mcbrain.blocks.query import Query
from mcbrain.errors import InputError, MissingPilotError, did_you_mean
from mcbrain.plan.penalties import Penalties
from mcbrain.plan.statuses import HOPELESS, has_mean
from mcbrain.plan.subspaces import PilotSubspaces
from mcbrain.results.kept_replicates import output_name
from mcbrain.results.point_rows import PointRows
from mcbrain.store.protocol import Store
from mcbrain.store.stored import StoredBlocks
from mcbrain.typing import Floats

__all__ = ["Comparison", "compared", "method_named"]

ROUNDING = 2.0**-46
"""Two values whose relative difference is below this are one number, as the kernels count wins."""

# Columns that tell the rows of a comparison apart, beside the model's.
_SAMPLES = ("n_task", "n_brain", "shift")


@dataclass(frozen=True)
class Comparison:
    """What two outputs of a study say of each other, on the same data.

    Attributes
    ----------
    a, b : str
        Their names, such as "befs=optimal".
    table : pyarrow.Table
        A row for each point and shift: the settings that vary; `replicates` on which both have a
        value; their means `a` and `b`; `difference` a - b and `ratio` a / b; `wins`, the share of
        the replicates in which a is below b, where a tie is no win; and of these three the standard
        errors `difference_mcse`, `ratio_mcse` and `wins_mcse`, of paired replicates or blocks.
    note : str
        How to get the shares of wins where some are unknown, and what that costs; else empty.
    """

    a: str
    b: str
    table: pa.Table
    note: str

    @property
    def summary(self) -> str:
        """In how many rows one of the two is better, by more than two standard errors."""
        gap, error = (
            np.array(self.table[name].to_pylist(), float)
            for name in ("difference", "difference_mcse")
        )
        known = np.isfinite(gap) & np.isfinite(error)
        below, above = (int(np.sum(known & (sign * gap > 2 * error))) for sign in (-1, 1))
        return (
            f"by more than 2 standard errors, {self.a} is below {self.b} in {below:,} rows and "
            f"above it in {above:,}, of {gap.size:,}"
        )


def method_named(study: Study, name: str) -> int:
    """The place of a method among those of a study.

    Parameters
    ----------
    study : Study
    name : str
        An estimator that the study has once, or with its rule: "befs", "befs=optimal", "ridge=0.3".

    Returns
    -------
    int

    Raises
    ------
    InputError
        No method of that name, or several; the sentence has the names that there are.
    """
    names = [output_name(method) for method in study.methods]
    if name in names:
        return names.index(name)
    estimator, _, rule = name.strip().partition("=")
    found = [
        i
        for i, method in enumerate(study.methods)
        if method.estimator.name == estimator and (not rule or _same_rule(method, rule))
    ]
    if len(found) == 1:
        return found[0]
    if found:
        several = ", ".join(names[i] for i in found)
        raise InputError(f"row {name}: there are {several}; name one of them in full")
    raise InputError(f"row {name}: no such output in these results; {did_you_mean(name, names)}")


def _same_rule(method: Method, rule: str) -> bool:
    if not method.rule.fixed:
        return method.rule.kind == rule
    try:
        return float(rule) == method.rule.value
    except ValueError:
        return False


def compared(
    study: Study,
    engine: str,
    store: Store,
    table: pa.Table,
    rows: pa.Table,
    names: tuple[str, str],
    varied: Sequence[str],
) -> Comparison:
    """Compare two outputs of a study wherever some of its rows are.

    Where replicates were kept, everything follows from them. Else means and errors follow from the
    blocks, which hold both outputs on the same data (a jackknife over blocks), and the share of
    wins is known of an output beside the study's baseline alone.

    Parameters
    ----------
    study : Study
    engine : str
        Of the results.
    store : Store
        Their blocks.
    table : pyarrow.Table
        The results, all of their rows.
    rows : pyarrow.Table
        Some of them; points and shifts that occur in them are compared.
    names : (str, str)
        As `method_named` reads them.
    varied : sequence of str
        Columns of the model that tell points apart.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        An output that does not exist, or results of an engine that draws no whole replicates.
    """
    places = [method_named(study, name) for name in names]
    if engine not in ("raw", "sufficient"):
        seconds = float(np.nansum(rows["seconds"].to_numpy()))
        raise InputError(
            f"results of engine {engine} hold no two outputs on the same data, since it draws no "
            "whole replicates; run the study with --engine sufficient (or raw) and --out for a "
            f"folder of its own: `mcbrain check` says what that costs (this run took {seconds:.3g} "
            "core seconds)"
        )
    plan = PointRows(study, engine, Penalties(study, PilotSubspaces(study, store), store))
    methods = [study.methods[place] for place in places]
    found = list(_pairs(plan, store, table, rows, (methods[0], methods[1])))
    first = [at for at, _ in found]
    shown = rows.take(pa.array(first, pa.int64())).select(["point", *varied, *_SAMPLES])
    columns = _Pair.__dataclass_fields__
    for name in columns:
        values = [getattr(pair, name) for _, pair in found]
        kind = pa.int64() if name == "replicates" else pa.float64()
        shown = shown.append_column(name, pa.array(values, kind, from_pandas=True))
    a, b = map(output_name, methods)
    return Comparison(a, b, shown, _how_to_keep(rows, shown))


def _how_to_keep(rows: pa.Table, table: pa.Table) -> str:
    """How the shares of wins are got where some are unknown."""
    drawn = table["replicates"].to_numpy() > 0
    unknown = np.array(table["wins"].is_null().to_pylist(), bool) & drawn
    if not unknown.any():
        return ""
    seconds = dict(zip(rows["point"].to_pylist(), rows["seconds"].to_pylist(), strict=True))
    points = set(table.filter(pa.array(unknown))["point"].to_pylist())
    cost = sum(seconds[point] or 0.0 for point in points)
    return (
        f"the share of wins is unknown in {int(unknown.sum()):,} rows, whose blocks hold sums with "
        "the baseline alone: run the study again with --keep replicates, which draws the same "
        f"replicates again in about {cost:.3g} seconds of one core"
    )


@dataclass(frozen=True)
class _Pair:
    """What is found of two outputs at a point, under a shift; NaN where it is unknown."""

    replicates: int
    a: float
    b: float
    difference: float
    difference_mcse: float
    ratio: float
    ratio_mcse: float
    wins: float
    wins_mcse: float


_NOTHING = _Pair(0, *[float("nan")] * 8)


def _pairs(
    plan: PointRows, store: Store, table: pa.Table, rows: pa.Table, methods: tuple[Method, Method]
) -> Iterator[tuple[int, _Pair]]:
    """For each point and shift that occurs in the rows: its first row, and what is found there."""
    study = plan.study
    words = {shift.label: i for i, shift in enumerate(study.shifts)}
    firsts: dict[int, dict[int, int]] = {}
    names = zip(rows["point"].to_pylist(), rows["shift"].to_pylist(), strict=True)
    for at, (number, label) in enumerate(names):
        firsts.setdefault(number, {}).setdefault(words[label], at)
    known = _Known(plan, table)
    for number, places in firsts.items():
        point = study.numbered(number)
        if any(study.undefined(method, point) for method in methods):
            yield from ((at, _NOTHING) for at in places.values())
            continue
        problem = plan.problem(point)
        stored = store.of(problem)
        for place, at in places.items():
            try:
                a, b = known.queries(point, place, methods)
            except MissingPilotError:
                yield at, _NOTHING
                continue
            pair = _pair(stored, a, b, problem.block_size)
            statuses = [known.status(point, place, method) for method in methods]
            yield at, _as_far_as_moments_exist(pair, statuses)


class _Known:
    """What the rows of the results have found before: penalties, and which moments exist."""

    def __init__(self, plan: PointRows, table: pa.Table) -> None:
        self._plan, study = plan, plan.study
        self._size = len(study.methods), len(study.shifts)
        self._place = {method: i for i, method in enumerate(study.methods)}
        self._penalty = table["penalty"].to_numpy()
        self._status = table["status"].to_pylist()

    def _row(self, point: Point, shift: int, method: Method) -> int:
        return (point.index * self._size[0] + self._place[method]) * self._size[1] + shift

    def queries(self, point: Point, place: int, methods: Sequence[Method]) -> list[Query]:
        """The query of each method, by the penalty that its row has."""
        plan, shift = self._plan, self._plan.study.shifts[place]
        for method in (*methods, *([plan.baseline] if plan.baseline else [])):
            penalty = float(self._penalty[self._row(point, place, method)])
            if not math.isnan(penalty):
                plan.penalties.remember(method, point, shift, penalty)
        base = plan.fit(plan.baseline, point, shift) if plan.baseline else None
        return [Query(plan.fit(method, point, shift), shift, base) for method in methods]

    def status(self, point: Point, place: int, method: Method) -> str:
        """The status of a method's row."""
        return str(self._status[self._row(point, place, method)])


def _pair(stored: StoredBlocks, a: Query, b: Query, size: int) -> _Pair:
    """Two outputs at a point, from kept replicates or else from blocks."""
    series = stored.series([a.id, b.id])
    if not series.n_blocks:
        return _NOTHING
    if stored.keeps and not stored.missing([a.id, b.id], series.n_blocks, kept=True):
        return _of_replicates(*stored.kept([a.id, b.id], range(series.n_blocks), size).T)
    if (series.count < series.replicates).any():
        return _NOTHING  # some failed, and blocks do not say on which replicates both have values
    total, (first, second) = int(series.replicates.sum()), series.mean
    wins = float("nan")
    if a.baseline == b.fit and a.fit != b.fit:
        wins = float(series.better[0].sum()) / total
    return _found(total, first, second, series.replicates.astype(float), wins)


def _as_far_as_moments_exist(pair: _Pair, statuses: list[str]) -> _Pair:
    """Without the numbers that estimate a mean or a variance which does not exist."""
    lost: tuple[str, ...] = ()
    if not all(map(has_mean, statuses)):
        lost = ("a", "b", "difference", "ratio", "difference_mcse", "ratio_mcse")
    elif any(status in HOPELESS for status in statuses):
        lost = ("difference_mcse", "ratio_mcse")
    nothing: dict[str, Any] = dict.fromkeys(lost, float("nan"))  # all of them are floats
    return replace(pair, **nothing)


def _of_replicates(a: Floats, b: Floats) -> _Pair:
    """The same from what each replicate says, over those on which both have values."""
    both = np.isfinite(a) & np.isfinite(b)
    a, b = a[both], b[both]
    if not a.size:
        return _NOTHING
    wins = float(np.mean(b - a > ROUNDING * np.maximum(a, b)))
    return _found(a.size, a, b, np.ones(a.size), wins)


def _found(total: int, a: Floats, b: Floats, weight: Floats, wins: float) -> _Pair:
    """Moments of two outputs from parts of equal weight, replicates or blocks.

    The errors are those of means of the differences a - b, and of a - r b over the mean of b, to
    first order in 1 / n (theory/README.md 7).
    """
    mean_a, mean_b = float(weight @ a) / total, float(weight @ b) / total
    ratio = mean_a / mean_b if mean_b > 0 else float("nan")
    return _Pair(
        replicates=total,
        a=mean_a,
        b=mean_b,
        difference=mean_a - mean_b,
        difference_mcse=_error(a - b),
        ratio=ratio,
        ratio_mcse=_error(a - ratio * b) / mean_b if mean_b > 0 else float("nan"),
        wins=wins,
        wins_mcse=float(np.sqrt(wins * (1.0 - wins) / total)),
    )


def _error(parts: Floats) -> float:
    """Standard error of a mean over parts of equal weight; NaN where there are too few of them."""
    if parts.size < 2:
        return float("nan")
    apart = parts - parts.sum() / parts.size
    return math.sqrt(float(apart @ apart) / (parts.size - 1) / parts.size)
