"""Where a stream starts: NumPy's ``SeedSequence`` and the seeding of SFC64, compiled.

A block opens six streams, which by NumPy's own objects would take as long as many a replicate.
"""

import numpy as np
from numba.np.random import _constants as numpy_constants

from mcbrain.kernels.jit import helper, kernel
from mcbrain.kernels.random.streams import Stream, next_word
from mcbrain.typing import Words

_KI = np.ascontiguousarray(numpy_constants.ki_double)
_WI = np.ascontiguousarray(numpy_constants.wi_double)
_FI = np.ascontiguousarray(numpy_constants.fi_double)


def open_stream(seed: int, key: tuple[int, ...], index: int, role: int) -> Stream:
    """Open the stream of one role of one block.

    Parameters
    ----------
    seed : int
        Seed of the study.
    key : tuple of int
        Key of the problem (32-bit words).
    index : int
        Index of the block in its problem.
    role : int
        What the stream is for; roles never share numbers.

    Returns
    -------
    Stream
        At the first number of ``Generator(SFC64(SeedSequence(seed, spawn_key=...)))``.
    """
    return open_roles(seed, key, index, role, 1)[0]


def open_roles(seed: int, key: tuple[int, ...], index: int, role: int, count: int) -> list[Stream]:
    """Open the streams of `count` roles from `role` on, as `open_stream`.

    Parameters
    ----------
    seed : int
        Seed of the study.
    key : tuple of int
        Key of the problem (32-bit words).
    index : int
        Index of the block in its problem.
    role : int
        The first role.
    count : int
        How many roles.

    Returns
    -------
    list of Stream
        In the order of the roles.
    """
    states = np.zeros((count, 4), dtype=np.uint64)
    entropy = _entropy_words(seed, (*key, index, role))
    _seed_states(entropy, np.zeros(4, dtype=np.uint64), states)
    return [Stream(state, _KI, _WI, _FI) for state in states]


def _entropy_words(seed: int, spawn_key: tuple[int, ...]) -> Words:
    """Return the 32-bit words that ``SeedSequence(seed, spawn_key=spawn_key)`` mixes.

    Parameters
    ----------
    seed : int
        Not negative; at least four words, zeros added.
    spawn_key : tuple of int
        Numbers below 2**32, the last one changed at will.
    """
    words = [seed >> shift & 0xFFFFFFFF for shift in range(0, max(seed.bit_length(), 1), 32)]
    words += [0] * (4 - len(words))
    return np.array([*words, *spawn_key], dtype=np.uint64)


@helper
def _low(word: np.uint64) -> np.uint64:
    """Return the low 32 bits."""
    return word & np.uint64(0xFFFFFFFF)


@helper
def _hash(word: np.uint64, constant: np.uint64, step: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Return the hash of a word (O'Neill's ``seed_seq_fe``) and the next constant."""
    word ^= constant
    constant = _low(constant * step)
    word = _low(word * constant)
    return word ^ (word >> np.uint64(16)), constant


@helper
def _mix(x: np.uint64, y: np.uint64) -> np.uint64:
    """Return two words mixed to one."""
    word = _low(np.uint64(0xCA01F9DD) * x - np.uint64(0x4973F715) * y)
    return word ^ (word >> np.uint64(16))


@kernel
def _seed_states(entropy: Words, pool: Words, states: Words) -> None:
    """Fill `states` (roles, 4) with SFC64's words a, b, c and counter, twelve steps on.

    Row j has the entropy's last word raised by j; `pool` (4,) is scratch.
    """
    first, step = np.uint64(0x43B0D7E5), np.uint64(0x931E8875)
    for role in range(states.shape[0]):
        constant = first
        for i in range(4):
            pool[i], constant = _hash(entropy[i], constant, step)
        for i in range(4):
            for j in range(4):
                if i != j:
                    word, constant = _hash(pool[i], constant, step)
                    pool[j] = _mix(pool[j], word)
        for i in range(4, entropy.size):
            value = entropy[i]
            if i == entropy.size - 1:
                value += np.uint64(role)
            for j in range(4):
                word, constant = _hash(value, constant, step)
                pool[j] = _mix(pool[j], word)
        constant = np.uint64(0x8B51F9DD)
        for i in range(3):
            low, constant = _hash(pool[2 * i % 4], constant, np.uint64(0x58F38DED))
            high, constant = _hash(pool[(2 * i + 1) % 4], constant, np.uint64(0x58F38DED))
            states[role, i] = low | (high << np.uint64(32))
        s = states[role, 0], states[role, 1], states[role, 2], np.uint64(1)
        for _ in range(12):
            s, word = next_word(s)
        states[role, 0], states[role, 1], states[role, 2], states[role, 3] = s
