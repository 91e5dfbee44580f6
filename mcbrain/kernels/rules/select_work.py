"""Room for a choice of the penalty (`select`)."""

from typing import NamedTuple

import numpy as np

from mcbrain.kernels.linear.householder import Reduction, make_reduction
from mcbrain.kernels.linear.lanes import padded
from mcbrain.kernels.types import LANES
from mcbrain.typing import Floats

FILL, MEAN, REST, LIMIT, LOAD, TRACE = range(6)
"""Places in `SelectWork.numbers`: what fills the null space; the mean penalised eigenvalue;
|residual|^2 at an infinite penalty; its score; the sum of 1/(1 - leverage) there; and the trace of
the whole Gram matrix, whose rounding is in the block."""


class SelectWork(NamedTuple):
    """Buffers of a choice; m = min(n_task, d), M is m in eights, L eights of candidates.

    Attributes
    ----------
    matrix : ndarray, shape (m, m)
        The penalised block.
    reduction : Reduction
        Its tridiagonal form.
    axes : ndarray, shape (m, M)
        What takes rows to the coordinates of T.
    moment : ndarray, shape (m, 8)
        c of the penalised block, in the first column.
    table : ndarray, shape (chunk, M)
        Rows in the coordinates of T.
    residual : ndarray, shape (chunk,)
        Of least squares along what is not penalised.
    left : ndarray, shape (chunk,)
        1 - leverage of the same.
    candidates : ndarray, shape (8 L,)
        Penalties, the first 0.
    shifts : ndarray, shape (8 L,)
        Penalties at which rows are scored: candidates or nodes.
    inverse, ratio, weights : ndarray, shape (L, 8 m)
        1/D, the subdiagonal of L, and w/D.
    column : ndarray, shape (m, 1)
    solution : ndarray, shape (8 m,)
    scores : ndarray, shape (8 L,)
        At the shifts.
    tightest : ndarray, shape (8 L,)
        The smallest 1 - leverage.
    loads : ndarray, shape (8 L,)
        The sum of 1/(1 - leverage).
    values : ndarray, shape (8 L,)
        Scores of candidates as interpolated.
    doubts : ndarray, shape (8 L,)
        How far off these may be.
    numbers : ndarray, shape (6,)
        By FILL, MEAN, REST, LIMIT, LOAD and TRACE.
    """

    matrix: Floats
    reduction: Reduction
    axes: Floats
    moment: Floats
    table: Floats
    residual: Floats
    left: Floats
    candidates: Floats
    shifts: Floats
    inverse: Floats
    ratio: Floats
    weights: Floats
    column: Floats
    solution: Floats
    scores: Floats
    tightest: Floats
    loads: Floats
    values: Floats
    doubts: Floats
    numbers: Floats


class Free(NamedTuple):
    """What is not penalised, or less: r directions.

    Attributes
    ----------
    basis : ndarray, shape (r, m)
        L^-1 A with C = LL', in the dual L^-1 Z'; for eta > 0 A and Z'.
    product : ndarray, shape (r, m)
        Its product with the matrix.
    turned : ndarray, shape (r, M)
        Its product with the axes.
    inner : ndarray, shape (r, r)
    along : ndarray, shape (r,)
        Its product with c, in the dual with y.
    rows : ndarray, shape (chunk, r)
    """

    basis: Floats
    product: Floats
    turned: Floats
    inner: Floats
    along: Floats
    rows: Floats


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

    Returns
    -------
    SelectWork, Free
        Zeros.
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
