"""Leading eigenvectors of a symmetric matrix, eight at a time (`lanes`)."""

import math

import numpy as np

from mcbrain.kernels.jit import kernel, part
from mcbrain.kernels.linear.householder import (
    PLAIN,
    Reduction,
    load_symmetric,
    reflect,
    tridiagonalise,
)
from mcbrain.kernels.linear.inverse_iteration import (
    EigenWork,
    bisect,
    inverse_iterate,
)
from mcbrain.kernels.linear.lapack import dstemr
from mcbrain.kernels.types import LANES, LOST, ROUNDING, SOUND
from mcbrain.typing import Floats

VALUE_ERROR = 5e-16
"""What an eigenvalue is off at most, as a share of the order of T times its norm: its residual and
the rounding of a count. What counts as 0 is larger."""


@part
def _count_above(m: int, x: float, reduction: Reduction) -> int:
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
def _is_settled(m: int, r: int, norm: float, work: EigenWork) -> bool:
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
    return _count_above(m, least + error, work.reduction) < r


@kernel
def _fall_back(m: int, r: int, work: EigenWork) -> int:
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

    Parameters
    ----------
    matrix : ndarray, shape (m m or more in all,)
        The matrix, at the start of its array.
    m : int
        Its order.
    r : int
        How many eigenvectors.
    work : EigenWork
        With a reduction of order m; `vectors` and `values` are filled.

    Returns
    -------
    int
        SOUND or LOST.
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
    if not _is_settled(m, r, norm, work) and _fall_back(m, r, work) != 0:
        return LOST
    reflect(m, reduction, PLAIN, work.vectors)
    # Written so that a NaN is a failure too; rounding has left 1.3 m of its unit where there is 0.
    return SOUND if work.values[r - 1] > 8.0 * ROUNDING * m * work.values[0] else LOST
