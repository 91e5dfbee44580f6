"""The blocks of a problem in order: their totals, errors, and the looks at which they may stop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mcbrain.errors import InputError
from mcbrain.typing import Floats, Integers

__all__ = [
    "FIRST_LOOK",
    "ROUNDING",
    "Series",
    "jackknife",
    "looks",
    "standard_error",
    "unless_rounding",
]


# Fewer blocks made |z| > 1.96 happen 9 to 17 % of the time (theory/README.md 7).
FIRST_LOOK = 64


# Two numbers whose relative difference is below this are one number, computed twice.
ROUNDING = 2.0**-46


@dataclass(frozen=True)
class Series:
    """The blocks 0, 1, ... of one problem for some statistics, as far as they are complete.

    Attributes
    ----------
    replicates : ndarray, shape (blocks,)
        Replicates drawn.
    count, mean, m2 : ndarray, shape (statistics, blocks)
        Replicates with a value, their mean, their centred sum of squares.
    better : ndarray, shape (statistics, blocks)
        Replicates that beat the baseline.
    seconds : ndarray, shape (blocks,)
        Time of one core.
    """

    replicates: Integers
    count: Floats
    mean: Floats
    m2: Floats
    better: Floats
    seconds: Floats

    @property
    def n_blocks(self) -> int:
        """Number of complete blocks."""
        return int(self.replicates.size)

    def head(self, n: int) -> Series:
        """The first n blocks.

        Parameters
        ----------
        n : int

        Returns
        -------
        Series
        """
        if n >= self.n_blocks:
            return self
        return Series(
            replicates=self.replicates[:n],
            count=np.ascontiguousarray(self.count[:, :n]),
            mean=np.ascontiguousarray(self.mean[:, :n]),
            m2=np.ascontiguousarray(self.m2[:, :n]),
            better=np.ascontiguousarray(self.better[:, :n]),
            seconds=self.seconds[:n],
        )

    def rows(self, places: Sequence[int]) -> Series:
        """Some of the statistics.

        Parameters
        ----------
        places : sequence of int
            Of the statistics, in the order that is wanted.

        Returns
        -------
        Series
        """
        return Series(
            replicates=self.replicates,
            count=self.count[places],
            mean=self.mean[places],
            m2=self.m2[places],
            better=self.better[places],
            seconds=self.seconds,
        )

    def totals(self) -> tuple[Floats, Floats, Floats]:
        """Count, mean and centred sum of squares over the blocks.

        Sums run along the contiguous axis, so a statistic's total never depends on its neighbours.
        Where all values are one number up to rounding, the sum of squares is 0.

        Returns
        -------
        count, mean, m2 : ndarray, shape (statistics,)
        """
        count = self.count.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            weighted = np.where(self.count > 0, self.count * self.mean, 0.0)
            mean = weighted.sum(axis=1) / count
            spread = np.where(self.count > 0, self.count * (self.mean - mean[:, None]) ** 2, 0.0)
            m2 = self.m2.sum(axis=1) + spread.sum(axis=1)
            constant = np.isfinite(m2) & (m2 <= count * (ROUNDING * mean) ** 2)
        if constant.any():
            # The mean of equal numbers is one of them, not their rounded sum over their count.
            low = np.where(self.count > 0, self.mean, np.inf).min(axis=1, initial=np.inf)
            high = np.where(self.count > 0, self.mean, -np.inf).max(axis=1, initial=-np.inf)
            mean = np.where(constant, np.minimum(np.maximum(mean, low), high), mean)
            m2 = np.where(constant, 0.0, m2)
        return count, mean, m2

    def mcse(self) -> Floats:
        """Monte-Carlo standard error of each mean, from per-replicate squares.

        Returns
        -------
        ndarray, shape (statistics,)
        """
        count, _, m2 = self.totals()
        return standard_error(count, m2)

    def without_each_block(self) -> Floats:
        """Mean of each statistic with one block left out.

        Returns
        -------
        ndarray, shape (statistics, blocks)
        """
        weighted = np.where(self.count > 0, self.count * self.mean, 0.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(
                (weighted.sum(axis=1)[:, None] - weighted)
                / (self.count.sum(axis=1)[:, None] - self.count)
            )


def looks(n_blocks: int) -> list[int]:
    """Numbers of blocks at which a problem may stop: 64, 128, ... and the most that is allowed.

    Parameters
    ----------
    n_blocks : int
        The most that is allowed.

    Returns
    -------
    list of int

    Raises
    ------
    InputError
        No block is allowed.
    """
    if n_blocks < 1:
        raise InputError(f"n_blocks = {n_blocks}: at least one block is needed")
    points, look = [], FIRST_LOOK
    while look < n_blocks:
        points.append(look)
        look *= 2
    return [*points, n_blocks]


def standard_error(count: Floats, m2: Floats) -> Floats:
    """Standard error of means over so many replicates, from their centred sums of squares.

    Parameters
    ----------
    count, m2 : ndarray

    Returns
    -------
    ndarray
        Of their shape; NaN below two replicates.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.sqrt(m2 / (count - 1) / count)


def jackknife(values: Sequence[float] | Floats) -> float:
    """Delete-one-block jackknife standard error.

    Parameters
    ----------
    values : sequence of float, shape (blocks,)
        A number with each block left out.

    Returns
    -------
    float
        NaN of fewer than two blocks; 0 where it is no more than rounding.
    """
    leave = np.asarray(values, float)
    n = leave.size
    if n < 2:
        return float("nan")
    with np.errstate(invalid="ignore"):  # a ratio to a mean of 0 is infinite, its error unknown
        error = float(np.sqrt((n - 1) / n * np.sum((leave - leave.mean()) ** 2)))
    return unless_rounding(error, float(leave.mean()))


def unless_rounding(error: float, value: float) -> float:
    """A standard error; 0 where it is no more than the rounding of what it belongs to.

    Parameters
    ----------
    error, value : float
        The error, and what it belongs to.

    Returns
    -------
    float
    """
    return 0.0 if error <= ROUNDING * abs(value) else error
