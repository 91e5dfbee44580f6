"""Where digits are proved, and how far the closed forms are from the balls of exact numbers."""

from __future__ import annotations

import numpy as np

from mcbrain.theory.equivalents import Equivalent
from mcbrain.theory.ridge_population import partialled
from mcbrain.theory.wishart import task_moments
from tests.proved.phi_balls import error_balls
from tests.proved.wishart_balls import task_balls

_SIZES = ((1, 5), (5, 1), (3, 4), (4, 4), (5, 4), (12, 5), (40, 7), (19, 20), (20, 20), (30, 24))
_LARGE = ((60, 60), (61, 60), (45, 60), (200, 10), (1000, 3))
PENALTIES = (1e-6, 1e-2, 3.0, 1e4)
"""Summed over samples; eigenvalues are from 0 to about 4 (n' + q)."""

WISHART_CELLS = [(n, q, z) for n, q in _SIZES + _LARGE for z in PENALTIES]
"""Rows n', columns q, penalty sum z."""

PHI_CELLS = [
    (d, n, alpha, z)
    for d, n in ((3, 2), (4, 4), (5, 6), (6, 20), (8, 8))
    for alpha in (0.0, 1.0)
    for z in (1e-3, 1.0, 50.0)
]
"""Dimension, rows, exponent of the spectrum, penalty sum."""


def wishart_errors(rows: int, columns: int, z: float) -> dict[str, float]:
    """For each field of `task_moments` a bound on its relative error."""
    balls = task_balls(rows, columns, z)
    found = task_moments(rows, 0, columns, z / rows)
    names = ("noise", "c1", "c2", "mean_f") if columns > 1 else ("noise", "c1", "mean_f")
    return {name: _bound(float(getattr(found, name)), getattr(balls, name)) for name in names}


def phi_errors(d: int, n: int, alpha: float, z: float) -> dict[str, float]:
    """Bounds on the relative errors of the expansion's bias and noise, for a dense form."""
    rng = np.random.default_rng([d, n])
    spectrum = np.arange(1.0, d + 1.0) ** -alpha
    factor, signal = rng.standard_normal((d, d)), rng.standard_normal(d)
    form = factor @ factor.T
    bias, noise = error_balls(spectrum.tolist(), z, n, form.tolist(), signal.tolist())
    law = Equivalent(partialled(spectrum), n, z)
    return {
        "bias": _bound(law.bias(form, signal), bias),
        "noise of 5f": _bound(law.noise(form), noise),
    }


def _bound(value: float, ball) -> float:
    return float(((ball - value) / ball).abs_upper())
