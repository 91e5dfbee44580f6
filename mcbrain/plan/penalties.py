"""Penalties, frozen before the first replicate of a point (theory/README.md 2).

The rule `optimal` of an estimator that uses brain data needs m_bar, from the moments of the
estimated subspace. Where no law gives the optimum, a pilot of whole replicates compares a grid on
the same data, and the minimum is sought between its values.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator

import numpy as np

from mcbrain.asking.estimators import Method
from mcbrain.asking.penalty_rules import FIXED
from mcbrain.asking.shift_text import parse_shift
from mcbrain.asking.studies import Point, Study
from mcbrain.blocks.problem import BrainProblem, RawProblem
from mcbrain.blocks.query import Encoding, Fit, Query, Statistic
from mcbrain.errors import InputError, MissingPilotError, unhandled
from mcbrain.plan.moments import (
    brain_statistics,
    shift_coefficients,
    shift_drift,
    signal,
    task_noise,
)
from mcbrain.plan.pilot_grid import fit_of, grid_queries, minimum_between
from mcbrain.plan.statuses import has_mean, row_status
from mcbrain.plan.subspaces import PILOT_BLOCKS, Subspaces
from mcbrain.population.shifts import Shift
from mcbrain.store.protocol import Store
from mcbrain.theory import exact
from mcbrain.theory.subspace import SubspaceMoments
from mcbrain.theory.wishart import task_moments
from mcbrain.typing import Floats

__all__ = ["Penalties", "Pilot", "pilots"]


Pilot = BrainProblem | RawProblem

_ID = parse_shift("id")


def has_law(method: Method, point: Point, shift: Shift, subspaces: Subspaces) -> bool:
    """Whether the optimum of a method follows from moments of the subspace alone.

    Parameters
    ----------
    method : Method
        An estimator under a rule that optimises its penalty.
    point : Point
        The model, and the numbers of samples.
    shift : Shift
        Under which the risk is to be least; "id" for a rule that optimises without a shift.
    subspaces : Subspaces
        Knows what the exact laws cover.

    Returns
    -------
    bool
        False where penalties have to be compared, by a pilot of whole replicates or by the law for
        any covariance.
    """
    estimator = method.estimator
    if method.rule.record.by != "risk":
        # A number, or one of each replicate: nothing but the encoder's penalty is optimised.
        return len(subspaces.candidates(method, point)) == 1
    if not subspaces.lawful(estimator, point) or not shift.has_moment:
        return False
    estimated = subspaces.simulated(estimator, point)
    if estimated and method.encoder.rule.selects:
        return False
    if estimator.banded and (estimated or estimator.subspace == "measured"):
        # Both bands have closed forms together, and under the training inputs alone.
        return estimator.two_bands and method.rule.record.under == "id"
    return True


def pilots(
    study: Study, subspaces: Subspaces, points: Iterable[Point]
) -> Iterator[tuple[Pilot, tuple[Statistic, ...]]]:
    """Each pilot problem that some points need, and the statistics wanted of it.

    Parameters
    ----------
    study : Study
        What is asked.
    subspaces : Subspaces
        Makes the pilots that measure an estimated subspace.
    points : iterable of Point
        Some of the study's; one that comes twice counts once.

    Yields
    ------
    problem : BrainProblem or RawProblem
        A pilot, each once: of the subspace, or of whole replicates where no law gives an optimum.
    statistics : tuple of Statistic
        All that is wanted of it.
    """
    wanted: dict[Pilot, dict[Statistic, None]] = {}
    problem: Pilot
    points = list(dict.fromkeys(points))
    for point, method in _encoded(study, points):
        if point.model.isotropic and subspaces.simulated(method.estimator, point):
            statistics = brain_statistics(point.model.k_m)
            problem = subspaces.problem(point, subspaces.encoding(method, point))
            wanted.setdefault(problem, {}).update(dict.fromkeys(statistics))
    for method in study.methods:
        for shift in _shifts(study, method):
            for point in points:
                if study.undefined(method, point) or has_law(method, point, shift, subspaces):
                    continue
                for encoding in subspaces.candidates(method, point):
                    grid = _compared(study, method, point, shift, encoding)
                    wanted.setdefault(_grid_problem(study, point), {}).update(dict.fromkeys(grid))
    for problem, asked in wanted.items():
        yield problem, tuple(asked)


def _encoded(study: Study, points: list[Point]) -> Iterator[tuple[Point, Method]]:
    """Methods whose subspace has moments, at points enough to meet each of its problems.

    Brain data has the same law at every number of task samples, but for the penalty of an encoder
    that is optimised at each of them.
    """
    alike = {(p.model, p.n_brain): p for p in points}.values()
    built = [method for method in study.methods if method.estimator.own is None]
    estimating = [method for method in built if method.estimator.uses_brain]
    optimised = [m for m in estimating if m.encoder.rule.record.by == "risk"]
    # Methods with one number for their encoder share its problems.
    numbered = {m.encoder: m for m in estimating if m.encoder.rule.fixed}.values()
    for methods, places in ((numbered, alike), (optimised, points)):
        for method, point in itertools.product(methods, places):
            if not study.undefined(method, point):
                yield point, method


def _shifts(study: Study, method: Method) -> tuple[Shift, ...]:
    """The shifts under which a penalty of a method must be optimised: its own, or its encoder's."""
    encoded = (_ID,) if method.encoder.rule.record.by == "risk" else ()
    match method.rule.record.under:
        case "":
            return encoded
        case "id":
            return (_ID,)
        case "each":
            return tuple(dict.fromkeys((*encoded, *study.shifts)))
    raise unhandled("penalty rule", method.rule.kind, "the pilots (plan/penalties.py)")


