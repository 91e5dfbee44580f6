"""The risk by the laws alone: no random numbers, no compiled code (theory/README.md 4 and 5)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache

import numpy as np

from mcbrain.asking.estimators import ESTIMATORS, Estimator, Method
from mcbrain.asking.metrics import ERROR_RATE
from mcbrain.asking.shift_text import parse_shift
from mcbrain.asking.studies import Point, Study
from mcbrain.blocks.query import Encoding, Fit
from mcbrain.blocks.series import jackknife
from mcbrain.plan.cells import Setting
from mcbrain.plan.moments import shift_coefficients, shift_drift, signal, task_noise
from mcbrain.plan.subspaces import PilotSubspaces, Subspaces
from mcbrain.population.geometry import Geometry
from mcbrain.population.labels import label_slope
from mcbrain.population.model import Model
from mcbrain.population.shifts import Shift
from mcbrain.results.reasons import (
    ADVERSARY,
    FEW_BRAIN_SAMPLES,
    INTERPOLATING,
    NOT_GAUSSIAN,
    OWN_ENCODER,
    OWN_ESTIMATOR,
    OWN_PENALTY,
    OWN_SHIFT,
    TWO_ZEROS,
)
from mcbrain.theory import exact
from mcbrain.theory.accuracy import law_accuracy, task_accuracy
from mcbrain.theory.banded import two_penalty_excess
from mcbrain.theory.error_rates import fluctuations, mean_error_rate, sign_fluctuations
from mcbrain.theory.exact import BrainMoments
from mcbrain.theory.labels import FitMoments, error_rate, fit_moments, with_signs
from mcbrain.theory.wishart import TaskMoments, task_moments
from mcbrain.typing import Floats

__all__ = ["Case", "Prediction", "Predictor", "no_metrics"]

_ID = parse_shift("id")


@dataclass(frozen=True)
class Prediction:
    """A predicted mean excess risk, its standard error, and what kind of law gave it.

    Attributes
    ----------
    value : float, optional
    standard_error : float, optional
    kind : str
        Of the law: a word of column `prediction`.
    law_error : float, optional
        Relative error of the law itself, as it was measured; None where it is exact, or where its
        error was not measured.
    reason : str, optional
        Why there is none; an infinite mean is no reason, but what the law says.
    """

    value: float | None = None
    standard_error: float | None = None
    kind: str = "none"
    law_error: float | None = None
    reason: str | None = None

    def columns(self) -> dict[str, object]:
        """The columns of a row that follow from a law.

        Returns
        -------
        dict
            Value by column.
        """
        return {
            "predicted": self.value,
            "prediction_se": self.standard_error,
            "prediction": self.kind,
            "law_error": self.law_error,
        }


@dataclass(frozen=True)
class Case:
    """A fit whose value is asked of the laws, and what it rests on.

    Attributes
    ----------
    point : Point
    shift : Shift
    fit : Fit
    known : Prediction or None
        What is known without the exact laws; None where they are to say it.
    spared : Estimator or None
        Whose subspace the fit spares.
    stage : (BrainMoments, int) or None
        Moments of the brain stage, and its rank.
    simulated : bool
        Whether the subspace depends on brain data.
    """

    point: Point
    shift: Shift
    fit: Fit
    known: Prediction | None = None
    spared: Estimator | None = None
    stage: tuple[BrainMoments, int] | None = None
    simulated: bool = False

    @property
    def banded(self) -> bool:
        """Whether both sides of a subspace are penalised, for which there is an approximation."""
        measured = self.spared is not None and self.spared.subspace == "measured"
        return _banded(self.fit) and (self.simulated or measured)

    @property
    def is_exact(self) -> bool:
        """Whether the value of the laws is exact."""
        return not self.simulated and not self.banded

    @property
    def penalises_inside(self) -> bool:
        """Whether there is an inside that is penalised."""
        return _banded(self.fit) and self.stage is not None and self.stage[1] > 0


class Predictor:
    """Predicts the rows of a study.

    Parameters
    ----------
    study : Study
    subspaces : Subspaces
        Moments of the estimated subspace: from pilots (semi-exact) or from the law (asymptotic).
    """

    def __init__(self, study: Study, subspaces: Subspaces) -> None:
        self.study = study
        self.subspaces = subspaces
        # Rows of a grid ask for the same few again and again: shifts share a task stage, and task
        # samples a brain stage, of which those of the latest model are kept.
        self._task_moments = lru_cache(1024)(task_moments)
        self._stages: dict[
            tuple[Estimator, Shift, tuple[int, Encoding] | None, bool], tuple[BrainMoments, int]
        ] = {}
        self._model: Model | None = None
        self._anisotropic = subspaces.anisotropic

    def predict(self, point: Point, method: Method, shift: Shift, fit: Fit) -> Prediction:
        """The law's value for one fit; kind `none` where no law holds.

        Parameters
        ----------
        point : Point
        method : Method
        shift : Shift
        fit : Fit
            With the resolved penalty.

        Returns
        -------
        Prediction
        """
        return self.predictions([self.case(point, method, shift, fit)])[0]

    def case(self, point: Point, method: Method, shift: Shift, fit: Fit) -> Case:
        """What the prediction of one fit rests on.

        Parameters
        ----------
        point : Point
        method : Method
        shift : Shift
        fit : Fit
            With the resolved penalty.

        Returns
        -------
        Case

        Raises
        ------
        MissingPilotError
            The moments of the brain stage come from a pilot that is not complete.
        """
        if self.study.undefined(method, point):
            return Case(point, shift, fit, known=Prediction(reason=FEW_BRAIN_SAMPLES))
        if method.estimator.own is not None:
            return Case(point, shift, fit, known=Prediction(reason=OWN_ESTIMATOR))
        spared = _spared(method.estimator, point, fit)
        if reason := self._lawless(spared, point, method, shift):
            return Case(point, shift, fit, known=Prediction(reason=reason))
        if fit.penalty < 0:
            return Case(point, shift, fit, known=Prediction())
        if not point.model.linear_labels:
            return Case(point, shift, fit, known=self._signs(point, method, shift, fit))
        if not self.subspaces.lawful(spared, point):
            known = self._anisotropic_prediction(point, shift, fit)
            return Case(point, shift, fit, known=known)
        estimated = self.subspaces.simulated(spared, point)
        banded = _banded(fit) and (estimated or spared.subspace == "measured")
        if banded and self._anisotropic.interpolates(point, fit):
            return Case(point, shift, fit, known=Prediction(reason=INTERPOLATING))
        stage = self._stage(spared, point, shift, fit)
        return Case(point, shift, fit, spared=spared, stage=stage, simulated=estimated)

    def predictions(self, cases: Sequence[Case]) -> list[Prediction]:
        """The law's value for each of many fits, whose arithmetic is done at once.

        Parameters
        ----------
        cases : sequence of Case

        Returns
        -------
        list of Prediction
            Kind `none` where no law holds.
        """
        found = [case.known for case in cases]
        open_ = [i for i, known in enumerate(found) if known is None]
        values = self._risks([cases[i] for i in open_])
        errors = self._errors([cases[i] for i in open_], values)
        off = self._law_errors([cases[i] for i in open_], values)
        for i, value, error, of_law in zip(open_, values.tolist(), errors, off, strict=True):
            found[i] = self._prediction(cases[i], value, error, of_law)
        return [one for one in found if one is not None]

    def _prediction(
        self, case: Case, value: float, error: float | None, of_law: float | None
    ) -> Prediction:
        """What is said of a value of the exact laws, or in its place."""
        if math.isnan(value):  # a rank below the latents', or a penalised encoding
            return self._anisotropic_prediction(case.point, case.shift, case.fit)
        if not math.isfinite(value):
            return Prediction()
        if case.is_exact:
            return Prediction(value, None, "exact")
        return Prediction(value, error, "asymptotic" if error is None else "semi-exact", of_law)

    def _errors(self, cases: Sequence[Case], values: Floats) -> list[float | None]:
        """The standard error of each value; None where it needs none, or does not know it."""
        errors: list[float | None] = [None] * len(cases)
        if not isinstance(self.subspaces, PilotSubspaces):
            return errors
        measured = [
            i
            for i, (case, value) in enumerate(zip(cases, values.tolist(), strict=True))
            if math.isfinite(value) and not case.is_exact and not case.banded
        ]
        leave = self._risks([self._left_out(cases[i]) for i in measured])
        for i, values_of in zip(measured, leave, strict=True):
            errors[i] = jackknife(values_of)
        return errors

    def _law_errors(self, cases: Sequence[Case], values: Floats) -> list[float | None]:
        """How far values move where all that law 5b says is missed is off by its error."""
        errors: list[float | None] = [None] * len(cases)
        if isinstance(self.subspaces, PilotSubspaces):
            return errors
        by_law = [
            i
            for i, (case, value) in enumerate(zip(cases, values.tolist(), strict=True))
            if math.isfinite(value) and not case.is_exact and not case.banded
        ]
        moved = self._risks([_missing_more(cases[i]) for i in by_law])
        for i, more in zip(by_law, moved.tolist(), strict=True):
            value = float(values[i])
            errors[i] = abs(more / value - 1.0) if value else None  # no share of nothing
        return errors

    def _left_out(self, case: Case) -> Case:
        """The same with the moments of its pilot, each block left out in turn."""
        assert case.spared is not None
        stage = self._stage(case.spared, case.point, case.shift, case.fit, left_out=True)
        return replace(case, stage=stage)

    def _anisotropic_prediction(self, point: Point, shift: Shift, fit: Fit) -> Prediction:
        """By the law of any covariance and encoder (theory/README.md 5f, 5g)."""
        if _banded(fit) and fit.penalty == 0 and point.n_task < point.model.native_dim:
            return Prediction(reason=TWO_ZEROS)
        found = self._anisotropic.risk(point, shift, fit)
        if np.isnan(found.value):
            return Prediction(reason=INTERPOLATING)
        if not np.isfinite(found.value):
            return Prediction()
        if found.exact:
            return Prediction(found.value, found.standard_error, "exact")
        error = None
        if not _banded(fit):
            measured = float(task_accuracy(self._anisotropic.free_rows(point, fit)))
            error = measured if measured > 0.0 else None
        return Prediction(found.value, found.standard_error, "asymptotic", error)

    def _lawless(self, spared: Estimator, point: Point, method: Method, shift: Shift) -> str | None:
        """Why no law exists: it needs Gaussian data, as far as used, and a penalty set before."""
        if not self._anisotropic.gaussian(spared, point):
            return NOT_GAUSSIAN
        if not shift.has_moment:
            return ADVERSARY if shift.own is None else OWN_SHIFT
        if method.encoder.rule.selects and self.subspaces.simulated(spared, point):
            return OWN_ENCODER
        return OWN_PENALTY if method.rule.selects else None

    def _brain(
        self, spared: Estimator, point: Point, shift: Shift, encoding: Encoding, left_out: bool
    ) -> tuple[BrainMoments, int]:
        """Moments of a brain stage under a shift, and its rank; the task stage plays no part."""
        subspaces, model = self.subspaces, point.model
        if left_out:
            assert isinstance(subspaces, PilotSubspaces)
            subspace = subspaces.leave_one_out(point, encoding)
        else:
            subspace = subspaces.moments(spared, point, encoding)
        coefficients = shift_coefficients(shift, model, self.study.seed)
        drift = shift_drift(shift, model, self.study.seed)
        moments = exact.brain_moments(subspace, signal(model), coefficients, model.input_dim, drift)
        return moments, subspace.rank

    def _stage(
        self, spared: Estimator, point: Point, shift: Shift, fit: Fit, left_out: bool = False
    ) -> tuple[BrainMoments, int]:
        """`_brain`, once for all points of the latest model that share it."""
        if self._model is not point.model:
            self._stages, self._model = {}, point.model
        # Brain data counts where the subspace is estimated alone.
        simulated = self.subspaces.simulated(spared, point)
        own = (point.n_brain, fit.encoding) if simulated else None
        stage = (spared, shift, own, left_out)
        if stage not in self._stages:
            self._stages[stage] = self._brain(spared, point, shift, fit.encoding, left_out)
        return self._stages[stage]

    def _risks(self, cases: Sequence[Case]) -> Floats:
        """The exact laws' values, shape (cases, ...) with the axes of the brain stages."""
        plain = [i for i, case in enumerate(cases) if not case.penalises_inside]
        stages = [case.stage[0] for case in cases if case.stage is not None]
        shape = np.broadcast_shapes(*(stage.m_hat.shape for stage in stages))
        values = np.empty((len(cases), *shape))
        if plain:
            values[plain] = self._whole([cases[i] for i in plain], shape)
        for i in set(range(len(cases))) - set(plain):
            values[i] = self._both_bands(cases[i])
        return values

    def _whole(self, cases: Sequence[Case], shape: tuple[int, ...]) -> Floats:
        """Values of fits whose penalty acts outside the subspace alone, or everywhere."""
        stages = [case.stage for case in cases if case.stage is not None]
        points = [case.point for case in cases]
        models = [point.model for point in points]
        brain = _stacked([stage for stage, _ in stages], shape)
        tasks = [
            self._task_moments(p.n_task, rank, p.model.input_dim, case.fit.in_force)
            for case, p, (_, rank) in zip(cases, points, stages, strict=True)
        ]

        def column(values: Iterable[float]) -> Floats:
            return np.array(list(values), float).reshape(-1, *(1 for _ in shape))

        task = TaskMoments(
            *(column(float(getattr(t, f.name)) for t in tasks) for f in fields(TaskMoments))
        )
        risk = exact.excess_risk(
            task,
            brain,
            n_task=column(p.n_task for p in points),
            rank=column(rank for _, rank in stages),
            input_dim=column(m.input_dim for m in models),
            task_noise=column(task_noise(m) for m in models),
        )
        return np.asarray(risk * column(m.signal_norm**2 for m in models))

    def _both_bands(self, case: Case) -> Floats:
        """The value of a fit that is penalised on both sides of its subspace."""
        assert case.stage is not None
        (brain, rank), model = case.stage, case.point.model
        setting: Setting = {
            "n_task": case.point.n_task,
            "rank": rank,
            "input_dim": model.input_dim,
            "task_noise": task_noise(model),
        }
        risk = two_penalty_excess(brain, **setting, penalty=case.fit.in_force, eta=case.fit.eta)
        return np.asarray(risk * model.signal_norm**2)

    # Labels that are not linear, and metrics (theory/README.md 4h) -----------------------------

    def metrics(
        self, point: Point, method: Method, shift: Shift, fit: Fit
    ) -> dict[str, float | None]:
        """The columns of what the laws say of each metric.

        Parameters
        ----------
        point : Point
        method : Method
        shift : Shift
        fit : Fit
            With the resolved penalty.

        Returns
        -------
        dict
            Value by column; None where no law holds.
        """
        found = no_metrics(self.study)
        for metric in self.study.metrics:
            if metric.name == ERROR_RATE and metric.objection(point.model, shift) is None:
                moments = self._moments(point, method, shift, fit)
                value = math.nan
                if moments is not None:
                    value = self._mean_rate(point, method, shift, fit, moments)
                found[f"{metric.name}_predicted"] = value if math.isfinite(value) else None
        return found

    def _mean_rate(
        self, point: Point, method: Method, shift: Shift, fit: Fit, moments: FitMoments
    ) -> float:
        """The mean error rate: to the second order where the spread of the fits is known."""
        spared, model = _spared(method.estimator, point, fit), point.model
        known = self.subspaces.lawful(spared, point) and not _banded(fit)
        if known and shift.kind == _ID.kind and math.isfinite(fit.in_force):
            brain, rank = self._brain(spared, point, shift, fit.encoding, left_out=False)
            m_hat, n, d = float(brain.m_hat), point.n_task, model.input_dim
            if rank < d and (rank == 0 or n > rank + 1):
                of = {"n_task": n, "rank": rank, "input_dim": d}
                noise, penalty = model.sigma_y / model.signal_norm, fit.in_force
                if model.linear_labels:
                    spread = fluctuations(m_hat, **of, penalty=penalty, noise=noise)
                else:
                    task = self._task_moments(n, rank, d, penalty)
                    spread = sign_fluctuations(task, m_hat, **of, penalty=penalty, task_noise=noise)
                unit = model.signal_norm**2
                one = FitMoments(moments.cross / unit, moments.square / unit, np.ones(()))
                value = mean_error_rate(one, spread)
                if math.isfinite(value):
                    return value
        return float(error_rate(moments))

    def _signs(self, point: Point, method: Method, shift: Shift, fit: Fit) -> Prediction:
        """The excess risk over the best linear predictor of labels that are signs."""
        moments = self._moments(point, method, shift, fit)
        if moments is None or not math.isfinite(moments.excess):
            return Prediction(reason=INTERPOLATING)
        slope = label_slope(Geometry(point.model, self.study.seed))
        return Prediction(float(moments.excess) * slope**2, None, "asymptotic")

    def _moments(self, point: Point, method: Method, shift: Shift, fit: Fit) -> FitMoments | None:
        """Moments of the coefficients, of labels divided by their slope; None without a law."""
        if self.study.undefined(method, point) or method.estimator.own is not None:
            return None
        spared = _spared(method.estimator, point, fit)
        if self._lawless(spared, point, method, shift) or not fit.penalty >= 0:
            return None
        model, unit = point.model, point.model.signal_norm**2
        lawful = self.subspaces.lawful(spared, point) and not _banded(fit)
        if lawful:
            brain, rank = self._brain(spared, point, shift, fit.encoding, left_out=False)
            if (rank == 0 or point.n_task > rank + 1) and np.isfinite(brain.m_hat):
                task = self._task_moments(point.n_task, rank, model.input_dim, fit.in_force)
                of = {"n_task": point.n_task, "rank": rank, "input_dim": model.input_dim}
                noise = model.sigma_y / model.signal_norm
                if model.linear_labels:
                    found = fit_moments(task, brain, **of, task_noise=noise)
                else:
                    plain, _ = self._brain(spared, point, _ID, fit.encoding, left_out=False)
                    found = with_signs(task, brain, float(plain.m_hat), **of, task_noise=noise)
                return FitMoments(found.cross * unit, found.square * unit, found.signal * unit)
        if _banded(fit) and fit.penalty == 0 and point.n_task < model.native_dim:
            return None
        return self._anisotropic.moments(point, shift, fit)


