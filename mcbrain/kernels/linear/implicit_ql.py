"""All eigenvectors of a small symmetric tridiagonal matrix."""

import math

from mcbrain.kernels.jit import kernel
from mcbrain.typing import Floats


@kernel
def tridiagonal_eigen(diagonal: Floats, off: Floats, size: int, rows: Floats) -> None:
    """Diagonalise a symmetric tridiagonal matrix by implicit QL steps (EISPACK's imtql2).

    `diagonal` (size,) becomes the eigenvalues, `off` (size,) is destroyed; the rows of `rows`
    become the eigenvectors. No order.

    Parameters
    ----------
    diagonal : ndarray, shape (size,)
        The diagonal; becomes the eigenvalues.
    off : ndarray, shape (size,)
        The entries beside it, and room for one more; destroyed.
    size : int
        Order of the matrix.
    rows : ndarray, shape (size, size)
        Filled with the eigenvectors.
    """
    for i in range(size):
        for j in range(size):
            rows[i, j] = 1.0 if i == j else 0.0
    off[size - 1] = 0.0
    for l in range(size):  # noqa: E741 - the name of the algorithm
        for _ in range(60):
            m = l
            while m < size - 1:
                scale = abs(diagonal[m]) + abs(diagonal[m + 1])
                if abs(off[m]) <= 1.1e-16 * scale:
                    break
                m += 1
            if m == l:
                break
            _implicit_step(diagonal, off, rows, l, m, size)


@kernel
def _implicit_step(
    diagonal: Floats, off: Floats, rows: Floats, low: int, high: int, size: int
) -> None:
    """Do one QL step with Wilkinson's shift on the unreduced block low..high."""
    g = (diagonal[low + 1] - diagonal[low]) / (2.0 * off[low])
    r = math.sqrt(g * g + 1.0)
    g = diagonal[high] - diagonal[low] + off[low] / (g + (r if g >= 0.0 else -r))
    s, c, p = 1.0, 1.0, 0.0
    for i in range(high - 1, low - 1, -1):
        f, b = s * off[i], c * off[i]
        r = math.sqrt(f * f + g * g)
        off[i + 1] = r
        if r == 0.0:
            diagonal[i + 1] -= p
            off[high] = 0.0
            return
        s, c = f / r, g / r
        g = diagonal[i + 1] - p
        r = (diagonal[i] - g) * s + 2.0 * c * b
        p = s * r
        diagonal[i + 1] = g + p
        g = c * r - b
        for j in range(size):
            x, y = rows[i, j], rows[i + 1, j]
            rows[i + 1, j] = s * x + c * y
            rows[i, j] = c * x - s * y
    diagonal[low] -= p
    off[low] = g
    off[high] = 0.0
