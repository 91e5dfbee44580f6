"""Risk of an estimator given its subspace, at many penalties and task samples at once (README 5f).

The same law as `any_covariance`, one penalty and sample size at a time, for searches and grids.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import eigh

from mcbrain.theory.ridge_curves import RidgeCurves
from mcbrain.theory.structured import Structured, solve_rows
from mcbrain.typing import Floats

__all__ = ["Coefficients", "TaskCurves", "banded_curves", "spared_curves"]


class Coefficients(NamedTuple):
    """What the excess risk is linear in: products of signals, and the noise's variance.

    Attributes
    ----------
    bias : ndarray, shape (shifts, pairs, ...)
        By the pairs of signals of `ErrorMoments`.
    noise : ndarray, shape (shifts, ...)
        By sigma_y^2.
    free_rows : ndarray, shape (...)
        Rows that the fit leaves free; the law is in powers of one over them.
    """

    bias: Floats
    noise: Floats
    free_rows: Floats


@dataclass(frozen=True)
class TaskCurves:
    """Excess risk as a function of task samples, penalty, task weights and noise.

    Attributes
    ----------
    ridge : RidgeCurves
        Of what is penalised; its first form is the covariance of that, and those behind it are the
        second moments of the test inputs, one for each shift.
    leverage : ndarray, shape (shifts,)
        What noise inside the spared subspace costs: tr (V'MV)(V'Sigma V)^-1.
    rank : int
        Rank of the spared subspace, in which least squares is exact; 0 for none.
    """

    ridge: RidgeCurves
    leverage: Floats
    rank: int

    def coefficients(self, n_task: ArrayLike, penalty: ArrayLike) -> Coefficients:
        """The excess risk by products of the signals and by the noise's variance.

        Parameters
        ----------
        n_task : (...)
            Task samples; with a spared subspace, more than its rank + 1.
        penalty : (...)
            Per-sample penalty, in [0, inf].

        Returns
        -------
        Coefficients
        """
        n = np.asarray(n_task, dtype=float)
        rows = n - self.rank
        found = self.ridge.at(rows, n * np.asarray(penalty, dtype=float))
        inside = np.zeros_like(found.noise[1:])
        if self.rank:
            inside += self.leverage.reshape(-1, *[1] * (inside.ndim - 1)) / (rows - 1.0)
        bias = found.bias[1:] + inside[:, None] * found.bias[0]
        return Coefficients(
            bias, found.noise[1:] + inside * (1.0 + found.noise[0]), found.free_rows
        )

    def excess(self, n_task: ArrayLike, penalty: ArrayLike, noise: float) -> Floats:
        """The excess risk where the task weights are the one signal that the curves are of.

        Parameters
        ----------
        n_task, penalty : (...)
            As for `coefficients`.
        noise : float
            sigma_y.

        Returns
        -------
        ndarray, shape (shifts, ...)
            In the squared units of the task weights.
        """
        found = self.coefficients(n_task, penalty)
        return found.bias[:, 0] + noise**2 * found.noise


def spared_curves(
    spectrum: Floats,
    second_moments: Sequence[Structured | Floats],
    weights: Floats,
    spared: Floats,
) -> TaskCurves:
    """Ridge, or BEFS given its subspace, which is not penalised.

    Parameters
    ----------
    spectrum : ndarray, shape (d,)
        Eigenvalues of the inputs' covariance; all arrays are in its eigenbasis.
    second_moments : sequence of Structured or ndarray, shape (d, d)
        M of the test inputs, one for each shift.
    weights : ndarray, shape (d, s)
        Signals, of which the task weights are a sum.
    spared : ndarray, shape (d, r)
        Orthonormal basis of P; r = 0 is ridge.

    Returns
    -------
    TaskCurves

    Notes
    -----
    Costs O(d^3) where r > 0: the covariance of what is left outside P is made diagonal.
    """
    V = spared
    if not V.shape[1]:
        whole = RidgeCurves(spectrum, [Structured.of_diagonal(spectrum), *second_moments], weights)
        return TaskCurves(whole, np.zeros(len(second_moments)), 0)
    seen = spectrum[:, None] * V
    inside = V.T @ seen
    outside = np.linalg.qr(V, mode="complete")[0][:, V.shape[1] :]
    covariance = (outside.T * spectrum) @ outside
    cross = outside.T @ seen
    covariance -= cross @ np.linalg.solve(inside, cross.T)
    eigenvalues, axes = eigh(covariance)
    basis = outside @ axes
    # J basis, J = I - V (V'Sigma V)^-1 V'Sigma: least squares inside makes up for what it can.
    corrected = basis - V @ np.linalg.solve(inside, seen.T @ basis)
    eigenvalues = np.maximum(eigenvalues, 0.0)
    forms: list[Structured | Floats] = [Structured.of_diagonal(eigenvalues)]
    leverage = []
    for M in second_moments:
        forms.append(_outside(M, spectrum, corrected, eigenvalues))
        leverage.append(np.trace(solve_rows(inside, _image(M, V).T @ V)))
    curves = RidgeCurves(eigenvalues, forms, basis.T @ weights)
    return TaskCurves(curves, np.array(leverage), V.shape[1])


def _outside(
    moment: Structured | Floats, spectrum: Floats, corrected: Floats, eigenvalues: Floats
) -> Structured | Floats:
    """C'MC for the columns C = `corrected`, for which C'Sigma C is diagonal.

    A shift multiplies the covariance and adds a few columns to it, and keeps that form.
    """
    if isinstance(moment, np.ndarray):
        return np.asarray(corrected.T @ moment @ corrected)
    scale = float(np.sum(moment.diagonal) / np.sum(spectrum))
    if not np.allclose(moment.diagonal, scale * spectrum, rtol=1e-12, atol=0.0):
        return np.asarray(corrected.T @ moment.apply(corrected))
    left, right = corrected.T @ moment.left, corrected.T @ moment.right
    return Structured(scale * eigenvalues, left, right)


def banded_curves(
    spectrum: Floats,
    second_moments: Sequence[Structured | Floats],
    weights: Floats,
    spared: Floats,
    eta: float,
) -> TaskCurves:
    """Two penalties: the spared subspace feels a share of the penalty.

    Parameters
    ----------
    spectrum, second_moments, weights, spared
        As for `spared_curves`.
    eta : float
        The share, above 0; it may pass 1.

    Returns
    -------
    TaskCurves

    Notes
    -----
    With U'Omega U = I and U'Sigma U diagonal the penalty Omega = I - P + eta P is the identity.
    """
    omega = np.eye(len(spectrum)) + (eta - 1.0) * spared @ spared.T
    eigenvalues, basis = eigh(np.diag(spectrum), omega)
    forms = [np.diag(np.maximum(eigenvalues, 0.0))]
    forms += [basis.T @ _image(M, basis) for M in second_moments]
    curves = RidgeCurves(np.maximum(eigenvalues, 0.0), forms, basis.T @ (omega @ weights))
    return TaskCurves(curves, np.zeros(len(second_moments)), 0)


def _image(matrix: Structured | Floats, columns: Floats) -> Floats:
    """The product of a second moment with columns (d, m)."""
    if isinstance(matrix, np.ndarray):
        return np.asarray(matrix @ columns)
    return matrix.apply(columns)
