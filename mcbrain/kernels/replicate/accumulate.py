"""Sums of a block: what is kept of its replicates' excess risks."""

import math
from typing import NamedTuple

import numpy as np

from mcbrain.kernels.jit import helper, kernel
from mcbrain.typing import Floats, Integers

# Histogram bins run from -32768 to 32767.
BINS = 65536

# Two excess risks whose relative difference is below this are one number, computed twice: sums of
# a few thousand products round by less, and what is drawn anew differs by more.
ROUNDING = 2.0**-46

# With so few bins in a block, the value of a replicate that is alone in its bin is kept as well.
FEW = 8


class Sums(NamedTuple):
    """Sums over the replicates of a block, (outputs,) each; what is not finite is left out."""

    valid: Integers
    """Replicates with a value."""
    mean: Floats
    m2: Floats
    """Centred sum of squares; exactly 0 where all values are one number, up to rounding."""
    both: Integers
    """Replicates in which the output and its baseline have values; 0 without a baseline."""
    better: Integers
    """How many of those have the output below its baseline; equal up to rounding is not below."""
    own: Floats
    """(outputs, 2) mean and centred sum of squares of the output over those."""
    other: Floats
    """(outputs, 2) the same of the baseline."""
    cross: Floats
    """Centred sum of products of the two over those."""


class Histograms(NamedTuple):
    """Sparse histograms of log excess risk, one output after the other."""

    sizes: Integers
    """(outputs,) bins that are not empty."""
    bins: Integers
    """(replicates * outputs,) bin b holds excess risks from 1.01**b to 1.01**(b + 1), ascending."""
    counts: Integers
    """(replicates * outputs,)"""
    atoms: Floats
    """(replicates * outputs,) a value that several replicates of the bin share, or NaN."""
    shares: Integers
    """(replicates * outputs,) how many replicates have that value."""
    dense: Integers
    """(BINS,) zero between calls."""
    votes: Integers
    """(BINS,) zero between calls."""
    same: Integers
    """(BINS,) zero between calls."""
    candidate: Floats
    """(BINS,)"""
    at: Integers
    """(replicates,) the bin of each replicate, -1 without a value."""


def make_sums(outputs: int) -> Sums:
    """Return room for the sums of some outputs."""
    valid, both, better = np.zeros((3, outputs), dtype=np.int64)
    mean, m2, cross = np.zeros((3, outputs))
    own, other = np.zeros((2, outputs, 2))
    return Sums(valid, mean, m2, both, better, own, other, cross)


def make_histograms(replicates: int, outputs: int) -> Histograms:
    """Return room for the histograms of some outputs over so many replicates."""
    bins, counts, shares = np.zeros((3, replicates * outputs), dtype=np.int64)
    dense, votes, same = np.zeros((3, BINS), dtype=np.int64)
    sizes, at = np.zeros(outputs, dtype=np.int64), np.zeros(replicates, dtype=np.int64)
    atoms, candidate = np.zeros(replicates * outputs), np.zeros(BINS)
    return Histograms(sizes, bins, counts, atoms, shares, dense, votes, same, candidate, at)


@helper
def agree(a: float, b: float) -> bool:
    """Whether two values are one number, up to rounding."""
    return abs(a - b) <= ROUNDING * max(abs(a), abs(b))


@kernel
def accumulate(excess: Floats, place: Integers, baseline: Integers, sums: Sums) -> None:
    """Fill `sums` from `excess` (replicates, cells).

    Output j is column ``place[j]`` and is compared with column ``baseline[j]``, below 0 for none.
    The mean is taken first and squares about it, so that nothing cancels.
    """
    for j in range(place.size):
        column, other = place[j], baseline[j]
        count, total, low, high = 0, 0.0, math.inf, -math.inf
        both, own, others, better = 0, 0.0, 0.0, 0
        for i in range(excess.shape[0]):
            value = excess[i, column]
            if math.isfinite(value):
                count += 1
                total += value
                low, high = min(low, value), max(high, value)
                if other >= 0 and math.isfinite(excess[i, other]):
                    both += 1
                    own += value
                    others += excess[i, other]
                    if value < excess[i, other] and not agree(value, excess[i, other]):
                        better += 1
        mean, own, others = total / max(count, 1), own / max(both, 1), others / max(both, 1)
        constant = count > 0 and agree(low, high)
        if constant:
            # Rounding of the sum is no spread: the mean lies between equal values.
            mean = min(max(mean, low), high)
        m2, own_m2, other_m2, cross = 0.0, 0.0, 0.0, 0.0
        for i in range(excess.shape[0]):
            value = excess[i, column]
            if math.isfinite(value):
                if not constant:
                    m2 += (value - mean) ** 2
                if other >= 0 and math.isfinite(excess[i, other]):
                    apart = excess[i, other] - others
                    own_m2 += (value - own) ** 2
                    other_m2 += apart**2
                    cross += (value - own) * apart
        sums.valid[j], sums.mean[j], sums.m2[j] = count, mean, m2
        sums.both[j], sums.better[j], sums.cross[j] = both, better, cross
        sums.own[j, 0], sums.own[j, 1] = own, own_m2
        sums.other[j, 0], sums.other[j, 1] = others, other_m2


@kernel
def histogram(excess: Floats, place: Integers, out: Histograms) -> int:
    """Fill `out` with the histograms of the columns `place` of `excess`; returns their bins.

    A bin is 1 % wide, so that a quantile read from it is within half a percent. The number of a
    bin is clipped to 16 bits; 0 and what is too small go to the lowest.

    A value that most replicates of a bin share (majority vote: Boyer & Moore 1991) is an atom of
    the distribution, and is kept exactly: a risk that is constant, or takes few values.
    """
    width, filled = math.log(1.01), 0
    for j in range(place.size):
        lowest, highest = BINS, -1
        for i in range(excess.shape[0]):
            value = excess[i, place[j]]
            out.at[i] = -1
            if math.isfinite(value):
                b = 0
                if value > 0.0:
                    b = int(min(32767.0, max(-32768.0, math.floor(math.log(value) / width))))
                    b += 32768
                out.dense[b] += 1
                out.at[i] = b
                lowest, highest = min(lowest, b), max(highest, b)
                if out.votes[b] == 0:
                    out.candidate[b] = value
                out.votes[b] += 1 if agree(value, out.candidate[b]) else -1
        for i in range(excess.shape[0]):
            b = out.at[i]
            if b >= 0 and agree(excess[i, place[j]], out.candidate[b]):
                out.same[b] += 1
        first = filled
        for b in range(lowest, highest + 1):
            if out.dense[b] > 0:
                out.bins[filled], out.counts[filled] = b - 32768, out.dense[b]
                out.atoms[filled], out.shares[filled] = out.candidate[b], out.same[b]
                out.dense[b], out.votes[b], out.same[b] = 0, 0, 0
                filled += 1
        least = 1 if filled - first <= FEW else 2
        for slot in range(first, filled):
            if out.shares[slot] < least:
                out.atoms[slot], out.shares[slot] = math.nan, 0
        out.sizes[j] = filled - first
    return filled
