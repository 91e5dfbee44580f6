"""Random streams that plain NumPy rebuilds bit for bit: SFC64 and the draws of ``Generator``.

A stream's words, and the order in which every ``fill_*`` consumes them, are those of
``Generator(SFC64(SeedSequence(seed, spawn_key=(*key, index, role))))`` of ``numpy.random``.
Kernels keep the generator's state in local variables within a loop (a quarter of the time of a
state in an array) and write it back at the end.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mcbrain.kernels.jit import helper, kernel
from mcbrain.typing import Floats

State = tuple[np.uint64, np.uint64, np.uint64, np.uint64]


class Stream(NamedTuple):
    """A position in a random sequence, and NumPy's ziggurat tables of the normal law.

    Attributes
    ----------
    state : ndarray of uint64, shape (4,)
        The words a, b, c and counter of SFC64; advanced in place by every draw.
    ki : ndarray of uint64, shape (256,)
        Acceptance bounds of the layers.
    wi : ndarray, shape (256,)
        Widths of the layers.
    fi : ndarray, shape (256,)
        Densities at the layers' edges.
    """

    state: NDArray[np.uint64]
    ki: NDArray[np.uint64]
    wi: Floats
    fi: Floats


@helper
def load(stream: Stream) -> State:
    """Return the generator's state as scalars.

    Parameters
    ----------
    stream : Stream
        A position in a random sequence.

    Returns
    -------
    tuple of uint64
        The words a, b, c and counter.
    """
    state = stream.state
    return state[0], state[1], state[2], state[3]


@helper
def store(stream: Stream, s: State) -> None:
    """Write the generator's state back.

    Parameters
    ----------
    stream : Stream
        Set in place.
    s : tuple of uint64
        The words a, b, c and counter.
    """
    stream.state[0] = s[0]
    stream.state[1] = s[1]
    stream.state[2] = s[2]
    stream.state[3] = s[3]


@helper
def next_word(s: State) -> tuple[State, np.uint64]:
    """Return the next 64 bits of SFC64 (Doty-Humphrey's small fast counting generator).

    Parameters
    ----------
    s : tuple of uint64
        The generator's words a, b, c and counter.

    Returns
    -------
    tuple
        The state after, and the word.
    """
    a, b, c, counter = s
    word = a + b + counter
    rotated = (c << np.uint64(24)) | (c >> np.uint64(40))
    s = (b ^ (b >> np.uint64(11)), c + (c << np.uint64(3)), rotated + word, counter + np.uint64(1))
    return s, word


@helper
def next_uniform(s: State) -> tuple[State, float]:
    """Return a uniform number in [0, 1) with 53 bits.

    Parameters
    ----------
    s : tuple of uint64
        The generator's words a, b, c and counter.

    Returns
    -------
    tuple
        The state after, and the number.
    """
    s, word = next_word(s)
    return s, np.int64(word >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@helper
def _normal_edge(
    s: State, stream: Stream, layer: np.uint64, magnitude: np.uint64, x: float
) -> tuple[State, float, bool]:
    """Decide the 1.2 % of candidates outside a layer's core: the wedge, or the tail (layer 0)."""
    if layer != np.uint64(0):
        low, high = stream.fi[layer], stream.fi[layer - np.uint64(1)]
        s, u = next_uniform(s)
        return s, x, (high - low) * u + low < math.exp(-0.5 * x * x)
    edge, inverse_edge = 3.6541528853610087963519472518, 0.27366123732975827203338247596
    while True:
        s, u = next_uniform(s)
        s, v = next_uniform(s)
        beyond = -inverse_edge * math.log1p(-u)
        height = -math.log1p(-v)
        if height + height > beyond * beyond:
            negative = (magnitude >> np.uint64(8)) & np.uint64(1) != np.uint64(0)
            return s, -(edge + beyond) if negative else edge + beyond, True


@helper
def next_normal(s: State, stream: Stream) -> tuple[State, float]:
    """Return a standard normal number (Marsaglia & Tsang 2000, with NumPy's 256 layers).

    Parameters
    ----------
    s : tuple of uint64
        The generator's words a, b, c and counter.
    stream : Stream
        For its tables alone.

    Returns
    -------
    tuple
        The state after, and the number.
    """
    while True:
        s, word = next_word(s)
        layer = word & np.uint64(0xFF)
        magnitude = (word >> np.uint64(9)) & np.uint64(0x000FFFFFFFFFFFFF)
        # Bit 8 is the sign; giving it to the integer costs less than to the float.
        flip = -np.int64((word >> np.uint64(8)) & np.uint64(1))
        x = ((np.int64(magnitude) ^ flip) - flip) * stream.wi[layer]
        if magnitude < stream.ki[layer]:
            return s, x
        s, x, accepted = _normal_edge(s, stream, layer, magnitude, x)
        if accepted:
            return s, x


@helper
def next_gamma(s: State, stream: Stream, b: float, c: float) -> tuple[State, float]:
    """Return a standard gamma number of shape b + 1/3 > 1, c = 1/sqrt(9 b).

    Marsaglia & Tsang (2000), word for word as ``Generator.standard_gamma``. What a squeeze
    accepts, the logarithms would: theirs of 0.0331 leaves 10 % of the numbers to them, and the
    narrower one for c^2 <= 0.0088 less than 0.4 % (there x^4 c^2 / 7 bounds their difference
    down to c x = -1/2, and is above 1 beyond).

    Parameters
    ----------
    s : tuple of uint64
        The generator's words a, b, c and counter.
    stream : Stream
        For its tables alone.
    b : float
        Shape less 1/3.
    c : float
        1/sqrt(9 b).

    Returns
    -------
    tuple
        The state after, and the number.
    """
    squeeze = 0.1412 * c * c if c * c <= 0.0088 else 0.0331
    while True:
        s, x = next_normal(s, stream)
        v = 1.0 + c * x
        if v <= 0.0:
            continue
        v = v * v * v
        s, u = next_uniform(s)
        if u < 1.0 - squeeze * (x * x) * (x * x):
            return s, b * v
        # log(0) is -inf, which accepts, as in C; Python alone would raise.
        if u == 0.0 or math.log(u) < 0.5 * x * x + b * (1.0 - v + math.log(v)):
            return s, b * v


@helper
def next_chi_square(s: State, stream: Stream, dof: float) -> tuple[State, float]:
    """Return a chi-square number of `dof` degrees of freedom: 0, 1, 2 or any number above 2.

    Above 2 as ``Generator.chisquare``; for 1 and 2 the sum of squared normals; 0 for 0.

    Parameters
    ----------
    s : tuple of uint64
        The generator's words a, b, c and counter.
    stream : Stream
        For its tables alone.
    dof : float
        Degrees of freedom.

    Returns
    -------
    tuple
        The state after, and the number.
    """
    if dof > 2.0:
        b = dof / 2.0 - 1.0 / 3.0
        s, x = next_gamma(s, stream, b, 1.0 / math.sqrt(9.0 * b))
        return s, 2.0 * x
    total = 0.0
    while dof > 0.0:
        s, x = next_normal(s, stream)
        total += x * x
        dof -= 1.0
    return s, total


@helper
def next_laplace(s: State) -> tuple[State, float]:
    """Return a Laplace number of scale 1 (variance 2), as ``Generator.laplace``.

    Parameters
    ----------
    s : tuple of uint64
        The generator's words a, b, c and counter.

    Returns
    -------
    tuple
        The state after, and the number.
    """
    while True:
        s, u = next_uniform(s)
        # No branch on the side, which would be guessed wrong half of the time.
        x = min(u + u, 2.0 - u - u)
        if x > 0.0:
            return s, math.copysign(math.log(x), u - 0.5)


@kernel
def fill_uniform(stream: Stream, out: Floats) -> None:
    """Fill `out` (n,) as ``Generator.random``.

    Parameters
    ----------
    stream : Stream
        Advanced in place.
    out : ndarray, shape (n,)
        Filled.
    """
    s = load(stream)
    for i in range(out.size):
        s, out[i] = next_uniform(s)
    store(stream, s)


@kernel
def fill_normal(stream: Stream, out: Floats) -> None:
    """Fill `out` (n,) as ``Generator.standard_normal``.

    Parameters
    ----------
    stream : Stream
        Advanced in place.
    out : ndarray, shape (n,)
        Filled.
    """
    s = load(stream)
    for i in range(out.size):
        s, out[i] = next_normal(s, stream)
    store(stream, s)


@kernel
def fill_laplace(stream: Stream, out: Floats) -> None:
    """Fill `out` (n,) as ``Generator.laplace`` of scale 1 (variance 2).

    Parameters
    ----------
    stream : Stream
        Advanced in place.
    out : ndarray, shape (n,)
        Filled.
    """
    s = load(stream)
    for i in range(out.size):
        s, out[i] = next_laplace(s)
    store(stream, s)


@kernel
def fill_chi_square(stream: Stream, dof: Floats, out: Floats) -> None:
    """Fill `out` (n,) with chi-square numbers of `dof` (n,) degrees of freedom.

    Every dof is 0, 1, 2 or above 2. Above 2 the numbers are ``Generator.chisquare(dof)``; for
    1 and 2 they are sums of squares of the stream's next standard normals; for 0 they are 0.

    Parameters
    ----------
    stream : Stream
        Advanced in place.
    dof : ndarray, shape (n,)
        Degrees of freedom.
    out : ndarray, shape (n,)
        Filled.
    """
    s = load(stream)
    for i in range(out.size):
        s, out[i] = next_chi_square(s, stream, dof[i])
    store(stream, s)
