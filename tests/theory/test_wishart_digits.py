"""The exact task stage to fifty digits, at small sizes (theory/README.md 4b, 4c, 4f)."""

import mpmath as mp
import pytest

from mcbrain.theory.wishart import resolvent, task_moments
from tests.support.wishart_reference import DIGITS, Reference, reference, relative

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
        assert relative(g, truth.inverse + free / x) < 2e-13
        assert relative(g_prime, -truth.inverse_squared - free / x**2) < 2e-12


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
        assert relative(moments.mean_f, sum_f / q) < 1e-12
        assert relative(moments.noise, noise) < 2e-12
        assert relative(moments.c1, c1) < 5e-12
        assert moments.c2 == 0 if q == 1 else relative(moments.c2, c2) < 5e-12


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
        assert relative(resolvent(n, 1, z)[0], truth) < 1e-11
