"""Which assumption the data contradict: a short list, each with a number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg, stats

from mcbrain.appraisal.rows import Order, Together
from mcbrain.typing import Floats

__all__ = ["Diagnostic", "alike_scales", "alike_shapes", "in_order", "linear", "repeated"]

_FALSE_ALARM = 1e-4
_LEAST = 0.1  # by which the logarithms of scales differ before it matters
_COLLINEAR = 1e-7
_ALIKE = 1.5


@dataclass(frozen=True)
class Diagnostic:
    """One assumption, held against the data.

    Attributes
    ----------
    name : str
        The assumption in a few words.
    number : float
        What was found.
    unit : str
        What the number is.
    contradicted : bool
        Whether chance explains it less often than once in 10,000 data sets.
    sentence : str
        What was found and what to do, without its full stop.
    decisive : bool
        Whether no agreement is claimed where it is contradicted.
    """

    name: str
    number: float
    unit: str
    contradicted: bool
    sentence: str
    decisive: bool


def alike_scales(X: Floats, X_brain: Floats, sets: tuple[Together, Together]) -> Diagnostic:
    """Whether the columns have the same scale on both sides.

    Parameters
    ----------
    X, X_brain : (n_task, d), (n_brain, d)
        Inputs as they were given.
    sets : tuple of Together
        Of either side, for the number of independent rows.

    Returns
    -------
    Diagnostic
        Its number is the factor by which the scale of a column typically differs.
    """
    spread = [np.std(rows, axis=0) for rows in (X, X_brain)]
    vary = (spread[0] > 0) & (spread[1] > 0)
    logs = np.log(spread[0][vary] / spread[1][vary])
    error = np.sqrt(
        sum(
            _variance_of_log(rows[:, vary], own)
            for rows, own in zip((X, X_brain), sets, strict=True)
        )
    )
    size = float(np.sqrt(np.mean(logs**2))) if logs.size else 0.0
    z = np.abs(logs) / error if logs.size else np.zeros(1)
    limit = float(stats.norm.isf(_FALSE_ALARM / 2 / max(logs.size, 1)))
    apart = logs - np.median(logs) if logs.size else np.zeros(1)
    # One factor for all columns changes no direction: neither ridge nor BEFS depends on it.
    by_column = bool(np.any(np.abs(apart) / error > limit)) and float(np.std(logs)) > _LEAST
    common = bool(np.any(z > limit)) and size > _LEAST
    factor = float(np.exp(size))
    what = "column by column" if by_column else "all by one factor, which changes no answer"
    return Diagnostic(
        "the same scales on both sides",
        factor,
        "factor by which the scale of a column differs",
        common,
        f"the inputs differ in scale between the two sides by a factor of {factor:.3g} ({what})"
        + ("; bring the columns of both to one unit" if by_column else ""),
        by_column,
    )


def _variance_of_log(rows: Floats, sets: Together) -> Floats:
    """Variance of the logarithm of the standard deviation of each column."""
    squares = (rows - rows.mean(axis=0)) ** 2
    mean = squares.mean(axis=0)
    if sets.alone:
        out = np.var(squares, axis=0) / rows.shape[0]
    else:
        sums = np.zeros((sets.count, rows.shape[1]))
        np.add.at(sums, sets.sets, squares - mean)
        out = np.sum(sums**2, axis=0) / rows.shape[0] ** 2
    return np.asarray(np.maximum(out / mean**2 / 4.0, 0.25 / rows.shape[0]))


def alike_shapes(X: Floats, X_brain: Floats) -> Diagnostic | None:
    """Whether inputs that are standardised on each side have the same covariance.

    The extreme ratios of variances along a direction are divided by the edges of Wachter's
    distribution, within which they lie where the two covariances are equal.

    Parameters
    ----------
    X, X_brain : (n_task, d), (n_brain, d)
        Standardised inputs.

    Returns
    -------
    Diagnostic or None
        None where there are too few rows to tell.
    """
    d = X.shape[1]
    if min(X.shape[0], X_brain.shape[0]) <= d + 10 or d > 1000:
        return None
    covariances = [rows.T @ rows / rows.shape[0] for rows in (X, X_brain)]
    values, axes = linalg.eigh(covariances[0] + covariances[1])
    seen = axes[:, values > _COLLINEAR * values[-1]]
    k = seen.shape[1]
    small = [seen.T @ c @ seen for c in covariances]
    small = [c + 1e-9 * np.trace(c) / k * np.eye(k) for c in small]
    ratios = linalg.eigvalsh(*small)
    a, b = k / X.shape[0], k / X_brain.shape[0]
    width = np.sqrt(a + b - a * b)
    low, high = (((1 + sign * width) / (1 - b)) ** 2 for sign in (-1.0, 1.0))
    times = float(max(ratios[-1] / high, low / max(ratios[0], 1e-300)))
    shown = f"{times:.1f}" if times < 10 else f"{times:,.0f}"
    return Diagnostic(
        "the same covariance on both sides",
        times,
        "times that the variances along one direction differ more than chance allows",
        times > _ALIKE,
        "the inputs of the two sides differ in covariance (along one direction the variances "
        f"differ {shown} times more than chance allows)",
        False,
    )


def in_order(order: Order, what: str, give: str, given: bool) -> Diagnostic:
    """Whether neighbouring rows are independent.

    Parameters
    ----------
    order : Order
        Of residuals.
    what : str
        Whose residuals.
    give : str
        The argument that says which rows belong together.
    given : bool
        Whether it was given.

    Returns
    -------
    Diagnostic
        Decisive where rows depend and the user has not said which belong together.
    """
    advice = (
        ""
        if given
        else f": say which rows belong together ({give}, or block_length={max(order.length, 5)})"
    )
    return Diagnostic(
        f"independent rows ({what})",
        order.correlation,
        "correlation of the residuals of neighbouring rows",
        order.dependent and not given,
        f"the residuals of the {what} are correlated from row to row ({order.correlation:.2f} at "
        f"lag 1, {order.z:.0f} standard errors){advice}",
        not given,
    )


def repeated(sets: Together, what: str, give: str) -> Diagnostic:
    """Whether rows repeat the stimulus of another.

    Parameters
    ----------
    sets : Together
        Of one side.
    what : str
        "task" or "brain".
    give : str
        The argument that says which rows belong together.

    Returns
    -------
    Diagnostic
        Repeats are held out together, so that it is never decisive.
    """
    n = sets.sets.size
    return Diagnostic(
        f"no repeats ({what})",
        float(sets.repeats),
        f"of {n} rows that repeat the stimulus of another, exactly or nearly",
        sets.repeats > 0,
        f"{sets.repeats} of {n} {what} inputs repeat another row, exactly or nearly: repeats of a "
        f"stimulus are held out together (if more rows belong together, give {give})",
        False,
    )


def linear(residual: Floats, fitted: Floats) -> Diagnostic:
    """Whether the labels are a linear function of the inputs: residuals against squares of the fit.

    Parameters
    ----------
    residual, fitted : (n,)
        Of the task.

    Returns
    -------
    Diagnostic
        Its number is a correlation.
    """
    centred = fitted - fitted.mean()
    square = centred**2 - np.mean(centred**2)
    slope = float(centred @ square) / max(float(centred @ centred), 1e-300)
    square = square - slope * centred
    scale = float(np.sqrt(np.mean(residual**2) * np.mean(square**2)))
    found = float(np.mean(residual * square)) / max(scale, 1e-300)
    z = abs(found) * np.sqrt(residual.size)
    return Diagnostic(
        "labels linear in the inputs",
        found,
        "correlation of the residuals with the square of the fit",
        bool(z > stats.norm.isf(_FALSE_ALARM / 2)),
        f"the labels are no linear function of the inputs (residuals correlate {found:.2f} with "
        "the square of the fit)",
        False,
    )
