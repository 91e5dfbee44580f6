"""Sums of a block: what is kept of its replicates' excess risks."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mcbrain.kernels.jit import kernel
from mcbrain.kernels.streams import FloatArray

IndexArray = NDArray[np.int64]

# Histogram bins run from -32768 to 32767.
BINS = 65536


class Sums(NamedTuple):
    """Sums over the replicates of a block, (outputs,) each; what is not finite is left out."""

    valid: IndexArray
    """Replicates with a value."""
    mean: FloatArray
    m2: FloatArray
    """Centred sum of squares."""
    better: IndexArray
    """Replicates in which the output is below its baseline, both having values."""


class Histograms(NamedTuple):
    """Sparse histograms of log excess risk, one output after the other."""

    sizes: IndexArray
    """(outputs,) bins that are not empty."""
    bins: IndexArray
    """(replicates * outputs,) bin b holds excess risks from 1.01**b to 1.01**(b + 1), ascending."""
    counts: IndexArray
    """(replicates * outputs,)"""
    dense: IndexArray
    """(BINS,) zero between calls."""


def make_sums(outputs: int) -> Sums:
    """Return room for the sums of some outputs."""
    valid, better = np.zeros((2, outputs), dtype=np.int64)
    mean, m2 = np.zeros((2, outputs))
    return Sums(valid, mean, m2, better)


def make_histograms(replicates: int, outputs: int) -> Histograms:
    """Return room for the histograms of some outputs over so many replicates."""
    bins, counts = np.zeros((2, replicates * outputs), dtype=np.int64)
    sizes, dense = np.zeros(outputs, dtype=np.int64), np.zeros(BINS, dtype=np.int64)
    return Histograms(sizes, bins, counts, dense)


@kernel
def accumulate(excess: FloatArray, place: IndexArray, baseline: IndexArray, sums: Sums) -> None:
    """Fill `sums` from `excess` (replicates, cells).

    Output j is column ``place[j]`` and is compared with column ``baseline[j]``, below 0 for none.
    The mean is taken first and squares about it, so that nothing cancels.
    """
    for j in range(place.size):
        column, other = place[j], baseline[j]
        count, total, better = 0, 0.0, 0
        for i in range(excess.shape[0]):
            value = excess[i, column]
            if math.isfinite(value):
                count += 1
                total += value
                if other >= 0 and value < excess[i, other]:
                    better += 1
        mean = total / max(count, 1)
        m2 = 0.0
        for i in range(excess.shape[0]):
            if math.isfinite(excess[i, column]):
                m2 += (excess[i, column] - mean) ** 2
        sums.valid[j], sums.mean[j], sums.m2[j], sums.better[j] = count, mean, m2, better


@kernel
def histogram(excess: FloatArray, place: IndexArray, out: Histograms) -> int:
    """Fill `out` with the histograms of the columns `place` of `excess`; returns their bins.

    A bin is 1 % wide, so that a quantile read from it is within half a percent. The number of a
    bin is clipped to 16 bits; 0 and what is too small go to the lowest.
    """
    width, filled = math.log(1.01), 0
    for j in range(place.size):
        lowest, highest = BINS, -1
        for i in range(excess.shape[0]):
            value = excess[i, place[j]]
            if math.isfinite(value):
                b = 0
                if value > 0.0:
                    b = int(min(32767.0, max(-32768.0, math.floor(math.log(value) / width))))
                    b += 32768
                out.dense[b] += 1
                lowest, highest = min(lowest, b), max(highest, b)
        first = filled
        for b in range(lowest, highest + 1):
            if out.dense[b] > 0:
                out.bins[filled], out.counts[filled] = b - 32768, out.dense[b]
                out.dense[b] = 0
                filled += 1
        out.sizes[j] = filled - first
    return filled
