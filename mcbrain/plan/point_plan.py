"""Points to problems: which blocks a study needs, and when each output is precise enough."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mcbrain.asking.estimators import Choice
from mcbrain.asking.studies import Point, Precision, Study
from mcbrain.blocks.cost import block_size, replicate_seconds
from mcbrain.blocks.problem import Problem, data_parameters
from mcbrain.blocks.query import Query, Row
from mcbrain.blocks.series import ROUNDING, Series
from mcbrain.plan.penalties import Penalties
from mcbrain.plan.statuses import HOPELESS, row_status
from mcbrain.population.model import Model
from mcbrain.population.shifts import Shift

__all__ = [
    "SampledPlan",
    "Work",
    "block_size",
    "fixed_count",
    "precise_enough",
    "replicate_seconds",
    "rounding_risk",
    "times_more",
]


class Statistic(Protocol):
    """Anything that names one column of a problem's sums."""

    @property
    def id(self) -> int:
        """64-bit name, by content."""
        ...


@dataclass(frozen=True)
class Work:
    """One problem, the statistics wanted of it, and the rule that says which are precise enough.

    Attributes
    ----------
    problem : Problem
    queries : tuple
        Each with an `id`; columns of the block sums.
    max_blocks : int
    done : callable
        Series of some of the queries, and those queries -> bool for each.
    factor : callable
        Series of some of the queries, and which of them go on -> how many times as many replicates
        they need; what is shown of the time left is all that depends on it.
    """

    problem: Problem
    queries: tuple[Statistic, ...]
    max_blocks: int
    done: Callable[[Series, tuple[Any, ...]], NDArray[np.bool_]]
    factor: Callable[[Series, NDArray[np.bool_]], float] = lambda series, short: 1.0

    def with_baselines(self, queries: tuple[Statistic, ...]) -> tuple[Statistic, ...]:
        """The queries and the baselines they are compared with, in the order of the work."""
        wanted: set[Statistic] = set(queries)
        for query in queries:
            if isinstance(query, Query) and query.baseline:
                wanted.add(Query(query.baseline, query.shift, query.baseline))
        return tuple(q for q in self.queries if q in wanted)


def fixed_count(precision: Precision) -> bool:
    """Whether a number of replicates was asked for, by a target that is never met."""
    return 0 in (precision.relative, precision.absolute)


def precise_enough(
    precision: Precision, mean: NDArray[np.float64], mcse: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Whether each mean meets every target that is given; a target of 0 is never met."""
    return np.asarray((mcse <= _target(precision, mean)) & (not fixed_count(precision)))


def times_more(precision: Precision, series: Series, short: NDArray[np.bool_]) -> float:
    """How many times as many replicates the outputs that fall short need for every target."""
    mean, mcse = series.totals()[1][short], series.mcse()[short]
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(np.fmax.reduce((mcse / _target(precision, mean)) ** 2, initial=1.0))


def _target(precision: Precision, mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """The standard error of each mean that meets every target that is given."""
    relative, absolute = precision.relative, precision.absolute
    if relative is None and absolute is None:
        relative = 0.01
    target = np.full(mean.shape, np.inf if absolute is None else absolute)
    with np.errstate(invalid="ignore"):  # a mean that does not exist has no target either
        return target if relative is None else np.minimum(target, relative * np.abs(mean))


class SampledPlan:
    """The plan of an engine that draws whole replicates: one problem for each point.

    Parameters
    ----------
    study : Study
    kind : str
        "raw" or "sufficient".
    penalties : Penalties
        The frozen penalties.
    """

    def __init__(self, study: Study, kind: str, penalties: Penalties) -> None:
        self.study = study
        self.kind = kind
        self.stage = "points"
        self.penalties = penalties
        self.baseline = study.baseline()

    def row(self, choice: Choice, point: Point, shift: Shift) -> Row:
        """The solve row of a choice at a point; `optimal-shift` depends on the shift as well."""
        study = self.study
        penalty, eta = self.penalties.resolve(choice, point, shift)
        rule = choice.rule.kind if choice.rule.selects else "fixed"
        rank = study.rank(point.model)
        return Row(choice.estimator, rule, penalty, eta, rank, float(study.encoding.penalty))

    def queries(self, point: Point) -> list[Query | None]:
        """A query for each output of a point, in the order of the results; None where undefined."""
        found: list[Query | None] = []
        for choice in self.study.choices:
            for shift in self.study.shifts:
                if self.study.undefined(choice, point):
                    found.append(None)
                    continue
                row = self.row(choice, point, shift)
                base = self.row(self.baseline, point, shift) if self.baseline else None
                found.append(Query(row, shift, base))
        return found

    def problem(self, point: Point) -> Problem:
        """The problem behind a point."""
        parameters = data_parameters(point.model, point.n_task, point.n_brain)
        return Problem(self.kind, parameters, self.study.seed)

    def problems(self) -> dict[Problem, list[Point]]:
        """Every problem, with the points that it serves; no penalty is needed."""
        served: dict[Problem, list[Point]] = {}
        for point in self.study.points():
            served.setdefault(self.problem(point), []).append(point)
        return served

    def points(self, users: Sequence[Point]) -> Sequence[Point]:
        """Points whose penalties the work of a problem with these users needs."""
        return users

    def works(self, problem: Problem, users: Sequence[Point]) -> Iterator[Work]:
        """The work of each point that a problem serves."""
        for point in users:
            yield self.work(point)

    def describe(self, problem: Problem, users: Sequence[Point]) -> str:
        """The points that a problem serves, in words."""
        return " and ".join(f"point {point.index}" for point in users)

    def work(self, point: Point) -> Work:
        """The work behind a point."""
        problem = self.problem(point)
        asked = [q for q in self.queries(point) if q is not None]
        baselines = [Query(q.baseline, q.shift, q.baseline) for q in asked if q.baseline]
        queries = tuple(dict.fromkeys(asked + baselines))
        blocks = -(-self.study.precision.max_replicates // block_size(problem))
        return Work(
            problem,
            queries,
            blocks,
            lambda series, asked: self.done(point, series, asked),
            lambda series, short: times_more(self.study.precision, series, short),
        )

    def done(self, point: Point, series: Series, queries: tuple[Query, ...]) -> NDArray[np.bool_]:
        """Which queries may stop: precise enough, or without a finite variance."""
        _, mean, _ = series.totals()
        lost = [row_status(q.row, point) in HOPELESS for q in queries]
        good = precise_enough(self.study.precision, mean, series.mcse())
        nothing = mean <= rounding_risk(point.model)
        more = not fixed_count(self.study.precision)
        return good | ((np.array(lost, bool) | nothing) & more)


def rounding_risk(model: Model) -> float:
    """Excess risk of coefficients that are right but for rounding: nothing can be said below it."""
    return float((ROUNDING * model.signal_norm) ** 2)
