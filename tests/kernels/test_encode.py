"""The brain stage: reductions, leading eigenvectors and subspaces, and when they do not exist."""

import numba
import numpy as np
import pytest

from mcbrain.kernels.brain import encode
from mcbrain.kernels.brain.encode import make_encode_work
from mcbrain.kernels.brain.encode_exactly import encode_exactly
from mcbrain.kernels.jit import kernel
from mcbrain.kernels.linear.eigen import leading_eigenvectors
from mcbrain.kernels.linear.householder import (
    PLAIN,
    TRANSPOSED,
    load_symmetric,
    make_reduction,
    multiply_out,
    reflect,
    tridiagonalise,
)
from mcbrain.kernels.linear.inverse_iteration import make_eigen_work
from mcbrain.kernels.linear.lanes import padded
from mcbrain.kernels.task.exact_data import absorb, clear, make_exact_work
from mcbrain.kernels.types import BROKEN, LOST, SOUND, Sizes

pytestmark = pytest.mark.kernels

TINY = bool(numba.config.DISABLE_JIT)


@kernel
def least_squares(r, basis, work):
    return encode.encode_least_squares(r, basis, work)


@kernel
def ridge(alpha, r, basis, work):
    return encode.encode_ridge(alpha, r, basis, work)


def gram(rng, n):
    X = rng.standard_normal((2 * n, n))
    return X.T @ X


@pytest.mark.parametrize("n", [*range(1, 36), *([] if TINY else [64, 131, 200])])
def test_householder_form_rebuilds_the_matrix(n):
    matrix, work = gram(np.random.default_rng(n), n), make_reduction(n)
    load_symmetric(matrix, n, work)
    tridiagonalise(n, work)
    d, e = work.diagonal[:n], work.beside[: n - 1]
    Q = np.zeros((n, padded(n)))
    Q[:, :n] = np.eye(n)
    reflect(n, work, PLAIN, Q)
    T = np.diag(d) + np.diag(e, 1) + np.diag(e, -1)
    largest = np.abs(matrix).max()
    np.testing.assert_allclose(Q[:, :n] @ T @ Q[:, :n].T, matrix, atol=1e-14 * largest)
    formed = np.zeros((n, padded(n)))
    multiply_out(n, work, formed)
    np.testing.assert_allclose(formed, Q, atol=1e-14)
    reflect(n, work, TRANSPOSED, Q)
    np.testing.assert_allclose(Q[:, :n], np.eye(n), atol=1e-14)


def special_matrices(m, r):
    yield "random", gram(np.random.default_rng(m), m)
    yield "equal leading eigenvalues", np.eye(m) + np.diag(5.0 * (np.arange(m) < r))
    block = np.zeros((m, m))
    block[:r, :r] = np.ones((r, r)) + np.eye(r)
    yield "low rank, repeated", block
    yield "tridiagonal already", np.diag(np.arange(m) + 1.0) + np.eye(m, k=1) + np.eye(m, k=-1)


@pytest.mark.parametrize(("m", "r"), [(1, 1), (2, 1), (3, 2), (9, 4), (12, 12), (30, 11)])
def test_leading_eigenvectors_span_the_same_space_as_lapacks(m, r):
    for name, matrix in special_matrices(m, r):
        work = make_eigen_work(m, r)
        assert leading_eigenvectors(matrix, m, r, work) == 0, name
        expected = np.linalg.eigh(matrix)[1][:, m - r :]
        found = np.linalg.qr(work.vectors[:, :r])[0]
        np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=1e-11, err_msg=name)


@pytest.mark.parametrize(("m", "r"), [(5, 4), (6, 3), (12, 8), (13, 9), (30, 11)])
@pytest.mark.parametrize("last", [1e-6, 1e-8, 1e-11])
def test_no_smaller_eigenvalue_takes_the_place_of_one_that_is_near(m, r, last):
    """The last one wanted, and all below it, share an enclosure."""
    rng = np.random.default_rng(m)
    for _ in range(2 if TINY else 20):
        values = np.concatenate([rng.uniform(0.1, 1.0, r - 1), [1.0, last], np.zeros(m - r - 1)])
        values[r + 1 :] = last * rng.uniform(0.0, 0.3, m - r - 1)
        values[0], values[r - 1 : r + 1] = 1.0, [last, 0.2 * last]
        Q = np.linalg.qr(rng.standard_normal((m, m)))[0]
        work = make_eigen_work(m, r)
        assert leading_eigenvectors((Q * values) @ Q.T, m, r, work) == 0
        vectors = np.linalg.qr(work.vectors[:, :r])[0]
        np.testing.assert_allclose(
            vectors @ vectors.T, Q[:, :r] @ Q[:, :r].T, atol=1e-14 * m / last
        )


def test_a_matrix_of_too_small_a_rank_is_reported():
    matrix = np.zeros((6, 6))
    matrix[:2, :2] = np.eye(2)
    assert leading_eigenvectors(matrix, 6, 3, make_eigen_work(6, 3)) == 1
    assert leading_eigenvectors(np.zeros((6, 6)), 6, 1, make_eigen_work(6, 1)) == 1


