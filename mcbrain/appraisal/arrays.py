"""The user's arrays: checked, and brought to the coordinates of the model.

Every fault is an `InputError` that names the array and the place, and says what is allowed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import linalg

from mcbrain.appraisal.columns import same_inputs
from mcbrain.appraisal.values import numbers_of
from mcbrain.errors import InputError
from mcbrain.typing import Floats

__all__ = ["Arrays", "Prepared", "check", "prepare"]


_SPARE_ROWS = 10
_FEWEST_INPUTS = 3
_ALIKE = 1.5
_NOISELESS = 1e-6
# Inputs are scaled to standard deviation one; along a direction in which they vary by less than
# this, they are taken as not varying.
_COLLINEAR = 1e-7
# The largest value that is taken: its eighth power is still a floating-point number.
_LARGEST = 1e30


class Arrays(NamedTuple):
    """Task data and brain data that have passed `check`.

    Attributes
    ----------
    X : (n_task, d)
        Inputs of the task.
    y : (n_task,)
        Labels.
    X_brain : (n_brain, d)
        Inputs of the recordings, columns in the order of X.
    R : (n_brain, p)
        Recordings of p channels.
    """

    X: Floats
    y: Floats
    X_brain: Floats
    R: Floats


@dataclass(frozen=True)
class Prepared:
    """The same data in the coordinates of the model.

    Attributes
    ----------
    arrays : Arrays
        Inputs centred and whitened with the covariance of all rows; y centred; channels centred and
        rescaled to equal noise, the geometric mean of their noise unchanged.
    whitener : (d, k)
        Whitened inputs are (X - mean) @ whitener; k is d less the inputs that are linear
        combinations of others.
    scale_error : float
        Relative standard error of a variance in whitened coordinates, from whitening with an
        estimated covariance: sqrt(2 / rows), times the share of the covariance not shrunk away.
    cautions : tuple of str
        What the laws do not know of: collinear inputs, sets whose inputs differ in covariance,
        repeated rows.
    """

    arrays: Arrays
    whitener: Floats
    scale_error: float
    cautions: tuple[str, ...]


def check(
    X: object,
    y: object,
    X_brain: object,
    R: object,
    names: tuple[str, str, str, str] = ("X", "y", "X_brain", "R"),
) -> Arrays:
    """The four arrays as float64, or a sentence about the first fault.

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
        Finite numbers that vary in every column.

    Raises
    ------
    InputError
        For shapes that do not fit, too few rows, NaN, constant columns, object arrays, and names
        of columns that only one of X and X_brain has.
    """
    order = same_inputs(X, X_brain, (names[0], names[2]))
    X, y, X_brain, R = (
        _numbers(a, name) for a, name in zip((X, y, X_brain, R), names, strict=True)
    )
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    R = R[:, None] if R.ndim == 1 else R
    for array, name, dims in zip((X, y, X_brain, R), names, (2, 1, 2, 2), strict=True):
        if array.ndim != dims:
            raise InputError(f"{name} has shape {array.shape}: it must have {dims} dimension(s)")
    for rows, values, name, other in ((X, y, names[0], names[1]), (X_brain, R, names[2], names[3])):
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
    _enough(names[0], X.shape[0], 3 * _SPARE_ROWS, "to hold out and to learn from")
    _enough(
        names[2],
        X_brain.shape[0],
        d + _SPARE_ROWS,
        f"to tell noise from signal with {d} inputs (or reduce the inputs first)",
    )
    for array, name in zip((X, y[:, None], X_brain, R), names, strict=True):
        _no_constants(array, name)
    return Arrays(X, y, X_brain if order is None else X_brain[:, order], R)


def prepare(arrays: Arrays) -> Prepared:
    """Centre and whiten the inputs, centre the labels, equalise the noise of the channels.

    The covariance of the inputs is that of all rows of both sets, shrunk towards equal variances by
    the rule of Ledoit & Wolf (2004) after each input is scaled to variance one. Of collinear inputs
    only the directions in which rows vary are kept.

    Parameters
    ----------
    arrays : Arrays
        As `check` returns them, in any units.

    Returns
    -------
    Prepared
        The same data in the coordinates of the model.

    Raises
    ------
    InputError
        Too few inputs vary on their own, or y or a channel is an exact linear function of the
        inputs.
    """
    from sklearn.covariance import ledoit_wolf

    centred = [X - X.mean(axis=0) for X in (arrays.X, arrays.X_brain)]
    pooled = np.vstack(centred)
    scale = pooled.std(axis=0)
    standard = pooled / scale
    varying = _varying(standard)
    collinear = varying.shape[1] < scale.size
    if varying.shape[1] < _FEWEST_INPUTS:
        raise InputError(
            f"X has {scale.size} columns, but all are combinations of {varying.shape[1]}: at least "
            f"{_FEWEST_INPUTS} inputs are needed"
        )
    if collinear:
        standard = standard @ varying
    covariance, shrinkage = ledoit_wolf(standard, assume_centered=True)
    values, vectors = linalg.eigh(covariance)
    whitener = (vectors / np.sqrt(values)) @ vectors.T
    whitener = (varying @ whitener if collinear else whitener) / scale[:, None]
    X, X_brain = (rows @ whitener for rows in centred)
    R = arrays.R - arrays.R.mean(axis=0)
    residual = R - X_brain @ linalg.lstsq(X_brain, R)[0]
    noise = np.sqrt(np.mean(residual**2, axis=0))
    exact = noise <= _NOISELESS * np.std(R, axis=0)
    if np.any(exact):
        raise InputError(
            f"R is an exact linear function of the inputs in column {np.flatnonzero(exact)[0]}: "
            "recordings have noise"
        )
    y = arrays.y - arrays.y.mean()
    fitted = X @ linalg.lstsq(X, y)[0]
    if X.shape[0] > X.shape[1] + 1 and np.std(y - fitted) <= _NOISELESS * np.std(y):
        raise InputError("y is an exact linear function of the inputs: there is nothing to learn")
    R = R * (np.exp(np.mean(np.log(noise))) / noise)
    whitened = Arrays(X, y, X_brain, R)
    scale_error = (1.0 - float(shrinkage)) * float(np.sqrt(2.0 / pooled.shape[0]))
    return Prepared(whitened, whitener, scale_error, _cautions(X, X_brain, pooled.shape[1]))


def _varying(rows: Floats) -> Floats:
    """Orthonormal basis (d, k) of the directions along which standardised rows (n, d) vary."""
    d = rows.shape[1]
    _, values, axes = linalg.svd(linalg.qr(rows, mode="r")[0][:d])
    spread = np.zeros(d)
    spread[: values.size] = values / np.sqrt(rows.shape[0])
    return axes[spread > _COLLINEAR].T


def _cautions(X: Floats, X_brain: Floats, inputs: int) -> tuple[str, ...]:
    """What the laws do not know of these data, a sentence each."""
    cautions = []
    lost = inputs - X.shape[1]
    if lost:
        cautions.append(
            f"{lost} of the {inputs} inputs {'is a' if lost == 1 else 'are'} linear "
            f"combination{'s' * (lost > 1)} of the others, so that {X.shape[1]} inputs count"
        )
    for rows, name in ((X, "task"), (X_brain, "brain")):
        still = X.shape[1] - _varying(rows).shape[1] if rows.shape[0] > X.shape[1] else 0
        if still:
            cautions.append(
                f"the {name} inputs do not vary along {still} direction{'s' * (still > 1)} in "
                "which the others vary, so that nothing is learned there"
            )
    mismatch = _mismatch(X, X_brain)
    if mismatch > _ALIKE:
        times = f"{mismatch:.1f}" if mismatch < 10 else f"{mismatch:,.0f}"
        cautions.append(
            "the inputs of the two sets differ in covariance (along one direction the variances "
            f"differ {times} times more than chance allows), which the laws do not know of"
        )
    for rows, name in ((X, "task"), (X_brain, "brain")):
        repeated = rows.shape[0] - np.unique(rows, axis=0).shape[0]
        if repeated > 0.05 * rows.shape[0]:
            cautions.append(
                f"{repeated} of {rows.shape[0]} {name} inputs repeat another row, and the laws "
                "take rows as independent: average repeats first"
            )
    return tuple(cautions)


def _mismatch(X: Floats, X_brain: Floats) -> float:
    """How far the covariances of the two sets differ, as a ratio to what chance explains.

    The extreme ratios of variances along a direction are divided by the edges of Wachter's
    distribution, within which they lie where the two covariances are equal.
    """
    if X.shape[0] <= X.shape[1] + 2:
        return 1.0
    shared = _varying(X_brain)
    X, X_brain = X @ shared, X_brain @ shared
    ratios = linalg.eigvalsh(X.T @ X / X.shape[0], X_brain.T @ X_brain / X_brain.shape[0])
    ratios = ratios[ratios > _COLLINEAR**2]
    a, b = X.shape[1] / X.shape[0], X.shape[1] / X_brain.shape[0]
    width = np.sqrt(a + b - a * b)
    low, high = (((1 + sign * width) / (1 - b)) ** 2 for sign in (-1.0, 1.0))
    return float(max(ratios[-1] / high, low / ratios[0]))


def _numbers(values: object, name: str) -> Floats:
    """An array as float64, or a sentence about the first value that is missing or too large."""
    array = numbers_of(values, name)
    bad = np.argwhere(~(np.abs(array) <= _LARGEST))  # also refuses NaN
    if bad.size:
        place = ", ".join(str(int(i)) for i in bad[0])
        raise InputError(
            f"{name} holds {array[tuple(bad[0])]} at [{place}] (and {len(bad) - 1} more): "
            f"all values must be finite, at most {_LARGEST:g}"
        )
    return array


def _enough(name: str, rows: int, needed: int, why: str) -> None:
    """Refuse a set with fewer rows than are needed."""
    if rows < needed:
        raise InputError(f"{name} has {rows} rows: at least {needed} are needed {why}")


def _no_constants(array: Floats, name: str) -> None:
    """Refuse an array with columns that do not vary."""
    spread = np.ptp(array, axis=0)
    constant = np.flatnonzero(spread <= np.maximum(1e-12 * np.abs(array).max(axis=0), 1 / _LARGEST))
    if constant.size:
        listing = ", ".join(str(int(j)) for j in constant[:5]) + (
            "..." if constant.size > 5 else ""
        )
        raise InputError(f"{name} does not vary in column {listing}: remove constant columns")
