"""Which penalty: a number, or the best of a grid by (generalised) cross-validation."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np

from mcbrain.befs.solvers import Array, Dual, Primal
from mcbrain.errors import InputError

__all__ = ["choose_penalty", "default_penalties", "penalty_unit"]


def penalty_unit(scale: Any, size: float) -> float:
    """What one unit of the penalty is in a sum over rows: `size` for "per-sample", 1 for "sum"."""
    units = {"per-sample": size, "sum": 1.0}
    if scale not in units:
        raise InputError(f"penalty_scale is {scale!r}: it must be one of {', '.join(units)}")
    return units[scale]


def choose_penalty(
    problem: Primal | Dual, penalty: Any, penalties: Any, unit: float, joint: bool = False
) -> tuple[Array, Array | None, Array | None]:
    """The penalty of each target, (1,) or (t,), with the grid and its errors where there is one.

    Parameters
    ----------
    problem : Primal or Dual
    penalty : float, "loo" or "gcv"
    penalties : array, optional
        The grid; by default `default_penalties`.
    unit : float
        What one unit of the penalty is in the sum over rows: n, or 1.
    joint : bool
        One penalty for all targets, by the sum of their errors.

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
        return np.array([float(penalty)]), None, None
    if penalty not in ("loo", "gcv"):
        raise InputError(f"penalty is {penalty!r}: it must be a number, 'loo' or 'gcv'")
    grid = default_penalties(problem) / unit if penalties is None else _checked_grid(penalties)
    score = problem.loo_errors if penalty == "loo" else problem.gcv_errors
    if isinstance(problem, Dual) and problem.spectrum.size == 0:
        raise InputError(
            f"penalty is {penalty!r} but with n_samples={problem.X.shape[0]} the intercept and the "
            f"{problem.basis.shape[1]} unpenalised directions leave nothing to choose by: give "
            "more rows or a number"
        )
    errors = score(grid * unit)
    totals = errors.sum(axis=1, keepdims=True) if joint else errors
    return grid[np.argmin(totals, axis=0)], grid, errors


def default_penalties(problem: Primal | Dual) -> Array:
    """Forty-eight penalties around the mean penalised eigenvalue, with zero and infinity: (50,).

    They are in the convention of a sum over rows.
    """
    size = problem.X.shape[1] - (
        problem.basis.shape[1] if isinstance(problem, Dual) else problem.free.shape[1]
    )
    total = float(problem.spectrum.sum())
    scale = total / size if total > 0 else 1.0
    return np.concatenate([[0.0], scale * np.geomspace(1e-6, 1e5, 48), [np.inf]])


def _checked_grid(penalties: Any) -> Array:
    grid = np.asarray(penalties, dtype=np.float64)
    if grid.ndim != 1 or grid.size == 0 or not np.all(grid >= 0):
        raise InputError(
            f"penalties has shape {grid.shape}: it must be a list of numbers from 0 to infinity"
        )
    return grid
