"""Eigenvectors of the largest eigenvalues of a symmetric band matrix: shift-invert Lanczos.

The matrix K is given by its lower band: [i, b] is the entry (i, i-b). Each step solves with
shift I - K, the shift just above the largest eigenvalue not yet found, so that a step costs O(n)
and the steps hardly grow with n, even where the wanted eigenvalues are close to the next ones.
By Sylvester's law the factor of shift I - K has as many negative pivots as K has eigenvalues above
the shift: each shift also proves that none was overlooked.
"""

import math
from typing import NamedTuple

import numpy as np

from mcbrain.kernels.jit import kernel
from mcbrain.kernels.linear.band_factor import factorise, solve
from mcbrain.kernels.linear.implicit_ql import tridiagonal_eigen
from mcbrain.kernels.linear.lapack import dgemm, dgemv
from mcbrain.typing import Floats

_TOLERANCE = 1e-12  # of the angle between the computed and the true subspace
_ROUNDING = 4e-16  # no residual falls below this part of the largest eigenvalue
_INVARIANT = 1e-12  # a next direction this small is rounding: the space is invariant


class Krylov(NamedTuple):
    """Room for the factor of shift I - K and for the Lanczos basis.

    Attributes
    ----------
    factor : ndarray, shape (n, h+1)
        L and D of the factor LDL': [i, h-b] is L_{i,i-b}, [i, h] is 1/D_i.
    basis : ndarray, shape (steps, n)
        Orthonormal rows.
    alpha : ndarray, shape (steps,)
        Diagonal of the projected matrix.
    beta : ndarray, shape (steps,)
        Its off-diagonal, the last one being the residual norm.
    rotation : ndarray, shape (steps, steps)
        Its eigenvectors, in rows.
    values : ndarray, shape (3, steps)
        scratch: eigenvalues, off-diagonal, coefficients.
    vector : ndarray, shape (n,)
        scratch.
    """

    factor: Floats
    basis: Floats
    alpha: Floats
    beta: Floats
    rotation: Floats
    values: Floats
    vector: Floats


def open_krylov(n: int, half: int, rank: int) -> Krylov:
    """Make room for matrices of up to n rows and half-bandwidth `half`.

    Parameters
    ----------
    n : int
        The most rows.
    half : int
        Half-bandwidth of the matrix.
    rank : int
        How many eigenvectors are wanted.

    Returns
    -------
    Krylov
        Not initialised.
    """
    steps = min(n, 3 * rank + 60)
    return Krylov(
        np.empty((n, half + 1)),
        np.empty((steps, n)),
        np.empty(steps),
        np.empty(steps),
        np.empty((steps, steps)),
        np.empty((3, steps)),
        np.empty(n),
    )


@kernel
def _remove(rows: Floats, count: int, n: int, vector: Floats, scratch: Floats) -> None:
    """Subtract from `vector` (n,) its components along the first `count` orthonormal rows."""
    if count > 0:
        ld = rows.shape[1]
        dgemv("T", n, count, 1.0, rows, ld, vector, 1, 0.0, scratch, 1)
        dgemv("N", n, count, -1.0, rows, ld, scratch, 1, 1.0, vector, 1)


@kernel
def _normalise(vector: Floats, n: int, out: Floats) -> float:
    """Write the unit vector to `out` and return the norm."""
    norm = 0.0
    for i in range(n):
        norm += vector[i] * vector[i]
    norm = math.sqrt(norm)
    for i in range(n):
        out[i] = vector[i] / norm if norm > 0.0 else 0.0
    return norm


@kernel
def _lanczos(krylov: Krylov, n: int, found: Floats, locked: int, begin: int, end: int) -> int:
    """Take the steps `begin` to `end`; return how many there are when the space is invariant."""
    basis, w, scratch = krylov.basis, krylov.vector, krylov.values[2]
    for step in range(begin, end):
        for i in range(n):
            w[i] = basis[step, i]
        solve(krylov.factor, n, w)
        for sweep in range(2):
            _remove(found, locked, n, w, scratch)
            _remove(basis, step + 1, n, w, scratch)
            if sweep == 0:
                krylov.alpha[step] = scratch[step]
        krylov.beta[step] = _normalise(w, n, w)
        if krylov.beta[step] <= _INVARIANT * abs(krylov.alpha[0]):
            return step + 1
        if step + 1 < basis.shape[0]:
            for i in range(n):
                basis[step + 1, i] = w[i]
    return end


@kernel
def _project(krylov: Krylov, steps: int, wanted: int, invariant: bool) -> int:
    """Diagonalise the projected matrix; bring the `wanted` + 1 largest to the front, in order.

    Returns how many of the `wanted` span, from the first on, a space that has converged: its
    residual is `_TOLERANCE` of the gap to the next value.
    """
    values, off, rows = krylov.values[0], krylov.values[1], krylov.rotation
    for j in range(steps):
        values[j], off[j] = krylov.alpha[j], krylov.beta[j]
    tridiagonal_eigen(values, off, steps, rows)
    converged, residual = 0, 0.0
    for i in range(min(wanted + 1, steps)):
        best = i
        for j in range(i + 1, steps):
            if values[j] > values[best]:
                best = j
        if best != i:
            values[i], values[best] = values[best], values[i]
            for j in range(steps):
                rows[i, j], rows[best, j] = rows[best, j], rows[i, j]
        enough = max(_TOLERANCE * (values[i - 1] - values[i]), _ROUNDING * values[0])
        if i > 0 and residual <= enough:
            converged = i
        residual = max(residual, abs(rows[i, steps - 1]) * krylov.beta[steps - 1])
    return min(wanted, steps) if invariant else converged


