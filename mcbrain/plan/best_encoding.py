"""The encoder's penalty of least risk, found by law before the first replicate (theory 5g).

The risk of a row as a function of its encoder's penalty is averaged over imagined recordings, the
same numbers at every penalty, so that it is as smooth as that of each of them. It is flat about its
minimum: an eighth of a decade from it costs less than a thousandth of what the penalty is worth.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from mcbrain.asking.estimators import Method
from mcbrain.asking.penalty_rules import FIXED
from mcbrain.asking.shift_text import parse_shift
from mcbrain.asking.studies import Point, Study
from mcbrain.blocks.query import Fit
from mcbrain.errors import InputError
from mcbrain.plan.anisotropic import SEARCH_DRAWS, AnisotropicLaw
from mcbrain.typing import Floats

__all__ = ["best_encoding", "encoding_grid", "least"]

DECADES = (-4.0, 3.0)
"""Range of the search: decades about the mean variance of the inputs."""

COARSE, FINE = 2, 8
"""Penalties for each decade: at first, and between the neighbours of the best of those."""

_DIGITS = 6  # of the penalty, few enough to be the same on every machine
_ID = parse_shift("id")


def encoding_grid(variance: float, low: float, high: float, each: int) -> Floats:
    """Penalties per brain sample, equally spaced in their logarithm.

    Parameters
    ----------
    variance : float
        Mean variance of the inputs.
    low, high : float
        Decades about it.
    each : int
        Penalties for each decade.

    Returns
    -------
    ndarray
        Rising, both ends included, of few digits.
    """
    decades = np.linspace(low, high, round((high - low) * each) + 1)
    return np.array([float(f"{variance * 10.0**x:.{_DIGITS}g}") for x in decades])


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
    found = {0.0: risk_at(0.0)}
    coarse = encoding_grid(variance, low, high, COARSE)
    found |= {float(p): risk_at(float(p)) for p in coarse}
    best = _best(found)
    if best > 0.0:
        centre, reach = math.log10(best / variance), 1.0 / COARSE
        ends = max(low, centre - reach), min(high, centre + reach)
        fine = encoding_grid(variance, *ends, FINE)
        found |= {float(p): risk_at(float(p)) for p in fine if p not in found}
    return _best(found)


def _best(found: dict[float, float]) -> float:
    """The penalty of the least risk."""
    return min(found, key=lambda p: (not math.isfinite(found[p]), found[p], p))


def best_encoding(study: Study, law: AnisotropicLaw, method: Method, point: Point) -> float:
    """The encoder's penalty at which a method has its least risk without a shift, by law.

    A method whose own penalty is a number has its risk at that number; any other, and one with a
    negative number, which no law serves, at its best penalty: what each replicate chooses costs
    little beside it.

    Parameters
    ----------
    study : Study
        What is asked.
    law : AnisotropicLaw
        Knows the risk at any penalty of the encoder.
    method : Method
        One of the study's, that estimates a subspace.
    point : Point
        With brain samples, as many as the rank or more.

    Returns
    -------
    float
        Per brain sample; 0 is least squares.

    Raises
    ------
    InputError
        The data is not Gaussian, so that there is no law.
    """
    estimator, rule, model = method.estimator, method.rule, point.model
    if not law.gaussian(estimator, point):
        raise InputError(
            f"[encoding] penalty = '{method.encoder.rule.kind}': the best penalty of the encoder "
            "is found by law, which needs Gaussian inputs, linear latents and Gaussian recordings; "
            "for this model give numbers, or a rule that chooses on the recordings (loo, gcv)"
        )
    rank = method.encoder.rank_of(model)
    own = study.per_sample(rule.value, point.n_task) if rule.fixed else math.nan

    def risk_at(encoding: float) -> float:
        def fit_at(penalty: float) -> Fit:
            return Fit(estimator, FIXED, penalty, estimator.eta, rank, encoding)

        penalty = own
        if not estimator.penalised:
            penalty = estimator.in_force(math.nan)
        elif not own >= 0.0:
            penalty = law.best_penalty(point, _ID, fit_at, guess=True)
        return law.risk(point, _ID, fit_at(penalty), SEARCH_DRAWS, guess=True).value

    return least(risk_at, float(model.input_variances.mean()))
