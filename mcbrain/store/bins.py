"""Entries of stored histograms added up: bins of one statistic, and values of equal bits."""

from __future__ import annotations

import numpy as np

from mcbrain.blocks.histogram import BINS, LOWEST
from mcbrain.typing import Floats, Integers

__all__ = ["summed_atoms", "summed_bins"]


def summed_bins(
    column: Integers, bins: Integers, counts: Integers
) -> tuple[Integers, Integers, Integers]:
    """Each statistic and bin once, in order, with the sum of its counts.

    Parameters
    ----------
    column : ndarray, shape (n,)
        Which statistic each entry belongs to, by its place among the statistics of a block.
    bins : ndarray, shape (n,)
        Bin of each entry, floor(log(value) / log(1.01)).
    counts : ndarray, shape (n,)
        Replicates of each entry.

    Returns
    -------
    column, bins : ndarray, shape (m,)
        The distinct pairs of a statistic and a bin, ordered by statistic and then by bin.
    counts : ndarray, shape (m,)
        Replicates of each pair.
    """
    # A bin is a 16-bit number, so a statistic and a bin fit into one.
    names = column.astype(np.int64) * BINS + (bins.astype(np.int64) - LOWEST)
    unique, inverse = np.unique(names, return_inverse=True)
    # Sums of whole numbers below 2^53 are exact.
    total = np.bincount(inverse, weights=counts, minlength=unique.size).astype(np.int64)
    return unique // BINS, unique % BINS + LOWEST, total


def summed_atoms(entries: Integers, values: Floats) -> tuple[Integers, Floats]:
    """Each statistic, bin and value once, in order, with the sum of its shares.

    Parameters
    ----------
    entries : ndarray, shape (n, 3)
        Place of the statistic, bin, and how many replicates share the value.
    values : ndarray, shape (n,)
        The value that the replicates of each entry share. Values are equal when their bits are.

    Returns
    -------
    entries : ndarray, shape (m, 3)
        The same, each combination of a statistic, a bin and a value once.
    values : ndarray, shape (m,)
        The value of each of them.
    """
    bits = np.ascontiguousarray(values, dtype=float).view(np.int64)
    names = np.column_stack([entries[:, 0], entries[:, 1], bits])
    unique, inverse = np.unique(names, axis=0, return_inverse=True)
    total = np.bincount(inverse.ravel(), weights=entries[:, 2], minlength=len(unique))
    merged = np.column_stack([unique[:, :2], total.astype(np.int64)])
    return merged, np.ascontiguousarray(unique[:, 2]).view(np.float64)
