"""Histograms of excess risks on a log scale, exact where a distribution has atoms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mcbrain.blocks.series import ROUNDING
from mcbrain.typing import Floats, Integers

__all__ = ["BINS", "LOWEST", "Histogram", "quantiles"]

LOWEST = -32768
"""The bin of zeros, and of what is too small for the others."""

BINS = 65536
"""Bins from the lowest on; the last one also holds what is too large for the others."""

_LOG_BIN = math.log(1.01)


def _agree(a: float, b: float) -> bool:
    """Whether two numbers are one number, up to rounding."""
    return abs(a - b) <= ROUNDING * max(abs(a), abs(b))


@dataclass
class Histogram:
    """How often excess risks fell into each bin of 1 %, and the values that replicates share.

    Attributes
    ----------
    places : ndarray, shape (n,)
        The bins that are not empty, ascending; bin b holds values in [1.01^b, 1.01^(b+1)), the
        lowest one zeros.
    counts : ndarray, shape (n,)
        Replicates in each.
    atoms : dict
        Bin -> list of [value, replicates] that were seen to share a value.
    """

    places: Integers = field(default_factory=lambda: np.zeros(0, np.int64))
    counts: Integers = field(default_factory=lambda: np.zeros(0, np.int64))
    atoms: dict[int, list[tuple[float, int]]] = field(default_factory=dict)

    def count(self, parts: Sequence[tuple[Integers, Integers]]) -> None:
        """Count replicates whose values fell into some bins.

        Parameters
        ----------
        parts : sequence of (ndarray, ndarray)
            Bins, each at most once in a part, ascending, and the replicates in each of them.
        """
        parts = [p for p in ((self.places, self.counts), *parts) if p[0].size]
        if len(parts) < 2:
            self.places, self.counts = parts[0] if parts else (self.places, self.counts)
            return
        places, counts = (np.concatenate(x) for x in zip(*parts, strict=True))
        self.places, inverse = np.unique(places, return_inverse=True)
        # Sums of whole numbers below 2^53 are exact.
        self.counts = np.bincount(inverse, weights=counts).astype(np.int64)

    def add_atom(self, place: int, value: float, shares: int) -> None:
        """Count replicates of a bin that share one value; equal values of blocks are one.

        Of values that are equal up to rounding the least is kept, so that the order in which blocks
        are counted does not matter.

        Parameters
        ----------
        place : int
            The bin.
        value : float
        shares : int
            Replicates that have it.
        """
        known = self.atoms.setdefault(place, [])
        for i, (other, count) in enumerate(known):
            if _agree(value, other):
                known[i] = min(value, other), count + shares
                return
        known.append((value, shares))

    def quantile(self, probability: float) -> float:
        """A quantile: exact at an atom, else geometric within a bin.

        Parameters
        ----------
        probability : float

        Returns
        -------
        float
            NaN without a value.
        """
        return float(quantiles([self], [probability])[0, 0])

    def within(self, place: int, count: int, rank: float) -> float:
        """The value of a rank among the replicates of a bin.

        Parameters
        ----------
        place : int
            The bin.
        count : int
            Replicates in it.
        rank : float
            From 0 to `count`.

        Returns
        -------
        float
        """
        # A value seen once is one of the many: only what is shared is an atom.
        atoms = sorted((v, c) for v, c in self.atoms.get(place, []) if c > 1)
        if not atoms:
            return _spread(place, rank / count)
        loose = count - sum(c for _, c in atoms)
        below = 0
        for value, shares in atoms:
            under = loose * _share_below(place, value)
            if rank < under + below:
                return _spread(place, (rank - below) / loose)
            below += shares
            if rank <= under + below:
                return value
        return _spread(place, (rank - below) / loose) if loose else atoms[-1][0]


def quantiles(histograms: Sequence[Histogram], probabilities: Sequence[float]) -> Floats:
    """Quantiles of many histograms: exact at an atom, else geometric within a bin.

    Parameters
    ----------
    histograms : sequence of Histogram
    probabilities : sequence of float

    Returns
    -------
    ndarray, shape (probabilities, histograms)
        NaN of a histogram without a value.
    """
    found = np.full((len(probabilities), len(histograms)), math.nan)
    there = [i for i, h in enumerate(histograms) if h.counts.size]
    if not there:
        return found
    # All bins in one row: those of a histogram end where it does.
    places, counts = (
        np.concatenate([getattr(histograms[i], name) for i in there]).astype(np.int64)
        for name in ("places", "counts")
    )
    up_to = np.cumsum(counts)
    last = np.cumsum([histograms[i].counts.size for i in there]) - 1
    before = np.concatenate([[0], up_to[last[:-1]]])
    for row, probability in zip(found, probabilities, strict=True):
        ranks = probability * (up_to[last] - before)
        # Of whole numbers, the first that is no less than the rank is no less than its ceiling.
        at = np.searchsorted(up_to, before + np.ceil(ranks).astype(np.int64))
        at = np.maximum(at, np.concatenate([[0], last[:-1] + 1]))  # a rank of 0
        left = ranks - (up_to[at] - counts[at] - before)
        bins = zip(there, places[at].tolist(), counts[at].tolist(), left.tolist(), strict=True)
        for i, place, count, rank in bins:
            row[i] = histograms[i].within(place, count, rank)
    return found


def _spread(place: int, share: float) -> float:
    """The value below which a share of a bin lies that is spread evenly on the log scale."""
    return 0.0 if place <= LOWEST else math.exp((place + share) * _LOG_BIN)


def _share_below(place: int, value: float) -> float:
    """The inverse of `_spread`."""
    if place <= LOWEST or value <= 0.0:
        return 0.0
    return min(max(math.log(value) / _LOG_BIN - place, 0.0), 1.0)
