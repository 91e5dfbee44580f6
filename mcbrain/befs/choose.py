"""Which penalty a fit uses: a given number, or the best of a grid by cross-validation."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real

import numpy as np

from mcbrain.befs.prepare import power_of_two, real_array
from mcbrain.befs.scores import Generalised, LeaveOneOut
from mcbrain.befs.solvers import Decomposition
from mcbrain.errors import InputError
from mcbrain.typing import Floats

__all__ = ["Candidates", "candidates", "first_of_least", "penalty_unit"]

_RULES: dict[str, type[LeaveOneOut] | type[Generalised]] = {"loo": LeaveOneOut, "gcv": Generalised}
# Errors closer than this, relative to the least, are equal: what differs is rounding.
_EQUAL = 1e-11


@dataclass(frozen=True)
class Candidates:
    """The penalties that a fit may use, and the score that chooses among them.

    Attributes
    ----------
    grid : (L,)
        As the user counts them; a single one where the penalty is a number.
    root : (L,)
        Their square roots in a sum over rows.
    score : LeaveOneOut, Generalised or None
        What the penalties are judged by; None for a single number.
    """

    grid: Floats
    root: Floats
    score: LeaveOneOut | Generalised | None

    def choose(self, Y: Floats, joint: bool = False) -> tuple[Floats, Floats | None]:
        """The best penalty for each target.

        Parameters
        ----------
        Y : (n, t)
            Scaled targets, see `Design.scaled`.
        joint : bool
            Whether one penalty is chosen for all targets, by the sum of their errors.

        Returns
        -------
        chosen : array (t,)
            Place of the best penalty in the grid.
        errors : array (L, t) or None
            The score of each penalty; None where there was nothing to choose.
        """
        if self.score is None:
            return np.zeros(Y.shape[1], dtype=int), None
        errors = self.score.errors(Y)
        squares = np.mean(Y**2, axis=0)
        if joint:
            best = first_of_least(errors.sum(axis=1, keepdims=True), squares.sum(keepdims=True))
            return np.broadcast_to(best, Y.shape[1]), errors
        return first_of_least(errors, squares), errors


def penalty_unit(scale: object, size: float) -> float:
    """The factor between a penalty as the user counts it and the penalty of a sum over rows.

    Parameters
    ----------
    scale : str
        "per-sample" or "sum".
    size : float
        Number of rows, or the sum of their weights.

    Returns
    -------
    float
        `size` for "per-sample", 1 for "sum".

    Raises
    ------
    InputError
        Another scale.
    """
    units = {"per-sample": size, "sum": 1.0}
    if not isinstance(scale, str) or scale not in units:
        raise InputError(f"penalty_scale is {scale!r}: it must be one of {', '.join(units)}")
    return units[scale]


def first_of_least(errors: Floats, squares: Floats) -> Floats:
    """The first penalty whose error is as small as the least, for each target.

    Parameters
    ----------
    errors : (L, t)
        The error of each penalty for each target.
    squares : (t,)
        Mean squares of what was predicted: errors below their rounding count as equal.

    Returns
    -------
    array (t,)
        Places in the grid.
    """
    least = errors.min(axis=0)
    floor = np.square(64 * np.finfo(float).eps) * squares
    return np.asarray(np.argmax(errors <= least * (1.0 + _EQUAL) + floor, axis=0))


def candidates(
    problem: Decomposition, penalty: object, penalties: object, unit: float
) -> Candidates:
    """The penalties that a fit chooses from, and how.

    Parameters
    ----------
    problem : Decomposition
        The inputs in diagonal form.
    penalty : float, "loo" or "gcv"
        A number from 0 to infinity, or the rule that chooses.
    penalties : array, optional
        The grid; by default forty-eight penalties around the mean eigenvalue of what is penalised,
        with zero and infinity.
    unit : float
        What one unit of the penalty is in the sum over rows: n, or 1.

    Returns
    -------
    Candidates
        Penalties, and the rule that chooses among them.

    Raises
    ------
    InputError
        If the penalty is not a number from 0 to infinity or a known rule, or the rows are too few.
    """
    if not isinstance(penalty, str):
        if not isinstance(penalty, Real) or not float(penalty) >= 0:
            raise InputError(
                f"penalty is {penalty!r}: it must be a number from 0 to infinity, 'loo' or 'gcv'"
            )
        value = np.array([float(penalty)])
        return Candidates(value, np.sqrt(value) * np.sqrt(unit), None)
    if penalty not in _RULES:
        raise InputError(f"penalty is {penalty!r}: it must be a number, 'loo' or 'gcv'")
    if penalties is None:
        root = _default_roots(problem)
        with np.errstate(over="ignore", under="ignore"):
            grid = np.square(root / np.sqrt(unit))
    else:
        grid = _checked_grid(penalties)
        root = np.sqrt(grid) * np.sqrt(unit)
    if problem.rows.shape[0] == problem.constant.shape[1] + problem.fixed.shape[1]:
        raise InputError(
            f"penalty is {penalty!r} but with n_samples={problem.rows.shape[0]} the intercept and "
            f"the {problem.design.basis.shape[1]} unpenalised directions leave nothing to choose "
            "by: give more rows or a number"
        )
    return Candidates(grid, root, _RULES[penalty](problem, root))


def _default_roots(problem: Decomposition) -> Floats:
    """Square roots of the default penalties in a sum over rows, (50,)."""
    d, r = problem.design.basis.shape
    scale = 1.0
    if problem.sizes.size:
        unit = float(power_of_two(problem.sizes))
        scale = unit * float(np.sqrt(np.sum((problem.sizes / unit) ** 2) / (d - r)))
    return np.concatenate([[0.0], scale * np.sqrt(np.geomspace(1e-6, 1e5, 48)), [np.inf]])


def _checked_grid(penalties: object) -> Floats:
    """The user's grid as an array (L,), or one sentence about the first fault in it."""
    grid = real_array("penalties", penalties)
    if grid.ndim != 1 or grid.size == 0:
        raise InputError(
            f"penalties has shape {grid.shape}: it must be a list of numbers from 0 to infinity"
        )
    if not np.all(grid >= 0):
        wrong = grid[~(grid >= 0)][0]
        raise InputError(f"penalties holds {wrong}: all must be numbers from 0 to infinity")
    return grid
