"""Eigenvectors of a symmetric tridiagonal matrix, eight at a time: enclosed, then iterated."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mcbrain.kernels.jit import part
from mcbrain.kernels.linear.householder import Reduction, make_reduction
from mcbrain.kernels.linear.lanes import get, padded, positive, put
from mcbrain.kernels.types import LANES
from mcbrain.typing import Floats

RESIDUAL = 2e-16
"""What an eigenvector's residual is at most, as a share of the order of T times its norm."""

WIDTH = 2e-6
"""Of an enclosure, as a share of the norm, before inverse iteration starts from its middle."""

STEPS = 8
"""Of inverse iteration, at most."""

LOWER, UPPER = 0, LANES
"""Where the ends of the enclosures begin in `EigenWork.bounds`."""

PAIR = 2 * LANES
"""Numbers of one row in `EigenWork.factor`."""


class EigenWork(NamedTuple):
    """Buffers for r leading eigenvectors of (m, m) matrices; R is r rounded up to eights.

    Attributes
    ----------
    reduction : Reduction
        Room for the tridiagonal form.
    vectors : ndarray, shape (m, R)
        Eigenvectors as columns, the largest eigenvalue first.
    values : ndarray, shape (R,)
        Eigenvalues, falling.
    bounds : ndarray, shape (16,)
        An interval around each eigenvalue of an eight: all lower ends, then all upper ones.
    factor : ndarray, shape (16 m,)
        Of each row of a shifted factorisation: an eight of 1/pivots, then one of ratios.
    spare : ndarray, shape (m r + 3 m + 18 m,)
        For the fallback.
    integers : ndarray of int32, shape (12 m + 2,)
        For the fallback.
    """

    reduction: Reduction
    vectors: Floats
    values: Floats
    bounds: Floats
    factor: Floats
    spare: Floats
    integers: NDArray[np.int32]


def make_eigen_work(m: int, r: int) -> EigenWork:
    """Return room for r eigenvectors of matrices up to (m, m).

    Parameters
    ----------
    m : int
        The largest order.
    r : int
        How many eigenvectors.

    Returns
    -------
    EigenWork
        Zeros.
    """
    return EigenWork(
        make_reduction(m),
        np.zeros((m, padded(r))),
        np.zeros(padded(r)),
        np.zeros(2 * LANES),
        np.zeros(PAIR * m),
        np.zeros(m * r + 21 * m),
        np.zeros(12 * m + 2, dtype=np.int32),
    )


@part
def bisect(m: int, first: int, r: int, norm: float, work: EigenWork) -> None:
    """Enclose eigenvalues first, first + 1, ... (0 the largest) in `bounds`, WIDTH norm wide.

    By Sylvester's law T - x has as many positive pivots as T has eigenvalues above x. Eight
    values of x are tried at once, as many in each enclosure as there are lanes for it.

    Parameters
    ----------
    m : int
        Order of T.
    first : int
        The first eigenvalue of the eight.
    r : int
        How many eigenvalues are wanted in all.
    norm : float
        Of T.
    work : EigenWork
        With T; `bounds` are filled.
    """
    diagonal, beside, bounds = work.reduction.diagonal, work.reduction.beside, work.bounds
    wanted = min(LANES, r - first)
    points = LANES // wanted
    for j in range(LANES):
        bounds[LOWER + j], bounds[UPPER + j] = -norm, norm
        work.factor[j] = norm
    width = 2.0
    while width > WIDTH:
        width /= points + 1
        for e in range(wanted):
            step = (bounds[UPPER + e] - bounds[LOWER + e]) / (points + 1)
            for q in range(points):
                work.factor[e * points + q] = bounds[LOWER + e] + (q + 1) * step
        x = get(work.factor, 0)
        pivot = diagonal[0] - x
        above = positive(pivot)
        for i in range(1, m):
            pivot = diagonal[i] - x - beside[i - 1] * beside[i - 1] / pivot
            above = above + positive(pivot)
        # The pivots are not stored, so that x is still in `factor`.
        put(work.factor, LANES, above)
        for e in range(wanted):
            for j in range(e * points, (e + 1) * points):
                if work.factor[LANES + j] > first + e:
                    bounds[LOWER + e] = work.factor[j]
                else:
                    bounds[UPPER + e] = work.factor[j]
                    break
    for j in range(wanted, LANES):
        bounds[LOWER + j] = bounds[LOWER + wanted - 1]
        bounds[UPPER + j] = bounds[UPPER + wanted - 1]


