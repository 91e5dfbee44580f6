"""Gram matrices and Cholesky factors are NumPy's, whichever routine makes them."""

import numba
import numpy as np
import pytest

from mcbrain.kernels.jit import kernel
from mcbrain.kernels.linear import products
from mcbrain.kernels.types import BROKEN, SOUND

pytestmark = pytest.mark.kernels

TINY = bool(numba.config.DISABLE_JIT)
ORDERS = [1, 7, 8, 9, 33] if TINY else [1, 2, 7, 8, 9, 20, 31, 32, 33, 70]


@kernel
def gram(X, kept, out):
    products.gram(X, kept, out)


@kernel
def factorise_and_solve(matrix, cross, table, factor, out):
    return products.factorise_and_solve(matrix, cross, table, factor, out)


@kernel
def solve_factor(factor, rows):
    products.solve_factor(factor, rows)


def whiten(G, C):
    """Factor, right-hand side and verdict."""
    (d, p), table = C.shape, np.zeros(products.elimination_room(*C.shape))
    factor, out = np.zeros((d, d)), np.zeros((d, p))
    return factor, out, factorise_and_solve(G, C, table, factor, out)


@pytest.mark.parametrize(("n", "d"), [(5, 3), (40, 20), (90, 60)])
def test_the_upper_triangle_is_that_of_the_gram_matrix_added_to_what_is_kept(n, d):
    rng = np.random.default_rng(n)
    X, before = rng.standard_normal((n, d)), np.triu(rng.standard_normal((d, d)))
    out = before.copy()
    gram(X, 0.5, out)
    np.testing.assert_allclose(
        np.triu(out), np.triu(0.5 * before + X.T @ X), rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("d", ORDERS)
@pytest.mark.parametrize("p", [1, 13])
def test_factor_and_solution_are_those_of_numpy(d, p):
    rng = np.random.default_rng(d)
    X, C = rng.standard_normal((2 * d, d)), rng.standard_normal((d, p))
    G = X.T @ X
    factor, out, verdict = whiten(np.triu(G), C)
    L = np.linalg.cholesky(G)
    assert verdict == SOUND
    np.testing.assert_allclose(np.triu(factor), L.T, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(out, np.linalg.solve(L, C), rtol=1e-8, atol=1e-10)
    rows = C.T.copy()
    solve_factor(factor, rows)
    np.testing.assert_allclose(rows.T, np.linalg.solve(L.T, C), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("d", [3, 40])
def test_a_matrix_that_is_not_positive_definite_is_refused(d):
    for G in (np.diag(np.arange(d) - 1.0), np.zeros((d, d)), np.diag(np.arange(d, 0, -1) - 1.0)):
        assert whiten(G, np.ones((d, 2)))[2] == BROKEN
