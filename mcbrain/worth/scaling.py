"""Scaling laws fitted to risks, and the exponents of the exact laws (theory/README.md 5).

A power law is an approximation here: the exponent of the exact law moves with the number of
samples, as `local_exponent` shows. The chi-square of a fit says when the data can tell.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mcbrain.errors import InputError, did_you_mean, unhandled
from mcbrain.typing import Floats
from mcbrain.worth.surface import Surface

__all__ = ["FORMS", "Fit", "fit", "fit_two_resources", "local_exponent"]

# Of a risk in a fit: its square, over a squared standard error, is still a number.
_LARGEST_LOGARITHM = 100.0


@dataclass(frozen=True)
class Fit:
    """A fitted scaling law.

    Attributes
    ----------
    form : str
        A key of `FORMS`, or "additive".
    names : tuple of str
        Of the parameters.
    values, errors, low, high : array (parameters,)
        Estimates, standard errors, 95 % intervals by Student's t.
    chi2 : float
        Weighted sum of squares.
    freedom : int
        Degrees of freedom.
    p_value : float
        How often a true form fits worse.
    curve : callable
        n -> fitted risk (for two resources: n_task, n_brain -> risk).
    """

    form: str
    names: tuple[str, ...]
    values: Floats
    errors: Floats
    low: Floats
    high: Floats
    chi2: float
    freedom: int
    p_value: float
    curve: Callable[..., Floats]


def _power_floor(n: Floats, floor: Floats, scale: Floats, exponent: Floats) -> Floats:
    """The form "power-floor"."""
    return floor + _power(n, scale, exponent)


def _power(n: Floats, scale: Floats, exponent: Floats) -> Floats:
    """e^scale n^-exponent, bounded: a fit to odd data tries parameters that no number can hold."""
    return np.asarray(np.exp(np.minimum(scale - exponent * np.log(n), _LARGEST_LOGARITHM)))


def _brain_law(n: Floats, floor: Floats, slope: Floats, offset: float) -> Floats:
    """The form "brain-law", with offset d + 1."""
    return floor + slope / (n - offset)


def _task_law(n: Floats, noise: Floats, saved: Floats, offset: float) -> Floats:
    """The form "task-law", with offset d + 1."""
    return noise / (n - offset) - saved / n**2


FORMS = {
    "power-floor": "R = floor + e^scale n^-exponent",
    "brain-law": "R = floor + slope/(n_B - d - 1)",
    "task-law": "R = noise/(n_T - d - 1) - saved/n_T^2",
}


def fit(n: ArrayLike, risk: ArrayLike, mcse: ArrayLike, form: str, input_dim: int = 0) -> Fit:
    """Weighted least squares of one scaling law.

    Parameters
    ----------
    n, risk, mcse : array_like, shape (points,)
        Samples, mean risk, and its standard error > 0.
    form : str
        A key of `FORMS`: a power law with a floor, or the law's own form in n_B (5a) or n_T (5d).
    input_dim : int
        d, for the law's own forms, which need n > d + 1.

    Returns
    -------
    Fit
        Of this form.

    Raises
    ------
    InputError
        Too few points, standard errors that are not positive, or a form that does not exist.
    """
    if form not in FORMS:
        raise InputError(f"form = {form!r}: {did_you_mean(str(form), FORMS)}")
    x, y, error = _points(n, risk, mcse)
    offset = input_dim + 1.0
    if form != "power-floor" and np.any(x <= offset):
        raise InputError(f"form '{form}' holds above n = d + 1 = {offset:.0f}; leave out the rest")
    if form == "power-floor":
        start = [0.5 * y.min(), np.log(max(y.max() - 0.5 * y.min(), 1e-12) * x.min()), 1.0]
        names: tuple[str, ...] = ("floor", "scale", "exponent")
        return _solve(form, names, _power_floor, x[None], y, error, start)

    law: Callable[[Floats, Floats, Floats, float], Floats]
    match form:
        case "brain-law":
            law, names = _brain_law, ("floor", "slope")
        case "task-law":
            law, names = _task_law, ("noise", "saved")
        case _:
            raise unhandled("scaling law", form, "worth/scaling.py")

    def own(n: Floats, first: Floats, second: Floats) -> Floats:
        return law(n, first, second, offset)

    return _solve(form, names, own, x[None], y, error, [y.min(), y.max() * x.min()])


def fit_two_resources(
    n_task: ArrayLike, n_brain: ArrayLike, risk: ArrayLike, mcse: ArrayLike
) -> Fit:
    """Fit the additive law of two resources, R = floor + e^s_T n_T^-a_T + e^s_B n_B^-a_B.

    Parameters
    ----------
    n_task, n_brain, risk, mcse : array_like, shape (points,)
        Numbers of samples, mean risk, and its standard error > 0.

    Returns
    -------
    Fit
        Of form "additive".

    Raises
    ------
    InputError
        Fewer than six points, or a single value of a resource.
    """
    t, y, error = _points(n_task, risk, mcse)
    b = np.asarray(n_brain, dtype=float).ravel()
    for name, values in (("n_task", t), ("n_brain", b)):
        if np.unique(values).size < 2:
            raise InputError(f"two resources need at least two values of {name}; add some")

    def law(x: Floats, floor: Floats, s_t: Floats, a_t: Floats, s_b: Floats, a_b: Floats) -> Floats:
        return np.asarray(floor + _power(x[0], s_t, a_t) + _power(x[1], s_b, a_b))

    spread = np.log(max(np.ptp(y), 1e-12))
    start = [0.5 * y.min(), spread + np.log(t.min()), 1.0, spread + np.log(b.min()), 1.0]
    names = ("floor", "scale_task", "exponent_task", "scale_brain", "exponent_brain")
    found = _solve("additive", names, law, np.stack([t, b]), y, error, start)
    inner = found.curve
    return Fit(
        **{k: getattr(found, k) for k in Fit.__dataclass_fields__ if k != "curve"},
        curve=lambda n_t, n_b: inner(np.stack(np.broadcast_arrays(n_t, n_b)).astype(float)),
    )


def _points(n: ArrayLike, risk: ArrayLike, mcse: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """The points of a curve as arrays (points,), or a sentence about the first fault."""
    x, y, error = (np.asarray(v, dtype=float).ravel() for v in (n, risk, mcse))
    if not x.size == y.size == error.size:
        raise InputError(f"n, risk and mcse have {x.size}, {y.size} and {error.size} values")
    if not (np.all(error > 0) and np.all(np.isfinite(x + y + error))):
        raise InputError("a fit weighs points by their standard errors: finite numbers > 0 only")
    return x, y, error


def _solve(
    form: str,
    names: tuple[str, ...],
    law: Callable[..., Floats],
    x: Floats,
    y: Floats,
    error: Floats,
    start: list[float],
) -> Fit:
    """Weighted least squares of a form from a starting point."""
    from scipy.optimize import least_squares
    from scipy.special import gammaincc, stdtrit

    freedom = y.size - len(names)
    if freedom < 1:
        raise InputError(
            f"the form '{form}' has {len(names)} parameters and needs more than {len(names)} "
            f"points; there are {y.size}"
        )
    inputs = x if len(x) > 1 else x[0]

    def residual(p: Floats) -> Floats:
        return np.asarray((law(inputs, *p) - y) / error)

    found = least_squares(residual, start, x_scale="jac", max_nfev=5000, xtol=1e-14)
    jacobian = np.asarray(found.jac)
    covariance = np.linalg.pinv(jacobian.T @ jacobian)
    errors = np.sqrt(np.diag(covariance))
    reach = float(stdtrit(freedom, 0.975)) * errors
    chi2 = float(2.0 * found.cost)
    best = found.x
    return Fit(
        form=form,
        names=names,
        values=best,
        errors=errors,
        low=best - reach,
        high=best + reach,
        chi2=chi2,
        freedom=freedom,
        p_value=float(gammaincc(freedom / 2, chi2 / 2)),
        curve=lambda n: np.asarray(law(np.asarray(n, dtype=float), *best)),
    )


def local_exponent(
    surface: Surface, n_task: ArrayLike, n_brain: ArrayLike, along: str, floor: ArrayLike = 0.0
) -> Floats:
    """The exponent of the law at a point, -d log(R - floor) / d log n, in n_task or n_brain.

    Parameters
    ----------
    surface : Surface
        The law.
    n_task, n_brain : array_like
        Broadcast; n_brain = 0 is tuned ridge and allowed along "n_task" only.
    along : str
        "n_task" or "n_brain".
    floor : array_like
        The risk that is left with unlimited data of that kind.

    Returns
    -------
    array
        Of the broadcast shape.
    """
    t, b = np.asarray(n_task, dtype=float), np.asarray(n_brain, dtype=float)
    h, rest = 0.01, np.asarray(floor, dtype=float)
    step = {"n_task": (1.0, 0.0), "n_brain": (0.0, 1.0)}[along]
    pair = [surface.risk(t * np.exp(s * step[0]), b * np.exp(s * step[1])) for s in (-h, h)]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(-(np.log(pair[1] - rest) - np.log(pair[0] - rest)) / (2.0 * h))
