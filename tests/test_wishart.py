"""The exact task stage against independent arithmetic (theory/README.md 4b, 4c, 4f).

The reference shares nothing with the package: no Laguerre functions and no spectral density, but
the generating function E prod (1 + eps h(x_i)) of the eigenvalues of a real Wishart matrix as a
ratio of Pfaffians (de Bruijn 1955), in arithmetic of 90 digits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import comb, factorial

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcbrain.errors import InputError
from mcbrain.theory.laguerre import spectral_quadrature
from mcbrain.theory.wishart import resolvent, task_moments

DIGITS = 90


@cache
def _seeds(half: bool, z_text: str, k: int, digits: int) -> tuple[mp.mpf, mp.mpf]:
    """Integrals of s^a e^(-s/2) (s+z)^-k against U and 1, a = -1/2 (half) or 0.

    U(s) = int sgn(t-s) t^a e^(-t/2) dt.
    """
    with mp.workdps(digits):
        z = mp.mpf(z_text)
        if not half:

            def exponential(c: mp.mpf) -> mp.mpf:
                return mp.exp(c * z) * mp.expint(k, c * z) * z ** (1 - k)

            once = exponential(mp.mpf(1) / 2)
            return 4 * exponential(mp.mpf(1)) - 2 * once, once
        top = mp.log(4 * mp.mp.dps / z + 4) / 2 + 1

        def integrand(v: mp.mpf) -> mp.mpf:
            u = mp.exp(v)
            value = u * mp.exp((1 - u * u) * z / 2) * mp.atan(1 / u)
            return value if k == 1 else value * (u * u - 1) / 2

        pieces = int(top / 2) + 1
        error = mp.sqrt(2 / mp.pi) * mp.quad(
            integrand, [top * i / pieces for i in range(pieces + 1)]
        )
        gauss = mp.pi / (2 * mp.sqrt(z)) * mp.exp(z / 2) * mp.erfc(mp.sqrt(z / 2))
        if k == 2:
            gauss = gauss / (2 * z) - gauss / 2 + mp.sqrt(2 * mp.pi) / (4 * z)
        return 2 * mp.sqrt(2 * mp.pi) * (gauss - 2 * error), 2 * gauss


@cache
def _pairings(half: bool, z_text: str, size: int, digits: int) -> tuple[list, ...]:
    """Skew products of the functions s^(a+i) e^(-s/2), i < size, plain and with h = 1/(s+z)^k.

    A: <i, j>; B: <h i, j>; B2: the same with h^2; b, h1, h2: integrals of i, h i, h^2 i.
    """
    with mp.workdps(digits):
        z, a = mp.mpf(z_text), mp.mpf(-1) / 2 if half else mp.mpf(0)
        shift = -1 if half else 0
        one, two = [mp.exp(z) * mp.e1(z)], [1 / z - mp.exp(z) * mp.e1(z)]
        for c in range(2 * size):
            one.append(factorial(c) - z * one[c])
            two.append(one[c] - z * two[c])
        A = [[mp.mpf(0)] * size for _ in range(size)]
        for i in range(size):
            for j in range(i + 1, size):
                A[i][j] = 2 * (a + j) * A[i][j - 1] + 4 * factorial(shift + i + j)
                A[j][i] = -A[i][j]
        b = [mp.mpf(2) ** (a + i + 1) * mp.gamma(a + i + 1) for i in range(size)]
        below, lower, results = A, b, [A]
        singles = [b]
        for k, scalar in ((1, one), (2, two)):
            start, border = _seeds(half, z_text, k, digits)
            M = [[start]]
            for j in range(1, size):
                M[0].append(2 * (a + j) * M[0][j - 1] + 4 * scalar[shift + j])
            edge = [border]
            for i in range(size - 1):
                M.append([below[i][j] - z * M[i][j] for j in range(size)])
                edge.append(lower[i] - z * edge[i])
            below, lower = M, edge
            results.append(M)
            singles.append(edge)
        return (*results, *singles)


@dataclass(frozen=True)
class Reference:
    inverse: mp.mpf  # E sum r over the min(n, q) positive eigenvalues
    inverse_squared: mp.mpf  # E sum r^2
    square: mp.mpf  # E (sum r)^2


@cache
def reference(n: int, q: int, z_text: str, digits: int = DIGITS) -> Reference:
    n, q = max(n, q), min(n, q)
    half = (n - q) % 2 == 0
    first = (n - q) // 2 if half else (n - q - 1) // 2
    A, B, B2, b, h1, h2 = _pairings(half, z_text, first + q, digits)
    with mp.workdps(digits):
        z = mp.mpf(z_text)
        full = [[mp.mpf(0)] * (first + q) for _ in range(first + q)]  # <h i, h j>
        for i in range(first + q - 1):
            full[i + 1][0] = -B[0][i] - z * full[i][0]
        for i in range(first + q):
            for j in range(first + q - 1):
                full[i][j + 1] = B[i][j] - z * full[i][j]
        m = q + q % 2
        P, P1, P2, C = (mp.matrix(m, m) for _ in range(4))
        for i in range(q):
            for j in range(q):
                k, c = first + i, first + j
                P[i, j], C[i, j] = A[k][c], full[k][c]
                P1[i, j], P2[i, j] = B[k][c] - B[c][k], B2[k][c] - B2[c][k]
            if q % 2:
                for matrix, edge in ((P, b), (P1, h1), (P2, h2)):
                    matrix[i, q], matrix[q, i] = edge[first + i], -edge[first + i]
        inverse = P**-1
        X = inverse * P1

        def trace(matrix: mp.matrix) -> mp.mpf:
            return sum(matrix[i, i] for i in range(m))

        r1, r2 = trace(X) / 2, trace(inverse * P2) / 2
        return Reference(r1, r2, trace(inverse * C) - trace(X * X) / 2 + r1**2 + r2)


def _relative(value: object, truth: mp.mpf) -> float:
    with mp.workdps(DIGITS):
        return abs(float(mp.mpf(float(value)) / truth - 1))


SIZES = [(1, 1), (2, 2), (3, 2), (3, 3), (7, 3), (5, 2), (12, 11), (12, 12), (14, 12), (33, 12)]
SHIFTS = ["0.0001", "0.3", "6", "50"]
EVERY_SIZE = SIZES + [(q, n) for n, q in SIZES if n != q]


def _assert_stein_haff(n: int, q: int, z: str, truth: Reference) -> None:
    with mp.workdps(DIGITS):
        x = mp.mpf(z)
        right = q - (x + n - q - 1) * truth.inverse - x * truth.inverse_squared
        assert abs(x * truth.square - right) < mp.mpf(10) ** -50 * q


def _assert_resolvent(n: int, q: int, z: str, truth: Reference) -> None:
    g, g_prime = resolvent(n, q, float(z))
    free = max(q - n, 0)
    with mp.workdps(DIGITS):
        x = mp.mpf(z)
        assert _relative(g, truth.inverse + free / x) < 2e-13
        assert _relative(g_prime, -truth.inverse_squared - free / x**2) < 2e-12


def _assert_task_moments(n: int, q: int, z: str, truth: Reference) -> None:
    free, rank = max(q - n, 0), 3
    moments = task_moments(n + rank, rank, q + rank, float(z) / (n + rank))
    with mp.workdps(DIGITS):
        x = mp.mpf(z)
        sum_f, sum_f2 = x * truth.inverse + free, x**2 * truth.inverse_squared + free
        square = x**2 * truth.square + 2 * free * x * truth.inverse + free**2
        c2 = (q * sum_f2 - square) / (q * (q + 2) * (q - 1)) if q > 1 else mp.mpf(0)
        c1 = (square + 2 * sum_f2) / (q * (q + 2)) - c2
        noise = (truth.inverse - x * truth.inverse_squared) / q
        assert _relative(moments.mean_f, sum_f / q) < 1e-12
        assert _relative(moments.noise, noise) < 2e-12
        assert _relative(moments.c1, c1) < 5e-12
        assert moments.c2 == 0 if q == 1 else _relative(moments.c2, c2) < 5e-12


@pytest.mark.parametrize("z", SHIFTS)
@pytest.mark.parametrize(("n", "q"), SIZES)
def test_the_stein_haff_identity_holds_to_fifty_digits(n, q, z):
    """z E(sum r)^2 = q - (z+n-q-1) E sum r - z E sum r^2; it also certifies the reference."""
    _assert_stein_haff(n, q, z, reference(n, q, z))


@pytest.mark.parametrize("z", SHIFTS)
@pytest.mark.parametrize(("n", "q"), EVERY_SIZE)
def test_resolvent_agrees_with_fifty_digit_arithmetic(n, q, z):
    _assert_resolvent(n, q, z, reference(n, q, z))


@pytest.mark.parametrize("z", SHIFTS)
@pytest.mark.parametrize(("n", "q"), EVERY_SIZE)
def test_task_moments_agree_with_fifty_digit_arithmetic(n, q, z):
    _assert_task_moments(n, q, z, reference(n, q, z))


@pytest.mark.long
@pytest.mark.parametrize("q", range(1, 13))
def test_every_size_up_to_twelve_agrees_with_fifty_digit_arithmetic(q):
    for extra in (0, 1, 2, 3, 4, 5, 6, 9, 20, 51, 120):
        for z in ("0.000001", "0.01", "1", "30", "900"):
            truth = reference(q + extra, q, z, digits=300)
            for n, columns in ((q + extra, q), (q, q + extra)):
                _assert_resolvent(n, columns, z, truth)
                _assert_task_moments(n, columns, z, truth)
            _assert_stein_haff(q + extra, q, z, truth)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 40])
@pytest.mark.parametrize("z", [1e-60, 1e-26, 1e-12, 1e-3, 20.0, 1e6, 1e150])
def test_one_dimension_is_the_incomplete_gamma_function(n, z):
    """q = 1: g(z) = 2^(-n/2) z^(n/2-1) U(n/2, n/2, z/2), at tiny and huge z too."""
    with mp.workdps(60):
        x, h = mp.mpf(z), mp.mpf(n) / 2
        truth = mp.mpf(2) ** -h * x ** (h - 1) * mp.hyperu(h, h, x / 2)
        assert _relative(resolvent(n, 1, z)[0], truth) < 1e-11


def exact_traces(n: int, q: int, top: int) -> list[int]:
    """E tr (W'W)^k, k <= top, in exact integers, by Stein's identity for products of traces."""

    @cache
    def mean(parts: tuple[int, ...]) -> int:
        if not parts:
            return 1
        if parts[-1] == 0:
            return q * mean(parts[:-1])
        k, rest = parts[0] - 1, parts[1:]
        total = (n + k) * mean(_descending((k, *rest)))
        for j in range(k):
            total += mean(_descending((j + 1, k - 1 - j, *rest)))
        for i, a in enumerate(rest):
            total += 2 * a * mean(_descending((*rest[:i], *rest[i + 1 :], k + a)))
        return total

    return [mean((k,)) for k in range(top + 1)]


def _descending(parts: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(parts, reverse=True))


LARGE = [(2000, 2000), (2001, 2000), (2004, 1999), (2100, 2000), (10**4, 2000), (10**7, 2000)]
LARGE += [(200, 200), (203, 200), (500, 199), (10**7, 200), (10**7, 3), (40, 7)]


@pytest.mark.parametrize(("n", "q"), LARGE)
def test_the_spectral_density_has_the_exact_moments_at_large_sizes(n, q):
    x, w = spectral_quadrature(n, q)
    exact = exact_traces(n, q, 8)
    assert w.sum() == pytest.approx(q, rel=1e-11)
    for k in range(1, 9):
        assert np.sum(w * (x / n) ** k) == pytest.approx(exact[k] / n**k, rel=1e-11)
    center = [sum(comb(k, j) * (-n) ** (k - j) * exact[j] for j in range(k + 1)) for k in range(9)]
    width = float(n) * q
    for k in (2, 4, 6, 8):
        scaled = np.sum(w * ((x - n) ** 2 / width) ** (k // 2))
        assert scaled == pytest.approx(center[k] / width ** (k // 2), rel=1e-11)


def continued_fraction(n: int, q: int, levels: int) -> Callable[[mp.mpf], Reference]:
    """E sum 1/(x+z)^k from the first 2 levels moments: exact where n is many times q."""
    raw = exact_traces(n, q, 2 * levels)
    with mp.workdps(400):
        size = range(2 * levels + 1)
        top = [
            mp.mpf(sum(comb(k, j) * (-n) ** (k - j) * raw[j] for j in range(k + 1))) for k in size
        ]
        before, now = [mp.mpf(0)] * len(top), top
        a, b = [now[1] / now[0]], [now[0]]
        for k in range(1, levels):
            after = [mp.mpf(0)] * len(top)
            for i in range(k, 2 * levels - k):
                after[i] = now[i + 1] - a[-1] * now[i] - (b[-1] * before[i] if k > 1 else 0)
            a.append(after[k + 1] / after[k] - now[k] / now[k - 1])
            b.append(after[k] / now[k - 1])
            before, now = now, after

    def evaluate(z: mp.mpf) -> Reference:
        value = slope = mp.mpf(0)
        for alpha, beta in zip(reversed(a), reversed(b), strict=True):
            below = n + alpha + z - value
            value, slope = beta / below, -beta * (1 - slope) / below**2
        square = (q - (z + n - q - 1) * value + z * slope) / z
        return Reference(value, -slope, square)

    return evaluate


@pytest.mark.parametrize(
    ("n", "q", "levels"), [(10**7, 2000, 11), (10**6, 1999, 14), (10**5, 500, 13), (10**7, 2, 8)]
)
def test_nothing_cancels_where_samples_are_many_times_the_dimension(n, q, levels):
    """c2 too, which the plain Stein-Haff identity loses altogether in double precision here."""
    fraction = continued_fraction(n, q, levels)
    for ratio in (1e-6, 1e-3, 0.1, 1.0, 30.0, 1e6):
        z = float(round(ratio * n) or 1)
        with mp.workdps(DIGITS):
            truth = fraction(mp.mpf(z))
        _assert_resolvent_and_moments(n, q, z, truth)


def _assert_resolvent_and_moments(n: int, q: int, z: float, truth: Reference) -> None:
    g, g_prime = resolvent(n, q, z)
    moments = task_moments(n, 0, q, z / n)
    with mp.workdps(DIGITS):
        x = mp.mpf(z / n) * n
        c2 = x**2 * (q * truth.inverse_squared - truth.square) / (q * (q + 2) * (q - 1))
        c1 = x**2 * (truth.square + 2 * truth.inverse_squared) / (q * (q + 2)) - c2
        noise = (truth.inverse - x * truth.inverse_squared) / q
        assert _relative(g, truth.inverse) < 5e-12
        assert _relative(g_prime, -truth.inverse_squared) < 5e-12
        assert _relative(moments.noise, noise) < 5e-12
        assert _relative(moments.c1, c1) < 5e-12
        assert _relative(moments.c2, c2) < 5e-12


@pytest.mark.parametrize(("n", "q"), [(20000, 2000), (2000, 200), (4000, 1999), (300, 150)])
def test_a_proportional_number_of_samples_agrees_with_exact_moments_at_large_z(n, q):
    """2 x 13 exact moments fix all task moments to 1e-12 once z is a few times n."""
    fraction = continued_fraction(n, q, 13)
    for z in (4.0 * n, 20.0 * n, 1e5 * n):
        with mp.workdps(DIGITS):
            truth = fraction(mp.mpf(z))
        _assert_resolvent_and_moments(n, q, z, truth)


WELL_ABOVE = [(6, 2), (7, 3), (16, 12), (205, 200), (300, 200), (2005, 2000), (2500, 2000)]
WELL_ABOVE += [(10**4, 2000), (10**7, 2000), (10**7, 2)]


@pytest.mark.parametrize(("n", "q"), WELL_ABOVE)
def test_without_penalty_come_the_inverse_wishart_moments(n, q):
    """E tr S^-1, E tr S^-2 and E (tr S^-1)^2 (von Rosen 1988; Matsumoto 2012) as z -> 0."""
    nu, z = n - q, 1e-140
    third = nu * (nu - 1.0) * (nu - 3.0)
    g, g_prime = resolvent(n, q, 0.0)
    assert g == pytest.approx(q / (nu - 1.0), rel=1e-11)
    assert g_prime == pytest.approx(-q * (n - 1.0) / third, rel=1e-11)
    moments = task_moments(n, 0, q, z / n)
    assert moments.noise == pytest.approx(1.0 / (nu - 1.0), rel=1e-11)
    assert moments.mean_f / z == pytest.approx(1.0 / (nu - 1.0), rel=1e-11)
    assert moments.c2 / z**2 == pytest.approx(1.0 / third, rel=1e-10)
    assert moments.c1 / z**2 == pytest.approx((nu - 1.0) / third, rel=1e-10)


@pytest.mark.parametrize("p", [2, 3, 50, 199, 2000])
def test_a_spectrum_that_touches_zero_has_the_right_edge(p):
    """n - q = 1: E tr S^-1 (n-q-1) -> q makes the density at zero q/2, so E sum r^2 -> q/(2z)."""
    for z in (1e-22, 1e-40, 1e-120):
        assert -resolvent(p + 1, p, z)[1] * z == pytest.approx(0.5 * p, rel=1e-9)


@pytest.mark.parametrize("nu", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("p", [2, 5, 200])
def test_the_leading_power_takes_over_without_a_seam_as_z_falls(nu, p):
    """Below z = 1e-24/p, where it is used, it continues what the table gives above."""
    seam = 1e-24 / p
    below, above = (
        np.array(
            [*resolvent(p + nu, p, z), *vars(task_moments(p + nu, 0, p, z / (p + nu))).values()]
        )
        for z in (seam * (1 - 1e-7), seam * (1 + 1e-7))
    )
    np.testing.assert_allclose(below, above, rtol=1e-6)
    far = np.array([resolvent(p + nu, p, z)[1] for z in (1e-40, 1e-42)])
    power = {0: 1e3, 1: 1e2, 2: 10.0, 4: 1.0}
    if nu in power:
        assert far[1] / far[0] == pytest.approx(power[nu], rel=1e-9)


@pytest.mark.parametrize(("n", "q"), [(3, 9), (7, 9), (1, 2), (150, 200), (10, 2000), (1, 3)])
def test_without_penalty_and_few_samples_come_the_minimum_norm_moments(n, q):
    """f is then the projection on the q - n directions without data, uniformly oriented."""
    moments = task_moments(n, 0, q, 0.0)
    free = q - n
    c2 = (q * free - free**2) / (q * (q + 2) * (q - 1))
    assert moments.c2 == pytest.approx(c2, rel=1e-11)
    assert moments.c1 == pytest.approx((free**2 + 2 * free) / (q * (q + 2)) - c2, rel=1e-11)
    assert moments.mean_f == pytest.approx(free / q, rel=1e-12)
    expected = n / q / (free - 1) if free > 1 else np.inf
    assert moments.noise == pytest.approx(expected, rel=1e-11)


def test_the_noise_without_penalty_is_infinite_exactly_where_its_mean_is():
    n = np.arange(12, 29)
    noise = task_moments(n, 0, 20, 0.0).noise
    np.testing.assert_array_equal(np.isinf(noise), np.abs(n - 20) <= 1)
    assert np.all(np.isfinite(task_moments(n, 0, 20, 1e-300).noise))


def test_limits_of_the_penalty_and_of_the_sizes():
    projection = task_moments([5, 20, 60], 2, 12, np.inf)
    for field, value in (("noise", 0.0), ("c1", 1.0), ("c2", 0.0), ("mean_f", 1.0)):
        np.testing.assert_array_equal(getattr(projection, field), value)
    nothing_fitted = task_moments([0, 1, 2], 2, 12, [0.0, 0.5, np.inf])
    for field, value in (("noise", 0.0), ("c1", 1.0), ("c2", 0.0), ("mean_f", 1.0)):
        np.testing.assert_array_equal(getattr(nothing_fitted, field), value)
    no_outside = task_moments(30, 12, 12, [0.0, 0.5, np.inf])
    for field in ("noise", "c1", "c2", "mean_f"):
        np.testing.assert_array_equal(getattr(no_outside, field), 0.0)
    assert resolvent(4, 7, np.inf) == (0.0, 0.0)
    assert resolvent(4, 7, 0.0) == (np.inf, -np.inf)
    assert resolvent(0, 7, 2.0) == (3.5, -1.75)


@pytest.mark.parametrize("n", [10, 11, 30, 2000])
def test_swapping_rows_and_columns_adds_the_zero_eigenvalues(n):
    z = np.geomspace(1e-10, 1e10, 41)
    g, g_prime = resolvent(n, 10, z)
    h, h_prime = resolvent(10, n, z)
    np.testing.assert_allclose(h, g + (n - 10) / z, rtol=1e-13)
    np.testing.assert_allclose(h_prime, g_prime - (n - 10) / z**2, rtol=1e-13)


@given(
    n=st.integers(1, 400),
    q=st.integers(1, 60),
    log_penalty=st.floats(-12, 12),
    rank=st.integers(0, 5),
)
@settings(deadline=None, max_examples=150)
def test_moments_obey_their_inequalities_and_the_stein_haff_identity(n, q, log_penalty, rank):
    penalty = 10.0**log_penalty
    moments = task_moments(n + rank, rank, q + rank, penalty)
    z = (n + rank) * penalty
    mean_square = moments.c1 + q * moments.c2
    assert 0 <= moments.noise <= 0.25 * (1 + 1e-12) / z
    assert 0 <= moments.c2 <= mean_square * (1 + 1e-12)
    assert -1e-12 * mean_square <= moments.c1
    assert moments.mean_f**2 <= mean_square * (1 + 1e-12)
    assert mean_square <= moments.mean_f * (1 + 1e-12)
    # E (sum f)^2 two ways: from c1 and c2, and from g alone.
    g, g_prime = resolvent(n, q, z)
    square = q * (q * mean_square - (q + 2) * (q - 1) * moments.c2)
    scale = z * (q + (z + n + q) * g)
    assert abs(square - z * (q - (z + n - q - 1) * g + z * g_prime)) < 1e-11 * scale


def test_the_optimal_penalty_is_optimal_and_leaves_the_resolvent_as_risk():
    """lambda* = sigma_y^2 q / (n m_bar); then e_U = (sigma_y^2/n) E tau1 = sigma_y^2 g (4c)."""
    n = np.array([15, 40, 110, 120, 121, 400, 10**7])[:, None, None]
    rank, d = 10, 120
    m_bar = np.array([0.001, 0.2, 1.0])[:, None]
    variance = np.array([1e-4, 0.5, 30.0])
    q = d - rank
    best = variance * q / (n * m_bar)

    def outside(penalty):
        moments = task_moments(n, rank, d, penalty)
        return m_bar * (moments.c1 + q * moments.c2) + q * variance * moments.noise

    g, _ = resolvent(n - rank, q, n * best)
    np.testing.assert_allclose(outside(best), variance * g, rtol=1e-12)
    risk = outside(best)
    for factor in (0.99, 1.01):
        assert np.all(outside(best * factor) >= risk * (1 - 1e-13))


def test_a_cell_of_a_grid_equals_the_same_cell_alone():
    n, penalty = np.array([4, 20, 31, 5000]), np.array([0.0, 1e-30, 0.3, np.inf])
    grid = task_moments(n[:, None], 1, np.array([9, 31])[:, None, None], penalty)
    assert grid.c2.shape == (2, 4, 4)
    for i, d in enumerate((9, 31)):
        for j, rows in enumerate(n):
            for k, value in enumerate(penalty):
                alone = task_moments(rows, 1, d, value)
                for field in ("noise", "c1", "c2", "mean_f"):
                    assert getattr(grid, field)[i, j, k] == getattr(alone, field)


def test_bad_input_is_refused_in_a_sentence():
    with pytest.raises(InputError, match=r"n_task must be a whole number >= 0, got 2\.5"):
        task_moments(2.5, 0, 4, 1.0)
    with pytest.raises(InputError, match=r"penalty must be >= 0, got -1\.0"):
        task_moments(5, 0, 4, [1.0, -1.0])
    with pytest.raises(InputError, match=r"rank must not exceed input_dim"):
        task_moments(5, 6, 4, 1.0)
    with pytest.raises(InputError, match="z must be >= 0, got nan"):
        resolvent(5, 4, np.nan)


@pytest.mark.parametrize(
    ("n", "rank", "d", "penalty"),
    [(30, 2, 12, 0.3), (8, 2, 12, 0.3), (12, 2, 12, 0.01), (13, 0, 12, 0.5), (60, 3, 8, 2.0)],
)
def test_task_moments_agree_with_simulation(n, rank, d, penalty):
    """Plain NumPy, 10,000 draws; 20 comparisons at |z| < 4.5: false-alarm rate 1.4e-4."""
    q, rows, draws = d - rank, n - rank, 10_000
    rng = np.random.default_rng([20260510, n, rank, d])
    w = rng.standard_normal((draws, rows, q))
    spectrum = np.maximum(np.linalg.eigvalsh(np.swapaxes(w, 1, 2) @ w), 0.0)
    f = n * penalty / (spectrum + n * penalty)
    once, twice = f.sum(axis=1), (f * f).sum(axis=1)
    c2 = (q * twice - once**2) / (q * (q + 2) * (q - 1))
    simulated = {
        "noise": (spectrum / (spectrum + n * penalty) ** 2).sum(axis=1) / q,
        "c1": (once**2 + 2 * twice) / (q * (q + 2)) - c2,
        "c2": c2,
        "mean_f": once / q,
    }
    exact = task_moments(n, rank, d, penalty)
    for field, values in simulated.items():
        error = values.std(ddof=1) / np.sqrt(draws)
        assert abs(values.mean() - getattr(exact, field)) < 4.5 * error
