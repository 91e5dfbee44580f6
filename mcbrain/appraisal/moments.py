"""Noise and signal from squares of labels along directions: of one data set, or of many draws."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mcbrain.typing import Floats

__all__ = ["Task", "noise_ratio", "variances"]

_ITERATIONS = 25


class Task(NamedTuple):
    """Sufficient statistics of the task data given a subspace, of one data set or of many draws.

    y'y outside the subspace splits into squares along directions of variance
    noise + spectrum * outside, and `rest`, a sum of `freedom` squares of variance noise alone.

    Attributes
    ----------
    spectrum : (c,)
        Variances of the inputs along the directions, times the rows.
    squares : (..., c)
        Squares of the labels along them.
    rest : (...)
        Sum of the other squares.
    freedom : int
        How many those are.
    """

    spectrum: Floats  # (c,)
    squares: Floats  # (..., c)
    rest: Floats  # (...)
    freedom: int


def variances(task: Task) -> tuple[Floats, Floats]:
    """The noise variance, and the signal per direction outside the subspace.

    Reweighted least squares of the squares on (1, spectrum), which is restricted maximum likelihood
    without its bound at zero.

    Parameters
    ----------
    task : Task
        Of one data set, or of many draws (...).

    Returns
    -------
    noise : array (...)
        Variance of the task noise, above 0.
    outside : array (...)
        Squared weight of each direction outside; may be negative.
    """
    s, squares, rest, freedom = task
    mean = (squares.sum(axis=-1) + rest) / (s.size + freedom)
    noise, outside = np.array(mean / 2), np.array(mean / (2 * s.mean()))
    for _ in range(_ITERATIONS):
        weight = (noise[..., None] + s * np.maximum(outside, 0.0)[..., None]) ** -2.0
        a11 = weight.sum(axis=-1) + freedom / noise**2
        a12, a22 = weight @ s, weight @ s**2
        b1 = np.sum(weight * squares, axis=-1) + rest / noise**2
        b2 = np.sum(weight * squares * s, axis=-1)
        determinant = a11 * a22 - a12**2
        noise = np.maximum((a22 * b1 - a12 * b2) / determinant, 1e-6 * mean)
        outside = (a11 * b2 - a12 * b1) / determinant
    return noise, outside


def noise_ratio(noise: Floats, outside: Floats) -> Floats:
    """Noise over signal per direction.

    Parameters
    ----------
    noise, outside : (...)
        As `variances` returns them.

    Returns
    -------
    array (...)
        Infinite where there seems to be no signal outside.
    """
    with np.errstate(divide="ignore"):
        return np.where(outside > 0, noise / np.where(outside > 0, outside, 1.0), np.inf)