@part
def _substitute_forward(
    m: int, first: int, step: int, shift: Floats, tiny: float, work: EigenWork
) -> None:
    """Factorise T - shift = L D L' for eight shifts, and solve L z = x for eight vectors x.

    The first step starts from L times ones.
    """
    diagonal, beside, factor = work.reduction.diagonal, work.reduction.beside, work.factor
    columns, entries = work.vectors.shape[1], work.vectors.reshape(work.vectors.size)
    pivot = diagonal[0] - shift
    pivot = pivot + tiny * (1.0 - positive(pivot * pivot))
    scale = 1.0 / pivot
    put(factor, 0, scale)
    z = 0.0 * shift + 1.0
    if step > 0:
        z = get(entries, first)
    put(entries, first, z)
    for i in range(1, m):
        lower = beside[i - 1] * scale
        pivot = diagonal[i] - shift - lower * beside[i - 1]
        # At an eigenvalue a pivot may be 0, which is as good as any that is rounding.
        pivot = pivot + tiny * (1.0 - positive(pivot * pivot))
        scale = 1.0 / pivot
        put(factor, PAIR * i, scale)
        put(factor, PAIR * i + LANES, lower)
        if step > 0:
            z = get(entries, i * columns + first) - lower * z
        put(entries, i * columns + first, z)


@part
def _substitute_back(m: int, first: int, work: EigenWork) -> Floats:
    """Solve D L' x = z for eight vectors; returns their squared lengths."""
    factor = work.factor
    columns, entries = work.vectors.shape[1], work.vectors.reshape(work.vectors.size)
    z = get(entries, (m - 1) * columns + first) * get(factor, PAIR * (m - 1))
    put(entries, (m - 1) * columns + first, z)
    square = z * z
    for i in range(m - 2, -1, -1):
        place = i * columns + first
        lower = get(factor, PAIR * (i + 1) + LANES)
        z = get(entries, place) * get(factor, PAIR * i) - lower * z
        put(entries, place, z)
        square = square + z * z
    return square


@part
def inverse_iterate(m: int, first: int, norm: float, work: EigenWork) -> None:
    """Find eight eigenvectors by Rayleigh quotient iteration from the middles of `bounds`.

    The enclosures are so narrow that three to five steps reach rounding; what did not is NaN.

    Parameters
    ----------
    m : int
        Order of T.
    first : int
        The first eigenvector of the eight.
    norm : float
        Of T.
    work : EigenWork
        With T and the bounds; `vectors` and `values` are filled.
    """
    factor = work.factor
    shift, tiny = 0.5 * (get(work.bounds, LOWER) + get(work.bounds, UPPER)), 1e-16 * norm
    for step in range(STEPS):
        _substitute_forward(m, first, step, shift, tiny, work)
        square = _substitute_back(m, first, work)
        _finish_step(m, first, shift, square, work)
        shift = get(work.values, first)
        # The length of a solution is 1 over the residual.
        largest = 0.0
        for j in range(LANES):
            largest = max(largest, factor[j])
        if step > 1 and largest <= RESIDUAL * m * norm:
            break
    for j in range(LANES):
        value = work.values[first + j]
        inside = work.bounds[LOWER + j] <= value <= work.bounds[UPPER + j]
        if not (inside and factor[j] <= RESIDUAL * m * norm):
            work.values[first + j] = math.nan


@part
def _finish_step(m: int, first: int, shift: Floats, square: Floats, work: EigenWork) -> None:
    """Normalise eight vectors, and write their Rayleigh quotients and residual bounds."""
    diagonal, beside, factor = work.reduction.diagonal, work.reduction.beside, work.factor
    columns, entries = work.vectors.shape[1], work.vectors.reshape(work.vectors.size)
    put(factor, 0, square)
    for j in range(LANES):
        factor[j] = 1.0 / math.sqrt(factor[j])
    scale = get(factor, 0)
    before = 0.0 * scale
    quotient = 0.0 * scale
    for i in range(m):
        place = i * columns + first
        z = scale * get(entries, place)
        put(entries, place, z)
        quotient = quotient + (diagonal[i] - shift) * z * z
        if i > 0:
            quotient = quotient + 2.0 * beside[i - 1] * before * z
        before = z
    put(work.values, first, shift + quotient)