def _compared(
    study: Study, method: Method, point: Point, shift: Shift, encoding: Encoding
) -> tuple[Query, ...]:
    """What a pilot compares with one encoder: a grid, or the fit whose penalty is not optimised."""
    rule = method.rule
    match rule.record.by:
        case "risk":
            return grid_queries(method, point, shift, encoding)
        case "replicate":
            fit = fit_of(method.estimator, rule.kind, math.nan, encoding)
        case "study":
            penalty = study.per_sample(rule.value, point.n_task)
            fit = fit_of(method.estimator, FIXED, penalty, encoding)
        case _:
            raise unhandled("penalty rule", rule.kind, "the pilots (plan/penalties.py)")
    return (Query(fit, shift, None),)


def _grid_problem(study: Study, point: Point) -> RawProblem:
    """The pilot of whole replicates behind a point."""
    return RawProblem.of(point.model, point.n_task, point.n_brain, study.seed, pilot=True)


class Penalties:
    """Every penalty of a study, as a number, the same in every engine.

    Parameters
    ----------
    study : Study
        What is asked.
    subspaces : Subspaces
        Moments of the spared subspace.
    store : Store, optional
        Holds the pilots that compare grids. Without one, such penalties come from the law for any
        covariance (theory/README.md 5f, 5g), and are an error where that gives none.
    """

    def __init__(self, study: Study, subspaces: Subspaces, store: Store | None = None) -> None:
        self.study = study
        self.subspaces = subspaces
        self.store = store
        self._best: dict[tuple[int, Method, Shift], float] = {}
        self._encodings: dict[tuple[int, Method], Encoding] = {}

    def fit(self, method: Method, point: Point, shift: Shift) -> Fit:
        """The fit that a method stands for at a point.

        Parameters
        ----------
        method : Method
            One of the study's.
        point : Point
            One of the study's.
        shift : Shift
            Counts where the rule optimises the penalty for each shift, as `optimal-shift` does.

        Returns
        -------
        Fit
            With its penalty per sample, which is NaN where each replicate chooses its own.

        Raises
        ------
        InputError
            The penalty cannot be found; see `resolve`.
        """
        penalty, eta = self.resolve(method, point, shift)
        rule = method.rule.kind if method.rule.selects else FIXED
        return fit_of(method.estimator, rule, penalty, self.encoding(method, point), eta)

    def resolve(self, method: Method, point: Point, shift: Shift) -> tuple[float, float]:
        """Find the penalty of a method at a point.

        Parameters
        ----------
        method : Method
            One of the study's.
        point : Point
            One of the study's.
        shift : Shift
            Counts where the rule optimises the penalty for each shift.

        Returns
        -------
        penalty : float
            Per sample; a rule gives 0 to infinity, a study may also give a negative number. NaN
            where each replicate chooses its own.
        eta : float
            Share of the penalty that the spared subspace still feels.

        Raises
        ------
        InputError
            No law gives the optimum, and no pilot is there to find it.
        MissingPilotError
            A pilot that the optimum rests on has not been run to its end.
        """
        rule, estimator = method.rule, method.estimator
        match rule.record.by:
            case "replicate":
                return math.nan, estimator.eta
            case "study":
                return self.study.per_sample(rule.value, point.n_task), estimator.eta
            case "risk":
                return self._of_least_risk(method, point, shift)
        raise unhandled("penalty rule", rule.kind, "the choice of penalties (plan/penalties.py)")

    def remember(self, method: Method, point: Point, shift: Shift, penalty: float) -> None:
        """Take a penalty of least risk from results, which have found it before.

        Parameters
        ----------
        method : Method
            One of the study's; nothing is done for rules that are not of least risk.
        point : Point
            One of the study's.
        shift : Shift
            Of the row.
        penalty : float
            Per sample, to the last bit.
        """
        record = method.rule.record
        if record.by == "risk":
            self._best[point.index, method, _ID if record.under == "id" else shift] = penalty

    def _of_least_risk(self, method: Method, point: Point, shift: Shift) -> tuple[float, float]:
        """The penalty of the least risk under the rule's shift, and eta."""
        estimator, at_id = method.estimator, method.rule.record.under == "id"
        if at_id:
            shift = _ID
        lawful = has_law(method, point, shift, self.subspaces)
        if lawful and estimator.two_bands and at_id:
            return self._bands(method, point)
        name = (point.index, method, shift)
        if name not in self._best:
            if lawful:
                find = self._from_law
            elif self.store is None:
                find = self._from_equivalent
            else:
                find = self._from_pilot
            self._best[name] = find(method, point, shift)
        return self._best[name], estimator.eta

    def _from_law(self, method: Method, point: Point, shift: Shift) -> float:
        model, n, d = point.model, point.n_task, point.model.input_dim
        noise, seed = task_noise(model), self.study.seed
        if method.rule.record.under == "id":
            m_bar, rank = self.missed(method, point)
            best = float(exact.optimal_penalty(noise, n, rank, d, m_bar))
        else:
            subspace = self._subspace(method, point)
            coefficients = shift_coefficients(shift, model, seed)
            drift = shift_drift(shift, model, seed)
            brain = exact.brain_moments(subspace, signal(model), coefficients, d, drift)
            best = exact.optimal_shift_penalty(
                task_moments, brain, n_task=n, rank=subspace.rank, input_dim=d, task_noise=noise
            )
        return self._from_equivalent(method, point, shift) if math.isnan(best) else best

    def _from_equivalent(self, method: Method, point: Point, shift: Shift) -> float:
        """The optimum under any covariance and encoder, by the law (theory/README.md 5f, 5g)."""
        estimator, law = method.estimator, self.subspaces.anisotropic
        encoding = self.encoding(method, point)
        known = not (encoding.selects and self.subspaces.simulated(estimator, point))

        def fit_at(penalty: float) -> Fit:
            return fit_of(estimator, FIXED, penalty, encoding)

        best = math.nan
        if (
            known
            and not estimator.two_bands
            and shift.has_moment
            and law.gaussian(estimator, point)
        ):
            best = law.best_penalty(point, shift, fit_at)
        if math.isnan(best):
            raise InputError(
                f"{estimator.name} = '{method.rule.kind}': no law gives this optimum for "
                f"this model and shift '{shift.label}'; simulate it, or give a number"
            )
        return best

    def missed(self, method: Method, point: Point) -> tuple[float, int]:
        """What the subspace that a method spares misses of the task (theory/README.md 4c).

        Parameters
        ----------
        method : Method
            One of the study's.
        point : Point
            One of the study's.

        Returns
        -------
        m_bar : float
            Mean share of the squared signal outside the subspace; 1 where nothing is spared.
        rank : int
            Of the subspace.

        Raises
        ------
        MissingPilotError
            The pilot that measures the subspace has not been run to its end.
        """
        model, estimator = point.model, method.estimator
        subspace = self._subspace(method, point)
        if estimator.subspace == "measured":
            # Exactly, since a share of 0 makes the estimator a projection.
            return model.recorded.misalignment, subspace.rank
        if subspace.rank == 0:
            return 1.0, 0
        identity = shift_coefficients(_ID, model, self.study.seed)
        brain = exact.brain_moments(subspace, signal(model), identity, model.input_dim)
        return max(float(brain.m_hat), 0.0), subspace.rank

    def _subspace(self, method: Method, point: Point) -> SubspaceMoments:
        """Moments of the subspace that a method spares."""
        encoding = self.encoding(method, point)
        return self.subspaces.moments(method.estimator, point, encoding)

    def _bands(self, method: Method, point: Point) -> tuple[float, float]:
        """Penalty outside the subspace, and eta, from the two bands' own closed forms."""
        model, d = point.model, point.model.input_dim
        noise = task_noise(model)
        missed, rank = self.missed(method, point)
        if rank in (0, d):
            return float(exact.optimal_penalty(noise, point.n_task, 0, d)), 1.0  # one band: ridge
        m_bar = min(max(missed, 1e-12), 1.0 - 1e-12)
        bands = exact.optimal_band_penalties(noise, point.n_task, rank, d, m_bar)
        outside, inside = (float(x) for x in bands)
        if outside == 0:
            return 0.0, float(exact.optimal_eta(rank, d, m_bar))
        return outside, inside / outside

    def encoding(self, method: Method, point: Point) -> Encoding:
        """Stage 1 of a method at a point, its penalty found by law or by a pilot.

        Parameters
        ----------
        method : Method
            One of the study's.
        point : Point
            One of the study's.

        Returns
        -------
        Encoding
            With a number per brain sample, or the rule by which each replicate chooses.

        Raises
        ------
        InputError
            No law gives the best penalty, and no pilot is there to find it.
        MissingPilotError
            A pilot that it rests on has not been run to its end.
        """
        candidates = self.subspaces.candidates(method, point)
        if len(candidates) == 1:
            return candidates[0]
        if self.store is None:
            raise InputError(
                f"[encoding] penalty = '{method.encoder.rule.kind}': no law gives this optimum for "
                "a model that is not Gaussian; simulate it, or give a number"
            )
        name = (point.index, method)
        if name not in self._encodings:
            risks = [
                self._piloted(point, _compared(self.study, method, point, _ID, c)).min()
                for c in candidates
            ]
            self._encodings[name] = candidates[int(np.argmin(risks))]
        return self._encodings[name]

    def _from_pilot(self, method: Method, point: Point, shift: Shift) -> float:
        """The optimum between the penalties that a pilot of whole replicates compares."""
        grid = grid_queries(method, point, shift, self.encoding(method, point))
        penalty = np.array([q.fit.penalty for q in grid])
        return minimum_between(penalty, self._piloted(point, grid))

    def _piloted(self, point: Point, grid: tuple[Query, ...]) -> Floats:
        """The mean risk of some fits in a pilot of whole replicates; infinite without a mean."""
        if self.store is None:
            raise MissingPilotError("a pilot finds this penalty, and there is no store of blocks")
        series = self.store.series(_grid_problem(self.study, point), [q.id for q in grid])
        series = series.head(PILOT_BLOCKS)
        if series.n_blocks < PILOT_BLOCKS:
            raise MissingPilotError(
                "the pilot for the optimal penalty is not complete; run the study first"
            )
        risk = series.totals()[1]
        if point.model.sigma_y > 0:  # a mean that does not exist is no candidate, however it fell
            wild = np.array([not has_mean(row_status(q.fit, point)) for q in grid])
            risk = np.where(wild & ~wild.all(), np.inf, risk)
        return risk
