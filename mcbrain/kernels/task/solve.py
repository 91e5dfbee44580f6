"""Stage 2: every estimator at every penalty from one tridiagonal form (theory/README.md 2).

beta_hat minimises |y - X beta|^2 + lambda beta'((I - P) + eta P)beta, lambda = n_T times the
penalty per sample and P = AA' (A orthonormal columns; as arrays, rows). With M = (G + lambda)^-1
and Woodbury's identity,

    beta_hat = M c + (1 - eta) lambda M A S^-1 A'M c,   S = A'(G + eta lambda) M A,

where nothing is subtracted. For n_T < d the same in the dual, N = (XX' + lambda)^-1, Z = XA:

    beta_hat = X'N (y - (1 - eta) Z x) + (1 - eta) A x,   S x = Z'N y,
    S = (1 - eta) Z'N Z + eta I,

which at lambda = 0 is the limit lambda -> 0+. G, or XX', is reduced to Q T Q' once; then all of
it is O(n) for each penalty.
"""

from typing import NamedTuple

from mcbrain.kernels.jit import helper, part
from mcbrain.kernels.linear.householder import (
    PLAIN,
    TRANSPOSED,
    load_symmetric,
    reflect,
    tridiagonalise,
)
from mcbrain.kernels.linear.lanes import get, put
from mcbrain.kernels.linear.lapack import dgemm
from mcbrain.kernels.linear.tridiagonal import (
    ALONG,
    FINITE,
    INNER,
    NEGATIVE,
    NEGATIVE_INSIDE,
    SECOND,
    SHIFT,
    SMALLEST,
    SMALLEST_INSIDE,
    assemble_inside,
    combine,
    factorise,
    solve_inside,
    substitute,
)
from mcbrain.kernels.task.solve_work import SolveWork
from mcbrain.kernels.types import (
    DUAL,
    ESTIMATED,
    FINE,
    LANES,
    MEASURED,
    NO_SUBSPACE,
    NOT_POSITIVE_DEFINITE,
    PRIMAL,
    ROUNDING,
    SINGULAR,
    SUSPECT,
    UNKNOWN_CODE,
    CodeArray,
    Fits,
)
from mcbrain.typing import Floats

SUSPECT_INSIDE = 1e4 * ROUNDING
"""As `SUSPECT`, of the pivots of S: these may be larger than its smallest eigenvalue."""


class Bases(NamedTuple):
    """The subspaces of a replicate, orthonormal rows each; none where no fit uses one.

    Attributes
    ----------
    estimated : ndarray, shape (r, d)
    measured : ndarray, shape (rank, d)
    """

    estimated: Floats
    measured: Floats


class Solved(NamedTuple):
    """What becomes of the fits of a replicate.

    Attributes
    ----------
    coefs : ndarray, shape (d, lanes)
        beta_hat as columns: column LANES b + j is that of fit ``fits.batches[b, j]``.
    failures : ndarray of int8, shape (fits,)
        Why a fit has no solution.
    """

    coefs: Floats
    failures: CodeArray


@helper
def _verdict(parameters: Floats, found: Floats, j: int, form: int, r: int, m: int) -> int:
    """Say whether lane j has a solution: FINE, SINGULAR or NOT_POSITIVE_DEFINITE.

    SINGULAR is a matrix that is singular up to rounding, or too nearly so for what stands on it:
    singular values must decide (`singular`). S inherits the rounding of (T + lambda)^-1.

    For lambda < 0, [[G + lambda, A], [A', I/((1-eta) lambda)]] has the inertia of either block
    plus that of the other's Schur complement (Haynsworth): with n(.) counting negative
    eigenvalues, n(G + lambda Omega) = n(T + lambda) + n(s S) - (r if s < 0 else 0),
    s = sign((1-eta) lambda), so for s < 0 it is n(T + lambda) - n(S): the two must be equal. In
    the dual G is singular, and no negative penalty leaves it positive definite.
    """
    shift, finite, inner = parameters[SHIFT + j], parameters[FINITE + j], parameters[INNER + j]
    smallest, inside = found[SMALLEST + j], found[NEGATIVE_INSIDE + j]
    if shift < 0.0:
        negative = found[NEGATIVE + j]
        if r > 0 and inner != 0.0:
            negative += -inside if inner < 0.0 else inside
        return NOT_POSITIVE_DEFINITE if form == DUAL or negative != 0.0 else FINE
    # Written so that a NaN is a failure too, at an infinite penalty as well.
    if not smallest > (SUSPECT * m if finite == 1.0 else 0.0):
        return SINGULAR
    if r > 0 and (inner != 0.0 or finite == 0.0):
        digits = min(smallest, 1.0) if finite == 1.0 else 1.0
        if not digits * found[SMALLEST_INSIDE + j] > SUSPECT_INSIDE * r:
            return SINGULAR
    return FINE


