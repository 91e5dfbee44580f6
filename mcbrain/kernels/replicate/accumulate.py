"""Sums of a block: what is kept of its replicates' excess risks."""

import math
from typing import NamedTuple

import numpy as np

from mcbrain.kernels.jit import helper, kernel
from mcbrain.typing import Floats, Integers

WIDTH = 1.01
"""The upper end of a bin of the histogram over its lower end."""

LOWEST, HIGHEST = -32768, 32767
"""Numbers of the first and of the last bin, 16 bits; bin 0 begins at 1."""

BINS = HIGHEST - LOWEST + 1

ROUNDING = 2.0**-46
"""Two excess risks whose relative difference is below this are one number, computed twice: sums of
a few thousand products round by less, and what is drawn anew differs by more."""

FEW = 8
"""With so few bins in a block, the value of a replicate that is alone in its bin is kept too."""


class Sums(NamedTuple):
    """Sums over the replicates of a block, (outputs,) each; what is not finite is left out.

    Attributes
    ----------
    valid : ndarray of int
        Replicates with a value.
    mean, m2 : ndarray
        Centred sum of squares; exactly 0 where all values are one number, up to rounding.
    both : ndarray of int
        Replicates in which the output and its baseline have values; 0 without a baseline.
    better : ndarray of int
        How many of those have the output below its baseline; equal up to rounding is not below.
    own : ndarray, shape (outputs, 2)
        Mean and centred sum of squares of the output over those.
    other : ndarray, shape (outputs, 2)
        The same of the baseline.
    cross : ndarray
        Centred sum of products of the two over those.
    """

    valid: Integers
    mean: Floats
    m2: Floats
    both: Integers
    better: Integers
    own: Floats
    other: Floats
    cross: Floats


class Histograms(NamedTuple):
    """Sparse histograms of log excess risk, one output after the other.

    Attributes
    ----------
    sizes : ndarray of int, shape (outputs,)
        Bins that are not empty.
    bins : ndarray of int, shape (replicates * outputs,)
        Bin b holds excess risks from 1.01**b to 1.01**(b + 1), ascending.
    counts : ndarray of int, shape (replicates * outputs,)
    atoms : ndarray, shape (replicates * outputs,)
        a value that several replicates of the bin share, or NaN.
    shares : ndarray of int, shape (replicates * outputs,)
        How many replicates have that value.
    dense : ndarray of int, shape (BINS,)
        Zero between calls.
    votes : ndarray of int, shape (BINS,)
        Zero between calls.
    same : ndarray of int, shape (BINS,)
        Zero between calls.
    candidate : ndarray, shape (BINS,)
    at : ndarray of int, shape (replicates,)
        The bin of each replicate, -1 without a value.
    """

    sizes: Integers
    bins: Integers
    counts: Integers
    atoms: Floats
    shares: Integers
    dense: Integers
    votes: Integers
    same: Integers
    candidate: Floats
    at: Integers


def make_sums(outputs: int) -> Sums:
    """Return room for the sums of some outputs.

    Parameters
    ----------
    outputs : int
        How many.

    Returns
    -------
    Sums
        Zeros.
    """
    return Sums(
        valid=np.zeros(outputs, dtype=np.int64),
        mean=np.zeros(outputs),
        m2=np.zeros(outputs),
        both=np.zeros(outputs, dtype=np.int64),
        better=np.zeros(outputs, dtype=np.int64),
        own=np.zeros((outputs, 2)),
        other=np.zeros((outputs, 2)),
        cross=np.zeros(outputs),
    )


def make_histograms(replicates: int, outputs: int) -> Histograms:
    """Return room for the histograms of some outputs over so many replicates.

    Parameters
    ----------
    replicates : int
        Of a block.
    outputs : int
        How many.

    Returns
    -------
    Histograms
        Zeros.
    """
    bins, counts, shares = np.zeros((3, replicates * outputs), dtype=np.int64)
    dense, votes, same = np.zeros((3, BINS), dtype=np.int64)
    sizes, at = np.zeros(outputs, dtype=np.int64), np.zeros(replicates, dtype=np.int64)
    atoms, candidate = np.zeros(replicates * outputs), np.zeros(BINS)
    return Histograms(sizes, bins, counts, atoms, shares, dense, votes, same, candidate, at)


@helper
def agree(a: float, b: float) -> bool:
    """Whether two values are one number, up to rounding.

    Parameters
    ----------
    a : float
        A number.
    b : float
        Another.

    Returns
    -------
    bool
        False where either is not a number.
    """
    return abs(a - b) <= ROUNDING * max(abs(a), abs(b))


@kernel
def accumulate(excess: Floats, place: Integers, baseline: Integers, sums: Sums) -> None:
    """Fill `sums` from `excess` (replicates, cells).

    Output j is column ``place[j]`` and is compared with column ``baseline[j]``, below 0 for none.
    The mean is taken first and squares about it, so that nothing cancels.

    Parameters
    ----------
    excess : ndarray, shape (replicates, cells)
        Excess risks; what is not finite is left out.
    place : ndarray of int, shape (outputs,)
        Column of each output.
    baseline : ndarray of int, shape (outputs,)
        Column that it is compared with, below 0 for none.
    sums : Sums
        Filled.
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

    Parameters
    ----------
    excess : ndarray, shape (replicates, cells)
        Excess risks; what is not finite is left out.
    place : ndarray of int, shape (outputs,)
        Column of each output.
    out : Histograms
        Filled.

    Returns
    -------
    int
        How many bins of all outputs are not empty.
    """
    width, filled = math.log(WIDTH), 0
    for j in range(place.size):
        lowest, highest = BINS, -1
        for i in range(excess.shape[0]):
            value = excess[i, place[j]]
            out.at[i] = -1
            if math.isfinite(value):
                b = 0
                if value > 0.0:
                    b = math.floor(math.log(value) / width)
                    b = int(min(float(HIGHEST), max(float(LOWEST), b))) - LOWEST
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
                out.bins[filled], out.counts[filled] = b + LOWEST, out.dense[b]
                out.atoms[filled], out.shares[filled] = out.candidate[b], out.same[b]
                out.dense[b], out.votes[b], out.same[b] = 0, 0, 0
                filled += 1
        least = 1 if filled - first <= FEW else 2
        for slot in range(first, filled):
            if out.shares[slot] < least:
                out.atoms[slot], out.shares[slot] = math.nan, 0
        out.sizes[j] = filled - first
    return filled
