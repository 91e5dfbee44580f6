"""The sums that a block leaves behind."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mcbrain.typing import Floats, Integers

__all__ = ["REASONS", "BlockSums", "reason_of"]


# Why a replicate failed, by the code that the kernels return.
REASONS = {1: "singular", 2: "not positive definite", 3: "not finite", 4: "unknown code"}


def reason_of(code: int) -> str:
    """Why a replicate failed, in words; the code itself where another version knew it.

    Parameters
    ----------
    code : int
    """
    return REASONS.get(code, f"code {code}")


@dataclass
class BlockSums:
    """What one block leaves behind, a column per statistic.

    Attributes
    ----------
    index : int
        The block's number within its problem.
    replicates : int
        Replicates drawn.
    count, mean, m2 : ndarray, shape (n,)
        Replicates that succeeded, their mean, their centred sum of squares.
    better : ndarray, shape (n,)
        Replicates that beat the baseline on the same data, both having values.
    bin_sizes, bins, bin_counts : ndarray
        Sparse histogram of log(value) / log(1.01): bins of each statistic, one after the other.
    cross : ndarray, shape (n,)
        Centred sum of products with the baseline over the replicates in which both have values.
    joint : ndarray, shape (j, 2)
        Statistic, and the number of replicates in which it and its baseline have values; only of
        statistics for which that is not every replicate.
    joint_sums : ndarray, shape (j, 4)
        Over those replicates: mean and centred sum of squares of the statistic, then of the
        baseline.
    atoms : ndarray, shape (a, 3)
        Statistic, bin, and how many replicates of the bin share one value.
    atom_values : ndarray, shape (a,)
        Those values.
    failures : ndarray, shape (f, 3)
        Replicate, statistic and reason (see `REASONS`) of each failure.
    seconds : float
        Time of one core.
    """

    index: int
    replicates: int
    count: Integers
    mean: Floats
    m2: Floats
    better: Integers
    bin_sizes: Integers = field(default_factory=lambda: np.zeros(0, np.int64))
    bins: Integers = field(default_factory=lambda: np.zeros(0, np.int64))
    bin_counts: Integers = field(default_factory=lambda: np.zeros(0, np.int64))
    cross: Floats = field(default_factory=lambda: np.zeros(0))
    joint: Integers = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    joint_sums: Floats = field(default_factory=lambda: np.zeros((0, 4)))
    atoms: Integers = field(default_factory=lambda: np.zeros((0, 3), np.int64))
    atom_values: Floats = field(default_factory=lambda: np.zeros(0))
    failures: Integers = field(default_factory=lambda: np.zeros((0, 3), np.int64))
    seconds: float = 0.0