@part
def _prepare(start: int, r: int, form: int, work: SolveWork) -> None:
    """Lay out c and the r rotated basis vectors from column `start` on as right and left factors.

    The left rows are c, those of S1 (T A, in the dual Z) and those of S2 (A).
    """
    m = work.rotated.shape[0]
    left, right, rotated, width = work.left, work.right, work.rotated, 1 + r
    diagonal, beside = work.reduction.diagonal, work.reduction.beside
    for i in range(m):
        right[i * width] = rotated[i, 0]
        left[i] = rotated[i, 0]
        for a in range(r):
            right[i * width + 1 + a] = rotated[i, start + a]
    for a in range(r):
        first, second = (1 + a) * m, (1 + r + a) * m
        for i in range(m):
            left[second + i] = rotated[i, start + a]
        for i in range(m):
            entry = left[second + i]
            if form == PRIMAL:
                entry *= diagonal[i]
                entry += beside[i - 1] * left[second + i - 1] if i > 0 else 0.0
                entry += beside[i] * left[second + i + 1] if i < m - 1 else 0.0
            left[first + i] = entry


@part
def _solve_batch(r: int, place: int, work: SolveWork, out: Floats) -> None:
    """Solve the eight fits of a batch, of one subspace of rank r, into `out` (m, lanes)."""
    m, width, every = out.shape[0], 1 + r, out.shape[1]
    parameters, sums, solution = work.parameters[place], work.sums, work.solution
    reduction = work.reduction
    right = work.right[: m * width].reshape(m, width)
    factorise(
        reduction.diagonal, reduction.beside, m, parameters, work.inverse, work.ratio, work.found
    )
    substitute(right, work.inverse, work.ratio, solution)
    if r > 0:
        # One product gives A'M c, S1 and, where some eta is not 0, S2 for all eight.
        rows = 1 + r
        for j in range(LANES):
            if parameters[SECOND + j] != 0.0:
                rows = 1 + 2 * r
        dgemm(
            "N", "N", LANES * r, rows, m, 1.0, solution[LANES:], LANES * width, work.left, m,
            0.0, sums, LANES * r,
        )  # fmt: skip
        assemble_inside(r, parameters, sums)
        solve_inside(r, sums, work.found)
    combine(r, width, parameters, sums, solution, LANES * place, out)
    outside, inside = get(parameters, ALONG), work.inside.reshape(work.inside.size)
    for a in range(r):
        put(inside, a * every + LANES * place, outside * get(sums, LANES * a))


@part
def _share_inverses(
    r: int,
    place: int,
    form: int,
    fits: Fits,
    work: SolveWork,
    out: Floats,
    failures: CodeArray,
) -> None:
    """Finish the earlier batches without a subspace that have a batch's penalties: M c is there."""
    parameters = work.parameters
    for other in range(place):
        code = fits.subspace[fits.batches[other, 0]]
        same = work.done[other] == 0 and code == NO_SUBSPACE
        for j in range(LANES):
            same = same and parameters[other, SHIFT + j] == parameters[place, SHIFT + j]
            same = same and parameters[other, FINITE + j] == parameters[place, FINITE + j]
        if same:
            combine(0, 1 + r, parameters[other], work.sums, work.solution, LANES * other, out)
            for j in range(LANES):
                fit = fits.batches[other, j]
                failures[fit] = _verdict(parameters[other], work.found, j, form, 0, out.shape[0])
            work.done[other] = 1


