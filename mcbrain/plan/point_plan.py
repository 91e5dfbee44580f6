"""A plan of points: each has a problem of whole replicates, whatever the others are."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mcbrain.asking.estimators import Method
from mcbrain.asking.studies import Point, Precision, Study
from mcbrain.blocks.problem import DataProblem, Problem, data_problem
from mcbrain.blocks.query import Fit, Query, Statistic, only
from mcbrain.blocks.series import Series, standard_error
from mcbrain.plan.penalties import Penalties
from mcbrain.plan.plans import Plan, Work
from mcbrain.plan.statuses import HOPELESS, Conditions, conditions
from mcbrain.plan.stopping import Stopping, precise_enough, rounding_risk, times_more
from mcbrain.population.geometry import Geometry
from mcbrain.population.shift_laws import probe_directions
from mcbrain.population.shifts import PROBE, Shift
from mcbrain.typing import Floats

__all__ = ["PointPlan", "together"]

_MOST_CONDITIONS = 10_000  # that are kept of `moments`


class PointPlan(Plan[Point]):
    """The plan of an engine that draws whole replicates: one problem for each point.

    Parameters
    ----------
    study : Study
        What is asked.
    kind : str
        The engine, "raw" or "sufficient".
    penalties : Penalties
        Finds the penalty of each method at each point.
    """

    def __init__(self, study: Study, kind: str, penalties: Penalties) -> None:
        self.study = study
        self.kind = kind
        self.stage = "points"
        self.penalties = penalties
        self.baseline = study.baseline()
        self._conditions: dict[tuple[int, str], Conditions] = {}
        self._latest: tuple[Point, list[Query | None]] | None = None

    def fit(self, method: Method, point: Point, shift: Shift) -> Fit:
        """The fit of a method at a point.

        Parameters
        ----------
        method : Method
            One of the study's.
        point : Point
            One of the study's.
        shift : Shift
            Counts where the method's penalty is optimised for each shift.

        Returns
        -------
        Fit
            The estimator with its penalty, a number or left to each replicate.

        Raises
        ------
        InputError
            The penalty cannot be found; see `Penalties.resolve`.
        """
        return self.penalties.fit(method, point, shift)

    def queries(self, point: Point) -> list[Query | None]:
        """A query for each output of a point.

        Parameters
        ----------
        point : Point
            One of the study's.

        Returns
        -------
        list of (Query or None)
            By method, then by shift, as in the results. None where the method asks for more brain
            directions than there are brain samples.

        Raises
        ------
        InputError
            A penalty cannot be found; see `Penalties.resolve`.
        """
        if self._latest is None or self._latest[0] is not point:
            self._latest = point, self._queries(point)
        return self._latest[1]

    def _queries(self, point: Point) -> list[Query | None]:
        study, baseline = self.study, self.baseline
        defined = [not study.undefined(method, point) for method in study.methods]
        bases = {
            shift: self.fit(baseline, point, shift) if baseline and any(defined) else None
            for shift in study.shifts
        }
        return [
            Query(self.fit(method, point, shift), shift, base) if there else None
            for method, there in zip(study.methods, defined, strict=True)
            for shift, base in bases.items()
        ]

    def problem(self, point: Point) -> DataProblem:
        """The problem behind a point.

        Parameters
        ----------
        point : Point
            One of the study's.

        Returns
        -------
        DataProblem
            Its key knows the model, the numbers of samples and the seed, not the point's number.
        """
        seed = self.study.seed
        return data_problem(self.kind, point.model, point.n_task, point.n_brain, seed)

    def problems(self) -> dict[Problem, list[Point]]:
        """Every problem of the study; no penalty is needed.

        Returns
        -------
        dict of Problem to list of Point
            In the order of the points; each problem with the points that it serves.
        """
        served: dict[Problem, list[Point]] = {}
        for point in self.study.points():
            served.setdefault(self.problem(point), []).append(point)
        return served

    def most(self, problem: Problem) -> int:
        """Blocks that a problem has at most.

        Parameters
        ----------
        problem : Problem
            One of `problems`.

        Returns
        -------
        int
            As many as `max_replicates` need, the last one whole.
        """
        return -(-self.study.precision.max_replicates // problem.block_size)

    def points(self, users: Sequence[Point]) -> Sequence[Point]:
        """Points whose penalties the work of a problem needs.

        Parameters
        ----------
        users : sequence of Point
            The points that the problem serves.

        Returns
        -------
        sequence of Point
            All of them.
        """
        return users

    def works(self, problem: Problem, users: Sequence[Point]) -> Iterator[Work]:
        """The work of each point that a problem serves.

        Parameters
        ----------
        problem : Problem
            One of `problems`.
        users : sequence of Point
            The points that it serves.

        Yields
        ------
        Work
            The outputs of a point, and of the baselines that they are compared with.
        """
        for point in users:
            yield self._work(problem, point)

    def describe(self, problem: Problem, users: Sequence[Point]) -> str:
        """The points that a problem serves, in words.

        Parameters
        ----------
        problem : Problem
            One of `problems`.
        users : sequence of Point
            The points that it serves.

        Returns
        -------
        str
            Such as "point 3", without a full stop.
        """
        return " and ".join(f"point {point.index}" for point in users)

    def work(self, point: Point) -> Work:
        """The work behind a point.

        Parameters
        ----------
        point : Point
            One of the study's.

        Returns
        -------
        Work
            Its outputs, and those of the baselines that they are compared with.
        """
        return self._work(self.problem(point), point)

    def measured(self, point: Point, query: Query) -> tuple[Query, ...]:
        """What is measured of an output beside its excess risk.

        Parameters
        ----------
        point : Point
            One of the study's.
        query : Query
            One of `queries`.

        Returns
        -------
        tuple of Query
            One for each metric that has a value there.
        """
        return tuple(
            replace(query, metric=metric)
            for metric in self.study.metrics
            if metric.objection(point.model, query.shift, query.fit.estimator) is None
        )

    def _work(self, problem: Problem, point: Point) -> Work:
        asked = [q for q in self.queries(point) if q is not None]
        risks = list(dict.fromkeys([*asked, *(q.of_baseline for q in asked)]))
        families = [(q, *self.measured(point, q)) for q in risks]
        queries = tuple(q for family in families for q in family)
        precision = self.study.precision
        stopping = Stopping(
            self.most(problem),
            None
            if precision.fixed_count
            else lambda series, asked: self._good(point, series, asked),
            factor=lambda series, short: times_more(precision, series, short),
            families=tuple(family for family in families if len(family) > 1),
        )
        companions = tuple(
            dict.fromkeys(probe for q in asked for probe in self.probes(point, q.fit))
        )
        return Work(problem, queries, stopping, companions, self.study.output.replicates)

    def probes(self, point: Point, fit: Fit) -> tuple[Query, ...]:
        """What measures the mean of a fit's coefficients (theory/README.md 7).

        Parameters
        ----------
        point : Point
            One of the study's.
        fit : Fit
            One of the fits there.

        Returns
        -------
        tuple of Query
            The fit beside beta, and beside beta moved along each of `probe_directions`; none where
            the study does not ask for it, inputs are not isotropic Gaussian, labels are not linear,
            or the estimator is a user's, which may know directions of its own.
        """
        model = point.model
        known = model.isotropic_inputs and model.linear_labels and fit.estimator.own is None
        if not self.study.output.bias_variance or not known:
            return ()
        problem = self.problem(point)
        places = range(1 + len(probe_directions(Geometry(problem.model, problem.seed))))
        return tuple(Query(fit, Shift(PROBE, float(place)), None) for place in places)

    def _good(
        self, point: Point, series: Series, asked: tuple[Statistic, ...]
    ) -> NDArray[np.bool_]:
        """Which queries of a point may stop."""
        queries = only(Query, asked)
        lost = np.array([self.hopeless(q.fit, point) for q in queries], bool)
        good = self.enough(series, lost, rounding_risk(point.model))
        return together(queries, good, self.study.precision)

    def hopeless(self, fit: Fit, point: Point) -> bool:
        """Whether no number of replicates would make an output precise.

        Parameters
        ----------
        fit : Fit
            An estimator with its penalty.
        point : Point
            One of the study's.

        Returns
        -------
        bool
            Whether it lacks a finite variance.
        """
        return self.moments(fit, point) in HOPELESS

    def moments(self, fit: Fit, point: Point, replicates: float = math.inf) -> str:
        """Which moments of an output exist.

        Parameters
        ----------
        fit : Fit
            An estimator with its penalty.
        point : Point
            One of the study's.
        replicates : float
            How many replicates it rests on; by default that is left out of account.

        Returns
        -------
        str
            See `statuses.row_status`. Outputs of a point share baselines, and are asked for with
            and without their replicates, so what was found last is kept.
        """
        key = point.index, fit.label
        if key not in self._conditions:
            if len(self._conditions) > _MOST_CONDITIONS:
                self._conditions.clear()
            self._conditions[key] = conditions(fit, point)
        return self._conditions[key].status(replicates)

    def enough(
        self, series: Series, hopeless: NDArray[np.bool_], rounding: float | Floats
    ) -> NDArray[np.bool_]:
        """Which outputs may stop, of one point or of many.

        Parameters
        ----------
        series : Series
            Their blocks.
        hopeless : ndarray of bool, shape (outputs,)
            Which of them no number of replicates would make precise.
        rounding : float or ndarray, shape (outputs,)
            The risk below which each is nothing but rounding.

        Returns
        -------
        ndarray of bool, shape (outputs,)
            Those may that are precise enough, that are nothing but rounding, or hopeless.
        """
        count, mean, m2 = series.totals()
        good = precise_enough(self.study.precision, mean, standard_error(count, m2))
        return np.asarray(good | hopeless | (mean <= rounding))


def together(
    queries: Sequence[Query], good: NDArray[np.bool_], precision: Precision
) -> NDArray[np.bool_]:
    """Which queries of a point may stop, a metric and the risk beside it as one.

    The risk decides, and with `[precision] metrics` every metric too.

    Parameters
    ----------
    queries : sequence of Query
        Of one point.
    good : ndarray of bool, shape (queries,)
        Which of them are precise enough by themselves.
    precision : Precision
        The study's targets.

    Returns
    -------
    ndarray of bool, shape (queries,)
    """
    if all(query.metric is None for query in queries):
        return good
    judged: dict[Query, bool] = {}
    for query, fine in zip(queries, good.tolist(), strict=True):
        if query.metric is None or precision.metrics:
            judged[query.risk] = judged.get(query.risk, True) and fine
    return np.array([judged.get(query.risk, False) for query in queries], bool)
