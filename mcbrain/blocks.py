"""The words of the house: Problem, Query, Block and the sums that a block leaves behind.

A problem is what is simulated; a block is a fixed number of its replicates with one random stream
of its own. A block is the unit of resuming, sharding, stopping and of the jackknife.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcbrain.errors import InputError
from mcbrain.estimators import Estimator
from mcbrain.model import MODEL_FIELDS, Model
from mcbrain.shifts import Shift

__all__ = [
    "FIRST_LOOK",
    "REASONS",
    "ROUNDING",
    "BlockSums",
    "Job",
    "Problem",
    "Query",
    "Row",
    "Series",
    "data_parameters",
    "looks",
    "statistic_id",
    "unless_rounding",
]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# Fewer blocks made |z| > 1.96 happen 9 to 17 % of the time (theory/README.md 7).
FIRST_LOOK = 64

# Two numbers whose relative difference is below this are one number, computed twice.
ROUNDING = 2.0**-46

# Why a replicate failed, by the code that the kernels return.
REASONS = {1: "singular", 2: "not positive definite", 3: "not finite", 4: "unknown code"}


@dataclass(frozen=True)
class Problem:
    """What is simulated: a kind and the parameters that fix the law of its replicates.

    Attributes
    ----------
    kind : str
        "raw", "sufficient", "brain" or "task", or one of these with the prefix "pilot-".
    parameters : tuple of (str, value)
        Everything that the law of a replicate depends on; nothing else.
    seed : int
        The study's seed.
    """

    kind: str
    parameters: tuple[tuple[str, Any], ...]
    seed: int

    def __getitem__(self, name: str) -> Any:
        return self._lookup[name]

    @cached_property
    def _lookup(self) -> dict[str, Any]:
        return dict(self.parameters)

    @cached_property
    def key(self) -> bytes:
        """16 bytes that name the problem by content, whatever its place in a grid."""
        text = json.dumps([self.kind, sorted(self.parameters)], separators=(",", ":"))
        return hashlib.blake2b(text.encode(), digest_size=16).digest()

    @property
    def words(self) -> tuple[int, int, int, int]:
        """The key as four 32-bit words, for the spawn key of a stream."""
        a, b, c, d = np.frombuffer(self.key, "<u4")
        return int(a), int(b), int(c), int(d)

    @cached_property
    def model(self) -> Model:
        """The model of a raw or sufficient problem."""
        return Model(**{name: value for name, value in self.parameters if name in MODEL_FIELDS})


def data_parameters(model: Model, n_task: int, n_brain: int) -> tuple[tuple[str, Any], ...]:
    """What the law of a data set depends on, as the parameters of a raw or sufficient problem."""
    skip = {"snr_task", "snr_brain", "neural_noise"} if model.neural_law == "poisson" else set()
    skip |= {"snr_task", "snr_brain"}
    values = {name: getattr(model, name) for name in MODEL_FIELDS if name not in skip}
    values["latent_gains"] = tuple(
        float(g) for g in np.broadcast_to(model.latent_gains, model.latent_dim)
    )
    values["task_loadings"] = tuple(float(a) for a in model.loadings)
    values["n_task"], values["n_brain"] = n_task, n_brain
    return tuple(sorted((k, v) for k, v in values.items() if v is not None))


@dataclass(frozen=True)
class Row:
    """One estimator at one penalty, on one replicate's data: a row of the solve kernels.

    Attributes
    ----------
    estimator : Estimator
    rule : str
        "fixed" (the penalty is the number below), "loo" or "gcv".
    penalty : float
        Per-sample penalty; NaN where each replicate chooses its own.
    eta : float
        Share of the penalty that the spared subspace still feels.
    rank : int
        Rank of the estimated subspace.
    encoding_penalty : float
        Ridge penalty of stage 1.
    """

    estimator: Estimator
    rule: str
    penalty: float
    eta: float
    rank: int
    encoding_penalty: float

    @property
    def label(self) -> str:
        """Name by content; encoding settings count only where brain data is used."""
        parts = [self.estimator.name, self.rule, repr(self.penalty), repr(self.eta)]
        if self.estimator.uses_brain:
            parts += [f"rank={self.rank}", f"encoding={self.encoding_penalty!r}"]
        return " ".join(parts)


@dataclass(frozen=True)
class Query:
    """One column of a sampled problem's sums: a row under a shift, against a baseline row."""

    row: Row
    shift: Shift
    baseline: Row | None

    @cached_property
    def label(self) -> str:
        """Name by content."""
        versus = self.baseline.label if self.baseline else "nothing"
        return f"{self.row.label} | {self.shift.content} | versus {versus}"

    @cached_property
    def id(self) -> int:
        """64-bit name of the statistic."""
        return statistic_id(self.label)


