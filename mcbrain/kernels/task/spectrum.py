"""The task stage from its spectrum alone: O(q) a replicate for each penalty, whatever n.

theory/README.md 3: once the r unpenalised directions are partialled out, ridge in q dimensions
with n' = n - r samples remains, and its risk needs nothing of the data but the eigenvalues t_i of
an n' x q Gaussian matrix times its transpose. With z = n lambda: f_i = z/(t_i + z).
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from mcbrain.kernels.jit import helper, kernel
from mcbrain.kernels.linear.lanes import get, padded, put
from mcbrain.kernels.random.streams import State, Stream, load, next_chi_square, next_gamma, store
from mcbrain.kernels.types import LANES
from mcbrain.typing import Floats

SUM_F, SUM_F2, SPREAD, NOISE = 0, 1, 2, 3
"""Rows of the results: sum f, sum f^2, q sum f^2 - (sum f)^2, and sum t/(t+z)^2 = q v/sigma_y^2."""

SLOPE, SHIFTED, REST, CURVE, SUM_UG, SUM_UU, SUM_GG, SUM_E = range(8)
"""Rows of `_Chain.work`: t', x + w, w and -t'' of the pivot at hand, and the sums of `recur`."""


@helper
def _chi_square(s: State, stream: Stream, dof: float, b: float, c: float) -> tuple[State, float]:
    """Return a chi-square number, its gamma constants b and c taken from a table."""
    if dof > 2.0:
        s, gamma = next_gamma(s, stream, b, c)
        return s, 2.0 * gamma
    return next_chi_square(s, stream, dof)


@kernel
def recur(diagonal: Floats, below: Floats, ridges: Floats, work: Floats) -> None:
    """Sum rational functions of the spectrum of BB', B lower bidiagonal, at several ridges.

    The pivots of BB' + z are a_i + x_i + w_i with x_i = z t'_i; all of t' (the derivative of
    a pivot), w and -t'' (its curvature) obey recursions without a subtraction, so that every sum
    keeps its relative precision for z from 0 to beyond the largest eigenvalue.

    Parameters
    ----------
    diagonal, below
        (m,) squares of B's diagonal and of the entries below it (the last one 0).
    ridges
        (w,) values of z >= 0, finite.
    work
        (8, w), w whole eights: on return rows SUM_UG, SUM_UU, SUM_GG and SUM_E hold sums over i of
        u g, u^2, g^2 and e, where u_i is the contribution to sum 1/(t+z), g_i that to
        sum t/(t+z) and e_i the coupling:
        sum t/(t+z)^2 = ug - z e, sum 1/(t+z)^2 = u^2 + e, sum t^2/(t+z)^2 = g^2 + z^2 e.
    """
    width, flat = ridges.size, work.reshape(work.size)
    for j in range(0, width, LANES):
        z = get(ridges, j)
        put(flat, SLOPE * width + j, 0.0 * z + 1.0)
        put(flat, SHIFTED * width + j, z)
        for row in range(REST, SUM_E + 1):
            put(flat, row * width + j, 0.0 * z)
    for i in range(diagonal.size):
        a, b = diagonal[i], below[i]
        for j in range(0, width, LANES):
            z, slope = get(ridges, j), get(flat, SLOPE * width + j)
            t, rest = get(flat, SHIFTED * width + j), get(flat, REST * width + j)
            curve = get(flat, CURVE * width + j)
            r = 1.0 / (a + t)
            square, growth = r * r, a * b * slope
            kept = b * (t * t + a * rest)
            u, g = slope * r, (a + rest) * r
            put(flat, SLOPE * width + j, growth * square + 1.0)
            # x + w, carried beside both, is the one thing that the next division waits for.
            put(flat, SHIFTED * width + j, (z * growth + kept) * square + z)
            put(flat, REST * width + j, kept * square)
            put(flat, CURVE * width + j, a * b * square * (curve + 2.0 * u * slope))
            put(flat, SUM_UG * width + j, get(flat, SUM_UG * width + j) + u * g)
            put(flat, SUM_UU * width + j, get(flat, SUM_UU * width + j) + u * u)
            put(flat, SUM_GG * width + j, get(flat, SUM_GG * width + j) + g * g)
            put(flat, SUM_E * width + j, get(flat, SUM_E * width + j) + curve * r)


