"""Rows of real features, whose covariances the laws of any covariance are held to.

All but one kind come with scikit-learn, which mcbrain needs anyway; the sound comes inside nitime
(extra `examples`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from mcbrain.errors import InputError
from mcbrain.typing import Floats

__all__ = ["FEATURES", "SOUND", "features", "has_sound"]

SOUND = "grasshopper sound"
"""The kind of features that needs nitime."""

_ROWS = 4000  # at most, of one set of features
_BIN = 20  # samples of the sound in a bin: 1 ms


def features(kind: str, wanted_dim: int) -> Floats:
    """Rows of a kind of features, the same on every call.

    Parameters
    ----------
    kind : str
        A key of `FEATURES`.
    wanted_dim : int
        Features wanted; a kind that has a fixed number of them gives that.

    Returns
    -------
    ndarray, shape (n, d)
        As they are, not centred.

    Raises
    ------
    InputError
        The sound is asked for and nitime is not installed.
    """
    return FEATURES[kind](wanted_dim)


def has_sound() -> bool:
    """Whether nitime, in which the sound comes, is installed.

    Returns
    -------
    bool
    """
    return find_spec("nitime") is not None


@cache
def _pixels() -> Floats:
    """The 1,797 handwritten digits of scikit-learn, 64 pixels each."""
    from sklearn.datasets import load_digits

    return np.asarray(load_digits().data, dtype=float)


def _digits(wanted_dim: int) -> Floats:
    """Digits as they are, of 64 pixels; three of these never vary."""
    return _pixels()


def _hidden_layer(wanted_dim: int) -> Floats:
    """Digits seen by a hidden layer with random weights: what a network hands on."""
    pixels = _pixels() / 16.0
    rng = np.random.default_rng(wanted_dim)
    weights = rng.standard_normal((pixels.shape[1], wanted_dim))
    return np.asarray(np.maximum((pixels - pixels.mean(axis=0)) @ weights, 0.0))


def _patches(wanted_dim: int) -> Floats:
    """Square patches of a photograph in grey, of the nearest number of pixels."""
    from sklearn.datasets import load_sample_image

    side = max(2, round(math.sqrt(wanted_dim)))
    grey = np.asarray(load_sample_image("china.jpg"), dtype=float).mean(axis=2)
    rng = np.random.default_rng(side)
    tops, lefts = (rng.integers(0, size - side, _ROWS) for size in grey.shape)
    return np.stack(
        [grey[i : i + side, j : j + side].ravel() for i, j in zip(tops, lefts, strict=True)]
    )


def _sound(wanted_dim: int) -> Floats:
    """The last milliseconds of a sound that a grasshopper heard, in decibels."""
    found = find_spec("nitime")
    if found is None or not found.submodule_search_locations:
        raise InputError(f"the {SOUND} is part of nitime: pip install 'mcbrain[examples]'")
    folder = Path(next(iter(found.submodule_search_locations))) / "data"
    sound = np.loadtxt(folder / "grasshopper_stimulus1.txt", usecols=1)
    bins = sound.size // _BIN
    level = 20.0 * np.log10(sound[: bins * _BIN].reshape(bins, _BIN).mean(axis=1))
    history = np.lib.stride_tricks.sliding_window_view(level, wanted_dim)
    return np.ascontiguousarray(history[:: max(1, len(history) // _ROWS)])


FEATURES: dict[str, Callable[[int], Floats]] = {
    "digits": _digits,
    "hidden layer": _hidden_layer,
    "photograph": _patches,
    SOUND: _sound,
}
"""Kinds of features, each a function of how many are wanted."""
