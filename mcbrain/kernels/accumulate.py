"""Sums of a block: what is kept of its replicates' excess risks."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mcbrain.kernels.jit import kernel
from mcbrain.kernels.streams import FloatArray

IndexArray = NDArray[np.int64]
BinArray = NDArray[np.int16]


class Sums(NamedTuple):
    """Sums over the replicates of a block, (outputs,) each; NaN replicates count as failed."""

    valid: IndexArray
    """Replicates with a value."""
    mean: FloatArray
    m2: FloatArray
    """Centred sum of squares."""
    failed: IndexArray
    better: IndexArray
    """Replicates in which the output is below its baseline, both having values."""
    paired: IndexArray
    """Replicates in which both have values."""


@kernel
def accumulate(excess: FloatArray, baseline: IndexArray, sums: Sums) -> None:
    """Fill `sums` from `excess` (replicates, outputs).

    `baseline` (outputs,) is the column that each output is compared with, below 0 for none. The
    mean is taken first and squares about it, so that nothing cancels.
    """
    replicates, outputs = excess.shape
    for j in range(outputs):
        count, total, better, paired, other = 0, 0.0, 0, 0, baseline[j]
        for i in range(replicates):
            value = excess[i, j]
            if not math.isnan(value):
                count += 1
                total += value
                if other >= 0 and not math.isnan(excess[i, other]):
                    paired += 1
                    better += 1 if value < excess[i, other] else 0
        mean = total / count if count > 0 else math.nan
        m2 = 0.0
        for i in range(replicates):
            if not math.isnan(excess[i, j]):
                m2 += (excess[i, j] - mean) ** 2
        sums.valid[j], sums.mean[j], sums.m2[j] = count, mean, m2
        sums.failed[j], sums.better[j], sums.paired[j] = replicates - count, better, paired


@kernel
def log_bins(excess: FloatArray, bins: BinArray) -> None:
    """Write floor(log(excess)/log(1.01)) of every entry to `bins`, both (n,).

    Clipped to int16; 0 and what is too small go to the lowest bin. A bin is 1 % wide, so that a
    quantile read from it is within half a percent.
    """
    width = math.log(1.01)
    for i in range(excess.size):
        place = -32768.0
        if excess[i] > 0.0:
            place = min(32767.0, max(-32768.0, math.floor(math.log(excess[i]) / width)))
        bins[i] = np.int16(place)


def block_sums(excess: FloatArray, baseline: IndexArray) -> Sums:
    """Return the sums of a block.

    Parameters
    ----------
    excess : (replicates, outputs)
        Excess risks, NaN where a replicate failed.
    baseline : (outputs,)
        The column that each output is compared with, below 0 for none.
    """
    outputs = excess.shape[1]
    integers, floats = np.zeros((4, outputs), dtype=np.int64), np.zeros((2, outputs))
    sums = Sums(integers[0], floats[0], floats[1], integers[1], integers[2], integers[3])
    accumulate(np.ascontiguousarray(excess), baseline.astype(np.int64), sums)
    return sums


def histogram(excess: FloatArray) -> tuple[IndexArray, BinArray, NDArray[np.int32]]:
    """Return sparse histograms of log excess risk, one for each output.

    Parameters
    ----------
    excess : (replicates, outputs)
        Excess risks, NaN where a replicate failed.

    Returns
    -------
    starts : (outputs + 1,)
        Output j owns entries ``starts[j]:starts[j + 1]`` of the other two.
    bins, counts : (entries,)
        Bin b holds excess risks from 1.01**b to 1.01**(b + 1); ascending for each output.
    """
    bins = np.zeros(excess.size, dtype=np.int16)
    log_bins(np.ascontiguousarray(excess.T).reshape(-1), bins)
    valid = ~np.isnan(excess.T)
    found = [
        np.unique(row[kept], return_counts=True)
        for row, kept in zip(bins.reshape(excess.T.shape), valid, strict=True)
    ]
    starts = np.concatenate([[0], np.cumsum([len(values) for values, _ in found])])
    return (
        starts.astype(np.int64),
        np.concatenate([values for values, _ in found]),
        np.concatenate([counts for _, counts in found]).astype(np.int32),
    )
