"""Poisson counts, as those of ``numpy.random.Generator``."""

import math

from mcbrain.kernels.jit import helper, kernel
from mcbrain.kernels.random.streams import State, Stream, load, next_uniform, store
from mcbrain.typing import Floats


@helper
def _log_gamma(x: float) -> float:
    """Return log Gamma(x), x >= 1, by the series that ``Generator.poisson`` uses."""
    if x == 1.0 or x == 2.0:
        return 0.0
    steps = int(7.0 - x) if x < 7.0 else 0
    y = x + steps
    z = (1.0 / y) * (1.0 / y)
    series = -1.392432216905900e00
    series = series * z + 1.796443723688307e-01
    series = series * z + -2.955065359477124e-02
    series = series * z + 6.410256410256410e-03
    series = series * z + -1.917526917526918e-03
    series = series * z + 8.417508417508418e-04
    series = series * z + -5.952380952380952e-04
    series = series * z + 7.936507936507937e-04
    series = series * z + -2.777777777777778e-03
    series = series * z + 8.333333333333333e-02
    value = series / y + 0.5 * 1.8378770664093453e00 + (y - 0.5) * math.log(y) - y
    for _ in range(steps):
        value -= math.log(y - 1.0)
        y -= 1.0
    return value


@helper
def _poisson_small(s: State, rate: float) -> tuple[State, float]:
    """Return a Poisson count by multiplying uniforms."""
    bound = math.exp(-rate)
    count, product = 0.0, 1.0
    while True:
        s, u = next_uniform(s)
        product *= u
        if product <= bound:
            return s, count
        count += 1.0


@helper
def _poisson_large(s: State, rate: float) -> tuple[State, float]:
    """Return a Poisson count by transformed rejection (PTRS, Hoermann 1993), rate >= 10."""
    log_rate = math.log(rate)
    b = 0.931 + 2.53 * math.sqrt(rate)
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    squeeze = 0.9277 - 3.6224 / (b - 2.0)
    while True:
        s, u = next_uniform(s)
        s, v = next_uniform(s)
        u -= 0.5
        us = 0.5 - abs(u)
        if us == 0.0:  # the count would be minus infinity
            continue
        count = math.floor((2.0 * a / us + b) * u + rate + 0.43)
        if us >= 0.07 and v <= squeeze:
            return s, float(count)
        if count < 0 or (us < 0.013 and v > us):
            continue
        level = -rate + count * log_rate - _log_gamma(count + 1.0)
        if v == 0.0 or (
            math.log(v) + math.log(inverse_alpha) - math.log(a / (us * us) + b) <= level
        ):
            return s, float(count)


@helper
def next_poisson(s: State, rate: float) -> tuple[State, float]:
    """Return a Poisson count as a float, as ``Generator.poisson``; not a number if `rate` is.

    Parameters
    ----------
    s : tuple of uint64
        The generator's words a, b, c and counter.
    rate : float
        Mean of the count.

    Returns
    -------
    tuple
        The state after, and the count.
    """
    if rate >= 10.0:
        return _poisson_large(s, rate)
    if rate > 0.0:
        return _poisson_small(s, rate)
    return s, rate


@kernel
def fill_poisson(stream: Stream, rate: Floats, out: Floats) -> None:
    """Fill `out` (n,) as ``Generator.poisson(rate)``, as floats, for `rate` (n,) below 1e18.

    Parameters
    ----------
    stream : Stream
        Advanced in place.
    rate : ndarray, shape (n,)
        Means of the counts.
    out : ndarray, shape (n,)
        Filled.
    """
    s = load(stream)
    for i in range(out.size):
        s, out[i] = next_poisson(s, rate[i])
    store(stream, s)
