"""How many task samples a baseline needs for a risk: the surface of risks, read backwards.

As in `worth/surface`, the function called `exact` takes the closed form of the task stage, and the
other one the smooth form for any real numbers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from mcbrain.errors import InputError, did_you_mean
from mcbrain.typing import Floats
from mcbrain.worth.surface import Surface

__all__ = ["BASELINES", "check_baseline", "exact_samples_for", "samples_for"]

BASELINES = ("ridge", "ols")


def check_baseline(baseline: str) -> str:
    """The baseline, if there is one of that name.

    Parameters
    ----------
    baseline : str
        "ridge" or "ols".

    Returns
    -------
    str
        The same.

    Raises
    ------
    InputError
        Another name.
    """
    if baseline not in BASELINES:
        raise InputError(f"baseline = {baseline!r}: {did_you_mean(str(baseline), BASELINES)}")
    return baseline


def samples_for(surface: Surface, risk: ArrayLike, baseline: str) -> Floats:
    """Real number of task samples at which a baseline has a risk; NaN where it never has it.

    Parameters
    ----------
    surface : Surface
    risk : (...)
        Excess over |beta|^2. Ridge takes every value in (0, 1]; OLS, on its branch
        n > d + 1, every value > 0.
    baseline : str
        "ridge" or "ols".

    Returns
    -------
    array (...)
        Real numbers of task samples.
    """
    target = np.asarray(risk, dtype=float)
    if check_baseline(baseline) == "ols":
        with np.errstate(divide="ignore", invalid="ignore"):
            n = surface.d + 1.0 + surface.sigma**2 * surface.d / target
        return np.where((target > 0) & np.isfinite(target), n, np.nan)
    sought = (target > 0) & (target <= 1)
    aim = np.where(sought, target, 0.5)
    low = np.zeros_like(aim)
    # Tuned ridge is never worse than OLS, whose branch bounds the search from above.
    high = surface.d + 2.0 + surface.sigma**2 * surface.d / aim
    for _ in range(60):
        middle = 0.5 * (low + high)
        above = surface.ridge(middle) > aim
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.where(sought, 0.5 * (low + high), np.nan)


def exact_samples_for(surface: Surface, risk: float, baseline: str) -> float:
    """The same number by the exact law, linear in 1/risk between neighbouring whole numbers.

    Parameters
    ----------
    surface : Surface
    risk : float
        Excess over |beta|^2.
    baseline : str
        "ridge" or "ols".

    Returns
    -------
    float
        NaN where the baseline never has the risk.
    """
    first = float(samples_for(surface, risk, baseline))
    if baseline == "ols" or not np.isfinite(first):
        return first
    low = int(first)
    for _ in range(64):
        below, above = surface.exact_ridge([low, low + 1])
        if below < risk and low > 0:
            low -= 1
        elif above > risk:
            low += 1
        else:
            break
    share = (1.0 / risk - 1.0 / below) / (1.0 / above - 1.0 / below)
    return float(low + share)
