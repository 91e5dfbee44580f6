"""A statistic and its baseline on the same replicates: the gain, and how often it is better."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from mcbrain.blocks.series import FIRST_LOOK, ROUNDING, Series, jackknife
from mcbrain.typing import Floats, Integers

__all__ = ["Pairs"]

# Fewer replicates do not know their own spread.
_FEWEST = 32


@dataclass(frozen=True)
class Pairs:
    """The blocks 0, 1, ... of a statistic and its baseline over the replicates that have both.

    All arrays have shape (..., blocks), NaN where the blocks do not say: those of format 1 have no
    `cross`, and nothing at all of blocks in which a replicate failed.

    Attributes
    ----------
    count : ndarray
        Replicates in which both have values.
    own_mean, own_m2, other_mean, other_m2 : ndarray
        Mean and centred sum of squares of the statistic, and of its baseline.
    cross : ndarray
        Centred sum of products.
    better : ndarray
        Replicates in which the statistic is below its baseline, by more than rounding.
    """

    count: Floats
    own_mean: Floats
    own_m2: Floats
    other_mean: Floats
    other_m2: Floats
    cross: Floats
    better: Floats

    @classmethod
    def of(cls, own: Series, other: Series, replicates: Integers) -> Pairs:
        """Statistics and baselines as far as no replicate failed; the others are to be laid on.

        Parameters
        ----------
        own, other : Series
            As many statistics as baselines, over the same blocks.
        replicates : ndarray of int, shape (blocks,) or (statistics, blocks)
            Replicates drawn.

        Returns
        -------
        Pairs
            Arrays of shape (statistics, blocks), `cross` all NaN.
        """
        whole = (own.count == replicates) & (other.count == replicates)
        sums = (own.count, own.mean, own.m2, other.mean, other.m2)
        count, *means = (np.where(whole, values, np.nan) for values in sums)
        own_mean, own_m2, other_mean, other_m2 = means
        cross = np.full(whole.shape, np.nan)
        return cls(count, own_mean, own_m2, other_mean, other_m2, cross, own.better)

    def rows(self, first: int, stop: int) -> Pairs:
        """Neighbouring statistics, in the same memory.

        Parameters
        ----------
        first, stop : int
            The first of them, and the one after the last.

        Returns
        -------
        Pairs
        """
        return Pairs(*(getattr(self, f.name)[first:stop] for f in fields(self)))

    def p_better(self) -> Floats:
        """Share of the replicates with both values that beat the baseline.

        A tie is no win, so two rows that are equal but for rounding beat each other in none.

        Returns
        -------
        ndarray, shape (...)
            Between 0 and 1; NaN where it is unknown.
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(self.better.sum(axis=-1) / self.count.sum(axis=-1))

    def gain(self) -> tuple[Floats, Floats]:
        """The baseline's mean over the statistic's, and its standard error.

        The error is the jackknife's over blocks, which sees how a ratio bends; with fewer blocks
        than the first look it would cover too little (0.68 with two, 0.85 with four in place of
        0.95), and squares and products of replicates give it (theory/README.md 7).

        Returns
        -------
        gain : ndarray, shape (...)
            Ratio of the two means; above 1 where the statistic is better. NaN where it is unknown.
        error : ndarray, shape (...)
            Its standard error. NaN where it is unknown, as from fewer than 32 replicates where they
            give it.
        """
        count = self.count
        with np.errstate(invalid="ignore", divide="ignore"):
            own = np.where(count != 0, count * self.own_mean, 0.0)
            other = np.where(count != 0, count * self.other_mean, 0.0)
            total = count.sum(axis=-1)
            gain = np.asarray((other.sum(axis=-1) / total) / (own.sum(axis=-1) / total))
            if count.shape[-1] < FIRST_LOOK:
                return gain, self._delta(gain)
            left = total[..., None] - count
            means = [(x.sum(axis=-1)[..., None] - x) / left for x in (own, other)]
            leave = means[1] / means[0]
        errors = [jackknife(one) for one in leave.reshape(-1, leave.shape[-1])]
        return gain, np.array(errors).reshape(gain.shape)

    def _delta(self, gain: Floats) -> Floats:
        """Standard error of the gain to first order, from replicates."""
        n = self.count.sum(axis=-1)
        each = gain[..., None]
        with np.errstate(invalid="ignore", divide="ignore"):
            # The spread of other - gain * own, within blocks and between them.
            within = self.other_m2 - 2.0 * each * self.cross + _squared(gain) * self.own_m2
            mean = _dot(self.own_mean, self.count) / n
            apart = self.other_mean - each * self.own_mean
            between = np.where(self.count > 0, self.count * apart**2, 0.0)
            square = np.maximum(within.sum(axis=-1) + between.sum(axis=-1), 0.0)
            error = np.sqrt(square / (n - 1) / n) / np.abs(mean)
            error = np.where(error <= ROUNDING * np.abs(gain), 0.0, error)
        return np.where(n >= _FEWEST, error, np.nan)


def _dot(a: Floats, b: Floats) -> Floats:
    """Sums of products along the last axis."""
    width = a.shape[-1]
    rows = zip(a.reshape(-1, width), b.reshape(-1, width), strict=True)
    return np.array([x @ y for x, y in rows]).reshape(a.shape[:-1])


def _squared(gain: Floats) -> Floats:
    """Squares of numbers, by Python: NumPy's differ in the last bit of one in a thousand."""
    return np.array([one**2 for one in gain.ravel().tolist()]).reshape((*gain.shape, 1))
