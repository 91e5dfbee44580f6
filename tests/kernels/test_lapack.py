"""The bridge passes every kind of argument to the right routine, compiled or not."""

import numpy as np
import pytest
from numba import config

from mcbrain.kernels.jit import kernel
from mcbrain.kernels.linear import lapack

pytestmark = pytest.mark.kernels


@kernel
def solve_normal_equations(X, y, gram, solution):
    n, d = X.shape
    lapack.dsyrk("L", "N", d, n, 1.0, X, d, 0.0, gram, d)
    lapack.dgemv("N", d, n, 1.0, X, d, y, 1, 0.0, solution, 1)
    info = lapack.dpotrf("L", d, gram, d)
    if info != 0:
        return info
    return lapack.dpotrs("L", d, 1, gram, d, solution, d)


@kernel
def multiply(left, right, out):
    """Write left @ right: to Fortran, out' = right' left'."""
    n, m = left.shape
    q = right.shape[1]
    lapack.dgemm("N", "N", q, n, m, 1.0, right, q, left, m, 0.0, out, q)


@kernel
def turn_by_qr(columns, tau, work, vector):
    """Factorise the rows of `columns` as Fortran's columns, and overwrite `vector` by Q'vector."""
    r, n = columns.shape
    info = lapack.dgeqrf(n, r, columns, n, tau, work, work.size)
    if info != 0:
        return info
    return lapack.dormqr("L", "T", n, 1, r, columns, n, tau, vector, n, work, work.size)


def test_gram_cholesky_and_solve_agree_with_numpy():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((30, 4)), rng.standard_normal(30)
    solution = np.zeros(4)
    assert solve_normal_equations(X, y, np.zeros((4, 4)), solution) == 0
    np.testing.assert_allclose(solution, np.linalg.lstsq(X, y)[0], rtol=1e-12)


def test_info_reports_a_matrix_that_is_not_positive_definite():
    X = np.ones((30, 4))
    X[:, 1] = 0.0
    assert solve_normal_equations(X, np.ones(30), np.zeros((4, 4)), np.zeros(4)) == 2


def test_products_of_c_ordered_matrices():
    rng = np.random.default_rng(1)
    left, right, out = rng.random((3, 5)), rng.random((5, 2)), np.zeros((3, 2))
    multiply(left, right, out)
    np.testing.assert_allclose(out, left @ right, rtol=1e-14)


def test_reflectors_keep_lengths_and_separate_the_column_space():
    rng = np.random.default_rng(2)
    columns, vector = rng.standard_normal((3, 7)), rng.standard_normal(7)
    inside = np.linalg.qr(columns.T)[0].T @ vector
    turned = vector.copy()
    assert turn_by_qr(columns.copy(), np.zeros(3), np.zeros(500), turned) == 0
    np.testing.assert_allclose(np.abs(turned[:3]), np.abs(inside), rtol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(turned), np.linalg.norm(vector), rtol=1e-14)


@pytest.mark.skipif(config.DISABLE_JIT, reason="a compiler's error")
def test_a_wrong_number_of_arguments_does_not_compile():
    @kernel
    def wrong(x):
        return lapack.dpotrf("L", 1, x)

    with pytest.raises(TypeError, match="takes 4 arguments, not 3"):
        wrong(np.ones((1, 1)))
