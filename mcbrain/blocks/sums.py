"""The sums that a block leaves behind: a record for each, which the stores of blocks read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal, get_type_hints

import numpy as np

from mcbrain.asking.own import Own
from mcbrain.typing import Floats, Integers

__all__ = ["AT_LINE", "RAISED", "REASONS", "SUMS", "BlockSums", "Merge", "Sum", "reason_of"]


# Why a replicate failed, by the code that the kernels return.
REASONS = {1: "singular", 2: "not positive definite", 3: "not finite", 4: "unknown code"}
RAISED = 5
AT_LINE = 16
"""An error that a plug-in raised in line n of its file has the code AT_LINE + n; in a line that
nobody knows, AT_LINE itself. RAISED is what the kernels call all of them."""


def reason_of(code: int, own: Own | None = None) -> str:
    """Why a replicate failed, in words; the code itself where another version knew it.

    Parameters
    ----------
    code : int
    own : Own, optional
        The plug-in that failed, whose line is shown.

    Returns
    -------
    str
    """
    if code >= AT_LINE:
        there = own.line(code - AT_LINE) if own else ""
        return f"error at {there}" if there else "error"
    return REASONS.get(code, f"code {code}")


Merge = Literal["own", "add", "weigh", "spread", "pair", "list"]


@dataclass(frozen=True)
class Sum:
    """What is stored of one field of `BlockSums`.

    Attributes
    ----------
    kind : str
        NumPy's name of the numbers on disk.
    per : {"block", "statistic", "entry"}
        A number for each block, for each of its statistics, or any number of entries.
    meaning : str
    merge : {"own", "add", "weigh", "spread", "pair", "list"}
        How blocks are put together. "own": not at all; "add": the total is the sum; "weigh": a mean
        weighed by `count`; "spread": squares about the common mean, by Chan's formula
        (`Series.totals`); "pair": with the baseline's (`store/pairs.py`); "list": one after the
        other, or equal entries added (`store/bins.py`).
    width : int
        Numbers of an entry.
    since : int
        The first block format that has it. A block of an older format has none, and nothing is
        known of it there.
    """

    kind: str
    per: Literal["block", "statistic", "entry"]
    meaning: str
    merge: Merge
    width: int = 1
    since: int = 1


@dataclass
class BlockSums:
    """What one block leaves behind; each field says how it is stored, in this order.

    Every engine fills what has no default, and leaves empty what it cannot know: engines that
    integrate a stage out keep no histogram and nothing of pairs. A field of a later format is added
    at the end.

    Attributes
    ----------
    index : int
        The block's number within its problem.
    replicates : int
        Replicates drawn.
    seconds : float
        Time of one core.
    count, mean, m2 : ndarray, shape (n,)
        Replicates that succeeded, their mean, their centred sum of squares.
    better : ndarray, shape (n,)
        Replicates that beat the baseline on the same data, both having values.
    bin_sizes, bins, bin_counts : ndarray
        Sparse histogram of log(value) / log(1.01): bins of each statistic, one after the other.
    failures : ndarray, shape (f, 3)
        Replicate, statistic and reason (see `REASONS`) of each failure.
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
    kept : ndarray, shape (replicates * n,)
        Value of each replicate, a row of statistics for each, NaN where it failed; empty where
        replicates were not to be kept.
    choosing : ndarray of int, shape (c,)
        Of kept replicates: statistics whose penalty each replicate has chosen.
    chosen : ndarray, shape (replicates * c,)
        The per-sample penalties that they have chosen, likewise.
    """

    index: Annotated[int, Sum("int32", "block", "number of the block within its problem", "own")]
    replicates: Annotated[int, Sum("int32", "block", "replicates drawn", "add")]
    seconds: Annotated[float, Sum("float64", "block", "time of one core", "add")] = field(
        default=0.0, kw_only=True
    )
    count: Annotated[Integers, Sum("int32", "statistic", "replicates that succeeded", "add")]
    mean: Annotated[Floats, Sum("float64", "statistic", "their mean", "weigh")]
    m2: Annotated[Floats, Sum("float64", "statistic", "their centred sum of squares", "spread")]
    better: Annotated[
        Integers, Sum("int32", "statistic", "replicates that beat the baseline", "add")
    ]
    bin_sizes: Annotated[
        Integers, Sum("int32", "entry", "histogram bins of each statistic", "list")
    ] = field(default_factory=lambda: np.zeros(0, np.int64))
    bins: Annotated[Integers, Sum("int16", "entry", "floor(log(value) / log(1.01))", "list")] = (
        field(default_factory=lambda: np.zeros(0, np.int64))
    )
    bin_counts: Annotated[Integers, Sum("int32", "entry", "replicates in each bin", "list")] = (
        field(default_factory=lambda: np.zeros(0, np.int64))
    )
    failures: Annotated[
        Integers, Sum("int32", "entry", "replicate, statistic, reason of each failure", "list", 3)
    ] = field(default_factory=lambda: np.zeros((0, 3), np.int64))
    cross: Annotated[
        Floats,
        Sum("float64", "statistic", "centred sum of products with the baseline", "pair", since=2),
    ] = field(default_factory=lambda: np.zeros(0))
    joint: Annotated[
        Integers,
        Sum(
            "int32",
            "entry",
            "statistic, replicates in which it and its baseline have values: where some lack",
            "pair",
            2,
            since=2,
        ),
    ] = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    joint_sums: Annotated[
        Floats,
        Sum(
            "float64",
            "entry",
            "over those: mean and centred sum of squares of the statistic, then of the baseline",
            "pair",
            4,
            since=2,
        ),
    ] = field(default_factory=lambda: np.zeros((0, 4)))
    atoms: Annotated[
        Integers,
        Sum(
            "int32",
            "entry",
            "statistic, bin, replicates of the bin that share one value",
            "list",
            3,
            since=2,
        ),
    ] = field(default_factory=lambda: np.zeros((0, 3), np.int64))
    atom_values: Annotated[Floats, Sum("float64", "entry", "those values", "list", since=2)] = (
        field(default_factory=lambda: np.zeros(0))
    )
    kept: Annotated[
        Floats, Sum("float64", "entry", "value of each replicate, where kept", "list", since=3)
    ] = field(default_factory=lambda: np.zeros(0))
    choosing: Annotated[
        Integers,
        Sum("int32", "entry", "statistics whose penalty each replicate chooses", "list", since=3),
    ] = field(default_factory=lambda: np.zeros(0, np.int64))
    chosen: Annotated[
        Floats,
        Sum("float64", "entry", "those penalties of each replicate, per sample", "list", since=3),
    ] = field(default_factory=lambda: np.zeros(0))


SUMS: dict[str, Sum] = {
    name: annotation.__metadata__[0]
    for name, annotation in get_type_hints(BlockSums, include_extras=True).items()
}
"""The records of all sums, by name, in the order in which they are stored."""
