"""Blocks of a sampling engine: its bench, and from replicates to sums."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mcbrain.asking.estimators import ESTIMATORS
from mcbrain.blocks.joined import joined
from mcbrain.blocks.problem import DataProblem
from mcbrain.blocks.query import Fit, Query
from mcbrain.blocks.sums import SUMS, BlockSums
from mcbrain.engines.bridge import Asked, by_encoding
from mcbrain.errors import unhandled
from mcbrain.kernels.brain.choose_encoder import EncoderChoice
from mcbrain.kernels.replicate.accumulate import (
    Histograms,
    Sums,
    accumulate,
    histogram,
    make_histograms,
    make_sums,
)
from mcbrain.kernels.replicate.workspace import Outcome
from mcbrain.population.model import Model
from mcbrain.population.shifts import Shift
from mcbrain.typing import Floats, Integers

__all__ = ["Bench", "Drawn", "compute", "drawn_each", "simulate_each", "smallest"]

P = TypeVar("P", bound=DataProblem)
# Penalty and rule of an encoder that runs a form of the brain stage, where that has a penalty.
_ENCODINGS = {"ridge": (0.1, "fixed"), "chosen": (math.nan, "gcv")}


@dataclass(frozen=True)
class Bench:
    """A worker's place for one problem: its buffers, and how to fill them.

    Attributes
    ----------
    draw : callable
        Takes a block number, draws the first replicates of that block and fills `outcome`. It
        returns the summed penalties that fits with a rule chose, shape (replicates, rules), or None
        where no fit chooses its penalty.
    outcome : Outcome
        Excess risk and failures of each replicate of the block that was drawn last.
    wanted : Asked
        What was asked of the kernels, and where each query's answer stands in `outcome`.
    encoder : EncoderChoice, optional
        With the summed penalties of the encoder that the replicates chose, if it has a rule.
    elsewhere : callable
        Seconds that other processes spent on the latest block.
    """

    draw: Callable[[int], NDArray[np.float64] | None]
    outcome: Outcome
    wanted: Asked
    encoder: EncoderChoice | None = None
    elsewhere: Callable[[], float] = float

    def replicates(
        self, index: int
    ) -> tuple[NDArray[np.float64], NDArray[np.int8], NDArray[np.float64]]:
        """Draw a block and give what each of its replicates says of each query.

        Parameters
        ----------
        index : int
            Block number. As many of its first replicates are drawn as the bench has room for.

        Returns
        -------
        excess : ndarray, shape (replicates, queries)
            Excess risk of the query's fit under its shift.
        failures : ndarray of int8, shape (replicates, queries)
            Why there is no value, as one of the reasons of `blocks.sums`; 0 where there is one.
        penalties : ndarray, shape (replicates, queries)
            The summed penalty that the query's fit chose on this replicate; NaN where it is fixed.
        """
        picked, outcome, place = self.draw(index), self.outcome, self.wanted.place
        replicates, fits, n_shifts = outcome.excess.shape
        penalty = np.full((replicates, fits), np.nan)
        if picked is not None:
            penalty[:, self.wanted.choosing] = picked
        fit = place // n_shifts
        excess = outcome.excess.reshape(replicates, -1)[:, place]
        return excess, outcome.failures[:, fit], penalty[:, fit]


MakeBench = Callable[[P, tuple[Query, ...], int], Bench]


"""An engine's bench for a problem, some queries of one encoder, and so many replicates."""


def simulate_each(
    bench: MakeBench[P], problem: P, queries: tuple[Query, ...], indices: Sequence[int], keep: bool
) -> list[BlockSums]:
    """Compute blocks of a problem, once for each encoder: their data are the same, by the streams.

    Parameters
    ----------
    bench : callable
        Makes an engine's bench.
    problem : RawProblem or SufficientProblem
        What is drawn.
    queries : tuple of Query
        Columns of the sums.
    indices : sequence of int
        Block numbers.
    keep : bool
        Whether each block keeps what its replicates say, beside their sums.

    Returns
    -------
    list of BlockSums
        One for each block number, in their order.
    """
    groups, size = by_encoding(queries), problem.block_size
    parts = [
        compute(bench(problem, tuple(queries[i] for i in places), size), indices, keep)
        for places in groups
    ]
    if len(parts) == 1:
        return parts[0]
    return [joined(of_block, groups) for of_block in zip(*parts, strict=True)]


@dataclass(frozen=True)
class Drawn:
    """What each replicate of a block says of each query.

    Attributes
    ----------
    excess : ndarray, shape (replicates, queries)
        Excess risk of the query's fit under its shift.
    failures : ndarray of int8, shape (replicates, queries)
        Why there is no value, as one of the reasons of `blocks.sums`; 0 where there is one.
    penalties, encodings : ndarray, shape (replicates, queries)
        The summed penalty that the fit chose, and that its encoder chose, on this replicate; NaN
        where it is fixed.
    """

    excess: Floats
    failures: NDArray[np.int8]
    penalties: Floats
    encodings: Floats


def drawn_each(
    bench: MakeBench[P], problem: P, queries: tuple[Query, ...], index: int, count: int
) -> Drawn:
    """The first replicates of a block, once for each encoder.

    Parameters
    ----------
    bench, problem, queries
        As for `simulate_each`.
    index : int
        Block number.
    count : int
        Replicates.

    Returns
    -------
    Drawn
        Of all queries.
    """
    shape = count, len(queries)
    found = Drawn(
        np.zeros(shape),
        np.zeros(shape, np.int64),
        np.full(shape, math.nan),
        np.full(shape, math.nan),
    )
    for places in by_encoding(queries):
        one, at = bench(problem, tuple(queries[i] for i in places), count), list(places)
        found.excess[:, at], found.failures[:, at], found.penalties[:, at] = one.replicates(index)
        if one.encoder is not None:
            uses = [i for i in at if queries[i].fit.estimator.uses_brain]
            found.encodings[:, uses] = one.encoder.chosen[:, None]
    return found


