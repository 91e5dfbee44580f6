"""The generating function's closed derivatives: against differences, the exact law, limits."""

import numpy as np
import pytest
from scipy.optimize import brentq

from mcbrain.errors import InputError
from mcbrain.theory.equivalents import Equivalent
from mcbrain.theory.ridge_population import generalised, partialled
from mcbrain.theory.structured import Structured, trace_of_product
from mcbrain.theory.wishart import task_moments


def generating_function(S, Omega, n):
    """E log det (X'X + Omega) up to O(1/n), written down once more (theory/README.md 5f)."""

    def rest(log_delta):
        delta = np.exp(log_delta)
        return delta * (1.0 + np.trace(np.linalg.solve(Omega + delta * S, S))) - n

    delta = np.exp(brentq(rest, -60.0, np.log(n) + 1e-12, xtol=1e-15, rtol=1e-15))
    share = delta * np.linalg.solve(Omega + delta * S, S)
    value = np.linalg.slogdet(Omega + delta * S)[1] + n * np.log(n / delta) - n + delta
    return value + 0.5 * np.log(1.0 - np.trace(share @ share) / n)


def second_difference(S, Omega, n, N, K, step=4e-3):
    """d^2 Phi along N and K, by central differences with one step of extrapolation."""

    def corner(a, b, h):
        return generating_function(S, Omega + a * h * N + b * h * K, n)

    def at(h):
        corners = ((1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1))
        return sum(sign * corner(a, b, h) for a, b, sign in corners) / (4 * h * h)

    return (4 * at(step) - at(2 * step)) / 3


def first_difference(S, Omega, n, K, step=1e-3):
    """d Phi along K."""

    def at(h):
        return (
            generating_function(S, Omega + h * K, n) - generating_function(S, Omega - h * K, n)
        ) / (2 * h)

    return (4 * at(step) - at(2 * step)) / 3


@pytest.fixture(params=[(6, 4), (8, 8), (7, 20)], ids=["below", "at", "above"])
def ridge(request):
    """A population without a spared subspace, its rows, a form and a signal."""
    d, n = request.param
    rng = np.random.default_rng(d)
    spectrum = np.arange(1.0, d + 1) ** -0.7
    G, H = rng.standard_normal((2, d, 2 * d)) / np.sqrt(2 * d)
    return spectrum, n, G @ G.T, rng.standard_normal(d), H @ H.T


@pytest.mark.parametrize("weighted", [False, True])
def test_moments_are_derivatives_of_the_generating_function(ridge, weighted):
    spectrum, n, N, b, W = ridge
    d, z = spectrum.size, 0.4
    weights = W + 0.5 * np.eye(d) if weighted else np.eye(d)
    S, Omega = np.diag(spectrum), z * weights
    # A matrix written as a diagonal plus d columns.
    form = Structured(np.ones(d), weights - np.eye(d), np.eye(d))
    population = generalised(spectrum, form) if weighted else partialled(spectrum)
    law = Equivalent(population, n, z)
    signal = Omega @ b
    bias = -second_difference(S, Omega, n, N, np.outer(signal, signal))
    assert law.bias(N, b) == pytest.approx(bias, rel=2e-6)
    noise = first_difference(S, Omega, n, N) + second_difference(S, Omega, n, N, Omega)
    assert law.noise(N) == pytest.approx(noise, rel=2e-6)
    direction = np.linspace(-1.0, 1.0, d)
    K = (np.outer(signal, direction) + np.outer(direction, signal)) / 2
    assert -direction @ law.mean_error(b) == pytest.approx(
        first_difference(S, Omega, n, K), rel=1e-7
    )


def test_a_spared_subspace_is_ridge_on_the_schur_complement():
    rng = np.random.default_rng(5)
    d, r, n, z = 9, 3, 7, 0.3
    spectrum = np.arange(1.0, d + 1) ** -1.0
    basis = np.linalg.qr(rng.standard_normal((d, d)))[0]
    V, U = basis[:, :r], basis[:, r:]
    Sigma = np.diag(spectrum)
    complement = (
        U.T @ Sigma @ U - U.T @ Sigma @ V @ np.linalg.inv(V.T @ Sigma @ V) @ V.T @ Sigma @ U
    )
    eigenvalues, axes = np.linalg.eigh(complement)
    plain = Equivalent(partialled(eigenvalues), n, z)
    law = Equivalent(partialled(spectrum, V), n, z)
    b = U @ rng.standard_normal(d - r)
    N = U @ np.diag(np.arange(1.0, d - r + 1)) @ U.T
    rotation = U @ axes
    inside, signal = rotation.T @ N @ rotation, rotation.T @ b
    assert law.kappa == pytest.approx(plain.kappa, rel=1e-12)
    assert law.bias(N, b) == pytest.approx(plain.bias(inside, signal), rel=1e-11)
    assert law.noise(N) == pytest.approx(plain.noise(inside), rel=1e-11)
    np.testing.assert_allclose(
        rotation.T @ law.mean_error(b), plain.mean_error(signal), rtol=1e-10, atol=1e-13
    )


