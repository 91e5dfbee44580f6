"""Published laws of ridge under any covariance, each written here as its authors give it.

The law of theory/README.md 5f must be theirs at leading order, to rounding; simulations, which are
seeded, are held to its next order. Inputs are x = S^(1/2) z with eigenvalues s of S, the penalty is
z summed over samples where the authors sum their loss, and lambda = z/n where they average it.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq

from mcbrain.errors import InputError
from mcbrain.theory.any_covariance import TaskSetting, excess_risk, generalised_excess_risk
from mcbrain.theory.equivalents import Equivalent
from mcbrain.theory.optimal_weights import optimal_weights, optimally_weighted_risk
from mcbrain.theory.ridge_population import generalised, partialled
from mcbrain.theory.structured import Structured

D = 60


def power_law(alpha: float, d: int = D) -> np.ndarray:
    s = np.arange(1.0, d + 1) ** -alpha
    return s * (d / s.sum())


def weights(seed: int, d: int = D) -> np.ndarray:
    beta = np.random.default_rng(seed).standard_normal(d) * np.arange(1.0, d + 1) ** -0.3
    return beta / np.linalg.norm(beta)


def law(s, beta, n, z, sigma, M=None, order=0):
    """Excess risk by mcbrain; test inputs as in training if there is no M."""
    moment = Structured.of_diagonal(s) if M is None else M
    return excess_risk(TaskSetting(s, beta, moment, sigma, n), z / n, order=order)


def simulated(s, beta, n, z, sigma, M, replicates, seed):
    """Mean excess of ridge and its standard error: data, fit and error in plain NumPy."""
    rng, found = np.random.default_rng(seed), []
    for _ in range(replicates):
        X = rng.standard_normal((n, s.size)) * np.sqrt(s)
        y = X @ beta + sigma * rng.standard_normal(n)
        e = X.T @ np.linalg.solve(X @ X.T + z * np.eye(n), y) - beta
        found.append(e @ M @ e)
    return np.mean(found), np.std(found) / np.sqrt(replicates)


def root(function) -> float:
    """The positive root of a function that rises from below 0."""
    return brentq(function, 1e-12, 1e6, xtol=1e-300, rtol=1e-15, maxiter=500)


SIZES = [(25, 1.0, 3.0), (60, 0.5, 1.0), (150, 1.5, 8.0)]  # n, exponent of the power law, z


@pytest.mark.parametrize(("n", "alpha", "z"), SIZES)
def test_bordelon_canatar_pehlevan_learning_curves(n, alpha, z):
    """Bordelon, Canatar & Pehlevan 2020, ICML, Spectrum dependent learning curves in kernel
    regression and wide neural networks: the error of each mode, without label noise.

    E_j = (w_j^2/s_j) (1/s_j + n/(z+t))^-2 / (1 - n g/(z+t)^2), where t = sum (1/s_j + n/(z+t))^-1
    and g = sum (1/s_j + n/(z+t))^-2.
    """
    s, w = power_law(alpha), weights(n)
    t = root(lambda t: t - np.sum(1 / (1 / s + n / (z + t))))
    seen = 1 / (1 / s + n / (z + t))
    modes = w**2 / s * seen**2 / (1 - n * np.sum(seen**2) / (z + t) ** 2)
    assert law(s, w, n, z, 0.0) == pytest.approx(modes.sum(), rel=1e-10)
    for j in (0, 7, D - 1):  # what is learned of one mode, from a task that is that mode alone
        alone = np.where(np.arange(D) == j, w, 0.0)
        assert law(s, alone, n, z, 0.0) == pytest.approx(modes[j], rel=1e-10)


@pytest.mark.parametrize(("n", "alpha", "z"), SIZES)
def test_simon_eigenlearning(n, alpha, z):
    """Simon, Dickens, Karkada & DeWeese 2021, The eigenlearning framework.

    The learnabilities L_j = s_j/(s_j + k) with sum L_j + z/k = n; the test error, noise included,
    is E = E_0 (sum (1 - L_j)^2 v_j^2 + sigma^2), E_0 = n/(n - sum L_j^2), v_j^2 = s_j beta_j^2; a
    learned coefficient has mean L_j v_j and variance E L_j^2/n.
    """
    s, beta, sigma = power_law(alpha), weights(n + 1), 0.6
    k = root(lambda k: n - np.sum(s / (s + k)) - z / k)
    L, v = s / (s + k), np.sqrt(s) * beta
    error = n / (n - np.sum(L**2)) * (np.sum((1 - L) ** 2 * v**2) + sigma**2)
    assert law(s, beta, n, z, sigma) + sigma**2 == pytest.approx(error, rel=1e-10)

    mean = beta + Equivalent(partialled(s), n, z, order=0).mean_error(beta)
    np.testing.assert_allclose(np.sqrt(s) * mean, L * v, rtol=1e-10)
    for j in (0, 11):
        one = Structured.of_diagonal(np.where(np.arange(D) == j, s, 0.0))
        spread = (L[j] - 1) ** 2 * v[j] ** 2 + error * L[j] ** 2 / n
        assert law(s, beta, n, z, sigma, one) == pytest.approx(spread, rel=1e-10)


def test_simon_conservation_of_learnability():
    """The same: sum L_j <= n, with equality without a penalty; here for the means of simulation.

    Sum over j of the learnabilities E beta_hat_j/beta_j, on 300 data sets: |z| < 4.5.
    """
    s, n = power_law(1.0), 25
    rng, kept = np.random.default_rng(4), []
    for _ in range(300):
        X = rng.standard_normal((n, D)) * np.sqrt(s)
        kept.append(np.trace(X.T @ np.linalg.solve(X @ X.T + 3.0 * np.eye(n), X)))
    keeps = D - Equivalent(partialled(s), n, 3.0).shrinkage(Structured.of_diagonal(np.ones(D)))
    assert keeps < n
    assert abs(np.mean(kept) - keeps) < 4.5 * np.std(kept) / np.sqrt(300)
    free = Equivalent(partialled(s), n, 0.0).shrinkage(Structured.of_diagonal(np.ones(D)))
    assert D - free == pytest.approx(n, rel=1e-9)


@pytest.mark.parametrize(("n", "z"), [(30, 4.0), (120, 2.0)])
def test_loureiro_teacher_and_student_see_other_features(n, z):
    """Loureiro et al. 2021, NeurIPS, Learning curves of generic features maps: ridge.

    Teacher u'theta and student x'w with covariances Psi of u, Omega of x and Phi = E u x' between
    them. The fixed point, with p features, a = n/p, lambda = z/p:
    V' = a/(1+V), q' = a (rho + Delta + q - 2m)/(1+V)^2, m' = a/(1+V);
    V = tr Omega (lambda + V' Omega)^-1/p, m = m' theta'Phi (lambda + V' Omega)^-1 Phi'theta,
    q = tr (q' Omega/p + m'^2 Phi'theta theta'Phi) Omega (lambda + V' Omega)^-2; the error is
    rho - 2m + q. What of u is not in x is label noise for the student.
    """
    rng, p, latent, Delta = np.random.default_rng(n), D, 40, 0.3
    F = rng.standard_normal((p, latent)) / np.sqrt(latent)
    Psi = np.diag(power_law(0.7, latent))
    Omega = F @ Psi @ F.T + 0.2 * np.eye(p)
    Phi = Psi @ F.T
    theta = rng.standard_normal(latent) / np.sqrt(latent)
    rho, lam, a = theta @ Psi @ theta, z / p, n / p
    pull = Phi.T @ theta
    V = q = m = 0.0
    for _ in range(1000):
        V_hat, m_hat = a / (1 + V), a / (1 + V)
        q_hat = a * (rho + Delta + q - 2 * m) / (1 + V) ** 2
        R = np.linalg.inv(lam * np.eye(p) + V_hat * Omega)
        V = np.trace(Omega @ R) / p
        m = m_hat * pull @ R @ pull
        q = np.trace((q_hat * Omega / p + m_hat**2 * np.outer(pull, pull)) @ R @ Omega @ R)
    error = rho - 2 * m + q

    s, axes = np.linalg.eigh(Omega)
    beta = np.linalg.solve(Omega, pull)
    unseen = rho - beta @ Omega @ beta
    found = law(s, axes.T @ beta, n, z, np.sqrt(Delta + unseen)) + unseen
    assert found == pytest.approx(error, rel=1e-9)


@pytest.mark.parametrize("n", [40, 120])
def test_cheng_montanari_dimension_free(n):
    """Cheng & Montanari 2022, Dimension free ridge regression: far more inputs than samples.

    n - z/k = tr S (S + k)^-1, B = k^2 b'(S + k)^-2 S b/(1 - tr S^2 (S+k)^-2/n) and V = sigma^2
    tr S^2 (S+k)^-2/(n - tr S^2 (S+k)^-2), with an error that falls with n, whatever the dimension;
    here 1,500 inputs with a summable spectrum. Next order and simulation: 100 data sets, within 4.5
    standard errors and 0.5 %.
    """
    d, sigma, z = 1500, 0.4, 1.5
    s = power_law(1.6, d) / 15
    b = np.arange(1.0, d + 1) ** -0.6
    k = root(lambda k: n - z / k - np.sum(s / (s + k)))
    df2 = np.sum((s / (s + k)) ** 2)
    B = k**2 * np.sum(b**2 * s / (s + k) ** 2) / (1 - df2 / n)
    assert law(s, b, n, z, sigma) == pytest.approx(B + sigma**2 * df2 / (n - df2), rel=1e-10)

    next_order = law(s, b, n, z, sigma, order=1)
    rng, found = np.random.default_rng(n), []
    for _ in range(100):
        X = rng.standard_normal((n, d)) * np.sqrt(s)
        y = X @ b + sigma * rng.standard_normal(n)
        e = X.T @ np.linalg.solve(X @ X.T + z * np.eye(n), y) - b
        found.append(np.sum(s * e**2))
    error = np.std(found) / np.sqrt(100)
    assert abs(np.mean(found) - next_order) < 4.5 * error + 0.005 * next_order


@pytest.mark.parametrize(("n", "alpha", "z"), SIZES)
def test_canatar_pehlevan_out_of_distribution(n, alpha, z):
    """Canatar, Bordelon & Pehlevan 2021, NeurIPS, Out-of-distribution generalization in kernel
    regression: any test distribution, by the overlaps O of the modes under it.

    k = z + k tr S (n S + k)^-1, g = n tr S^2 (n S + k)^-2, g' = n tr O S^2 (n S + k)^-2;
    E = E_matched + (g' - g)/(1 - g) sigma^2 + k^2 a'(n S + k)^-1 O' (n S + k)^-1 a,
    O' = O - (1 - g')/(1 - g) I, a = S^(1/2) beta; E_matched is that of Bordelon et al. 2020.
    Simulation of the smallest cell: 400 data sets, 4.5 standard errors and 0.5 %.
    """
    s, beta, sigma = power_law(alpha), weights(n + 2), 0.5
    G = np.random.default_rng(n).standard_normal((D, 20))
    O = G @ G.T / 20  # noqa: E741 (its name in the paper)
    k = root(lambda k: k - z - k * np.sum(s / (n * s + k)))
    g = n * np.sum(s**2 / (n * s + k) ** 2)
    g_test = n * np.sum(np.diag(O) * s**2 / (n * s + k) ** 2)
    a = np.sqrt(s) * beta / (n * s + k)
    matched = g / (1 - g) * sigma**2 + k**2 / (1 - g) * np.sum(a**2)
    other = O - (1 - g_test) / (1 - g) * np.eye(D)
    error = matched + (g_test - g) / (1 - g) * sigma**2 + k**2 * a @ other @ a
    M = np.sqrt(s)[:, None] * O * np.sqrt(s)
    assert law(s, beta, n, z, sigma, M) == pytest.approx(error, rel=1e-9)
    assert law(s, beta, n, z, sigma) == pytest.approx(matched, rel=1e-10)
    if n == min(SIZES)[0]:
        mean, se = simulated(s, beta, n, z, sigma, M, 400, 3)
        assert abs(mean - law(s, beta, n, z, sigma, M, order=1)) < 4.5 * se + 0.005 * mean


def patil(s, beta, n, lam, sigma, M):
    """Patil, Du & Tibshirani 2024, ICML: out-of-distribution risk at any penalty, also below 0."""

    def rest(mu):
        return mu - lam - mu * np.sum(s / (s + mu)) / n

    # mu rises with the penalty; for a negative one it is the larger of two roots.
    low = brentq(lambda mu: 1 - np.sum((s / (s + mu)) ** 2) / n, 1e-9, 1e3)
    mu = brentq(rest, low, 1e4, xtol=1e-300, rtol=1e-14)
    v = np.sum(np.diag(M) * s / (s + mu) ** 2) / n / (1 - np.sum((s / (s + mu)) ** 2) / n)
    b = mu / (s + mu) * beta
    return b @ M @ b + v * (np.sum(s * b**2) + sigma**2)


def test_patil_negative_penalties_can_be_best_under_a_shift():
    """Patil, Du & Tibshirani 2024, Optimal ridge regularization for out-of-distribution prediction.

    mu = lambda + mu tr S (S + mu)^-1/n; bias b'Mb with b = mu (S + mu)^-1 beta, and inflation
    v (b'Sb + sigma^2), v = tr M S (S + mu)^-2/n/(1 - tr S^2 (S + mu)^-2/n). Where test inputs vary
    along the signal and labels are nearly clean the best penalty is negative: the law, which begins
    at 0, is theirs there and rises, and data follow their curve below 0, where X'X/n has no
    eigenvalue as small as the penalty (its least is near 0.8). 40 data sets: within 4.5 standard
    errors and 3 % of this leading order.
    """
    d, n, sigma = 800, 200, 0.1
    top = np.arange(d) < d // 10
    s, M = np.where(top, 4.0, 2 / 3), np.diag(np.where(top, 4.0, 0.05))
    beta = top / np.sqrt(d // 10)
    theirs = {lam: patil(s, beta, n, lam, sigma, M) for lam in (-0.5, 0.0, 0.05, 0.4)}
    assert theirs[-0.5] < 0.75 * theirs[0.0]
    for lam in (0.0, 0.05, 0.4):
        assert law(s, beta, n, n * lam, sigma, M) == pytest.approx(theirs[lam], rel=1e-8)
    assert theirs[0.0] < theirs[0.05]  # so that 0 is the best of the penalties that have a law

    rng, found = np.random.default_rng(5), []
    for _ in range(40):
        X = rng.standard_normal((n, d)) * np.sqrt(s)
        y = X @ beta + sigma * rng.standard_normal(n)
        gram, errors = X @ X.T, []
        for lam in theirs:
            e = X.T @ np.linalg.solve(gram + n * lam * np.eye(n), y) - beta
            errors.append(np.sum(np.diag(M) * e**2))
        found.append(errors)
    means, se = np.mean(found, axis=0), np.std(found, axis=0) / np.sqrt(40)
    for value, mean, error in zip(theirs.values(), means, se, strict=True):
        assert abs(mean - value) < 4.5 * error + 0.03 * value


@pytest.mark.parametrize("n", [30, 90])
def test_hastie_latent_space_model_without_a_penalty(n):
    """Hastie, Montanari, Rosset & Tibshirani 2022, Ann. Stat. 50, 949-986: the latent space model.

    y = theta't + xi, x = W t + noise, with W'W = mu I and more features p than samples. Features
    have eigenvalues 1 + mu (share psi) and 1, the signal W (I + W'W)^-1 theta, and labels the
    further noise |theta|^2/(1 + mu). With g = p/n and c_0 from
    1 - 1/g = (1 - psi)/(1 + c_0 g) + psi/(1 + c_0 g (1 + mu)), and E_i the means over features of
    s^(3-i)/(1 + c_0 g s)^2: excess = (1 + g c_0 E_1/E_2) mu |theta|^2/((1 + mu)(1 + c_0 g
    (1+mu))^2) + sigma^2 g c_0 E_1/E_2.
    """
    p, k, mu, xi = 150, 15, 6.0, 0.4
    rng = np.random.default_rng(n)
    theta = rng.standard_normal(k) / np.sqrt(k)
    W = np.sqrt(mu) * np.linalg.qr(rng.standard_normal((p, k)))[0]
    psi, g = k / p, p / n
    c = root(lambda c: 1 - 1 / g - (1 - psi) / (1 + c * g) - psi / (1 + c * g * (1 + mu)))
    E1, E2 = (
        (1 - psi) / (1 + c * g) ** 2 + psi * (1 + mu) ** power / (1 + c * g * (1 + mu)) ** 2
        for power in (2, 1)
    )
    noise = xi**2 + theta @ theta / (1 + mu)
    strength = mu * theta @ theta / (1 + mu)
    error = (1 + g * c * E1 / E2) * strength / (1 + c * g * (1 + mu)) ** 2
    error += noise * g * c * E1 / E2

    s, axes = np.linalg.eigh(W @ W.T + np.eye(p))
    beta = axes.T @ W @ theta / (1 + mu)
    assert law(s, beta, n, 0.0, np.sqrt(noise)) == pytest.approx(error, rel=1e-8)

    # The model itself, from latents: 300 data sets, 4.5 standard errors and 1 %.
    found = []
    for _ in range(300):
        t = rng.standard_normal((n, k))
        X = t @ W.T + rng.standard_normal((n, p))
        y = t @ theta + xi * rng.standard_normal(n)
        e = np.linalg.lstsq(X, y, rcond=None)[0] - axes @ beta
        found.append(e @ (W @ (W.T @ e)) + e @ e)
    se = np.std(found) / np.sqrt(300)
    next_order = law(s, beta, n, 0.0, np.sqrt(noise), order=1)
    assert abs(np.mean(found) - next_order) < 4.5 * se + 0.01 * next_order


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("n", [25, 100])
def test_wu_xu_optimal_weights(n, order):
    """Wu & Xu 2020, NeurIPS, On the optimal weighted l2 regularization.

    The weights that are best are the inverse second moment of beta, whatever the covariance, at the
    penalty sigma^2/n; the risk, noise included, is then n k, where n - sigma^2/k = tr K (K + k)^-1
    with K = B^(1/2) S B^(1/2), B = E beta beta' (Dobriban & Wager 2018 for B = I). To every order
    the risk is also the mean of generalised ridge over tasks.
    """
    s, sigma = power_law(1.0), 0.7
    prior = np.random.default_rng(n).permutation(np.arange(1.0, D + 1) ** -0.8)
    B = Structured.of_diagonal(prior)
    tested = Structured.of_diagonal(s)
    best = optimally_weighted_risk(s, B, tested, sigma, n, order)
    if order == 0:
        k = root(lambda k: n - sigma**2 / k - np.sum(s * prior / (s * prior + k)))
        assert best + sigma**2 == pytest.approx(n * k, rel=1e-10)

    def over_tasks(omega):
        """The mean over tasks: bias is a quadratic form of beta."""
        axes = np.eye(D) * np.sqrt(prior)
        clean = [TaskSetting(s, e, tested, 0.0, n) for e in axes]
        bias = sum(generalised_excess_risk(c, sigma**2 / n, omega, order) for c in clean)
        return bias + sigma**2 * Equivalent(generalised(s, omega), n, sigma**2, order).noise(tested)

    omega = optimal_weights(B)
    assert over_tasks(omega) == pytest.approx(best, rel=1e-9)
    turn = np.random.default_rng(1).standard_normal(D)
    for step in (-0.2, 0.2):
        other = Structured.of_diagonal(omega.diagonal * np.exp(step * turn))
        assert over_tasks(other) > best * (1 + 1e-4)


def test_wu_xu_optimal_weights_are_those_of_simulation():
    """The same on 2,000 data sets and tasks, with a second moment of beta that is not diagonal.

    4.5 standard errors and 0.5 %.
    """
    n, d, sigma = 15, 20, 0.6
    rng = np.random.default_rng(12)
    s, column = power_law(1.0, d), rng.standard_normal((d, 1)) / 3
    B = Structured(np.full(d, 0.1), column, column)
    M = np.diag(np.linspace(0.3, 2.0, d))
    omega, half, found = optimal_weights(B).dense(), np.linalg.cholesky(B.dense()), []
    for _ in range(2000):
        beta = half @ rng.standard_normal(d)
        X = rng.standard_normal((n, d)) * np.sqrt(s)
        y = X @ beta + sigma * rng.standard_normal(n)
        e = np.linalg.solve(X.T @ X + sigma**2 * omega, X.T @ y) - beta
        found.append(e @ M @ e)
    best = optimally_weighted_risk(s, B, M, sigma, n)
    assert abs(np.mean(found) - best) < 4.5 * np.std(found) / np.sqrt(2000) + 0.005 * best


def test_weights_of_a_task_that_never_goes_somewhere_are_refused():
    B = Structured.of_diagonal(np.array([1.0, 0.0]))
    with pytest.raises(InputError, match="smallest eigenvalue is 0"):
        optimal_weights(B)
    with pytest.raises(InputError, match="need label noise"):
        optimally_weighted_risk(np.ones(2), Structured.of_diagonal(np.ones(2)), B, 0.0, 4)


@pytest.mark.parametrize(("n", "alpha", "z"), SIZES)
def test_bai_silverstein_mean_of_linear_statistics(n, alpha, z):
    """Bai & Silverstein 2004, Ann. Probab. 32, 553-605, Theorem 1.1: real entries.

    tr (X'X/n - x)^-1 less its limit has the mean y int m^3 t^2/(1+tm)^3 dH / (1 - y int m^2 t^2
    /(1+tm)^2 dH)^2, where m is the companion transform at x = -z/n; a complex matrix has none. It
    is what the next order adds.
    """
    s, lam = power_law(alpha), z / n
    m = 1 / root(lambda k: k * (n - np.sum(s / (s + k))) - z)
    above = np.sum(m**3 * s**2 / (1 + s * m) ** 3) / n
    below = 1 - np.sum(m**2 * s**2 / (1 + s * m) ** 2) / n
    theirs = above / below**2
    one = Structured.of_diagonal(np.ones(D))
    orders = [Equivalent(partialled(s), n, z, order).shrinkage(one) / lam for order in (0, 1)]
    assert orders[1] - orders[0] == pytest.approx(theirs, rel=1e-9)


def test_bai_silverstein_mean_of_the_log_determinant():
    """The same, equation (1.21) with its mean for f = log: (1/2) log(1 - q/n) for S = I.

    Integrated over the penalty from 0, what the next order adds to E tr (X'X + z)^-1 is minus that.
    """
    n, q = 80, 30
    one = Structured.of_diagonal(np.ones(q))

    def added(z):
        found = [Equivalent(partialled(np.ones(q)), n, z, k).shrinkage(one) / z for k in (0, 1)]
        return found[1] - found[0]

    nodes, shares = np.polynomial.legendre.leggauss(60)
    u = (nodes + 1) / 2
    z = 100 * u / (1 - u)
    area = np.sum(shares / 2 * np.array([added(x) for x in z]) * 100 / (1 - u) ** 2)
    assert -area == pytest.approx(0.5 * np.log(1 - q / n), rel=1e-6)
