"""Squared bias and variance of an estimator over data sets, from its risks beside moved targets.

With b = beta_hat, excess(t) = |b - beta - t|^2 for t = 0 and for t = s v_j, v_j orthonormal and s =
|beta|. On every replicate

    w_j = (b - beta)'v_j = (excess(0) - excess(s v_j) + s^2) / 2s,

and where the mean of b has no part outside the v_j, E b = beta + V'E w (theory/README.md 7).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcbrain.blocks.problem import DataProblem
from mcbrain.blocks.series import Series
from mcbrain.population.geometry import Geometry
from mcbrain.population.shift_laws import probe_directions
from mcbrain.population.shifts import Shift, law
from mcbrain.typing import Floats

__all__ = ["MADE_OF", "Decomposition", "decompose"]

MADE_OF = ("bias2", "bias2_mcse", "variance", "variance_mcse")
"""Columns that say what a mean is made of."""

_FEWEST = 8  # blocks from which a covariance is estimated


@dataclass(frozen=True)
class Decomposition:
    """What an excess risk is made of, under one shift.

    Attributes
    ----------
    bias2, bias2_mcse : float
        Excess risk of the mean of beta_hat, without bias, and its standard error.
    variance, variance_mcse : float
        Excess risk about that mean, likewise; the two add up to the mean excess risk.
    """

    bias2: float
    bias2_mcse: float
    variance: float
    variance_mcse: float


def decompose(
    problem: DataProblem, shift: Shift, series: Series, excess: Floats, mean: float
) -> Decomposition | None:
    """Squared bias and variance under a shift.

    The bias is quadratic in the mean w of the w_j: w'Qw + 2g'w + h with Q = V M V', g = V M c, h =
    c'M c and c = beta - target. Less tr(Q S), S the covariance of w over blocks, it is unbiased.
    Its variance is 4 l'S l + 2 tr(QSQS), l = Q E w + g, the second term of which is what is left
    where there is no bias (theory/README.md 7).

    Parameters
    ----------
    problem : DataProblem
        Of the point: it fixes the directions.
    shift : Shift
    series : Series
        Blocks of the fit beside beta, then beside each moved target.
    excess : ndarray, shape (blocks,)
        Means of the fit under the shift over the same blocks.
    mean : float
        Their mean.

    Returns
    -------
    Decomposition or None
        None under an adversary, whose risk is not quadratic, where replicates failed, and with
        fewer than 8 blocks.
    """
    geometry = Geometry(problem.model, problem.seed)
    test = law(shift, geometry)
    if test.budget or series.n_blocks < _FEWEST or (series.count < series.replicates).any():
        return None
    s, V = problem.model.signal_norm, probe_directions(geometry)
    w = (series.mean[0] - series.mean[1:] + s**2) / (2.0 * s)
    c = geometry.beta - test.target
    Q = _moment(test.scale, test.weights, test.probes @ V.T)
    g = V @ (test.scale * c + test.probes.T @ (test.weights * (test.probes @ c)))
    h = test.scale * c @ c + test.weights @ (test.probes @ c) ** 2
    centre = w.mean(axis=1)
    S = np.atleast_2d(np.cov(w)) / series.n_blocks
    bias2 = float(centre @ Q @ centre + 2.0 * g @ centre + h - np.trace(Q @ S))
    slope = 2.0 * (Q @ centre + g)
    curved = 2.0 * float(np.trace(Q @ S @ Q @ S))
    errors = [
        np.sqrt(max(float(np.var(part, ddof=1)) / series.n_blocks - curved, curved))
        for part in (slope @ w, excess - slope @ w)
    ]
    return Decomposition(bias2, float(errors[0]), mean - bias2, float(errors[1]))


def _moment(scale: float, weights: Floats, probes: Floats) -> Floats:
    """scale I + sum_j weights_j probe_j probe_j'."""
    return np.asarray(scale * np.eye(probes.shape[1]) + probes.T @ (weights[:, None] * probes))
