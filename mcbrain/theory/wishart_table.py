"""Means of sums over the eigenvalues of one real Wishart matrix, tabulated in z (README.md 4f).

For each (n', q) four integrals against the mean spectral density (`laguerre`) are tabulated once,
as piecewise polynomials in t = log((z + z0)/(z + top)), with z0 below and top above the spectrum:
all singularities then lie on the lines Im t = +-pi, so one degree serves every size, and the
half-line of z, both ends included, is a finite interval of t.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mcbrain.theory.laguerre import NU_TOUCHING, TOUCHING, spectral_quadrature
from mcbrain.typing import Floats

__all__ = ["EigenvalueSums", "SumsTable", "table"]

# A panel of this half-width admits a Bernstein ellipse of parameter 8.5 within |Im t| < pi: its
# interpolation error is of order 8.5^-DEGREE = 1e-15.
HALF_WIDTH, DEGREE = 0.75, 16
CHUNK = 8192  # values of z evaluated together, to stay in cache
TABLES_KEPT = 1024  # of 2 to 25 kB each


@dataclass(frozen=True)
class EigenvalueSums:
    """E of sums over the positive eigenvalues x of W'W, with r = 1/(x+z) and f = z/(x+z).

    Attributes
    ----------
    inverse, inverse_squared : ndarray
        E sum r and E sum r^2.
    shrinkage, shrinkage_squared : ndarray
        E sum f and E sum f^2.
    variance : ndarray
        E sum x r^2, what label noise adds.
    spread : ndarray
        E[q sum f^2 - (sum f)^2] over all q eigenvalues, also those that are zero (f = 1).
    """

    inverse: Floats
    inverse_squared: Floats
    shrinkage: Floats
    shrinkage_squared: Floats
    variance: Floats
    spread: Floats


# How each of the six behaves as z -> 0: like z^POWER times the integral of x^-ORDER.
POWERS = np.array([0.0, 0.0, 1.0, 2.0, 0.0, 2.0])
ORDERS = np.array([1.0, 2.0, 1.0, 2.0, 1.0, 2.0])


@dataclass(frozen=True)
class SumsTable:
    """The integrals for one (n', q), as polynomials in t = log((z + z0)/(z + top)).

    Attributes
    ----------
    nu : int
        |n' - q|.
    larger : int
        The larger of n' and q.
    free : int
        Number of eigenvalues that are exactly zero.
    z0, top : float
        Eigenvalues below and above the spectrum, which define t; z0 is 0 where it touches zero.
    z_min : float
        Ridge below which the leading power of z is used.
    t_low : float
        The smallest t, negative.
    panels_per_unit : float
        Number of polynomials per unit of t.
    coefficients : ndarray, shape (panels, DEGREE, 4)
        Coefficients of the polynomials, highest power first.
    """

    nu: int
    larger: int
    free: int
    z0: float
    top: float
    z_min: float
    t_low: float
    panels_per_unit: float
    coefficients: Floats

    def sums(self, z: Floats) -> Floats:
        """The six fields of `EigenvalueSums` at z >= 0 of shape (m,): an array (6, m).

        Parameters
        ----------
        z : ndarray, shape (m,)
            Ridges that are added to the eigenvalues, at least 0.

        Returns
        -------
        ndarray, shape (6, m)
            The sums, in the order of the fields.
        """
        out = np.empty((6, z.size))
        for start in range(0, z.size, CHUNK):
            part = z[start : start + CHUNK]
            out[:, start : start + CHUNK] = self._above(np.maximum(part, self.z_min))
            below = np.flatnonzero(part < self.z_min)
            if below.size:
                out[:, start + below] = self._below(part[below])
        return out

    def _above(self, z: Floats) -> Floats:
        infinite = np.isinf(z)
        scale = z + self.larger
        with np.errstate(invalid="ignore"):
            t = np.log(np.where(infinite, 1.0, (z + self.z0) / (z + self.top)))
            ratio = np.where(infinite, 1.0, z / scale)
        position = (t - self.t_low) * self.panels_per_unit
        panel = np.clip(position.astype(np.int64), 0, len(self.coefficients) - 1)
        local = (2.0 * (position - panel) - 1.0)[:, None]
        value = self.coefficients[panel, 0]
        for k in range(1, DEGREE):
            value = value * local + self.coefficients[panel, k]
        inverse, squared, variance, spread = value.T
        spread = spread / scale / scale
        return np.stack(
            [
                inverse / scale,
                squared / scale / scale,
                inverse * ratio,
                squared * ratio * ratio,
                variance / scale / scale,
                spread if self.free else spread * ratio * ratio,
            ]
        )

    def _below(self, z: Floats) -> Floats:
        """Leading behaviour as z -> 0 of a spectrum that touches zero like y^nu dy, y = sqrt(x)."""
        at, above = self._above(np.array([self.z_min, 2.0 * self.z_min])).T
        powers, orders = POWERS.copy(), ORDERS.copy()
        if self.free:  # then the zero eigenvalues carry the spread, which has a limit
            powers[5], orders[5] = 0.0, -np.inf
        singular = 0.5 * (self.nu + 1.0) - orders
        ratio = z / self.z_min
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            out = at[:, None] * ratio ** (powers + np.minimum(singular, 0.0))[:, None]
            for i in np.flatnonzero(singular == 0.0):
                slope = (at[i] - above[i] / 2.0 ** powers[i]) / np.log(2.0)
                limit = np.inf if powers[i] == 0 else 0.0
                leading = ratio ** powers[i] * (at[i] - slope * np.log(ratio))
                out[i] = np.where(ratio > 0, leading, limit)
        return np.asarray(out)


@lru_cache(maxsize=TABLES_KEPT)
def table(n: int, q: int) -> SumsTable:
    """The table of an n x q standard Gaussian matrix, n and q >= 1; kept for the next caller.

    Takes 2 to 10 ms at min(n, q) = 200 and 40 to 250 ms at 2,000.

    Parameters
    ----------
    n : int
        Rows of the matrix, at least 1.
    q : int
        Columns of the matrix, at least 1.

    Returns
    -------
    SumsTable
        Shared between callers.
    """
    larger, p = max(n, q), min(n, q)
    nu = larger - p
    x, w = spectral_quadrature(larger, p)
    top = float(x[-1])
    z_min, z0 = (TOUCHING / p, 0.0) if nu <= NU_TOUCHING else (0.0, float(x[0]))
    t_low = float(np.log((z_min + z0) / top))
    panels = max(1, int(np.ceil(-t_low / (2.0 * HALF_WIDTH))))
    nodes, to_chebyshev, to_powers = _interpolation()
    values = np.empty((panels, DEGREE, 4))
    for panel in range(panels):
        t = t_low * (1.0 - (panel + 0.5 * (nodes + 1.0)) / panels)
        z = np.maximum((np.exp(t) * top - z0) / -np.expm1(t), 0.0)
        values[panel] = _integrals(x, w, larger, p, q - p, z)
    return SumsTable(
        nu=nu,
        larger=larger,
        free=q - p,
        z0=z0,
        top=top,
        z_min=z_min,
        t_low=t_low,
        panels_per_unit=panels / -t_low,
        coefficients=to_powers @ (to_chebyshev @ values),
    )


def _integrals(x: Floats, w: Floats, n: int, p: int, free: int, z: Floats) -> Floats:
    """s E sum r, s^2 E sum r^2, s^2 E sum x r^2 and the scaled spread, s = z + n; shape (m, 4).

    The scaled spread is s^4 Q, Q = E[p sum r^2 - (sum r)^2], or, with zero eigenvalues,
    s^2 E[q sum f^2 - (sum f)^2] = s^2 (z^2 Q + free E sum (1-f)^2).
    """
    u = x - n
    s = z + n
    r = 1.0 / (x + z[:, None])
    cube = w * u**3
    # For nu > 1 the factor (u+p+1)/x keeps every term of Q small against its leading one.
    quartic = cube * u * (u + p + 1.0) / x if n > p + 1 else cube * u
    first = r @ np.stack([w, quartic], axis=1)
    second = (r * r) @ np.stack([w, w * x, w * x * x, cube, cube * u], axis=1)
    spread = np.zeros_like(z)
    if p > 1:
        curvature = (p + 1.0) * (4.0 * s * second[:, 3] + 3.0 * second[:, 4])
        spread = _leading_spread(n, p, z, first[:, 1]) - curvature
    if free:
        spread = spread * (z / s) ** 2 + free * s**2 * second[:, 2]
    return np.stack([s * first[:, 0], s**2 * second[:, 0], s**2 * second[:, 1], spread], axis=1)


def _leading_spread(n: int, p: int, z: Floats, quartic: Floats) -> Floats:
    """s^4 Q but for the terms in r^2: Stein-Haff less what E sum u^k, u = x - n, k < 4 cancels."""
    if n > p + 1:
        return n * p * (p - 1.0) * (p + 2.0) + quartic
    # Where E sum 1/x is infinite: the identity times z, in which nothing cancels as z -> 0.
    s = z + n
    square, third = n * p * (p + 1.0), n * p * (p * p + 3.0 * p + 4.0)
    linear = (2.0 * (p + 1.0) * square - third) * s
    return np.asarray(
        (linear + (p + 1.0) * (third - 3.0 * n * square) + (s - p - 1.0) * quartic) / z
    )


@lru_cache(maxsize=1)
def _interpolation() -> tuple[Floats, Floats, Floats]:
    """Chebyshev nodes; matrices from values to Chebyshev, and on to monomial, coefficients.

    Monomials come highest power first. The two steps must stay apart: the decay of the Chebyshev
    coefficients pays for the growth of the second matrix.
    """
    from numpy.polynomial import chebyshev

    angles = np.pi * (np.arange(DEGREE) + 0.5) / DEGREE
    to_chebyshev = np.cos(np.outer(np.arange(DEGREE), angles)) * (2.0 / DEGREE)
    to_chebyshev[0] *= 0.5
    to_powers = np.zeros((DEGREE, DEGREE))
    for k in range(DEGREE):
        column = chebyshev.cheb2poly(np.eye(DEGREE)[k])
        to_powers[DEGREE - len(column) :, k] = column[::-1]
    return np.cos(angles), to_chebyshev, to_powers
