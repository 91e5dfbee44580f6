"""A statistic and its baseline on the same replicates: the gain, and how often it is better."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mcbrain.blocks.series import FIRST_LOOK, jackknife, unless_rounding
from mcbrain.typing import Floats

__all__ = ["Pairs"]

# Fewer replicates do not know their own spread.
_FEWEST = 32


@dataclass(frozen=True)
class Pairs:
    """The blocks 0, 1, ... of a statistic and its baseline over the replicates that have both.

    All arrays have shape (blocks,), NaN where the blocks do not say: those of format 1 have no
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

    def p_better(self) -> float:
        """Share of the replicates with both values that beat the baseline; NaN if unknown.

        A tie is no win, so two rows that are equal but for rounding beat each other in none.
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            return float(self.better.sum() / self.count.sum())

    def gain(self) -> tuple[float, float]:
        """The baseline's mean over the statistic's, and its standard error; NaN if unknown.

        The error is the jackknife's over blocks, which sees how a ratio bends; with fewer blocks
        than the first look it would cover too little (0.68 with two, 0.85 with four in place of
        0.95), and squares and products of replicates give it (theory/README.md 7).
        """
        count = self.count
        with np.errstate(invalid="ignore", divide="ignore"):
            own = np.where(count != 0, count * self.own_mean, 0.0)
            other = np.where(count != 0, count * self.other_mean, 0.0)
            gain = float((other.sum() / count.sum()) / (own.sum() / count.sum()))
            if count.size < FIRST_LOOK:
                return gain, self._delta(gain)
            left = count.sum() - count
            means = [np.asarray((total.sum() - total) / left) for total in (own, other)]
            return gain, jackknife(means[1] / means[0])

    def _delta(self, gain: float) -> float:
        """Standard error of the gain to first order, from replicates."""
        n = self.count.sum()
        if not n >= _FEWEST:
            return math.nan
        # The spread of other - gain * own, within blocks and between them.
        within = self.other_m2 - 2.0 * gain * self.cross + gain**2 * self.own_m2
        mean = self.own_mean @ self.count / n
        apart = self.other_mean - gain * self.own_mean
        between = np.where(self.count > 0, self.count * apart**2, 0.0)
        square = max(float(within.sum() + between.sum()), 0.0)
        return unless_rounding(math.sqrt(square / (n - 1) / n) / abs(mean), gain)
