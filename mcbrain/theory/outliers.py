"""Overlaps of the leading singular vectors of signal plus noise, to the next order (README.md 5b).

A matrix of signal and noise is q x p: r rows and r columns hold the signal, of squared singular
values s_j, and everything has noise of variance 1. In large dimensions the overlaps are those of
Benaych-Georges & Nadakuditi (2012); `overlap_correction` is the term of relative order 1/size.
"""

from __future__ import annotations

import numpy as np

from mcbrain.typing import Floats

__all__ = ["limiting_odds", "overlap_correction"]

POINTS = 16
"""Points of the upper half of the contour; the integrand is analytic around it, so that they
converge geometrically, and the lower half is the mirror image."""

FAR = 2.5
"""The contour stays within e^2.5 of the outliers where the bulk is farther away than that."""


def limiting_odds(signal: Floats, rows: Floats, columns: Floats) -> Floats:
    """cos^2/sin^2 of latent and leading vectors in large dimensions; negative if invisible.

    Parameters
    ----------
    signal : ndarray, shape (..., r)
        Squared singular values of the signal, in units of the noise.
    rows, columns : ndarray, shape (..., 1)
        Rows and columns that hold noise only, at least 1 and at least 0.

    Returns
    -------
    ndarray, shape (..., r)
        Odds of each latent.
    """
    return (signal**2 - rows * columns) / (rows * (columns + signal))


def overlap_correction(signal: Floats, rows: Floats, columns: Floats) -> Floats:
    """What a finite size adds to each latent's squared overlap with the leading r vectors.

    Parameters
    ----------
    signal : ndarray, shape (..., r)
        Squared singular values of the signal, all above sqrt(rows columns).
    rows, columns : ndarray, shape (..., 1)
        Rows and columns that hold noise only, at least 1 and at least 0.

    Returns
    -------
    ndarray, shape (..., r)
        Differences of squared overlaps, which lie between 0 and 1.

    Notes
    -----
    With the resolvent's trace of the noise -e^x as the variable, the outliers are the points
    x = log(rows/(rows + s_j)) of the negative real axis and the bulk ends at
    -log(1 + sqrt(columns/rows)). The contour is an ellipse around the outliers.
    """
    poles = np.log(rows / (rows + signal))
    last, first = poles.max(-1, keepdims=True), poles.min(-1, keepdims=True)
    right = (last - np.log1p(np.sqrt(columns / rows))) / 2.0
    gap = np.minimum(right - last, FAR)
    left = first - np.maximum(gap, 0.7)
    width = (right - left) / 2.0
    height = np.minimum(width, np.maximum(gap, 0.3))
    angle = (np.arange(POINTS) + 0.5) * (np.pi / POINTS)
    x = (left + right) / 2.0 + width * np.cos(angle) + 1j * height * np.sin(angle)
    dx = -width * np.sin(angle) + 1j * height * np.cos(angle)
    g = -np.exp(x)
    dz = (rows / g**2 - columns / (1.0 + g) ** 2) * g * dx
    slope = _slope(signal[..., None], g[..., None, :], rows[..., None], columns[..., None])
    return np.asarray(-np.sum(slope * dz[..., None, :], axis=-1).imag / POINTS)


def _slope(s: Floats, g: Floats, m: Floats, k: Floats) -> Floats:
    """Derivative by Omega_j of the terms of order 1/size of Phi, (..., r, points)."""
    u, v = 1.0 + g, m / g  # 1 + g1 and w + g2 of README.md 5b
    D = v * u + s
    a, b = m / v**2, k / u**2
    Q = 1.0 - a * b
    # By Omega_j, of l_1 = sum v/D, l_2 = sum u/D, a_s, b_s and c.
    dl1, dl2 = s / D**2, -((u / D) ** 2)
    da, db, dc = -2.0 * u**3 / D**3, 2.0 * v * s / D**3, -2.0 * s * u / D**3
    l1, l2 = (v / D).sum(-2, keepdims=True), (u / D).sum(-2, keepdims=True)
    reaction = (l1 * dl2 + l2 * dl1) - a * l1 * dl1 - b * l2 * dl2
    ladder = -dc - (da * b + a * db) / 2.0
    both = (a * b / Q) * ((dl2 - a * dl1) / u + (dl1 - b * dl2) / v)
    return np.asarray((reaction + ladder + both) / Q)