def estimate(X, R, r, penalty=0.0):
    work = make_encode_work(X.shape[1], R.shape[1], 1, X.shape[1], r)
    work.gram[:], work.cross[:] = X.T @ X, X.T @ R
    basis = np.zeros((r, X.shape[1]))
    if penalty > 0.0:
        return ridge(penalty, r, basis, work), basis
    return least_squares(r, basis, work), basis


def estimate_exactly(X, R, r, penalty):
    """What becomes of a replicate that the Gram matrices gave up."""
    (n, d), p = X.shape, R.shape[1]
    work, exact = make_encode_work(d, p, 1, d, r), make_exact_work(d, d, p, 0)
    clear(exact)
    absorb(X, R, exact)
    basis = np.zeros((r, d))
    sizes = Sizes(0, n, r, 0, penalty)
    return encode_exactly(np.int8(BROKEN), sizes, basis, work, exact), basis


def test_the_subspace_turns_with_the_inputs():
    rng = np.random.default_rng(0)
    X, R = rng.standard_normal((40, 6)), rng.standard_normal((40, 5))
    turn = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    (failed, basis), (turned_failed, turned) = estimate(X, R, 2), estimate(X @ turn, R, 2)
    assert failed == turned_failed == 0
    expected = turn.T @ basis.T @ basis @ turn
    np.testing.assert_allclose(turned.T @ turned, expected, atol=1e-12)
    np.testing.assert_allclose(basis @ basis.T, np.eye(2), atol=1e-14)


def test_dependent_inputs_and_silent_channels_are_failures():
    rng = np.random.default_rng(1)
    X, R = rng.standard_normal((40, 6)), rng.standard_normal((40, 5))
    X[:, 3] = 0.0
    assert estimate(X, R, 2)[0] == BROKEN
    X = rng.standard_normal((40, 6))
    assert estimate(X, 0.0 * R, 2)[0] == BROKEN
    assert estimate_exactly(X, 0.0 * R, 2, 0.0)[0] == LOST
    R[:, 1:] = R[:, :1]
    assert estimate(X, R, 2)[0] == BROKEN
    assert estimate_exactly(X, R, 2, 0.0)[0] == LOST
    assert estimate(X, R, 1)[0] == 0


@pytest.mark.parametrize("smallest", [1e-2, 1e-4, 1e-6])
@pytest.mark.parametrize(("n", "d", "p"), [(4, 5, 7), (4, 5, 4), (4, 4, 3), (9, 4, 7), (9, 4, 3)])
@pytest.mark.parametrize("penalty", [1.0, 1e-3])
def test_a_penalty_that_all_but_removes_a_direction_loses_nothing(n, d, p, smallest, penalty):
    """The weights s^2/(s^2 + alpha) of the fit span up to twelve decades."""
    rng = np.random.default_rng(n + p)
    m, r = min(n, d), min(n, d, p)
    U, V = (np.linalg.qr(rng.standard_normal((size, m)))[0] for size in (n, d))
    X = (U * np.append(rng.uniform(0.5, 2.0, m - 1), smallest)) @ V.T
    R = rng.standard_normal((n, p))
    verdict, basis = estimate(X, R, r, penalty)
    if verdict != SOUND:
        verdict, basis = estimate_exactly(X, R, r, penalty)
    assert verdict == SOUND
    left, values, right = np.linalg.svd(X, full_matrices=False)
    fit = (values**2 / (values**2 + penalty))[:, None] * (left.T @ R)
    leading = np.linalg.svd(fit, full_matrices=False)[0][:, :r]
    expected = np.linalg.qr((right.T / values) @ leading)[0]
    error = 1e-14 / smallest if p < m else 1e-11
    np.testing.assert_allclose(basis.T @ basis, expected @ expected.T, atol=error)


def test_a_fit_of_too_small_a_rank_is_lost_whatever_the_penalty():
    rng = np.random.default_rng(2)
    X, latent = rng.standard_normal((30, 6)), rng.standard_normal((6, 2))
    R = X @ latent @ rng.standard_normal((2, 5))
    for penalty in (0.0, 1e-6, 1.0, 1e6):
        assert estimate_exactly(X, R, 3, penalty)[0] == LOST
    # By singular values even a third signal, a billionth of the others, is seen.
    R += 1e-9 * rng.standard_normal(R.shape)
    assert estimate(X, R, 3)[0] != SOUND
    verdict, basis = estimate_exactly(X, R, 3, 0.0)
    assert verdict == SOUND
    fit, *_ = np.linalg.lstsq(X, R)
    expected = np.linalg.qr(fit @ np.linalg.svd(X @ fit)[2][:3].T)[0]
    np.testing.assert_allclose(basis.T @ basis, expected @ expected.T, atol=1e-5)