@pytest.mark.parametrize("ratio", [0.5, 1.5, 4.0])
@pytest.mark.parametrize("penalty", [0.1, 1.0])
def test_the_identity_agrees_with_the_exact_law_to_the_order_claimed(ratio, penalty):
    """The next order is off by O(1/n^2): four times less when all sizes double, first by two."""
    gaps = {0: [], 1: []}
    for d in (40, 80):
        n = round(ratio * d)
        exact = task_moments(n, 0, d, penalty)
        b = np.zeros(d)
        b[0] = 1.0
        for order, found in gaps.items():
            law = Equivalent(partialled(np.ones(d)), n, n * penalty, order)
            form = Structured.of_diagonal(np.ones(d))
            truth = float(exact.c1 + d * exact.c2 + d * exact.noise)
            found.append(law.bias(form, b) + law.noise(form) - truth)
    assert abs(gaps[1][1]) < abs(gaps[0][1]) / 10
    assert gaps[1][0] / gaps[1][1] == pytest.approx(4.0, rel=0.25)
    assert gaps[0][0] / gaps[0][1] == pytest.approx(2.0, rel=0.15)


def test_without_penalty_above_the_dimension_it_is_least_squares():
    spectrum = np.array([2.0, 1.0, 0.5])
    form = Structured.of_diagonal(np.array([1.0, 2.0, 3.0]))
    law = Equivalent(partialled(spectrum), 10, 0.0)
    assert law.noise(form) == pytest.approx((1 / 2 + 2 / 1 + 3 / 0.5) / (10 - 3 - 1), rel=1e-12)
    assert law.bias(form, np.ones(3)) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("n", [3, 9])
def test_small_penalties_run_into_the_limit(n):
    spectrum = np.arange(1.0, 7.0) ** -1.0
    form, b = Structured.of_diagonal(spectrum), np.ones(6)
    limit = Equivalent(partialled(spectrum), n, 0.0, order=0)
    near = Equivalent(partialled(spectrum), n, 1e-9, order=0)
    assert near.bias(form, b) == pytest.approx(limit.bias(form, b), rel=1e-6, abs=1e-12)
    assert near.noise(form) == pytest.approx(limit.noise(form), rel=1e-6)


def test_units_do_not_matter():
    spectrum, V = np.arange(1.0, 9.0) ** -1.0, np.eye(8)[:, :2]
    form, b = Structured.of_diagonal(spectrum), np.concatenate([[0.0, 0.0], np.ones(6)])
    one = Equivalent(partialled(spectrum, V), 7, 0.3)
    for unit in (1e-60, 1e60):
        other = Equivalent(partialled(unit * spectrum, V), 7, unit * 0.3)
        scaled = Structured.of_diagonal(unit * spectrum)
        assert other.bias(scaled, b) == pytest.approx(unit * one.bias(form, b), rel=1e-10)
        assert other.noise(scaled) == pytest.approx(one.noise(form), rel=1e-10)


def test_structured_matrices_multiply_as_dense_ones():
    rng = np.random.default_rng(1)
    a, b = (
        Structured(rng.uniform(1, 2, 6), rng.standard_normal((6, c)), rng.standard_normal((6, c)))
        for c in (2, 3)
    )
    np.testing.assert_allclose((a @ b).dense(), a.dense() @ b.dense(), atol=1e-13)
    np.testing.assert_allclose((a + b).dense(), a.dense() + b.dense(), atol=1e-14)
    np.testing.assert_allclose(a.inverse().dense(), np.linalg.inv(a.dense()), atol=1e-11)
    np.testing.assert_allclose(a.T.dense(), a.dense().T)
    assert trace_of_product(a, b) == pytest.approx(np.trace(a.dense() @ b.dense()))
    assert trace_of_product(a.dense(), b) == pytest.approx(np.trace(a.dense() @ b.dense()))
    assert a.trace == pytest.approx(np.trace(a.dense()))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"order": 2}, "order must be 0 or 1, got 2"),
        ({"penalty_sum": -1.0}, "got -1.0"),
        ({"penalty_sum": np.inf}, "got inf"),
        ({"rows": 0}, "rows must be at least 1"),
    ],
)
def test_wrong_arguments_are_refused(change, words):
    arguments = {"population": partialled(np.ones(3)), "rows": 4, "penalty_sum": 1.0} | change
    with pytest.raises(InputError, match=words):
        Equivalent(**arguments)
