"""Plain ridge on what is left when the unpenalised directions are partialled out (`select`).

A projection's null space is filled up with a positive number, where nothing has a component.
"""

from typing import NamedTuple

import numpy as np

from mcbrain.kernels.jit import kernel, part
from mcbrain.kernels.linear.householder import (
    TRANSPOSED,
    Reduction,
    load_symmetric,
    make_reduction,
    multiply_out,
    reflect,
    tridiagonalise,
)
from mcbrain.kernels.linear.lanes import padded
from mcbrain.kernels.linear.lapack import dpotrf, dtrsm
from mcbrain.kernels.linear.products import product, product_left, product_right, trust
from mcbrain.kernels.types import (
    BROKEN,
    DOUBTFUL,
    DOUBTFUL_PIVOT,
    DUAL,
    LANES,
    PRIMAL,
    SOUND,
    SUSPECT,
)
from mcbrain.typing import Floats

FILL, MEAN, REST, LIMIT, LOAD, TRACE = range(6)
"""Places in `SelectWork.numbers`: what fills the null space; the mean penalised eigenvalue;
|residual|^2 at an infinite penalty; its score; the sum of 1/(1 - leverage) there; and the trace of
the whole Gram matrix, whose rounding is in the block."""


class SelectWork(NamedTuple):
    """Buffers of a choice; m = min(n_task, d), M is m in eights, L eights of candidates."""

    matrix: Floats
    """(m, m) the penalised block."""
    reduction: Reduction
    axes: Floats
    """(m, M) what takes rows to the coordinates of T."""
    moment: Floats
    """(m, 8) c of the penalised block, in the first column."""
    table: Floats
    """(chunk, M) rows in the coordinates of T."""
    residual: Floats
    """(chunk,) of least squares along what is not penalised."""
    left: Floats
    """(chunk,) 1 - leverage of the same."""
    candidates: Floats
    """(8 L,) penalties, the first 0."""
    shifts: Floats
    """(8 L,) penalties at which rows are scored: candidates or nodes."""
    inverse: Floats
    ratio: Floats
    weights: Floats
    """(L, 8 m) 1/D, the subdiagonal of L, and w/D."""
    column: Floats
    """(m, 1)"""
    solution: Floats
    """(8 m,)"""
    scores: Floats
    """(8 L,) at the shifts."""
    tightest: Floats
    """(8 L,) the smallest 1 - leverage."""
    loads: Floats
    """(8 L,) the sum of 1/(1 - leverage)."""
    values: Floats
    """(8 L,) scores of candidates as interpolated."""
    doubts: Floats
    """(8 L,) how far off these may be."""
    numbers: Floats
    """(6,) by FILL, MEAN, REST, LIMIT, LOAD and TRACE."""


class Free(NamedTuple):
    """What is not penalised, or less: r directions."""

    basis: Floats
    """(r, m) L^-1 A with C = LL', in the dual L^-1 Z'; for eta > 0 A and Z'."""
    product: Floats
    """(r, m) its product with the matrix."""
    turned: Floats
    """(r, M) its product with the axes."""
    inner: Floats
    """(r, r)"""
    along: Floats
    """(r,) its product with c, in the dual with y."""
    rows: Floats
    """(chunk, r)"""


@part
def whiten(free: Free, size: float) -> int:
    """Turn `basis` into L^-1 `basis`, LL' = `inner`; says if L can be trusted.

    `size` is the trace of the whole Gram matrix.
    """
    r, m = free.basis.shape
    if dpotrf("U", r, free.inner, r) != 0:
        return BROKEN
    verdict = SOUND
    for a in range(r):
        entry = 0.0
        for b in range(a + 1):
            entry += free.inner[a, b] ** 2
        verdict = max(verdict, trust(free.inner[a, a] ** 2, entry, r))
        if not entry > SUSPECT * m * size:
            verdict = BROKEN
    dtrsm("R", "U", "N", "N", m, r, 1.0, free.inner, r, free.basis, m)
    return verdict


@part
def _mean_eigenvalue(matrix: Floats, count: int) -> float:
    """Return trace / count, or 1 where there is nothing."""
    total = 0.0
    for i in range(matrix.shape[0]):
        total += matrix[i, i]
    return total / count if count > 0 and total > 0.0 else 1.0


@part
def _shift_moment(weight: float, basis: Floats, along: Floats, moment: Floats) -> None:
    """Add weight basis' along to the first column."""
    for a in range(basis.shape[0]):
        for i in range(basis.shape[1]):
            moment[i, 0] += weight * along[a] * basis[a, i]


@part
def _coordinates(basis: Floats, moment: Floats, along: Floats) -> None:
    """Write the basis's products with the first column of `moment`."""
    for a in range(basis.shape[0]):
        along[a] = 0.0
        for i in range(basis.shape[1]):
            along[a] += basis[a, i] * moment[i, 0]


