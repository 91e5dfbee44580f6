"""The exact task stage at large sizes, against moments in exact integers (theory/README.md 4f)."""

from math import comb

import mpmath as mp
import numpy as np
import pytest

from mcbrain.theory.laguerre import spectral_quadrature
from mcbrain.theory.wishart import resolvent, task_moments
from tests.support.wishart_reference import (
    DIGITS,
    Reference,
    continued_fraction,
    exact_traces,
    relative,
)

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
        assert relative(g, truth.inverse) < 5e-12
        assert relative(g_prime, -truth.inverse_squared) < 5e-12
        assert relative(moments.noise, noise) < 5e-12
        assert relative(moments.c1, c1) < 5e-12
        assert relative(moments.c2, c2) < 5e-12


@pytest.mark.parametrize(("n", "q"), [(20000, 2000), (2000, 200), (4000, 1999), (300, 150)])
def test_a_proportional_number_of_samples_agrees_with_exact_moments_at_large_z(n, q):
    """2 x 13 exact moments fix all task moments to 1e-12 once z is a few times n."""
    fraction = continued_fraction(n, q, 13)
    for z in (4.0 * n, 20.0 * n, 1e5 * n):
        with mp.workdps(DIGITS):
            truth = fraction(mp.mpf(z))
        _assert_resolvent_and_moments(n, q, z, truth)