@kernel
def _ritz_vectors(krylov: Krylov, n: int, steps: int, count: int, out: Floats) -> None:
    """Write the first `count` eigenvectors to the rows of `out` (count or more, N)."""
    basis, rows = krylov.basis, krylov.rotation
    dgemm(
        "N", "N", n, count, steps, 1.0, basis, basis.shape[1], rows, rows.shape[1],
        0.0, out, out.shape[1],
    )  # fmt: skip


@kernel
def _restart(krylov: Krylov, n: int, steps: int, begin: int, end: int) -> None:
    """Begin a new basis with the sum of the eigenvectors `begin` to `end`."""
    weights, basis = krylov.values[2], krylov.basis
    for j in range(steps):
        weights[j] = 0.0
        for i in range(begin, end):
            weights[j] += krylov.rotation[i, j]
    dgemv("N", n, steps, 1.0, basis, basis.shape[1], weights, 1, 0.0, krylov.vector, 1)
    _normalise(krylov.vector, n, basis[0])


@kernel
def _move_shift(
    gram: Floats, n: int, krylov: Krylov, locked: int, largest: float, spread: float, top: float
) -> float:
    """Factor at a shift between `largest`, the estimate of the next eigenvalue, and `top`.

    `largest` is a lower bound: where it is so loose that the shift does not separate the locked
    eigenvalues from the others, the shift moves on to half way to `top`.
    """
    shift = min(largest + max(0.3 * spread, 1e-9 * abs(top)), 0.5 * (largest + top))
    for _ in range(50):
        above = factorise(gram, n, shift, krylov.factor)
        if above == locked:
            break
        if above > locked:
            shift = min(2.0 * shift - largest, 0.5 * (shift + top))
        else:
            shift = 0.5 * (largest + shift)
    return shift


@kernel
def leading_vectors(gram: Floats, n: int, krylov: Krylov, out: Floats) -> bool:
    """Find the eigenvectors of the largest eigenvalues of the leading n x n part of a matrix.

    The first shift is Gershgorin's bound. Whatever has not converged after a few steps is looked
    for again from a shift just above it, orthogonally to what has: eigenvalues that stand out,
    and those at the edge of a continuum, each need a shift of their own.

    Parameters
    ----------
    gram
        (N, h+1) lower band: [i, b] is the entry (i, i-b).
    n
        Rows of the leading part, at most N.
    krylov
        Room.
    out
        (rank, N) orthonormal rows that span the subspace; columns from n on are untouched.

    Returns
    -------
    bool
        Whether the subspace has converged to `_TOLERANCE`.
    """
    rank, room = out.shape[0], krylov.basis.shape[0]
    shift = _gershgorin(gram, n)
    top, values = shift, krylov.values[0]
    factorise(gram, n, shift, krylov.factor)
    locked = n - n
    for i in range(n):
        krylov.vector[i] = 1.0 if i < max(rank, gram.shape[1] // 2) else 0.0
    _normalise(krylov.vector, n, krylov.basis[0])
    for stage in range(2 * rank + 6):
        wanted, dimension = rank - locked, n - locked
        limit = min(room, min(dimension, wanted + (10 if stage == 0 else 40)))
        steps, goal = n - n, min(limit, wanted + 10)
        while True:
            steps = _lanczos(krylov, n, out, locked, steps, goal)
            invariant = steps < goal or steps == dimension
            converged = _project(krylov, steps, wanted, invariant)
            if converged == wanted or invariant or steps == limit:
                break
            if converged > 0 and steps >= wanted + 20:
                break
            goal = min(limit, steps + max(4, steps // 4))
        _ritz_vectors(krylov, n, steps, converged, out[locked:])
        if converged == wanted:
            return True
        if invariant:
            return False
        largest, last = shift - 1.0 / values[converged], min(wanted, steps - 1)
        spread = 1.0 / values[last] - 1.0 / values[converged]
        if converged > 0:
            top = shift - 1.0 / values[converged - 1]
        _restart(krylov, n, steps, converged, wanted)
        locked += converged
        shift = _move_shift(gram, n, krylov, locked, largest, abs(spread), top)
    # Write what there is: the caller learns that it has not converged.
    _ritz_vectors(krylov, n, steps, rank - locked, out[locked:])
    return False


@kernel
def _gershgorin(gram: Floats, n: int) -> float:
    """Return a number above every eigenvalue."""
    bound = 0.0
    half = gram.shape[1] - 1
    for i in range(n):
        total = gram[i, 0]
        for b in range(1, min(half, i) + 1):
            total += abs(gram[i, b])
        for b in range(1, min(half, n - 1 - i) + 1):
            total += abs(gram[i + b, b])
        bound = max(bound, total)
    return bound * (1.0 + 1e-9) if bound > 0.0 else 1.0