@kernel
def partial_out_primal(basis: Floats, eta: float, free: Free, work: SelectWork) -> int:
    """Turn `work.matrix` = G and `work.moment` = c into those of plain ridge.

    `basis` (r, d) has orthonormal rows. Returns whether the result can be trusted.
    """
    r, d = basis.shape
    matrix, moment = work.matrix, work.moment
    for a in range(r):
        for i in range(d):
            free.basis[a, i] = basis[a, i]
    product(basis, matrix, 1.0, 0.0, free.product)
    product_right(free.product, basis, 1.0, 0.0, free.inner)
    if eta > 0.0:
        s = 1.0 / np.sqrt(eta) - 1.0
        product(free.inner, basis, 0.5 * s, 1.0, free.product)
        product_left(basis, free.product, s, 1.0, matrix)
        product_left(free.product, basis, s, 1.0, matrix)
        _coordinates(basis, moment, free.along)
        _shift_moment(s, basis, free.along, moment)
        work.numbers[MEAN] = _mean_eigenvalue(matrix, d)
        return SOUND
    verdict = whiten(free, work.numbers[TRACE])
    if verdict != SOUND:
        return verdict
    product(free.basis, matrix, 1.0, 0.0, free.product)
    _coordinates(free.basis, moment, free.along)
    _shift_moment(-1.0, free.product, free.along, moment)
    product_left(free.product, free.product, -1.0, 1.0, matrix)
    left = _mean_eigenvalue(matrix, d - r)
    if r < d and not (d - r) * left > DOUBTFUL_PIVOT * work.numbers[TRACE]:
        return DOUBTFUL
    work.numbers[MEAN] = left
    work.numbers[FILL] = left
    product_left(basis, basis, work.numbers[FILL], 1.0, matrix)
    return SOUND


@kernel
def partial_out_dual(eta: float, free: Free, d: int, work: SelectWork) -> int:
    """As `partial_out_primal`, for `work.matrix` = XX' and `free.basis` = Z'; n > r if eta = 0."""
    r = free.basis.shape[0]
    matrix, moment, F = work.matrix, work.moment, free.basis
    if eta > 0.0:
        product_left(F, F, 1.0 / eta - 1.0, 1.0, matrix)
        work.numbers[MEAN] = _mean_eigenvalue(matrix, d)
        return SOUND
    product_right(F, F, 1.0, 0.0, free.inner)
    verdict = whiten(free, work.numbers[TRACE])
    if verdict != SOUND:
        return verdict
    product(F, matrix, 1.0, 0.0, free.product)
    product_right(free.product, F, 1.0, 0.0, free.inner)
    product(free.inner, F, -0.5, 1.0, free.product)
    product_left(F, free.product, -1.0, 1.0, matrix)
    product_left(free.product, F, -1.0, 1.0, matrix)
    _coordinates(F, moment, free.along)
    _shift_moment(-1.0, F, free.along, moment)
    left = _mean_eigenvalue(matrix, d - r)
    if r < d and not (d - r) * left > DOUBTFUL_PIVOT * work.numbers[TRACE]:
        return DOUBTFUL
    work.numbers[MEAN] = left
    work.numbers[FILL] = left
    product_left(F, F, work.numbers[FILL], 1.0, matrix)
    return SOUND


@kernel
def reduce_block(free: Free, work: SelectWork) -> None:
    """Tridiagonalise the block and rotate c.

    With nothing partialled out the block is the whole, and `work.reduction` holds it already.
    """
    m = work.matrix.shape[0]
    if free.basis.shape[0] > 0:
        load_symmetric(work.matrix, m, work.reduction)
        tridiagonalise(m, work.reduction)
    reflect(m, work.reduction, TRANSPOSED, work.moment)


@kernel
def form_axes(eta: float, form: int, free: Free, work: SelectWork) -> None:
    """Write the axes that take rows to T, after `reduce_block`."""
    axes = work.axes
    multiply_out(work.matrix.shape[0], work.reduction, axes)
    if free.basis.shape[0] > 0:
        if eta == 0.0:
            product(free.basis if form == DUAL else free.product, axes, 1.0, 0.0, free.turned)
            product_left(free.basis, free.turned, -1.0, 1.0, axes)
        elif form == PRIMAL:
            product(free.basis, axes, 1.0, 0.0, free.turned)
            product_left(free.basis, free.turned, 1.0 / np.sqrt(eta) - 1.0, 1.0, axes)


def make_select_work(
    input_dim: int, n_task: int, rank: int, chunk: int, grid: int
) -> tuple[SelectWork, Free]:
    """Return the buffers of a choice.

    Parameters
    ----------
    input_dim, n_task : int
        d and n_T.
    rank : int
        r of the estimator's subspace, 0 for none.
    chunk : int
        Rows of task inputs drawn at a time.
    grid : int
        Candidates beside 0 and infinity.
    """
    m = min(input_dim, n_task)
    size, eights, rows = padded(m), padded(grid + 1) // LANES, -(-chunk // 4) * 4
    work = SelectWork(
        matrix=np.zeros((m, m)),
        reduction=make_reduction(m),
        axes=np.zeros((m, size)),
        moment=np.zeros((m, LANES)),
        table=np.zeros((rows, size)),
        residual=np.zeros(rows),
        left=np.zeros(rows),
        candidates=np.zeros(LANES * eights),
        shifts=np.zeros(LANES * eights),
        inverse=np.zeros((eights, LANES * m)),
        ratio=np.zeros((eights, LANES * m)),
        weights=np.zeros((eights, LANES * m)),
        column=np.zeros((m, 1)),
        solution=np.zeros(LANES * m),
        scores=np.zeros(LANES * eights),
        tightest=np.zeros(LANES * eights),
        loads=np.zeros(LANES * eights),
        values=np.zeros(LANES * eights),
        doubts=np.zeros(LANES * eights),
        numbers=np.zeros(TRACE + 1),
    )
    free = Free(
        basis=np.zeros((rank, m)),
        product=np.zeros((rank, m)),
        turned=np.zeros((rank, size)),
        inner=np.zeros((rank, rank)),
        along=np.zeros(rank),
        rows=np.zeros((rows, rank)),
    )
    return work, free
