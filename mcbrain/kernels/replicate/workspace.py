"""Room for a block of replicates, allocated once for each thread (`raw`, `sufficient`)."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from mcbrain.kernels.brain.encode import EncodeWork, make_encode_work
from mcbrain.kernels.linear.lanes import padded
from mcbrain.kernels.random.draw import Maps, make_maps
from mcbrain.kernels.task.exact_data import ExactWork, make_exact_work
from mcbrain.kernels.task.risk import RiskWork, make_risk_work
from mcbrain.kernels.task.solve_work import SolveWork, make_solve_work
from mcbrain.kernels.types import ESTIMATED, MEASURED, CodeArray, Setting
from mcbrain.typing import Floats, Words

_MEGABYTE = 131_072  # in floats
_TOGETHER = 256  # replicates at most between the stages


class BrainData(NamedTuple):
    """A chunk of brain data.

    Attributes
    ----------
    inputs : ndarray, shape (chunk, d)
    latents : ndarray, shape (chunk, k)
    recordings : ndarray, shape (chunk, p)
    """

    inputs: Floats
    latents: Floats
    recordings: Floats


class TaskData(NamedTuple):
    """A chunk of task data.

    Attributes
    ----------
    inputs : ndarray, shape (chunk, d)
    labels : ndarray, shape (chunk,)
    """

    inputs: Floats
    labels: Floats


class BrainWork(NamedTuple):
    """Every buffer of the brain stage.

    Attributes
    ----------
    maps : Maps
        The maps of the population.
    data : BrainData
        Room for a chunk of data.
    encode : EncodeWork
        Buffers of the estimate.
    bases : ndarray, shape (replicates at a time, r, d)
        Estimated subspaces.
    lost : ndarray of int8, shape (replicates at a time,)
        LOST where the estimated subspace has too small a rank, or SOUND.
    states : ndarray of uint64, shape (3, 4)
        Where the streams stood before a replicate, to draw its data again.
    exact : ExactWork
        Room for a replicate that singular values decide.
    """

    maps: Maps
    data: BrainData
    encode: EncodeWork
    bases: Floats
    lost: CodeArray
    states: Words
    exact: ExactWork


class TaskWork(NamedTuple):
    """Every buffer of the task stage.

    Attributes
    ----------
    data : TaskData
        Room for a chunk of data.
    solve : SolveWork
        Buffers of the solutions.
    risk : RiskWork
        Buffers of the risks.
    bases : ndarray
        Those of the brain stage, without rows where no fit uses them.
    lost : ndarray of int8
        That of the brain stage.
    measured : ndarray, shape (rank, d)
        The measured subspace, without rows where no fit uses it.
    frame : ndarray, shape (targets + probes, d)
        Of the shifts as `solve_primal` turns them, or without rows.
    states : ndarray of uint64, shape (3, 4)
        Where the streams stood before a replicate, to draw its data again.
    exact : ExactWork
        Room for a replicate that singular values decide.
    """

    data: TaskData
    solve: SolveWork
    risk: RiskWork
    bases: Floats
    lost: CodeArray
    measured: Floats
    frame: Floats
    states: Words
    exact: ExactWork


class Workspace(NamedTuple):
    """Every buffer of a block, so that nothing is allocated in a loop over replicates.

    Attributes
    ----------
    brain : BrainWork
        Of the brain stage.
    task : TaskWork
        Of the task stage.
    """

    brain: BrainWork
    task: TaskWork


class Outcome(NamedTuple):
    """What a block of replicates gives.

    Attributes
    ----------
    excess : ndarray, shape (replicates, fits, shifts)
        Excess risks, NaN for fits without a solution.
    failures : ndarray of int8, shape (replicates, fits)
        Codes of `types`.
    m_hat : ndarray, shape (replicates,)
        |(I-P)beta|^2/|beta|^2, NaN without an estimated subspace.
    overlap : ndarray, shape (replicates, k, k)
        C^ = A'PA, NaN without an estimated subspace.
    coefs : ndarray, shape (replicates, fits, d)
        beta_hat in native coordinates, of fits that did not fail; without replicates where nobody
        asks for it.
    """

    excess: Floats
    failures: CodeArray
    m_hat: Floats
    overlap: Floats
    coefs: Floats


def chunk_rows(d: int) -> int:
    """Return how many rows of inputs are drawn at a time: a megabyte, which the cache holds.

    Parameters
    ----------
    d : int
        Inputs.

    Returns
    -------
    int
        256 rows or more.
    """
    return max(256, _MEGABYTE // d)


def make_workspace(setting: Setting, chunk: int = 0) -> Workspace:
    """Return the buffers of a block in this setting; one set for each thread.

    Parameters
    ----------
    setting : Setting
        What the block will be called with.
    chunk : int
        How many rows of inputs are drawn at a time (where there are at least d); 0 for a
        megabyte of them.

    Returns
    -------
    Workspace
        Zeros, but for the maps of the population.
    """
    d, sizes = setting.population.scale.size, setting.sizes
    chunk = chunk or chunk_rows(d)
    rank = sizes.rank if sizes.n_brain > 0 else 0
    # As many replicates between the stages as keep their subspaces within two megabytes.
    step = min(_TOGETHER, max(1, 250_000 // max(1, rank * d)))
    bases, lost = np.zeros((step, rank, d)), np.zeros(step, dtype=np.int8)
    return Workspace(
        _make_brain_work(setting, chunk, bases, lost), _make_task_work(setting, chunk, bases, lost)
    )


def _make_brain_work(setting: Setting, chunk: int, bases: Floats, lost: CodeArray) -> BrainWork:
    """Return the buffers of the brain stage around those that both stages read."""
    population, sizes = setting.population, setting.sizes
    (p, k), d, n = population.channels.shape, population.scale.size, sizes.n_brain
    dual = n < d and sizes.encoding_penalty == 0.0
    size, rows = n if dual else d, n if dual else min(n, chunk)
    return BrainWork(
        maps=make_maps(population),
        data=BrainData(np.zeros((rows, d)), np.zeros((rows, k)), np.zeros((rows, p))),
        encode=make_encode_work(d, p, k, size, bases.shape[1]),
        bases=bases,
        lost=lost,
        states=np.zeros((3, 4), dtype=np.uint64),
        exact=make_exact_work(size, d, p, 0),
    )


def _make_task_work(setting: Setting, chunk: int, bases: Floats, lost: CodeArray) -> TaskWork:
    """Return the buffers of the task stage around those that both stages read."""
    population, sizes, fits, shifts = setting
    d, n, (step, rank, _) = population.scale.size, sizes.n_task, bases.shape
    estimated = rank if np.any(fits.subspace == ESTIMATED) else 0
    measured = sizes.measured if np.any(fits.subspace == MEASURED) else 0
    frame = _frame_rows(setting, estimated + measured)
    return TaskWork(
        data=make_task_data(n if n < d else min(n, chunk), d),
        solve=make_solve_work(d, n, estimated, measured, fits, frame),
        risk=make_risk_work(d, fits, shifts),
        bases=bases if estimated > 0 else np.zeros((step, 0, d)),
        lost=lost,
        measured=np.ascontiguousarray(population.brain_map[:measured]),
        frame=np.zeros((frame, d)),
        states=np.zeros((3, 4), dtype=np.uint64),
        exact=make_exact_work(n, d, 1, max(estimated, measured)),
    )


def _frame_rows(setting: Setting, ranks: int) -> int:
    """Return how many rows the frame has: none where turning the coefficients is less work.

    Other coordinates than the population's are as good only where its inputs are isotropic.
    """
    population, sizes, fits, shifts = setting
    frame = len(shifts.targets) + len(shifts.probes)
    cost = padded(1 + ranks + frame) - padded(1 + ranks)
    isotropic = bool(np.all(population.scale == 1.0)) and sizes.n_task >= population.scale.size
    return frame if isotropic and cost < fits.batches.size else 0


def make_task_data(rows: int, d: int) -> TaskData:
    """Return room for a chunk of task data.

    Parameters
    ----------
    rows : int
        Samples of a chunk.
    d : int
        Inputs.

    Returns
    -------
    TaskData
        Zeros.
    """
    return TaskData(np.zeros((rows, d)), np.zeros(rows))


def make_outcome(setting: Setting, count: int, coefs: bool = False) -> Outcome:
    """Return room for the results of `count` replicates.

    Parameters
    ----------
    setting : Setting
        What is asked of the block.
    count : int
        Replicates.
    coefs : bool
        Whether the coefficients are kept too.

    Returns
    -------
    Outcome
        Zeros.
    """
    n_fits, n_shifts = setting.fits.subspace.size, setting.shifts.scale.size
    k = setting.population.brain_map.shape[0]
    return Outcome(
        np.zeros((count, n_fits, n_shifts)),
        np.zeros((count, n_fits), dtype=np.int8),
        np.zeros(count),
        np.zeros((count, k, k)),
        np.zeros((count if coefs else 0, n_fits, setting.population.scale.size)),
    )


def parts_of(outcome: Outcome, step: int) -> Iterator[Outcome]:
    """Yield the room of `step` replicates, and of the next, until it is all.

    Parameters
    ----------
    outcome : Outcome
        The room of all replicates.
    step : int
        How many replicates together.

    Yields
    ------
    Outcome
        Views of the same arrays.
    """
    for start in range(0, outcome.m_hat.size, step):
        part = slice(start, start + step)
        yield Outcome(
            outcome.excess[part],
            outcome.failures[part],
            outcome.m_hat[part],
            outcome.overlap[part],
            outcome.coefs[part],
        )
