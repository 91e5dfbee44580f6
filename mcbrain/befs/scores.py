"""How well each penalty of a grid predicts rows that the fit has not seen, by one decomposition."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mcbrain.befs.prepare import Centre
from mcbrain.befs.solvers import Decomposition, decompose
from mcbrain.typing import Floats

__all__ = ["Generalised", "LeaveOneOut"]

_RESIDUALS_AT_ONCE = 2**18
# A row that keeps less than this share of itself in the residual is looked at in all digits.
_DETERMINED = 1e-3
# Residuals and the share left of a row are known to the rounding of 1. Where less than this is
# left, the row is really left out and the rest fitted again.
_TOO_LITTLE = 1e-6


class LeaveOneOut:
    """Mean squared error of predicting each row from the others, for a grid of penalties.

    Without a row its residual is r / (1 - h), r and h the residual and the leverage in the fit to
    all rows. Where both vanish, their limit at a vanishing penalty is what the least-norm fit to
    the other rows gives. Where little more than rounding is left of them, the other rows are
    fitted again.

    Parameters
    ----------
    problem : Decomposition
        The inputs in diagonal form.
    root : (L,)
        Square roots of the penalties in a sum over rows; they are held fixed.
    """

    def __init__(self, problem: Decomposition, root: Floats) -> None:
        self._problem = problem
        beyond, bare = _beyond(problem)
        self._groups: list[_Group] = []
        self._refits: list[tuple[NDArray[np.intp], Floats]] = []
        for members, weights in ((~bare, problem.kept(root)), (bare, problem.kept_relative(root))):
            rows = np.flatnonzero(members)
            left = beyond[rows, None] + problem.rows[rows] ** 2 @ weights
            again = left < _TOO_LITTLE
            left[again] = np.inf
            self._groups.append(_Group(rows, weights, left, beyond[rows] > 0))
            for place in np.flatnonzero(again.any(axis=1)):
                operator = _left_out(problem, int(rows[place]), root[again[place]])
                self._refits.append((np.flatnonzero(again[place]), operator))

    def errors(self, Y: Floats) -> Floats:
        """Mean squared error on the row left out, for each penalty and target.

        Parameters
        ----------
        Y : (n, t)
            Scaled targets, see `Design.scaled`.

        Returns
        -------
        array (L, t)
            Mean over the rows, in the units of Y squared.
        """
        y = self._problem.reduce(Y)
        beyond = self._problem.residual(Y, y)
        (n, t), size = Y.shape, self._groups[0].weights.shape[1]
        step = max(1, _RESIDUALS_AT_ONCE // max(n * t, 1))
        errors = np.zeros((size, t))
        for group in self._groups:
            outside = beyond[group.rows] * group.beyond[:, None]
            for start in range(0, size, step):
                at = slice(start, start + step)
                steps = group.weights[:, at, None] * y.shrunk[:, None, :]
                parts = steps.shape[1]
                reached = self._problem.rows[group.rows] @ steps.reshape(len(steps), parts * t)
                residual = reached.reshape(group.rows.size, parts, t)
                residual += outside[:, None, :]
                residual /= group.left[:, at, None]
                errors[at] += np.sum(np.square(residual, out=residual), axis=0)
        for which, operator in self._refits:
            errors[which] += (operator @ Y) ** 2
        mean: Floats = errors / n
        return mean


class _Group(NamedTuple):
    """Rows whose left-out residuals are computed by one formula.

    rows (m,), their places; weights (k, L), how much of each direction stays in the residual; left
    (m, L), the share 1 - h of each row, infinite where the row is fitted again instead; beyond
    (m,), whether the part of a row that no coefficient reaches belongs to its residual.
    """

    rows: NDArray[np.intp]
    weights: Floats
    left: Floats
    beyond: NDArray[np.bool_]


class Generalised:
    """Generalised cross-validation score for a grid of penalties (Golub, Heath & Wahba 1979).

    Where the fit passes through all rows, the limit of a vanishing penalty is taken.

    Parameters
    ----------
    problem : Decomposition
        The inputs in diagonal form.
    root : (L,)
        Square roots of the penalties in a sum over rows.
    """

    def __init__(self, problem: Decomposition, root: Floats) -> None:
        self._problem = problem
        exact = problem.residual_dof == 0
        self._weights = problem.kept_relative(root) if exact else problem.kept(root)

    def errors(self, Y: Floats) -> Floats:
        """Generalised cross-validation score of each penalty for each target.

        Parameters
        ----------
        Y : (n, t)
            Scaled targets, see `Design.scaled`.

        Returns
        -------
        array (L, t)
            In the units of Y squared.
        """
        y = self._problem.reduce(Y)
        squares = (self._weights.T**2) @ y.shrunk**2
        if self._problem.residual_dof:
            squares += np.sum(self._problem.residual(Y, y) ** 2, axis=0)
        freedom = self._problem.residual_dof + self._weights.sum(axis=0)
        return np.asarray(Y.shape[0] * squares / freedom[:, None] ** 2)


def _beyond(problem: Decomposition) -> tuple[Floats, NDArray[np.bool_]]:
    """Share of each row that no coefficient reaches (n,), and which rows have none of it (n,)."""
    n = problem.rows.shape[0]
    if problem.residual_dof == 0:
        return np.zeros(n), np.ones(n, dtype=bool)
    reached = np.hstack([problem.constant, problem.fixed, problem.rows])
    beyond = 1.0 - np.sum(reached**2, axis=1)
    close = np.flatnonzero(beyond < _DETERMINED)
    parts = -reached @ reached[close].T
    parts[close, np.arange(close.size)] += 1.0
    # A second projection removes the rounding of the first.
    parts -= reached @ (reached.T @ parts)
    beyond[close] = np.sum(parts**2, axis=0)
    bare = np.sqrt(np.maximum(beyond, 0.0)) <= 8 * n * np.finfo(float).eps
    return np.where(bare, 0.0, beyond), bare


def _left_out(problem: Decomposition, row: int, root: Floats) -> Floats:
    """The operator (L, n) from scaled targets to the residual of a row, predicted by the others."""
    design = problem.design
    rest = design.without(row)
    others = decompose(rest)
    x = Centre.of(rest.X, rest.weight, design.intercept).subtracted(design.X[row])
    fixed = x @ others.fixed_map
    shrunk = (x @ others.axes - fixed @ others.leak)[:, None] * others.gain(root)
    predicted = fixed @ others.fixed.T + shrunk.T @ others.rows.T
    if design.intercept:
        predicted += rest.root / np.sum(rest.root**2)
    return np.insert(-design.root[row] * predicted, row, 1.0, axis=1)
