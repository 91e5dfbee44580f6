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

from mcbrain.asking.estimators import Estimator, Method
from mcbrain.asking.penalty_rules import FIXED
from mcbrain.asking.shift_text import parse_shift
from mcbrain.asking.studies import Point, Study
from mcbrain.blocks.problem import BrainProblem, RawProblem
from mcbrain.blocks.query import Encoding, Fit, Query, Statistic
from mcbrain.errors import InputError, MissingPilotError, unhandled
from mcbrain.plan.moments import brain_statistics, shift_coefficients, shift_drift, signal
from mcbrain.plan.statuses import has_mean, row_status
from mcbrain.plan.subspaces import PILOT_BLOCKS, Subspaces
from mcbrain.population.model import Model
from mcbrain.population.shifts import Shift
from mcbrain.store.protocol import Store
from mcbrain.theory import exact
from mcbrain.theory.subspace import SubspaceMoments
from mcbrain.theory.wishart import task_moments
from mcbrain.typing import Floats

__all__ = ["Penalties", "Pilot", "pilots"]


Pilot = BrainProblem | RawProblem

# A pilot's grid has four penalties per decade about the one that is optimal for ridge. It reaches
# further up than down, because BEFS penalises more.
_DECADES_BELOW, _DECADES_ABOVE = 3, 5
_NODES = 5  # neighbours on the grid between which its minimum is interpolated
# Digits of a penalty that is found so: few enough to be the same on every machine, however it
# rounds, since the penalty is part of the name of a statistic.
_DIGITS = 6
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
    if not subspaces.lawful(estimator, point) or not shift.has_moment:
        return False
    estimated = subspaces.simulated(estimator, point)
    if estimated and method.encoder.rule.selects:
        return False
    if estimator.banded and (estimated or estimator.subspace == "measured"):
        # Both bands have closed forms together, and under the training inputs alone.
        return estimator.two_bands and method.rule.record.under == "id"
    return True


def task_noise(model: Model) -> float:
    """sigma_y / |beta|, the noise of a task whose signal has length 1, as the laws have it.

    Parameters
    ----------
    model : Model
        What the task belongs to.

    Returns
    -------
    float
        Without a unit.
    """
    return model.sigma_y / model.signal_norm


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
                encoding = subspaces.encoding(method, point)
                grid = grid_queries(method, point, shift, encoding)
                wanted.setdefault(_grid_problem(study, point), {}).update(dict.fromkeys(grid))
    for problem, asked in wanted.items():
        yield problem, tuple(asked)


def _encoded(study: Study, points: list[Point]) -> Iterator[tuple[Point, Method]]:
    """Methods whose subspace has moments, at points enough to meet each of its problems.

    Brain data has the same law at every number of task samples, but for the penalty of an encoder
    that is optimised at each of them.
    """
    alike = {(p.model, p.n_brain): p for p in points}.values()
    for method in study.methods:
        by = method.encoder.rule.record.by
        if by != "replicate":
            for point in points if by == "risk" else alike:
                if not study.undefined(method, point):
                    yield point, method


def _shifts(study: Study, method: Method) -> tuple[Shift, ...]:
    """The shifts under which a method's penalty must be optimised."""
    match method.rule.record.under:
        case "":
            return ()
        case "id":
            return (_ID,)
        case "each":
            return study.shifts
    raise unhandled("penalty rule", method.rule.kind, "the pilots (plan/penalties.py)")


def _grid_problem(study: Study, point: Point) -> RawProblem:
    """The pilot of whole replicates behind a point."""
    return RawProblem.of(point.model, point.n_task, point.n_brain, study.seed, pilot=True)


def grid_queries(
    method: Method, point: Point, shift: Shift, encoding: Encoding
) -> tuple[Query, ...]:
    """The fits that a pilot of whole replicates compares to find a penalty.

    The grid holds both scales that an optimum can have, noise over signal and the variance of an
    input, as the search by law does (theory/README.md 4c).

    Parameters
    ----------
    method : Method
        An estimator under a rule that optimises its penalty.
    point : Point
        The model, and the numbers of samples.
    shift : Shift
        Under which the risk is to be least.
    encoding : Encoding
        Stage 1 of the method at the point.

    Returns
    -------
    tuple of Query
        One for each penalty, in ascending order: 0, four for each decade of the grid, infinity.
    """
    d = point.model.input_dim
    centre = float(exact.optimal_penalty(task_noise(point.model), point.n_task, 0, d))
    if not 1e-300 < centre < 1e300:
        centre = 1.0
    away = -math.log10(centre)
    low = min(0.0, math.floor(away)) - _DECADES_BELOW - math.ceil(math.log10(d))
    high = max(0.0, math.ceil(away)) + _DECADES_ABOVE
    inner = centre * 10.0 ** np.arange(low, high + 0.01, 0.25)
    fits = (fit_of(method.estimator, FIXED, float(v), encoding) for v in (0.0, *inner, math.inf))
    return tuple(Query(fit, shift, None) for fit in fits)


