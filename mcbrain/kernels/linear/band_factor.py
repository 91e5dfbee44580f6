"""Symmetric band matrices: LDL' of shift I - K, and solutions (`leading`)."""

from mcbrain.kernels.jit import kernel
from mcbrain.typing import Floats


@kernel
def factorise(gram: Floats, n: int, shift: float, factor: Floats) -> int:
    """Factor shift I - K = LDL'; returns how many eigenvalues of K are above the shift.

    Parameters
    ----------
    gram : ndarray, shape (N, h + 1)
        Lower band of K.
    n : int
        Rows of its leading part.
    shift : float
        The shift.
    factor : ndarray, shape (N, h + 1)
        Filled, as `Krylov.factor`.

    Returns
    -------
    int
        Negative pivots.
    """
    half = gram.shape[1] - 1
    above = 0
    for i in range(n):
        begin = max(0, i - half)
        pivot = shift - gram[i, 0]
        for j in range(begin, i):
            # Here row i holds L_it D_t for t < j, so that the sum needs one product a term.
            value = -gram[i, i - j]
            for t in range(max(begin, j - half), j):
                value -= factor[i, half - i + t] * factor[j, half - j + t]
            factor[i, half - i + j] = value
        for j in range(begin, i):
            value = factor[i, half - i + j]
            scaled = value * factor[j, half]
            pivot -= value * scaled
            factor[i, half - i + j] = scaled
        if pivot <= 0.0:
            above += 1
            pivot = min(pivot, -1e-300)
        factor[i, half] = 1.0 / pivot
    return above


@kernel
def solve(factor: Floats, n: int, vector: Floats) -> None:
    """Solve LDL' x = b in place.

    Parameters
    ----------
    factor : ndarray, shape (N, h + 1)
        As `factorise` leaves it.
    n : int
        Rows of the leading part.
    vector : ndarray, shape (N,)
        b, overwritten by x.
    """
    half = factor.shape[1] - 1
    for i in range(n):
        value = vector[i]
        for j in range(max(0, i - half), i):
            value -= factor[i, half - i + j] * vector[j]
        vector[i] = value
    for i in range(n - 1, -1, -1):
        value = vector[i] * factor[i, half]
        for j in range(i + 1, min(i + half + 1, n)):
            value -= factor[j, half - j + i] * vector[j]
        vector[i] = value