@helper
def _summarise(work: Floats, ridges: Floats, q: int, m: int, out: Floats) -> None:
    """Turn the sums of `recur` into the four statistics of one replicate, (4, n_penalties)."""
    missing = float(q - m)  # eigenvalues that are zero, of f = 1
    for j in range(out.shape[1]):
        z = ridges[j]
        ug, uu = work[SUM_UG, j], work[SUM_UU, j]
        gg, coupling = work[SUM_GG, j], work[SUM_E, j]
        f = z * (z * uu + ug) + missing
        f2 = z * z * (uu + coupling) + missing
        h = gg + z * ug
        h2 = gg + z * z * coupling
        out[SUM_F, j] = f
        out[SUM_F2, j] = f2
        # Both forms are the same number: the one of smaller terms cancels less.
        out[SPREAD, j] = max(q * f2 - f * f if f < h else q * h2 - h * h, 0.0)
        out[NOISE, j] = ug - z * coupling


class _Chain(NamedTuple):
    """Degrees of freedom of the bidiagonal matrix, their gamma constants, and buffers.

    Attributes
    ----------
    dof : ndarray, shape (2 m - 1,)
    shape : ndarray, shape (2 m - 1,)
        b of each gamma law.
    scale : ndarray, shape (2 m - 1,)
        c of each gamma law.
    draws : ndarray, shape (2 m,)
        The chi-squares; the last stays 0.
    ridges : ndarray, shape (w,)
        The last one repeated, to whole eights.
    work : ndarray, shape (8, w)
        Of `recur`.
    """

    dof: Floats
    shape: Floats
    scale: Floats
    draws: Floats
    ridges: Floats
    work: Floats


@kernel
def _task_replicates(
    stream: Stream, n_prime: int, q: int, chain: _Chain, out: Floats, controls: Floats
) -> None:
    """Fill `out` and `controls` of `task_block`, a replicate after the other."""
    m, draws = min(n_prime, q), chain.draws
    mean1 = max(float(n_prime) * q, 1.0)
    mean2 = mean1 * (n_prime + q + 1.0)
    for replicate in range(out.shape[0]):
        s = load(stream)
        for i in range(chain.dof.size):
            s, draws[i] = _chi_square(s, stream, chain.dof[i], chain.shape[i], chain.scale[i])
        store(stream, s)
        recur(draws[:m], draws[m:], chain.ridges, chain.work)
        _summarise(chain.work, chain.ridges, q, m, out[replicate])
        trace, square, before = 0.0, 0.0, 0.0
        for i in range(m):
            a, b = draws[i], draws[m + i]
            trace += a + b
            square += (a + before) * (a + before) + 2.0 * a * b
            before = b
        controls[replicate, 0] = trace / mean1 - 1.0
        controls[replicate, 1] = square / mean2 - 1.0


def task_block(
    stream: Stream, n_prime: int, q: int, ridges: Floats, out: Floats, controls: Floats
) -> None:
    """Simulate a block of task replicates (theory/README.md 3 and 4b).

    Each replicate draws the chi-squares of a bidiagonal matrix (Dumitriu & Edelman 2002), with
    m = min(n', q) and M = max(n', q): chi^2_{M-i} for i = 0..m-1, then chi^2_{m-1-i} for
    i = 0..m-2.

    Parameters
    ----------
    stream
        Where the numbers come from.
    n_prime, q
        Samples and dimensions of the penalised block: n - r and d - r (r = 0 for ridge and OLS).
    ridges
        (n_penalties,) z = n lambda >= 0, finite; 0 is the limit of least squares, or of minimum
        norm where n' < q.
    out
        (n_replicates, 4, n_penalties): rows SUM_F, SUM_F2, SPREAD and NOISE. Block means give
        c2 = SPREAD/(q (q+2) (q-1)), c1 + q c2 = SUM_F2/q, v = sigma_y^2 NOISE/q.
    controls
        (n_replicates, 2): sum t and sum t^2, less their known means n'q and n'q(n'+q+1), over
        those means: control variates.
    """
    m, width = min(n_prime, q), padded(ridges.size)
    repeated = ridges[np.minimum(np.arange(width), ridges.size - 1)]
    chain = _Chain(*_degrees(n_prime, q), np.zeros(2 * m), repeated, np.empty((SUM_E + 1, width)))
    _task_replicates(stream, n_prime, q, chain, out, controls)


@lru_cache(maxsize=64)
def _degrees(n_prime: int, q: int) -> tuple[Floats, Floats, Floats]:
    """Return what `_Chain` says of the chi-squares, the same for every block of a problem."""
    m, large = min(n_prime, q), max(n_prime, q)
    steps = np.arange(m)
    dof = np.concatenate([large - steps, m - 1 - steps[: max(m - 1, 0)]]).astype(np.float64)
    shape = dof / 2.0 - 1.0 / 3.0
    return dof, shape, 1.0 / np.sqrt(9.0 * np.maximum(shape, 1.0))