def no_metrics(study: Study) -> dict[str, float | None]:
    """The columns of what the laws say of a study's metrics, without numbers.

    Parameters
    ----------
    study : Study

    Returns
    -------
    dict
        None by column.
    """
    return {f"{metric.name}_predicted": None for metric in study.metrics}


def _stacked(moments: Sequence[BrainMoments], shape: tuple[int, ...]) -> BrainMoments:
    """Moments of several brain stages, of one shape, one below the other."""
    # Points that differ in their task samples alone share a stage.
    apart = {id(one): one for one in moments}
    place, once = {name: i for i, name in enumerate(apart)}, list(apart.values())
    which = np.array([place[id(one)] for one in moments])

    def laid(name: str) -> Floats:
        values = np.empty((len(once), *shape))
        for i, one in enumerate(once):
            values[i] = getattr(one, name)
        return np.asarray(values[which])

    return BrainMoments(*(laid(field.name) for field in fields(BrainMoments)))


def _banded(fit: Fit) -> bool:
    """Whether both bands are penalised, for which there is an approximation only (5e)."""
    return fit.estimator.banded and fit.eta not in (0.0, 1.0)


def _spared(estimator: Estimator, point: Point, fit: Fit) -> Estimator:
    """The estimator itself, or ridge where it is that.

    So it is with equal penalties inside and outside, and with none on either side and samples
    enough, where both are least squares.
    """
    alike = fit.eta == 1.0
    alike |= _banded(fit) and fit.penalty == 0 and point.n_task >= point.model.native_dim
    return ESTIMATORS["ridge"] if alike else estimator


def _missing_more(case: Case) -> Case:
    """The same where what its subspace misses is more by the error of law 5b."""
    assert case.stage is not None
    (brain, rank), model = case.stage, case.point.model
    off = 1.0 + law_accuracy(model.input_dim, model.k_m)
    names = ("m_hat", "m_hat_trace", "residual", "missed_signal", "missed_drift")
    brain = replace(brain, **{name: getattr(brain, name) * off for name in names})
    return replace(case, stage=(brain, rank))
