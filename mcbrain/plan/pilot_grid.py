"""The fits that a pilot of whole replicates compares, and the best between them.

Where no law gives the penalty of least risk, a grid of penalties is compared on the same data.
"""

from __future__ import annotations

import itertools
import math

import numpy as np

from mcbrain.asking.estimators import Estimator, Method
from mcbrain.asking.penalty_rules import FIXED
from mcbrain.asking.studies import Point
from mcbrain.blocks.query import Encoding, Fit, Query
from mcbrain.plan.moments import task_noise
from mcbrain.population.shifts import Shift
from mcbrain.theory import exact
from mcbrain.typing import Floats

__all__ = ["fit_of", "grid_queries", "minimum_between"]

# A pilot's grid has four penalties per decade about the one that is optimal for ridge. It reaches
# further up than down, because BEFS penalises more.
_DECADES_BELOW, _DECADES_ABOVE = 3, 5
_NODES = 5  # neighbours on the grid between which its minimum is interpolated
# Digits of a penalty that is found so: few enough to be the same on every machine, however it
# rounds, since the penalty is part of the name of a statistic.
_DIGITS = 6


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