def compute(bench: Bench, indices: Sequence[int], keep: bool = False) -> list[BlockSums]:
    """Compute blocks one after the other, each timed.

    Parameters
    ----------
    bench : Bench
        For as many replicates as a block has; its buffers are overwritten.
    indices : sequence of int
        Block numbers.
    keep : bool
        Whether each block keeps what its replicates say, beside their sums.

    Returns
    -------
    list of BlockSums
        One for each block number, in their order, with the seconds of this thread that it took.
    """
    wanted, outcome = bench.wanted, bench.outcome
    replicates, _, n_shifts = outcome.excess.shape
    excess = outcome.excess.reshape(replicates, -1)
    histograms = make_histograms(replicates, wanted.place.size)
    blocks = []
    for index in indices:
        begun = time.thread_time()
        picked = bench.draw(index)
        sums = make_sums(wanted.place.size)
        accumulate(excess, wanted.place, wanted.baseline, sums)
        bins = histogram(excess, wanted.place, histograms)
        joint, joint_sums = _joint(sums, wanted, replicates)
        atoms, atom_values = _atoms(histograms, bins)
        block = BlockSums(
            index=index,
            replicates=replicates,
            count=sums.valid,
            **_summed(sums),
            bin_sizes=histograms.sizes.copy(),
            bins=histograms.bins[:bins].copy(),
            bin_counts=histograms.counts[:bins].copy(),
            joint=joint,
            joint_sums=joint_sums,
            atoms=atoms,
            atom_values=atom_values,
            failures=_failures(outcome.failures, wanted, n_shifts),
            **(_kept(excess, picked, wanted, n_shifts) if keep else {}),
            seconds=time.thread_time() - begun + bench.elsewhere(),
        )
        blocks.append(block)
    return blocks


# Any: whole numbers or floats, as the field of that name is declared.
def _summed(sums: Sums) -> dict[str, Any]:
    """What is stored of each query under the name that the kernel gives it; `count` is `valid`."""
    names = [name for name, record in SUMS.items() if record.per == "statistic" and name != "count"]
    if forgotten := [name for name in names if name not in Sums._fields]:
        raise unhandled("sum", forgotten[0], "mcbrain/kernels/replicate/accumulate.py")
    return {name: getattr(sums, name) for name in names}


def _joint(sums: Sums, wanted: Asked, replicates: int) -> tuple[Integers, Floats]:
    """Sums over the replicates in which a query and its baseline have values, where some lack."""
    lacking = np.flatnonzero((wanted.baseline >= 0) & (sums.both < replicates))
    joint = np.column_stack([lacking, sums.both[lacking]])
    return joint, np.column_stack([sums.own[lacking], sums.other[lacking]])


def _atoms(histograms: Histograms, bins: int) -> tuple[Integers, Floats]:
    """Values that replicates share: the query, the bin and how many, of those found."""
    shares = histograms.shares[:bins]
    found = np.flatnonzero(shares)
    query = np.searchsorted(np.cumsum(histograms.sizes), found, side="right")
    atoms = np.column_stack([query, histograms.bins[found], shares[found]])
    return atoms, histograms.atoms[found]


# Any: as the fields of those names are declared.
def _kept(excess: Floats, picked: Floats | None, wanted: Asked, n_shifts: int) -> dict[str, Any]:
    """What each replicate says of each query, and the penalties that it has chosen."""
    found: dict[str, Any] = {"kept": excess[:, wanted.place].ravel()}
    if picked is not None:
        fit = wanted.place // n_shifts
        choosing = np.flatnonzero(np.isin(fit, wanted.choosing))
        columns = np.searchsorted(wanted.choosing, fit[choosing])
        chosen = picked[:, columns] / wanted.setting.sizes.n_task
        found |= {"choosing": choosing, "chosen": chosen.ravel()}
    return found


def smallest(
    kind: type[P], n_task: int, n_brain: int, rule: str = "fixed", form: str = ""
) -> tuple[P, tuple[Query, ...]]:
    """A problem in four dimensions and a query, whose simulation compiles what larger ones run.

    Parameters
    ----------
    kind : type
        RawProblem or SufficientProblem.
    n_task, n_brain : int
        Samples of each stage. Fewer than four, the dimension of the inputs, compile other kernels
        than more.
    rule : str
        "fixed", or "loo" or "gcv" to have the penalty chosen on each replicate's data.
    form : str
        Of the brain stage: "ridge" or "chosen", with a penalty; else least squares.

    Returns
    -------
    problem : RawProblem or SufficientProblem
        With seed 0.
    queries : tuple of Query
        One: befs without a shift, beside itself as its baseline.
    """
    model = Model(input_dim=4, latent_dim=1, n_channels=2)
    penalty, how = _ENCODINGS.get(form, (0.0, "fixed"))
    fit = Fit(ESTIMATORS["befs"], rule, 0.1, 0.0, 1, penalty, how)
    return kind.of(model, n_task, n_brain, seed=0), (Query(fit, Shift("id"), fit),)


def _failures(failures: NDArray[np.int8], wanted: Asked, n_shifts: int) -> NDArray[np.int64]:
    """Replicate, query and reason of each failure, shape (failures, 3), from codes by fit."""
    if not failures.any():
        return np.zeros((0, 3), np.int64)
    codes = failures[:, wanted.place // n_shifts]
    broken = np.argwhere(codes > 0)
    return np.column_stack([broken, codes[broken[:, 0], broken[:, 1]]]).astype(np.int64)
