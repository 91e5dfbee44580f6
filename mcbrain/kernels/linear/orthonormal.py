"""Orthonormal rows, by Gram-Schmidt."""

import numpy as np

from mcbrain.kernels.jit import kernel, sum_helper
from mcbrain.kernels.types import LOST, SOUND
from mcbrain.typing import Floats

DEPENDENT = 1e-20
"""Share of the square of a row below which what is new in it is rounding."""


@sum_helper
def dot(x: Floats, y: Floats) -> float:
    """Return x'y.

    Parameters
    ----------
    x : ndarray, shape (n,)
        A vector.
    y : ndarray, shape (n,)
        Another.

    Returns
    -------
    float
        Their product.
    """
    total = 0.0
    for i in range(x.size):
        total += x[i] * y[i]
    return total


@kernel
def orthonormalise(rows: Floats) -> int:
    """Make the rows (r, d) orthonormal in place, by Gram-Schmidt done twice; LOST if dependent.

    Twice is enough (Giraud, Langou & Rozloznik 2005) while the rows are independent.

    Parameters
    ----------
    rows : ndarray, shape (r, d)
        Overwritten.

    Returns
    -------
    int
        SOUND or LOST.
    """
    r, d = rows.shape
    for a in range(r):
        row = rows[a]
        before = dot(row, row)
        for _ in range(2):
            for b in range(a):
                weight = dot(row, rows[b])
                for j in range(d):
                    row[j] -= weight * rows[b, j]
        after = dot(row, row)
        # Written so that a NaN is a failure too.
        if not after > DEPENDENT * before:
            return LOST
        for j in range(d):
            row[j] /= np.sqrt(after)
    return SOUND