@part
def reduce_matrix(work: SolveWork) -> None:
    """Tridiagonalise `work.matrix`, G or XX' (its upper triangle).

    Parameters
    ----------
    work : SolveWork
        `reduction` is filled.
    """
    m = work.rotated.shape[0]
    load_symmetric(work.matrix, m, work.reduction)
    tridiagonalise(m, work.reduction)


@part
def solve_rotated(form: int, fits: Fits, work: SolveWork, out: Floats, failures: CodeArray) -> None:
    """Rotate `work.rotated` and solve every fit, in T's coordinates.

    Writes `out` (m, lanes), `work.inside` and `failures` (fits,).

    Parameters
    ----------
    form : int
        PRIMAL or DUAL.
    fits : Fits
        What is fitted.
    work : SolveWork
        With T and, in `rotated`, c and the bases.
    out : ndarray, shape (m, lanes)
        Filled with solutions in T's coordinates.
    failures : ndarray of int8, shape (fits,)
        Filled with codes of `types`.
    """
    m, ranks = out.shape[0], work.ranks
    reflect(m, work.reduction, TRANSPOSED, work.rotated)
    prepared = -1
    for step in range(fits.batches.shape[0]):
        # From the last batch on, so that those without a subspace find their inverses done.
        place = fits.batches.shape[0] - 1 - step
        batch = fits.batches[place]
        code = fits.subspace[batch[0]]
        if code != NO_SUBSPACE and code != ESTIMATED and code != MEASURED:
            for j in range(LANES):
                failures[batch[j]] = UNKNOWN_CODE
            continue
        r = ranks[code]
        if work.done[place] == 0:
            if code != prepared:
                _prepare(1 + ranks[ESTIMATED] if code == MEASURED else 1, r, form, work)
                prepared = code
            _solve_batch(r, place, work, out)
            _share_inverses(r, place, form, fits, work, out, failures)
            for j in range(LANES):
                failures[batch[j]] = _verdict(work.parameters[place], work.found, j, form, r, m)
        work.done[place] = 0


@helper
def _load_columns(source: Floats, start: int, out: Floats) -> None:
    """Copy the rows of `source` to columns of `out` from `start` on."""
    for a in range(source.shape[0]):
        for i in range(source.shape[1]):
            out[i, start + a] = source[a, i]


@part
def solve_primal(bases: Bases, frame: Floats, fits: Fits, work: SolveWork, solved: Solved) -> None:
    """Write beta_hat of every lane, n_T >= d, after `reduce_matrix`; `work.moment` holds c.

    Where `frame` (., d) has rows, it is they that are turned, to the coordinates of T, in which
    the coefficients stay: lengths and products are the same, and turning few rows is less work.

    Parameters
    ----------
    bases : Bases
        The subspaces.
    frame : ndarray, shape (rows, d)
        What is turned to the coordinates of T, without rows for nothing.
    fits : Fits
        What is fitted.
    work : SolveWork
        With T and c.
    solved : Solved
        Filled.
    """
    estimated, measured, coefs = bases.estimated, bases.measured, solved.coefs
    for i in range(coefs.shape[0]):
        work.rotated[i, 0] = work.moment[i]
    _load_columns(estimated, 1, work.rotated)
    start = 1 + estimated.shape[0] + measured.shape[0]
    _load_columns(measured, 1 + estimated.shape[0], work.rotated)
    _load_columns(frame, start, work.rotated)
    solve_rotated(PRIMAL, fits, work, coefs, solved.failures)
    if frame.shape[0] == 0:
        reflect(coefs.shape[0], work.reduction, PLAIN, coefs)
    for a in range(frame.shape[0]):
        for i in range(frame.shape[1]):
            frame[a, i] = work.rotated[i, start + a]
