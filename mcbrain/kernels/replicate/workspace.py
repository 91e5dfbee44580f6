"""Room for a block of replicates, allocated once for each thread (`raw`, `sufficient`)."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mcbrain.kernels.brain.encode import EncodeWork, make_encode_work
from mcbrain.kernels.linear.lanes import padded
from mcbrain.kernels.random.draw import Maps, make_maps
from mcbrain.kernels.task.risk import RiskWork, make_risk_work
from mcbrain.kernels.task.singular import ExactWork, make_exact_work
from mcbrain.kernels.task.solve_work import SolveWork, make_solve_work
from mcbrain.kernels.types import (
    ESTIMATED,
    MEASURED,
    CodeArray,
    Fits,
    Population,
    Shifts,
    Sizes,
)
from mcbrain.typing import Floats


class DataWork(NamedTuple):
    """A chunk of data."""

    inputs: Floats
    """(chunk, d)"""
    labels: Floats
    """(chunk,)"""
    latents: Floats
    """(chunk, k)"""
    recordings: Floats
    """(chunk, p)"""


class Workspace(NamedTuple):
    """Every buffer of `raw_block`, so that nothing is allocated in a loop over replicates."""

    maps: Maps
    brain: DataWork
    encode: EncodeWork
    task: DataWork
    solve: SolveWork
    risk: RiskWork
    bases: Floats
    """(replicates at a time, r, d) estimated subspaces."""
    used_bases: Floats
    """The same array, or one without rows where no fit uses it."""
    lost: CodeArray
    """(replicates at a time,) LOST where the estimated subspace has too small a rank, or SOUND."""
    measured: Floats
    """(rank, d) the measured subspace, without rows where no fit uses it."""
    frame: Floats
    """(targets + probes, d) of the shifts as `solve_primal` turns them, or without rows."""
    states: NDArray[np.uint64]
    """(3, 4) where the streams of a stage stood before a replicate, to draw its data again."""
    brain_exact: ExactWork
    task_exact: ExactWork


class Outcome(NamedTuple):
    """What a block of replicates gives."""

    excess: Floats
    """(replicates, fits, shifts), NaN for fits without a solution."""
    failures: CodeArray
    """(replicates, fits) codes of `types`."""
    m_hat: Floats
    """(replicates,) |(I-P)beta|^2/|beta|^2, NaN without an estimated subspace."""
    overlap: Floats
    """(replicates, k, k) C^ = A'PA, NaN without an estimated subspace."""


def chunk_rows(d: int) -> int:
    """Return how many rows of inputs are drawn at a time: a megabyte, which the cache holds."""
    return max(256, 131_072 // d)


def make_workspace(
    population: Population, sizes: Sizes, fits: Fits, shifts: Shifts, chunk: int = 0
) -> Workspace:
    """Return the buffers of `raw_block` for these sizes; one set for each thread.

    Parameters
    ----------
    population, sizes, fits, shifts
        What the block will be called with.
    chunk : int
        How many rows of inputs are drawn at a time (where there are at least d); 0 for a
        megabyte of them.
    """
    chunk = chunk or chunk_rows(population.scale.size)
    (p, k), d = population.channels.shape, population.scale.size
    n_task, n_brain = sizes.n_task, sizes.n_brain
    rank = sizes.rank if n_brain > 0 else 0
    estimated = rank if np.any(fits.subspace == ESTIMATED) else 0
    measured = sizes.measured if np.any(fits.subspace == MEASURED) else 0
    dual_brain = n_brain < d and sizes.encoding_penalty == 0.0
    brain_rows = n_brain if dual_brain else min(n_brain, chunk)
    task_rows = n_task if n_task < d else min(n_task, chunk)
    # As many replicates between the stages as keep their subspaces within two megabytes.
    step = min(256, max(1, 250_000 // max(1, rank * d)))
    bases = np.zeros((step, rank, d))
    frame = _frame_rows(population, n_task, estimated + measured, fits, shifts)
    return Workspace(
        maps=make_maps(population),
        brain=make_data(brain_rows, d, k, p),
        encode=make_encode_work(d, p, k, n_brain if dual_brain else d, rank),
        task=make_data(task_rows, d, 0, 0),
        solve=make_solve_work(d, n_task, estimated, measured, fits, frame),
        risk=make_risk_work(d, fits, shifts),
        bases=bases,
        used_bases=bases if estimated > 0 else np.zeros((step, 0, d)),
        lost=np.zeros(step, dtype=np.int8),
        measured=np.ascontiguousarray(population.brain_map[:measured]),
        frame=np.zeros((frame, d)),
        states=np.zeros((3, 4), dtype=np.uint64),
        brain_exact=make_exact_work(n_brain if dual_brain else d, d, p, 0),
        task_exact=make_exact_work(n_task, d, 1, max(estimated, measured)),
    )


def _frame_rows(population: Population, n_task: int, ranks: int, fits: Fits, shifts: Shifts) -> int:
    """Return how many rows the frame has: none where turning the coefficients is less work.

    Other coordinates than the population's are as good only where its inputs are isotropic.
    """
    frame = len(shifts.targets) + len(shifts.probes)
    cost = padded(1 + ranks + frame) - padded(1 + ranks)
    isotropic = bool(np.all(population.scale == 1.0)) and n_task >= population.scale.size
    return frame if isotropic and cost < fits.batches.size else 0


def make_data(rows: int, d: int, k: int, p: int) -> DataWork:
    """Return room for a chunk of data."""
    return DataWork(np.zeros((rows, d)), np.zeros(rows), np.zeros((rows, k)), np.zeros((rows, p)))


def part_of(outcome: Outcome, start: int, stop: int) -> Outcome:
    """Return the room of some replicates."""
    return Outcome(
        outcome.excess[start:stop],
        outcome.failures[start:stop],
        outcome.m_hat[start:stop],
        outcome.overlap[start:stop],
    )


def make_outcome(population: Population, fits: Fits, shifts: Shifts, count: int) -> Outcome:
    """Return room for the results of `count` replicates."""
    n_fits, k = fits.subspace.size, population.brain_map.shape[0]
    return Outcome(
        np.zeros((count, n_fits, shifts.scale.size)),
        np.zeros((count, n_fits), dtype=np.int8),
        np.zeros(count),
        np.zeros((count, k, k)),
    )
