"""Histograms of excess risks on a log scale, exact where a distribution has atoms."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from mcbrain.blocks.series import ROUNDING

__all__ = ["BINS", "LOWEST", "Histogram"]

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
    counts : dict
        Bin -> replicates; bin b holds values in [1.01^b, 1.01^(b+1)), the lowest one zeros.
    atoms : dict
        Bin -> list of [value, replicates] that were seen to share a value.
    """

    counts: dict[int, int] = field(default_factory=dict)
    atoms: dict[int, list[tuple[float, int]]] = field(default_factory=dict)

    def add(self, place: int, replicates: int) -> None:
        """Count replicates whose value fell into a bin.

        Parameters
        ----------
        place : int
            The bin.
        replicates : int
        """
        self.counts[place] = self.counts.get(place, 0) + replicates

    def add_atom(self, place: int, value: float, shares: int) -> None:
        """Count replicates of a bin that share one value; equal values of blocks are one.

        Of values that are equal up to rounding the least is kept, so that the order in which blocks
        are counted does not matter.
        """
        known = self.atoms.setdefault(place, [])
        for i, (other, count) in enumerate(known):
            if _agree(value, other):
                known[i] = min(value, other), count + shares
                return
        known.append((value, shares))

    def quantile(self, probability: float) -> float | None:
        """A quantile: exact at an atom, else geometric within a bin; None without a value.

        Parameters
        ----------
        probability : float
        """
        total = sum(self.counts.values())
        if not total:
            return None
        rank, below = probability * total, 0
        for place in sorted(self.counts):
            count = self.counts[place]
            if below + count >= rank:
                return self._within(place, rank - below)
            below += count
        return None

    def _within(self, place: int, rank: float) -> float:
        """The value of a rank among those of a bin."""
        count = self.counts[place]
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


def _spread(place: int, share: float) -> float:
    """The value below which a share of a bin lies that is spread evenly on the log scale."""
    return 0.0 if place <= LOWEST else math.exp((place + share) * _LOG_BIN)


def _share_below(place: int, value: float) -> float:
    """The inverse of `_spread`."""
    if place <= LOWEST or value <= 0.0:
        return 0.0
    return min(max(math.log(value) / _LOG_BIN - place, 0.0), 1.0)