def fit_of(
    estimator: Estimator, rule: str, penalty: float, encoding: Encoding, eta: float | None = None
) -> Fit:
    """A fit with a given stage 1.

    Parameters
    ----------
    estimator : Estimator
        What is fitted.
    rule : str
        "fixed", or what chooses its penalty on each replicate.
    penalty : float
        Per task sample; NaN where a replicate chooses it.
    encoding : Encoding
        Stage 1.
    eta : float, optional
        Share of the penalty that the subspace feels; default that of the estimator.

    Returns
    -------
    Fit
    """
    eta = estimator.eta if eta is None else eta
    return Fit(estimator, rule, penalty, eta, encoding.rank, encoding.penalty, encoding.rule)


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
        return fit_of(method.estimator, rule, penalty, self.subspaces.encoding(method, point), eta)

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
        encoding = self.subspaces.encoding(method, point)
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
        encoding = self.subspaces.encoding(method, point)
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

    def _from_pilot(self, method: Method, point: Point, shift: Shift) -> float:
        """The optimum between the penalties that a pilot of whole replicates compares."""
        if self.store is None:
            raise MissingPilotError("a pilot finds this penalty, and there is no store of blocks")
        encoding = self.subspaces.encoding(method, point)
        grid = grid_queries(method, point, shift, encoding)
        series = self.store.series(_grid_problem(self.study, point), [q.id for q in grid])
        series = series.head(PILOT_BLOCKS)
        if series.n_blocks < PILOT_BLOCKS:
            raise MissingPilotError(
                "the pilot for the optimal penalty is not complete; run the study first"
            )
        penalty, risk = np.array([q.fit.penalty for q in grid]), series.totals()[1]
        if point.model.sigma_y > 0:  # a mean that does not exist is no candidate, however it fell
            wild = np.array([not has_mean(row_status(q.fit, point)) for q in grid])
            risk = np.where(wild & ~wild.all(), np.inf, risk)
        return minimum_between(penalty, risk)


def minimum_between(penalty: Floats, risk: Floats) -> float:
    """The penalty of least risk, interpolated between those at which the risk was measured.

    Parameters
    ----------
    penalty : ndarray, shape (n,)
        0, ascending penalties whose logarithms are equally spaced, inf.
    risk : ndarray, shape (n,)
        On the same replicates, so that it is as smooth as the risk of each of them; a value that
        is not finite is never the least.

    Returns
    -------
    float
        An end where it is best; else the minimum of the polynomial in log penalty through the best
        of the grid and its neighbours, rounded to `_DIGITS` digits.
    """
    risk = np.where(np.isfinite(risk), risk, np.inf)
    best = int(np.argmin(risk))
    first = min(max(best - _NODES // 2, 1), len(penalty) - 1 - _NODES)
    near = risk[first : first + _NODES]
    at = best - first
    if not (0 < at < _NODES - 1 and np.all(np.isfinite(near))):
        return float(penalty[best])
    place = _lowest_place(near, at)
    step = math.log(penalty[first + 1] / penalty[first])
    return float(f"{penalty[first] * math.exp(step * place):.{_DIGITS}g}")


def _lowest_place(values: Floats, at: int) -> float:
    """Where between at - 1 and at + 1 the polynomial through values at 0, 1, ... is least.

    Golden sections; Newton's form of the polynomial, in plain arithmetic that is the same on every
    machine.
    """
    coefficients, differences = [], list(values - values[at])
    for order in range(len(values)):
        coefficients.append(differences[0])
        differences = [(b - a) / (order + 1) for a, b in itertools.pairwise(differences)]

    def polynomial(x: float) -> float:
        total = 0.0
        for order in reversed(range(len(coefficients))):
            total = total * (x - order) + coefficients[order]
        return total

    low, high = at - 1.0, at + 1.0
    golden = (math.sqrt(5.0) - 1.0) / 2.0
    for _ in range(48):
        left, right = high - golden * (high - low), low + golden * (high - low)
        if polynomial(left) <= polynomial(right):
            high = right
        else:
            low = left
    return (low + high) / 2.0
