"""The risk by the laws alone: no random numbers, no compiled code (theory/README.md 4 and 5)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mcbrain.asking.estimators import ESTIMATORS, Estimator, Method
from mcbrain.asking.studies import Point, Study
from mcbrain.blocks.query import Encoding, Fit
from mcbrain.blocks.series import jackknife
from mcbrain.plan.cells import Setting
from mcbrain.plan.moments import shift_coefficients, shift_drift, signal, task_noise
from mcbrain.plan.subspaces import PilotSubspaces, Subspaces
from mcbrain.population.model import Model
from mcbrain.population.shifts import Shift
from mcbrain.results.reasons import (
    ADVERSARY,
    FEW_BRAIN_SAMPLES,
    INTERPOLATING,
    NOT_GAUSSIAN,
    OWN_ENCODER,
    OWN_PENALTY,
    TWO_ZEROS,
)
from mcbrain.theory import exact
from mcbrain.theory.banded import two_penalty_excess
from mcbrain.theory.exact import BrainMoments
from mcbrain.theory.wishart import task_moments
from mcbrain.typing import Floats

__all__ = ["Prediction", "Predictor"]


@dataclass(frozen=True)
class Prediction:
    """A predicted mean excess risk, its standard error, and what kind of law gave it.

    Attributes
    ----------
    value : float, optional
    standard_error : float, optional
    kind : str
        Of the law: a word of column `prediction`.
    reason : str, optional
        Why there is none; an infinite mean is no reason, but what the law says.
    """

    value: float | None = None
    standard_error: float | None = None
    kind: str = "none"
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
        }


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
            tuple[Estimator, int, Shift, Encoding, bool], tuple[BrainMoments, int]
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
        if self.study.undefined(method, point):
            return Prediction(reason=FEW_BRAIN_SAMPLES)
        spared = _spared(method.estimator, point, fit)
        if reason := self._lawless(spared, point, method, shift):
            return Prediction(reason=reason)
        if fit.penalty < 0:
            return Prediction()
        if not self.subspaces.lawful(spared, point):
            return self._anisotropic_prediction(point, shift, fit)
        estimated = self.subspaces.simulated(spared, point)
        banded = _banded(fit) and (estimated or spared.subspace == "measured")
        if banded and self._anisotropic.interpolates(point, fit):
            return Prediction(reason=INTERPOLATING)
        value = self._risk(spared, point, shift, fit)
        if np.isnan(value):  # a rank below the latents', or a penalised encoding
            return self._anisotropic_prediction(point, shift, fit)
        if not np.isfinite(value):
            return Prediction()
        if not estimated and not banded:
            return Prediction(float(value), None, "exact")
        if not isinstance(self.subspaces, PilotSubspaces) or banded:
            return Prediction(float(value), None, "asymptotic")
        leave = self._risk(spared, point, shift, fit, left_out=True)
        return Prediction(float(value), jackknife(leave), "semi-exact")

    def _anisotropic_prediction(self, point: Point, shift: Shift, fit: Fit) -> Prediction:
        """By the law of any covariance and encoder (theory/README.md 5f, 5g)."""
        if _banded(fit) and fit.penalty == 0 and point.n_task < point.model.native_dim:
            return Prediction(reason=TWO_ZEROS)
        found = self._anisotropic.risk(point, shift, fit)
        if np.isnan(found.value):
            return Prediction(reason=INTERPOLATING)
        if not np.isfinite(found.value):
            return Prediction()
        kind = "exact" if found.exact else "asymptotic"
        return Prediction(found.value, found.standard_error, kind)

    def _lawless(self, spared: Estimator, point: Point, method: Method, shift: Shift) -> str | None:
        """Why no law exists: it needs Gaussian data, as far as used, and a penalty set before."""
        if not self._anisotropic.gaussian(spared, point):
            return NOT_GAUSSIAN
        if not shift.has_moment:
            return ADVERSARY
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

    def _risk(
        self, spared: Estimator, point: Point, shift: Shift, fit: Fit, left_out: bool = False
    ) -> Floats:
        model, d = point.model, point.model.input_dim
        if self._model is not model:
            self._stages, self._model = {}, model
        stage = (spared, point.n_brain, shift, fit.encoding, left_out)
        if stage not in self._stages:
            self._stages[stage] = self._brain(spared, point, shift, fit.encoding, left_out)
        brain, rank = self._stages[stage]
        penalty = fit.in_force
        setting: Setting = {
            "n_task": point.n_task,
            "rank": rank,
            "input_dim": d,
            "task_noise": task_noise(model),
        }
        if _banded(fit) and rank > 0:
            risk = two_penalty_excess(brain, **setting, penalty=penalty, eta=fit.eta)
        else:
            task = self._task_moments(point.n_task, rank, d, penalty)
            risk = exact.excess_risk(task, brain, **setting)
        return np.asarray(risk * model.signal_norm**2)


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
