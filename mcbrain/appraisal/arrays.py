"""The user's arrays: checked, and without the rows that miss values.

Every fault is an `InputError` that names the array and the place, and says what is allowed. What is
missing (NaN, null or masked) is left out, and said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mcbrain.appraisal.columns import same_inputs
from mcbrain.appraisal.values import numbers_of, recordings_of
from mcbrain.errors import InputError
from mcbrain.typing import Floats

__all__ = ["Arrays", "Complete", "check", "complete"]

FEWEST_TASK, FEWEST_BRAIN = 30, 20
_FEWEST_INPUTS = 3
# The largest value that is taken: its eighth power is still a floating-point number.
_LARGEST = 1e30
# Channels that are looked at to find rows without recordings.
_LOOKED_AT = 64


class Arrays(NamedTuple):
    """Task data and brain data that have passed `check`.

    Attributes
    ----------
    X : (n_task, d)
        Inputs of the task; NaN where a value is missing.
    y : (n_task,)
        Labels.
    X_brain : (n_brain, d)
        Inputs of the recordings, columns in the order of X.
    R : (n_brain, p)
        Recordings of p channels, of any type of numbers; possibly mapped from a file.
    """

    X: Floats
    y: Floats
    X_brain: Floats
    R: NDArray[Any]


@dataclass(frozen=True)
class Complete:
    """The rows that miss nothing.

    Attributes
    ----------
    X, y, X_brain : arrays
        Without missing values, and without inputs that vary on neither side.
    R : (n_brain, p)
        All recordings.
    task, brain : (n_task,), (n_brain,)
        Which of the given rows these are.
    inputs : (d,)
        Which of the given inputs these are.
    said : tuple of str
        What was left out, a sentence each without its full stop.
    """

    X: Floats
    y: Floats
    X_brain: Floats
    R: NDArray[Any]
    task: NDArray[np.integer]
    brain: NDArray[np.integer]
    inputs: NDArray[np.integer]
    said: tuple[str, ...]


def check(
    X: object,
    y: object,
    X_brain: object,
    R: object,
    names: tuple[str, str, str, str] = ("X", "y", "X_brain", "R"),
) -> Arrays:
    """The four arrays as numbers, or a sentence about the first fault.

    Parameters
    ----------
    X, y, X_brain, R : array, table or DataFrame
        Inputs and labels of the task, inputs and recordings of the brain; see `appraise`. Where
        both X and X_brain are tables with names, the columns of X_brain come in the order of X.
    names : tuple of str
        What to call the four in a sentence.

    Returns
    -------
    Arrays
        Of shapes that fit. A large R is neither copied nor read.

    Raises
    ------
    InputError
        For shapes that do not fit, too few rows, infinite values, object arrays, and names of
        columns that only one of X and X_brain has.
    """
    order = same_inputs(X, X_brain, (names[0], names[2]))
    X, y, X_brain = (_numbers(a, name) for a, name in zip((X, y, X_brain), names[:3], strict=True))
    recorded = recordings_of(R, names[3])
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    recorded = recorded[:, None] if recorded.ndim == 1 else recorded
    arrays: tuple[NDArray[Any], ...] = (X, y, X_brain, recorded)
    for array, name, dims in zip(arrays, names, (2, 1, 2, 2), strict=True):
        if array.ndim != dims:
            raise InputError(f"{name} has shape {array.shape}: it must have {dims} dimension(s)")
    for rows, values, name, other in (
        (X, y, names[0], names[1]),
        (X_brain, recorded, names[2], names[3]),
    ):
        if rows.shape[0] != values.shape[0]:
            raise InputError(
                f"{name} has {rows.shape[0]} rows and {other} has {values.shape[0]}: "
                "they must have one row for each sample"
            )
    d = X.shape[1]
    if X_brain.shape[1] != d:
        raise InputError(
            f"{names[0]} has {d} columns and {names[2]} has {X_brain.shape[1]}: "
            "task and brain data must share their inputs"
        )
    if d < _FEWEST_INPUTS:
        raise InputError(
            f"{names[0]} has {d} column(s): at least {_FEWEST_INPUTS} inputs are needed"
        )
    _enough(names[0], X.shape[0], FEWEST_TASK)
    _enough(names[2], X_brain.shape[0], FEWEST_BRAIN)
    return Arrays(X, y, X_brain if order is None else X_brain[:, order], recorded)


def complete(arrays: Arrays) -> Complete:
    """Leave out rows that miss values, and inputs that do not vary.

    Parameters
    ----------
    arrays : Arrays
        As `check` returns them.

    Returns
    -------
    Complete
        With sentences about what was left out. Channels are left to the reading of R.

    Raises
    ------
    InputError
        Too few rows or inputs remain, or y does not vary.
    """
    task = ~(np.isnan(arrays.X).any(axis=1) | np.isnan(arrays.y))
    brain = ~(np.isnan(arrays.X_brain).any(axis=1) | _unrecorded(arrays.R))
    said = []
    for keep, name, needed in ((task, "task", FEWEST_TASK), (brain, "brain", FEWEST_BRAIN)):
        lost = keep.size - int(keep.sum())
        if lost:
            said.append(f"{lost} of {keep.size} {name} rows miss values and were left out")
        if keep.sum() < needed:
            raise InputError(
                f"only {int(keep.sum())} {name} rows miss no value: at least {needed} are needed"
            )
    X, y, X_brain = arrays.X[task], arrays.y[task], arrays.X_brain[brain]
    vary = _varies(X) | _varies(X_brain)
    if not np.all(vary):
        said.append(
            f"{np.count_nonzero(~vary)} of {vary.size} inputs do not vary and were left out"
        )
    if np.count_nonzero(vary) < _FEWEST_INPUTS:
        raise InputError(
            f"only {np.count_nonzero(vary)} of {vary.size} inputs vary: at least "
            f"{_FEWEST_INPUTS} are needed"
        )
    for rows, name in ((X, "task"), (X_brain, "brain")):
        still = int(np.count_nonzero(vary & ~_varies(rows)))
        if still:
            said.append(
                f"{still} input{'s do' if still > 1 else ' does'} not vary in the {name} rows, so "
                "that nothing is learned there"
            )
    if not _varies(y[:, None])[0]:
        raise InputError("y does not vary: there is nothing to learn")
    return Complete(
        X[:, vary],
        y,
        X_brain[:, vary],
        arrays.R,
        np.flatnonzero(task),
        np.flatnonzero(brain),
        np.flatnonzero(vary),
        tuple(said),
    )


def _unrecorded(R: NDArray[Any]) -> NDArray[np.bool_]:
    """Rows (n,) that miss most of the channels."""
    if R.dtype.kind != "f":
        return np.zeros(R.shape[0], dtype=bool)
    step = max(1, R.shape[1] // _LOOKED_AT)
    return np.asarray(np.mean(np.isnan(R[:, ::step]), axis=1) > 0.5)


def _varies(array: Floats) -> NDArray[np.bool_]:
    """Which columns vary by more than rounding."""
    spread = np.ptp(array, axis=0)
    return np.asarray(spread > np.maximum(1e-12 * np.abs(array).max(axis=0), 1 / _LARGEST))


def _numbers(values: object, name: str) -> Floats:
    """An array as float64, or a sentence about the first value that is too large."""
    array = numbers_of(values, name)
    bad = np.argwhere(np.abs(array) > _LARGEST)
    if bad.size:
        place = ", ".join(str(int(i)) for i in bad[0])
        raise InputError(
            f"{name} holds {array[tuple(bad[0])]} at [{place}] (and {len(bad) - 1} more): "
            f"all values must be finite, at most {_LARGEST:g}"
        )
    return array


def _enough(name: str, rows: int, needed: int) -> None:
    """Refuse a set with fewer rows than are needed."""
    if rows < needed:
        raise InputError(f"{name} has {rows} rows: at least {needed} are needed")
