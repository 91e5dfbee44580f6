"""What brain data is worth under any covariance and encoder (theory/README.md 5f, 5g, 6)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

from mcbrain.asking.encoders import Encoder
from mcbrain.asking.estimators import ESTIMATORS, Method
from mcbrain.asking.penalty_rules import Rule
from mcbrain.asking.shift_text import parse_shift
from mcbrain.asking.studies import Point
from mcbrain.blocks.query import Fit
from mcbrain.errors import InputError, unhandled
from mcbrain.plan.anisotropic import AnisotropicLaw, Estimate
from mcbrain.plan.best_encoding import best_encoding
from mcbrain.population.model import Model
from mcbrain.results.reasons import INTERPOLATING
from mcbrain.worth.answer import Value

__all__ = ["AnisotropicCurves", "anisotropic_value", "check_lawful", "encoding_penalty"]

LAW_ERROR = 0.005
"""Relative error of the law of the task stage that the range of a value allows for."""

_ID = parse_shift("id")
_MOST = 1 << 40  # task samples, beyond which no risk is looked for


@dataclass(frozen=True)
class AnisotropicCurves:
    """Risks under `id` at the best penalties, in units of |beta|^2.

    Attributes
    ----------
    model : Model
    encoding_penalty : float
    law : AnisotropicLaw
    """

    model: Model
    encoding_penalty: float
    law: AnisotropicLaw

    def best_fit(self, name: str, n_task: int, n_brain: int = 0, *, guess: bool = False) -> Fit:
        """An estimator at its best penalty.

        Parameters
        ----------
        name : str
            A name of `ESTIMATORS`.
        n_task, n_brain : int
        guess : bool
            Whether what the expansion says is wanted where it is not given as a law too.

        Returns
        -------
        Fit
            Its penalty is NaN where the fit all but interpolates and no guess is wanted.
        """
        estimator, rank = ESTIMATORS[name], self.model.k_m
        point = Point(0, self.model, n_task, n_brain)

        def fit_at(penalty: float) -> Fit:
            return Fit(estimator, "fixed", penalty, estimator.eta, rank, self.encoding_penalty)

        penalty = 0.0
        if estimator.penalty == "chosen" and n_task:
            penalty = self.law.best_penalty(point, _ID, fit_at, guess=guess)
        return fit_at(penalty)

    def best(self, name: str, n_task: int, n_brain: int = 0, *, guess: bool = False) -> Estimate:
        """The risk of an estimator at its best penalty.

        Parameters
        ----------
        name : str
            A name of `ESTIMATORS`.
        n_task, n_brain : int
        guess : bool
            See `best_fit`.

        Returns
        -------
        Estimate
        """
        fit = self.best_fit(name, n_task, n_brain, guess=guess)
        if math.isnan(fit.penalty):
            return Estimate(math.nan)
        found = self.law.risk(Point(0, self.model, n_task, n_brain), _ID, fit, guess=guess)
        scale, error = self.model.signal_norm**2, found.standard_error
        return Estimate(found.value / scale, None if error is None else error / scale)

    def samples_for(self, risk: float, baseline: str) -> float:
        """Real number of task samples at which a baseline has a risk.

        Parameters
        ----------
        risk : float
        baseline : str
            "ridge" or "ols", of which the branch n > d + 1 counts.

        Returns
        -------
        float
            Linear in 1/risk between whole numbers; NaN where the baseline never has the risk, or
            where its law is not given.
        """
        at = cache(lambda n: self.best(baseline, n, guess=True).value)
        low = 0 if baseline == "ridge" else self.model.native_dim + 2
        if not 0.0 < risk < math.inf or not at(low) >= risk:
            return math.nan
        high = max(2 * low, 1)
        while at(high) > risk and high < _MOST:
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if at(middle) > risk else (low, middle)
        if math.isnan(self.best(baseline, high).value):
            return math.nan
        return low + (1.0 / risk - 1.0 / at(low)) / (1.0 / at(high) - 1.0 / at(low))


def check_lawful(model: Model) -> None:
    """Refuse a model to which the laws of any covariance do not apply.

    Parameters
    ----------
    model : Model

    Raises
    ------
    InputError
        A model that is not Gaussian, with labels that are not linear, or without task noise.
    """
    if not model.gaussian or not model.linear_labels or model.sigma_y == 0:
        raise InputError(
            "the laws of value need linear labels, Gaussian inputs, linear latents, Gaussian "
            "recordings and task noise; for this model simulate instead (simulate=True, or "
            "`mcbrain run` and `mcbrain value DIR`)"
        )


def anisotropic_value(
    model: Model, n_task: int, n_brain: int, baseline: str, encoder: Encoder, seed: int
) -> Value:
    """The value of brain data where the laws of isotropic inputs do not hold.

    Parameters
    ----------
    model : Model
        Gaussian, with task noise.
    n_task, n_brain : int
    baseline : str
        "ridge" or "ols".
    encoder : Encoder
        Of the default rank; its penalty is a number or the best by law.
    seed : int
        Of the directions in which brain and task lie, and of imagined recordings.

    Returns
    -------
    Value
        Its interval holds two standard errors of the imagined recordings and `LAW_ERROR`. There is
        no marginal rate: the next brain sample changes the risk by less than that error.

    Raises
    ------
    InputError
        A model that is not Gaussian, or without task noise; or an encoder whose penalty each
        replicate chooses.
    """
    check_lawful(model)
    law = AnisotropicLaw(seed)
    penalty = encoding_penalty(encoder, law, Point(0, model, n_task, n_brain))
    curves = AnisotropicCurves(model, penalty, law)
    found = curves.best("befs", n_task, n_brain)
    samples = curves.samples_for(found.value, baseline) - n_task
    # Without brain data BEFS is ridge, and both come from the same law.
    off = 2.0 * (found.standard_error or 0.0) + (LAW_ERROR * found.value if n_brain else 0.0)
    ends = [
        curves.samples_for(risk, baseline) - n_task
        for risk in (found.value + off, max(found.value - off, 0.0))
    ]
    unlimited = curves.best("befs-oracle", n_task).value
    return Value(
        n_task=n_task,
        n_brain=n_brain,
        baseline=baseline,
        task_samples=samples,
        saved_fraction=samples / (n_task + samples),
        exchange_rate=samples / n_brain if n_brain else math.nan,
        marginal_rate=math.nan,
        interval=(ends[0], ends[1]),
        saturation=curves.samples_for(unlimited, baseline) - n_task,
        risk=found.value,
        baseline_risk=curves.best(baseline, n_task).value,
        note=_note(model, found.value, samples, ends),
    )


def encoding_penalty(encoder: Encoder, law: AnisotropicLaw, point: Point) -> float:
    """The encoder's penalty per brain sample, by law where it is to be the best.

    Parameters
    ----------
    encoder : Encoder
    law : AnisotropicLaw
    point : Point
        The model, and the numbers of samples.

    Returns
    -------
    float

    Raises
    ------
    InputError
        An encoder whose penalty each replicate chooses.
    """
    match encoder.rule.record.by:
        case "study":
            return encoder.rule.value
        case "replicate":
            raise InputError(
                f"encoding_penalty = '{encoder.rule.kind}': no law says what each replicate "
                "chooses; give a number or 'optimal', or simulate it (simulate=True)"
            )
        case "risk":
            befs = Method(ESTIMATORS["befs"], Rule("optimal"), encoder)
            return best_encoding(law, befs, point, math.nan) if point.n_brain else 0.0
    raise unhandled("encoder's penalty rule", encoder.rule.kind, "worth/anisotropic.py")


def _note(model: Model, risk: float, samples: float, ends: list[float]) -> str:
    """What must be known to read the value."""
    if math.isnan(risk):
        return f"BEFS: {INTERPOLATING}"
    if not math.isfinite(risk):
        return f"the mean risk of BEFS is infinite with n_task within 1 of its rank {model.k_m}"
    if math.isnan(samples):
        return f"BEFS has a risk of {risk:.3g}, which the baseline never has where it has a law"
    if ends[1] < 0:
        return "brain data hurts here: the baseline does as well with fewer task samples"
    if ends[0] < 0 < ends[1]:
        return "within the accuracy of the law, brain data may help or hurt here"
    return ""
