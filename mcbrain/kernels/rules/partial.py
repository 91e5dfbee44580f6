"""Plain ridge on what is left when the unpenalised directions are partialled out (`select`).

A projection's null space is filled up with a positive number, where nothing has a component.
"""

import numpy as np

from mcbrain.kernels.jit import kernel, part
from mcbrain.kernels.linear.householder import (
    TRANSPOSED,
    load_symmetric,
    multiply_out,
    reflect,
    tridiagonalise,
)
from mcbrain.kernels.linear.lapack import dpotrf, dtrsm
from mcbrain.kernels.linear.products import product, product_left, product_right, trust
from mcbrain.kernels.rules.select_work import FILL, MEAN, TRACE, Free, SelectWork
from mcbrain.kernels.types import (
    BROKEN,
    DOUBTFUL,
    DOUBTFUL_PIVOT,
    DUAL,
    PRIMAL,
    SOUND,
    SUSPECT,
)
from mcbrain.typing import Floats


@part
def _whiten(free: Free, size: float) -> int:
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

    Parameters
    ----------
    basis : ndarray, shape (r, d)
        Orthonormal rows.
    eta : float
        Relative penalty inside the subspace.
    free : Free
        Filled.
    work : SelectWork
        `matrix`, `moment` and `numbers` are changed.

    Returns
    -------
    int
        SOUND, DOUBTFUL or BROKEN.
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
    verdict = _whiten(free, work.numbers[TRACE])
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
    """As `partial_out_primal`, for `work.matrix` = XX' and `free.basis` = Z'; n > r if eta = 0.

    Parameters
    ----------
    eta : float
        Relative penalty inside the subspace.
    free : Free
        With Z'; filled.
    d : int
        Inputs.
    work : SelectWork
        `matrix`, `moment` and `numbers` are changed.

    Returns
    -------
    int
        SOUND, DOUBTFUL or BROKEN.
    """
    r = free.basis.shape[0]
    matrix, moment, F = work.matrix, work.moment, free.basis
    if eta > 0.0:
        product_left(F, F, 1.0 / eta - 1.0, 1.0, matrix)
        work.numbers[MEAN] = _mean_eigenvalue(matrix, d)
        return SOUND
    product_right(F, F, 1.0, 0.0, free.inner)
    verdict = _whiten(free, work.numbers[TRACE])
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

    Parameters
    ----------
    free : Free
        What was partialled out, without rows for nothing.
    work : SelectWork
        `reduction` and `moment` are changed.
    """
    m = work.matrix.shape[0]
    if free.basis.shape[0] > 0:
        load_symmetric(work.matrix, m, work.reduction)
        tridiagonalise(m, work.reduction)
    reflect(m, work.reduction, TRANSPOSED, work.moment)


@kernel
def form_axes(eta: float, form: int, free: Free, work: SelectWork) -> None:
    """Write the axes that take rows to T, after `reduce_block`.

    Parameters
    ----------
    eta : float
        Relative penalty inside the subspace.
    form : int
        PRIMAL or DUAL.
    free : Free
        What was partialled out; `turned` is scratch.
    work : SelectWork
        `axes` are filled.
    """
    axes = work.axes
    multiply_out(work.matrix.shape[0], work.reduction, axes)
    if free.basis.shape[0] > 0:
        if eta == 0.0:
            product(free.basis if form == DUAL else free.product, axes, 1.0, 0.0, free.turned)
            product_left(free.basis, free.turned, -1.0, 1.0, axes)
        elif form == PRIMAL:
            product(free.basis, axes, 1.0, 0.0, free.turned)
            product_left(free.basis, free.turned, 1.0 / np.sqrt(eta) - 1.0, 1.0, axes)
