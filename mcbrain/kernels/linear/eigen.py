"""Leading eigenvectors of a symmetric matrix, eight at a time (`lanes`)."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mcbrain.kernels.jit import kernel, part
from mcbrain.kernels.linear.householder import (
    PLAIN,
    Reduction,
    load_symmetric,
    make_reduction,
    reflect,
    tridiagonalise,
)
from mcbrain.kernels.linear.lanes import get, padded, positive, put
from mcbrain.kernels.linear.lapack import dstemr
from mcbrain.kernels.types import LANES, LOST, ROUNDING, SOUND
from mcbrain.typing import Floats

VALUE_ERROR = 5e-16
"""What an eigenvalue is off at most, as a share of the order of T times its norm: its residual and
the rounding of a count. What counts as 0 is larger."""

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
    """Buffers for r leading eigenvectors of (m, m) matrices; R is r rounded up to eights."""

    reduction: Reduction
    vectors: Floats
    """(m, R) eigenvectors as columns, the largest eigenvalue first."""
    values: Floats
    """(R,) eigenvalues, falling."""
    bounds: Floats
    """(16,) an interval around each eigenvalue of an eight: all lower ends, then all upper ones."""
    factor: Floats
    """(16 m,) of each row of a shifted factorisation: an eight of 1/pivots, then one of ratios."""
    spare: Floats
    """(m r + 3 m + 18 m,) for the fallback."""
    integers: NDArray[np.int32]
    """(12 m + 2,) for the fallback."""


def make_eigen_work(m: int, r: int) -> EigenWork:
    """Return room for r eigenvectors of matrices up to (m, m)."""
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
def inverse_iterate(m: int, first: int, norm: float, work: EigenWork) -> None:
    """Find eight eigenvectors by Rayleigh quotient iteration from the middles of `bounds`.

    The enclosures are so narrow that three to five steps reach rounding; what did not is NaN.
    """
    diagonal, beside, factor = work.reduction.diagonal, work.reduction.beside, work.factor
    columns, entries = work.vectors.shape[1], work.vectors.reshape(work.vectors.size)
    shift, tiny = 0.5 * (get(work.bounds, LOWER) + get(work.bounds, UPPER)), 1e-16 * norm
    for step in range(STEPS):
        # T - shift = L D L'; the first step starts from L times ones.
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
        z = get(entries, (m - 1) * columns + first) * get(factor, PAIR * (m - 1))
        put(entries, (m - 1) * columns + first, z)
        square = z * z
        for i in range(m - 2, -1, -1):
            place = i * columns + first
            lower = get(factor, PAIR * (i + 1) + LANES)
            z = get(entries, place) * get(factor, PAIR * i) - lower * z
            put(entries, place, z)
            square = square + z * z
        finish_step(m, first, shift, square, work)
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
def finish_step(m: int, first: int, shift: Floats, square: Floats, work: EigenWork) -> None:
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


@part
def count_above(m: int, x: float, reduction: Reduction) -> int:
    """Return how many eigenvalues of T are above x, by Sylvester's law."""
    diagonal, beside = reduction.diagonal, reduction.beside
    above, pivot = 0, 0.0
    for i in range(m):
        square = beside[i - 1] * beside[i - 1] if i > 0 else 0.0
        # Where T falls apart nothing is left of the pivot before, be it 0.
        pivot = diagonal[i] - x - (square / pivot if square > 0.0 else 0.0)
        if pivot > 0.0:
            above += 1
    return above


@part
def is_settled(m: int, r: int, norm: float, work: EigenWork) -> bool:
    """Say whether every eigenvector was found, none twice, and none in place of a larger one.

    An enclosure may hold several eigenvalues, and the iteration ends at any one of them.
    """
    vectors, values, error = work.vectors, work.values, VALUE_ERROR * m * norm
    least = np.inf
    for a in range(r):
        if math.isnan(values[a]):
            return False
        least = min(least, values[a])
        for b in range(a):
            if b == a - 1 or abs(values[a] - values[b]) <= error:
                product = 0.0
                for i in range(m):
                    product += vectors[i, b] * vectors[i, a]
                if abs(product) > 0.1:
                    return False
    return count_above(m, least + error, work.reduction) < r


@kernel
def fall_back(m: int, r: int, work: EigenWork) -> int:
    """Find the eigenvectors of T by LAPACK, which keeps those of equal eigenvalues apart."""
    spare, integers = work.spare, work.integers
    vectors, values = spare[: m * r], spare[m * r : m * (r + 1)]
    diagonal, beside = spare[m * (r + 1) : m * (r + 2)], spare[m * (r + 2) : m * (r + 3)]
    for i in range(m):
        diagonal[i], beside[i] = work.reduction.diagonal[i], work.reduction.beside[i]
    integers[1] = 1
    info = dstemr(
        "V", "I", m, diagonal, beside, 0.0, 0.0, m - r + 1, m, integers, values, vectors, m, r,
        integers[2:], integers[1:], spare[m * (r + 3) :], 18 * m, integers[2 + 2 * m :], 10 * m,
    )  # fmt: skip
    if info != 0 or integers[0] != r:
        return 1
    for a in range(r):
        work.values[a] = values[r - 1 - a]
        for i in range(m):
            work.vectors[i, a] = vectors[(r - 1 - a) * m + i]
    return 0


@kernel
def leading_eigenvectors(matrix: Floats, m: int, r: int, work: EigenWork) -> int:
    """Write the top-r eigenvectors of the upper triangle of `matrix` (m, m) to `work.vectors`.

    `matrix` lies at the start of its array; `work.reduction` is of size m. Returns LOST if the rank
    is below r, or if `matrix` is not finite.
    """
    reduction = work.reduction
    load_symmetric(matrix, m, reduction)
    tridiagonalise(m, reduction)
    norm = 0.0
    for i in range(m):
        row = abs(reduction.diagonal[i])
        row += abs(reduction.beside[i]) if i < m - 1 else 0.0
        row += abs(reduction.beside[i - 1]) if i > 0 else 0.0
        # Written so that a NaN stays.
        norm = norm if row <= norm else row
    if not norm < np.inf:
        return LOST
    for first in range(0, r, LANES):
        bisect(m, first, r, norm, work)
        inverse_iterate(m, first, norm, work)
    if not is_settled(m, r, norm, work) and fall_back(m, r, work) != 0:
        return LOST
    reflect(m, reduction, PLAIN, work.vectors)
    # Written so that a NaN is a failure too; rounding has left 1.3 m of its unit where there is 0.
    return SOUND if work.values[r - 1] > 8.0 * ROUNDING * m * work.values[0] else LOST
