"""The data of one replicate without loss, for what singular values must decide (`singular`).

X and y are replaced by a triangular factor X~ and y~ with the same products, X = QX~ and y~ = Q'y,
which lose no digits; data of no more than d rows are kept as they are.
"""

import math
from typing import NamedTuple

import numpy as np

from mcbrain.kernels.jit import kernel
from mcbrain.kernels.linear.products import copy
from mcbrain.kernels.linear.singular_values import LapackIntegers
from mcbrain.kernels.types import LANES
from mcbrain.typing import Floats, Integers

INSIDE, OUTSIDE = range(2)
"""Ranks of Z and of what is left of W (`ExactWork.ranks`)."""


class ExactWork(NamedTuple):
    """Room for m = min(n, d) rows of data, p answers to each, and a subspace of rank r.

    Attributes
    ----------
    factor : ndarray, shape (m, d)
        X~.
    answers : ndarray, shape (m, p)
        Y~, labels or recordings.
    row : ndarray, shape (d,)
    answer : ndarray, shape (p,)
    block : ndarray, shape (m, d)
        W, and then (I - ZZ^+) W.
    left : ndarray, shape (m, m)
        U, a singular vector in each column.
    values : ndarray, shape (m,)
        s, falling.
    right : ndarray, shape (m, d)
        V', a singular vector in each row.
    projected : ndarray, shape (m r,)
        Z, (m, r).
    inner_left : ndarray, shape (m r,)
        U of Z, (m, min(m, r)).
    inner_values : ndarray, shape (r,)
    inner_right : ndarray, shape (r r,)
        V' of Z, (min(m, r), r).
    across : ndarray, shape (r d,)
        U'W for the U of Z.
    ranks : ndarray of int, shape (2,)
        Of Z and of (I - ZZ^+) W.
    rest : ndarray, shape (m,)
        What of the labels is not explained.
    along : ndarray, shape (m,)
        U'y.
    inside : ndarray, shape (r,)
    solution : ndarray, shape (d, 8)
        beta_hat in the first column, zeros beside it.
    scratch : ndarray
        Room for LAPACK.
    integers : ndarray of int32
        Room for LAPACK.
    """

    factor: Floats
    answers: Floats
    row: Floats
    answer: Floats
    block: Floats
    left: Floats
    values: Floats
    right: Floats
    projected: Floats
    inner_left: Floats
    inner_values: Floats
    inner_right: Floats
    across: Floats
    ranks: Integers
    rest: Floats
    along: Floats
    inside: Floats
    solution: Floats
    scratch: Floats
    integers: LapackIntegers


def make_exact_work(rows: int, input_dim: int, answers: int, rank: int) -> ExactWork:
    """Return room for data of so many rows.

    Parameters
    ----------
    rows, input_dim : int
        n and d; more than d rows are reduced to d.
    answers : int
        Columns of Y: 1 label, or p recordings.
    rank : int
        The largest r.

    Returns
    -------
    ExactWork
        Zeros.
    """
    m, d, r = min(rows, input_dim), input_dim, rank
    return ExactWork(
        factor=np.zeros((m, d)),
        answers=np.zeros((m, answers)),
        row=np.zeros(d),
        answer=np.zeros(answers),
        block=np.zeros((m, d)),
        left=np.zeros((m, m)),
        values=np.zeros(m),
        right=np.zeros((m, d)),
        projected=np.zeros(m * r),
        inner_left=np.zeros(m * r),
        inner_values=np.zeros(r),
        inner_right=np.zeros(r * r),
        across=np.zeros(r * d),
        ranks=np.zeros(2, dtype=np.int64),
        rest=np.zeros(m),
        along=np.zeros(m),
        inside=np.zeros(r),
        solution=np.zeros((d, LANES)),
        scratch=np.zeros(4 * m * m + 64 * (d + m)),
        integers=np.zeros(8 * m, dtype=np.int32),
    )


@kernel
def clear(work: ExactWork) -> None:
    """Forget the data of the replicate before.

    Parameters
    ----------
    work : ExactWork
        `factor` and `answers` become 0.
    """
    work.factor[:] = 0.0
    work.answers[:] = 0.0


@kernel
def absorb(X: Floats, Y: Floats, work: ExactWork) -> float:
    """Add rows to X~ (d, d) and Y~ by Givens rotations.

    Returns the square of what of Y no fit can reach. Zeros need no rotation, so that sparse data
    is quick.

    Parameters
    ----------
    X : ndarray, shape (rows, d)
        Inputs.
    Y : ndarray, shape (rows, p)
        Answers.
    work : ExactWork
        `factor` and `answers` take them up.

    Returns
    -------
    float
        A sum of squares over rows and answers.
    """
    factor, answers, row, answer = work.factor, work.answers, work.row, work.answer
    d, p, squares = row.size, answer.size, 0.0
    for i in range(X.shape[0]):
        for j in range(d):
            row[j] = X[i, j]
        for j in range(p):
            answer[j] = Y[i, j]
        for k in range(d):
            if row[k] == 0.0:
                continue
            length = math.sqrt(factor[k, k] ** 2 + row[k] ** 2)
            c, s = factor[k, k] / length, row[k] / length
            for j in range(k, d):
                above, below = factor[k, j], row[j]
                factor[k, j] = c * above + s * below
                row[j] = c * below - s * above
            for j in range(p):
                above, below = answers[k, j], answer[j]
                answers[k, j] = c * above + s * below
                answer[j] = c * below - s * above
        for j in range(p):
            squares += answer[j] ** 2
    return squares


@kernel
def keep_rows(X: Floats, Y: Floats, work: ExactWork) -> None:
    """Take the rows themselves as X~ and Y~, where there are no more than d.

    Parameters
    ----------
    X : ndarray, shape (m or more, d)
        Inputs.
    Y : ndarray, shape (m or more, p)
        Answers.
    work : ExactWork
        `factor` and `answers` are filled.
    """
    copy(X, work.factor)
    copy(Y, work.answers)


@kernel
def keep_triangle(L: Floats, Y: Floats, work: ExactWork) -> None:
    """Take L' as X~ (d, d), where LL' is the Gram matrix.

    Parameters
    ----------
    L : ndarray, shape (d, d)
        Lower triangular.
    Y : ndarray, shape (d, p)
        Answers.
    work : ExactWork
        `factor` and `answers` are filled.
    """
    for i in range(L.shape[0]):
        for j in range(L.shape[1]):
            work.factor[j, i] = L[i, j]
    copy(Y, work.answers)
