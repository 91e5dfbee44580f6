"""Quadrature for the eigenvalue density of a real Wishart matrix (theory/README.md 4f).

The mean spectral density of W'W, W an n x p standard Gaussian matrix with n >= p, is a finite sum
of Laguerre functions. In y = sqrt(x) it is an entire function of y, so the trapezoidal rule on a
grid that is uniform in the bulk and geometric towards y = 0 converges exponentially: one to two
nodes for each eigenvalue give every integral against 1/(x + z)^k, z >= 0, to near rounding.
"""

import math

import numpy as np

from mcbrain.typing import Floats

__all__ = ["NU_TOUCHING", "TOUCHING", "spectral_quadrature"]


# Up to this n - p the spectrum is treated as one that touches zero, where E sum x^-2 is infinite or
# is approached only like sqrt(z). It is resolved down to z = TOUCHING / p, below which the leading
# power of z is accurate to sqrt(TOUCHING).
NU_TOUCHING, TOUCHING = 4, 1e-24
LOG_STEP = 0.3  # step in log y near y = 0: the poles at y = +-i sqrt(z) cost exp(-pi^2 / LOG_STEP)
TAIL = 8.0  # the density falls at least like exp(-t^2) at distance t (in y) outside the bulk
# Beyond |F| ~ 1e40 the recurrence is rescaled; eight steps grow by less than 1e35 at p <= 1e4.
RESCALE_EVERY, RESCALE_ABOVE = 8, 1e40


def spectral_quadrature(n: int, p: int) -> tuple[Floats, Floats]:
    """Nodes x_i > 0 and weights w_i with E sum h(eigenvalues) = sum_i w_i h(x_i).

    Parameters
    ----------
    n, p : int
        Rows and columns of W, n >= p >= 1; W'W has p positive eigenvalues.

    Returns
    -------
    nodes, weights : arrays of shape (m,), ascending nodes; the weights add up to p.

    Notes
    -----
    Exponentially convergent for functions of x that are analytic away from x <= 0 and grow at most
    polynomially. Source: theory/README.md 4f.
    """
    # Near zero the density is y^nu dy: what lies below y_min adds nothing to E sum x^-2.
    nu = n - p
    y_min = 10.0 ** -(26.0 if nu <= NU_TOUCHING else 20.0 / (nu - 3)) / np.sqrt(p)
    lowest = max(np.sqrt(n) - np.sqrt(p) - TAIL, y_min)
    # The density in y is band-limited to 4 sqrt(p) up to Gaussian tails. Where the grid bends
    # towards y = 0 its map is analytic only in a strip, which a wider margin has to pay for.
    band = 4.0 * np.sqrt(p) + 12.0 if lowest > y_min else 5.0 * np.sqrt(p) + 20.0
    step_y = 2.0 * np.pi / band
    scale = step_y / LOG_STEP
    highest = np.sqrt(n) + np.sqrt(p) + TAIL
    # y = scale * log(1 + exp(tau)): geometric for tau << 0, uniform for tau >> 0.
    tau_low = _softplus_inverse(lowest / scale)
    count = int(np.ceil((highest / scale - tau_low) / LOG_STEP)) + 1
    tau = tau_low + LOG_STEP * np.arange(count)
    y = scale * np.logaddexp(0.0, tau)
    jacobian = step_y / (1.0 + np.exp(-tau))
    x = y * y
    weights = jacobian * _density_in_y(n, p, y, x)
    # At n = 1e7 the rounding of n log(x/n) shows as a common factor: the mass is known.
    return x, weights * (p / weights.sum())


def _softplus_inverse(v: float) -> float:
    return float(v + np.log(-np.expm1(-v)))


