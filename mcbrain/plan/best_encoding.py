"""The encoder's penalty of least risk, found by law before the first replicate (theory 5g).

The risk of a row as a function of its encoder's penalty is averaged over imagined recordings, the
same numbers at every penalty, so that it is as smooth as that of each of them. It is flat about its
minimum, which is found to a sixteenth of a decade.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from mcbrain.asking.estimators import Method
from mcbrain.asking.penalty_rules import FIXED
from mcbrain.asking.shift_text import parse_shift
from mcbrain.asking.studies import Point
from mcbrain.blas import one_blas_thread
from mcbrain.blocks.query import Fit
from mcbrain.errors import InputError
from mcbrain.plan.anisotropic import DRAWS, SEARCH_DRAWS, AnisotropicLaw
from mcbrain.population.model import Model

__all__ = ["best_encoding", "compared_penalties", "least"]

DECADES = (-4.0, 3.0)
"""Range of the search: decades about the mean variance of the inputs."""

COMPARED = 2
"""Penalties for each decade that a pilot compares."""

HALVINGS = 3
"""How often the step of the search, a decade at first, is halved about the best so far."""

ENTRIES = 800
"""Imagined recordings over which a risk is averaged, times the inputs: the fewer inputs there are,
the more do subspaces differ, and the less does one cost.
"""

_DIGITS = 6  # of the penalty, few enough to be the same on every machine
_ID = parse_shift("id")


def compared_penalties(model: Model) -> tuple[float, ...]:
    """The penalties of the encoder that a pilot compares, where no law says the best.

    Parameters
    ----------
    model : Model
        Whose inputs they are relative to.

    Returns
    -------
    tuple of float
        Per brain sample, rising from 0.
    """
    (low, high), variance = DECADES, float(model.input_variances.mean())
    decades = np.linspace(low, high, round((high - low) * COMPARED) + 1).tolist()
    return (0.0, *(_rounded(variance, x) for x in decades))


def least(risk_at: Callable[[float], float], variance: float) -> float:
    """The penalty of the encoder at which a risk is least, 0 among them.

    Parameters
    ----------
    risk_at : callable
        Penalty per brain sample -> risk; what is not finite is never the least.
    variance : float
        Mean variance of the inputs.

    Returns
    -------
    float
        The smallest of equals.
    """
    low, high = DECADES
    nothing = risk_at(0.0)

    def at(decade: float) -> float:
        return risk_at(_rounded(variance, decade))

    found: dict[float, float] = {
        x: at(x) for x in np.linspace(low, high, round(high - low) + 1).tolist()
    }

    def best() -> float:
        return min(found, key=lambda x: (not math.isfinite(found[x]), found[x], x))

    for halving in range(1, HALVINGS + 1):
        centre, step = best(), 0.5**halving
        around = (centre - step, centre + step)
        found |= {x: at(x) for x in around if low <= x <= high and x not in found}
    least_risk = found[best()]
    known = math.isfinite(least_risk) and not nothing <= least_risk
    return _rounded(variance, best()) if known else 0.0


def _rounded(variance: float, decade: float) -> float:
    """A penalty of few digits, decades from the mean variance of the inputs."""
    return float(f"{variance * 10.0**decade:.{_DIGITS}g}")


def best_encoding(law: AnisotropicLaw, method: Method, point: Point, own: float) -> float:
    """The encoder's penalty at which a method has its least risk without a shift, by law.

    A method whose own penalty is a number has its risk at that number; any other, and one with a
    negative number, which no law serves, at its best penalty: what each replicate chooses costs
    little beside it.

    Parameters
    ----------
    law : AnisotropicLaw
        Knows the risk at any penalty of the encoder.
    method : Method
        An estimator of a subspace.
    point : Point
        With brain samples, as many as the rank or more.
    own : float
        The penalty of the method per task sample; NaN where it is no number of the study.

    Returns
    -------
    float
        Per brain sample; 0 is least squares.

    Raises
    ------
    InputError
        The data is not Gaussian, so that there is no law.
    """
    estimator, model = method.estimator, point.model
    if not law.gaussian(estimator, point):
        raise InputError(
            f"[encoding] penalty = '{method.encoder.rule.kind}': the best penalty of the encoder "
            "is found by law, which needs Gaussian inputs, linear latents and Gaussian recordings; "
            "for this model give numbers, or a rule that chooses on the recordings (loo, gcv)"
        )
    rank = method.encoder.rank_of(model)
    draws = min(DRAWS, max(SEARCH_DRAWS, ENTRIES // model.native_dim))

    def risk_at(encoding: float) -> float:
        def fit_at(penalty: float) -> Fit:
            return Fit(estimator, FIXED, penalty, estimator.eta, rank, encoding)

        penalty = own
        if not estimator.penalised:
            penalty = estimator.in_force(math.nan)
        elif not own >= 0.0:
            penalty = law.best_penalty(point, _ID, fit_at, guess=True)
        return float(law.risk(point, _ID, fit_at(penalty), draws, guess=True).value)

    with one_blas_thread():  # matrices are small, and the answer does not depend on threads
        return least(risk_at, float(model.input_variances.mean()))
