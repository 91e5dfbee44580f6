"""Stage 2 below d samples, from XX' (`solve`)."""

import math

import numpy as np

from mcbrain.kernels.jit import helper, kernel, part
from mcbrain.kernels.linear.householder import PLAIN, reflect
from mcbrain.kernels.linear.lanes import get, put
from mcbrain.kernels.linear.lapack import dgemm, dgeqrf, dormqr, dsyrk, dtrsm
from mcbrain.kernels.task.solve import Bases, Solved, reduce_matrix, solve_rotated
from mcbrain.kernels.task.solve_work import SolveWork
from mcbrain.kernels.types import DUAL, ESTIMATED, FINE, LANES, MEASURED, SINGULAR, Fits
from mcbrain.typing import Floats

DEPENDENT = 1e-9
"""Share of the longest row of X below which an entry on the diagonal of R may be 0."""


@part
def reduce_dual(X: Floats, work: SolveWork) -> None:
    """Write XX' to `work.matrix` and tridiagonalise it.

    Parameters
    ----------
    X : ndarray, shape (n, d)
        Inputs.
    work : SolveWork
        `matrix` and `reduction` are filled.
    """
    n, d = X.shape
    dsyrk("L", "T", n, d, 1.0, X, d, 0.0, work.matrix, n)
    reduce_matrix(work)


@kernel
def _minimum_norm_inside(X: Floats, y: Floats, basis: Floats, work: SolveWork, out: Floats) -> int:
    """Write the minimum-norm interpolator inside span(basis) to `out` (d,), n <= r.

    With Z' = (X basis')' = QR, (r, n), the coefficients along the basis are Q R'^-1 y.
    `work.matrix` holds XX'. Returns SINGULAR if Z has not full rank, or hardly.
    """
    n, d = X.shape
    r = basis.shape[0]
    coefficients, scratch = work.coefficients, work.scratch
    dgemm("T", "N", r, n, d, 1.0, basis, d, X, d, 0.0, work.projected, r)
    dgeqrf(r, n, work.projected, r, work.reflectors, scratch, scratch.size)
    smallest, largest = np.inf, 0.0
    for i in range(n):
        entry = abs(work.projected[i * r + i])
        smallest = min(smallest, entry)
        largest = max(largest, max(entry, math.sqrt(work.matrix[i, i])))
    if not smallest > DEPENDENT * largest:
        return SINGULAR
    for a in range(r):
        coefficients[a] = y[a] if a < n else 0.0
    dtrsm("L", "U", "T", "N", n, 1, 1.0, work.projected, r, coefficients, r)
    dormqr(
        "L", "N", r, 1, n, work.projected, r, work.reflectors, coefficients, r,
        scratch, scratch.size,
    )  # fmt: skip
    for i in range(d):
        out[i] = 0.0
    for a in range(r):
        for i in range(d):
            out[i] += coefficients[a] * basis[a, i]
    return FINE


@helper
def _interpolate_inside(
    X: Floats, y: Floats, code: int, basis: Floats, fits: Fits, work: SolveWork, solved: Solved
) -> None:
    """Overwrite the fits of a subspace with r >= n_T that do not penalise inside it."""
    coefs = solved.coefs
    if basis.shape[0] < X.shape[0]:
        return
    failed = _minimum_norm_inside(X, y, basis, work, work.moment)
    for lane in range(coefs.shape[1]):
        fit = fits.batches[lane // LANES, lane % LANES]
        free = fits.eta[fit] == 0.0 and fits.penalty_sum[fit] >= 0.0
        if fits.subspace[fit] == code and free:
            solved.failures[fit] = failed
            for i in range(coefs.shape[0]):
                coefs[i, lane] = work.moment[i]


@helper
def _add_inside(basis: Floats, place: int, work: SolveWork, coefs: Floats) -> None:
    """Add what a batch has along the rows of `basis` (r, d)."""
    every = coefs.shape[1]
    entries, inside = coefs.reshape(coefs.size), work.inside.reshape(work.inside.size)
    for i in range(coefs.shape[0]):
        value = get(entries, i * every + LANES * place)
        for a in range(basis.shape[0]):
            value = value + basis[a, i] * get(inside, a * every + LANES * place)
        put(entries, i * every + LANES * place, value)


@part
def solve_dual(
    X: Floats, y: Floats, bases: Bases, fits: Fits, work: SolveWork, solved: Solved
) -> None:
    """Write beta_hat of every lane from X (n, d) and y (n,), n < d, after `reduce_dual`.

    Fits with eta = 0 and n <= r interpolate inside P, whatever the penalty.

    Parameters
    ----------
    X : ndarray, shape (n, d)
        Inputs.
    y : ndarray, shape (n,)
        Labels.
    bases : Bases
        The subspaces.
    fits : Fits
        What is fitted.
    work : SolveWork
        With XX' and its T.
    solved : Solved
        Filled.
    """
    estimated, measured, coefs = bases.estimated, bases.measured, solved.coefs
    (n, d), (m, columns), every = X.shape, work.rotated.shape, coefs.shape[1]
    r_e, r_m = estimated.shape[0], measured.shape[0]
    rotated = work.rotated.reshape(m * columns)
    for i in range(n):
        work.rotated[i, 0] = y[i]
    dgemm("T", "N", r_e, n, d, 1.0, estimated, d, X, d, 0.0, rotated[1:], columns)
    dgemm("T", "N", r_m, n, d, 1.0, measured, d, X, d, 0.0, rotated[1 + r_e :], columns)
    solve_rotated(DUAL, fits, work, work.tall, solved.failures)
    reflect(n, work.reduction, PLAIN, work.tall)
    dgemm("N", "T", every, d, n, 1.0, work.tall, every, X, d, 0.0, coefs, every)
    for place in range(fits.batches.shape[0]):
        code = fits.subspace[fits.batches[place, 0]]
        if code == ESTIMATED:
            _add_inside(estimated, place, work, coefs)
        elif code == MEASURED:
            _add_inside(measured, place, work, coefs)
    _interpolate_inside(X, y, ESTIMATED, estimated, fits, work, solved)
    _interpolate_inside(X, y, MEASURED, measured, fits, work, solved)