def _density_in_y(n: int, p: int, y: Floats, x: Floats) -> Floats:
    """2 y dens(y^2): the density of sqrt(eigenvalue)."""
    nu = n - p
    last, squares, integral, log_scale = _laguerre_functions(nu, p, y, x)
    edge = np.exp(log_scale)
    last, integral = last * edge, integral * edge
    density = 2.0 * y * squares * edge * edge
    coupling = np.sqrt(float(nu + p - 1) * (p - 1))
    if p % 2:
        return np.asarray(density + last * (2.0 / _total_integral(nu, p - 1) - coupling * integral))
    from scipy.special import gammainc

    half = _total_integral(nu, p - 2) * (gammainc(0.5 * (nu + 1), 0.5 * x) - 0.5)
    return np.asarray(density - coupling * last * (integral + half))


def _laguerre_functions(
    nu: int, p: int, y: Floats, x: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """F_{p-1}, sum_{j<p-1} F_j^2 and the elementary part of the integral of F_{p-2}/sqrt(x).

    All are divided by exp(log_scale), the fourth result (the sum by its square), because the first
    functions underflow where the last ones are of order one. J_j, the integral of F_j/sqrt(x) from
    0 to x, obeys J_{j+1} = sqrt(j (j+nu)/((j+1) (j+1+nu))) J_{j-1} + 2 y F_j/sqrt((j+1) (j+1+nu));
    here it starts from J_0 = 0, and the caller adds the incomplete gamma function for even p.
    """
    log_scale = 0.5 * _log_gamma_kernel(nu, x)
    before, current = np.zeros_like(x), np.ones_like(x)
    squares, integral = np.zeros_like(x), np.zeros_like(x)
    offset = nu + 1.0 - x
    work = np.empty_like(x)
    root_before = 0.0
    for j in range(p - 1):
        root = np.sqrt((j + 1.0) * (j + 1.0 + nu))
        np.multiply(current, current, out=work)
        squares += work
        if (p - j) % 2:
            np.multiply(current, y, out=work)
            work *= 2.0 / root
            integral *= root_before / root
            integral += work
        np.add(offset, 2.0 * j, out=work)
        work *= current
        before *= -root_before
        before += work
        before /= root
        before, current, root_before = current, before, root
        if j % RESCALE_EVERY == RESCALE_EVERY - 1:
            large = np.maximum(np.abs(current), np.abs(before))
            if large.max() > RESCALE_ABOVE:
                factor = np.where(large > RESCALE_ABOVE, 1.0 / large, 1.0)
                log_scale -= np.log(factor)
                for array in (before, current, integral):
                    array *= factor
                squares *= factor * factor
    return current, squares, integral, log_scale


def _log_gamma_kernel(nu: int, x: Floats) -> Floats:
    """log(x^nu exp(-x) / Gamma(nu + 1)) without the cancellation of its large terms."""
    if nu == 0:
        return -x
    if nu < 30:
        return np.asarray(nu * np.log(x) - x - math.lgamma(nu + 1.0))
    deviation = (x - nu) / nu
    stirling = (1.0 - (1.0 / 30.0 - (1.0 / 105.0) / nu**2) / nu**2) / (12.0 * nu)
    series = nu * (np.log1p(deviation) - deviation)
    return np.asarray(series - 0.5 * np.log(2.0 * np.pi * nu) - stirling)


def _total_integral(nu: int, j: int) -> float:
    """Integral of F_j(x)/sqrt(x) over x > 0 for even j (it vanishes for odd j)."""
    return float(np.sqrt(2.0 * _half_step(0.5 * (j + 1)) * _half_step(0.5 * (j + 1 + nu))))


def _half_step(a: float) -> float:
    """Gamma(a) / Gamma(a + 1/2)."""
    if a < 30.0:
        return math.gamma(a) / math.gamma(a + 0.5)
    t = 1.0 / a
    series = 1.0 + t * (
        1 / 8 + t * (1 / 128 + t * (-5 / 1024 + t * (-21 / 32768 + t * (399 / 262144))))
    )
    return float(series / np.sqrt(a))
