"""The task stage: limits in the penalty, and rows that have no solution."""

import numpy as np
import pytest

from mcbrain.kernels.jit import kernel
from mcbrain.kernels.linear.tridiagonal import PARAMETERS
from mcbrain.kernels.task import solve, solve_dual
from mcbrain.kernels.task.solve_work import lane_parameters, make_solve_work
from mcbrain.kernels.types import PRIMAL, make_fits

pytestmark = pytest.mark.kernels


@kernel
def primal(bases, frame, fits, work, solved):
    solve.reduce_matrix(work)
    solve.solve_primal(bases, frame, fits, work, solved)


@kernel
def dual(X, y, bases, fits, work, solved):
    solve_dual.reduce_dual(X, work)
    solve_dual.solve_dual(X, y, bases, fits, work, solved)


def fit(X, y, basis, rows):
    """Coefficients (rows, d) and failures of rows (subspace code, eta, penalty sum)."""
    n, d = X.shape
    fits = make_fits(*zip(*rows, strict=True))
    work = make_solve_work(d, n, len(basis), 0, fits)
    coefs = np.zeros((d, fits.batches.size))
    failures = np.zeros(len(rows), dtype=np.int8)
    nothing = np.zeros((0, d))
    bases, solved = solve.Bases(basis, nothing), solve.Solved(coefs, failures)
    if n >= d:
        work.matrix[:], work.moment[:] = X.T @ X, X.T @ y
        primal(bases, nothing, fits, work, solved)
    else:
        dual(X, y, bases, fits, work, solved)
    out = np.zeros((len(rows), d))
    out[fits.batches.ravel()] = coefs.T
    return out, failures


def make_data(n, d=6, r=2, seed=0):
    rng = np.random.default_rng(seed)
    basis = np.ascontiguousarray(np.linalg.qr(rng.standard_normal((d, r)))[0].T)
    return rng.standard_normal((n, d)), rng.standard_normal(n), basis


@pytest.mark.parametrize("n", [20, 4])
def test_a_tiny_penalty_is_the_limit_and_a_huge_one_the_projection(n):
    X, y, basis = make_data(n)
    befs = [(1, 0.0, penalty) for penalty in (0.0, 1e-9, 1e13, np.inf)]
    coefs, failures = fit(X, y, basis, [*befs, (0, 0.0, 1e-9), (0, 0.0, 0.0)])
    assert (failures == 0).all()
    np.testing.assert_allclose(coefs[1], coefs[0], atol=1e-7)
    np.testing.assert_allclose(coefs[2], coefs[3], atol=1e-7)
    np.testing.assert_allclose(coefs[3], basis.T @ np.linalg.pinv(X @ basis.T) @ y, atol=1e-12)
    np.testing.assert_allclose(coefs[5], np.linalg.pinv(X) @ y, atol=1e-10)
    np.testing.assert_allclose(coefs[4], coefs[5], atol=1e-7)


@pytest.mark.parametrize("n", [20, 4])
def test_eta_one_is_ridge_whatever_the_subspace(n):
    X, y, basis = make_data(n)
    coefs, _ = fit(X, y, basis, [(1, 1.0, 0.7), (0, 0.0, 0.7)])
    np.testing.assert_allclose(coefs[0], coefs[1], rtol=1e-11)


@pytest.mark.parametrize("n", [6, 20])
def test_a_singular_gram_matrix_fails_only_where_nothing_regularises_it(n):
    X, y, basis = make_data(n)
    X[:, 4] = 0.0
    _, failures = fit(X, y, basis, [(0, 0.0, 0.0), (0, 0.0, 0.1), (1, 0.0, 0.1), (1, 0.0, np.inf)])
    assert failures.tolist() == [1, 0, 0, 0]


def test_an_infinite_penalty_leaves_nothing_where_everything_is_penalised():
    X, y, basis = make_data(20)
    coefs, failures = fit(X, y, basis, [(0, 0.0, np.inf), (1, 0.5, np.inf)])
    assert (coefs == 0).all()
    assert (failures == 0).all()


def test_data_that_is_not_finite_is_a_failure_and_spoils_no_memory():
    X, y, basis = make_data(20)
    X[3, 2] = np.nan
    _, failures = fit(X, y, basis, [(0, 0.0, 1.0), (1, 0.0, 1.0)])
    assert (failures != 0).all()


def test_every_row_has_a_lane_of_its_own_subspace():
    fits = make_fits([0, 1, 0, 2, 1], [0.0] * 5, [1.0, 2.0, 3.0, 4.0, 5.0])
    assert fits.batches.shape == (3, 8)
    assert set(fits.batches.ravel()) == {0, 1, 2, 3, 4}
    for batch in fits.batches:
        assert len(set(fits.subspace[batch])) == 1
    assert lane_parameters(fits, PRIMAL).shape == (3, PARAMETERS)