def statistic_id(label: str) -> int:
    """64-bit name of a statistic, by content."""
    return int.from_bytes(hashlib.blake2b(label.encode(), digest_size=8).digest(), "little")


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


@dataclass(frozen=True)
class Job:
    """Blocks of one problem that one worker computes in one go."""

    problem: Problem
    queries: tuple[Any, ...]
    indices: tuple[int, ...]


@dataclass(frozen=True)
class Series:
    """The blocks 0, 1, ... of one problem for some statistics, as far as they are complete.

    All arrays have shape (statistics, blocks); `replicates` and `seconds` have shape (blocks,).
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
        """The first n blocks."""
        return Series(
            replicates=self.replicates[:n],
            count=np.ascontiguousarray(self.count[:, :n]),
            mean=np.ascontiguousarray(self.mean[:, :n]),
            m2=np.ascontiguousarray(self.m2[:, :n]),
            better=np.ascontiguousarray(self.better[:, :n]),
            seconds=self.seconds[:n],
        )

    def totals(self) -> tuple[Floats, Floats, Floats]:
        """Count, mean and centred sum of squares over the blocks, shape (statistics,) each.

        Sums run along the contiguous axis, so a statistic's total never depends on its neighbours.
        Where all values are one number up to rounding, the sum of squares is 0.
        """
        count = self.count.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            weighted = np.where(self.count > 0, self.count * self.mean, 0.0)
            mean = weighted.sum(axis=1) / count
            spread = np.where(self.count > 0, self.count * (self.mean - mean[:, None]) ** 2, 0.0)
            m2 = self.m2.sum(axis=1) + spread.sum(axis=1)
            constant = m2 <= count * (ROUNDING * mean) ** 2
        if constant.any():
            # The mean of equal numbers is one of them, not their rounded sum over their count.
            low = np.where(self.count > 0, self.mean, np.inf).min(axis=1, initial=np.inf)
            high = np.where(self.count > 0, self.mean, -np.inf).max(axis=1, initial=-np.inf)
            mean = np.where(constant, np.minimum(np.maximum(mean, low), high), mean)
            m2 = np.where(constant, 0.0, m2)
        return count, mean, m2

    def mcse(self) -> Floats:
        """Monte-Carlo standard error of each mean, from per-replicate squares."""
        count, _, m2 = self.totals()
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.sqrt(m2 / (count - 1) / count)

    def without_each_block(self) -> Floats:
        """Mean of each statistic with one block left out, shape (statistics, blocks)."""
        weighted = np.where(self.count > 0, self.count * self.mean, 0.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(
                (weighted.sum(axis=1)[:, None] - weighted)
                / (self.count.sum(axis=1)[:, None] - self.count)
            )


def looks(n_blocks: int) -> list[int]:
    """Numbers of blocks at which a problem may stop: 64, 128, ... and the most that is allowed."""
    if n_blocks < 1:
        raise InputError(f"n_blocks = {n_blocks}: at least one block is needed")
    points, look = [], FIRST_LOOK
    while look < n_blocks:
        points.append(look)
        look *= 2
    return [*points, n_blocks]


def jackknife(values: Sequence[float] | Floats) -> float:
    """Delete-one-block jackknife standard error from the leave-one-out values, shape (blocks,)."""
    leave = np.asarray(values, float)
    n = leave.size
    if n < 2:
        return float("nan")
    error = float(np.sqrt((n - 1) / n * np.sum((leave - leave.mean()) ** 2)))
    return unless_rounding(error, float(leave.mean()))


def unless_rounding(error: float, value: float) -> float:
    """A standard error; 0 where it is no more than the rounding of what it belongs to."""
    return 0.0 if error <= ROUNDING * abs(value) else error
