"""Replicates that a kernel gives up, since their Gram matrix is singular or nearly so.

A kernel stops at such a replicate, its data are taken again (drawn by the same numbers, or kept),
singular values decide (`singular`), and the kernel goes on. What is rare so has kernels of its own,
which are compiled in the first process that meets it, and in no other kernel.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mcbrain.kernels.brain.encode import EncodeWork, encode_exactly, overlap_matrix, share_missed
from mcbrain.kernels.jit import helper, kernel
from mcbrain.kernels.random.draw import draw_inputs, draw_recordings, draw_task, restore
from mcbrain.kernels.random.roles import Streams
from mcbrain.kernels.replicate.workspace import DataWork, Outcome, Workspace
from mcbrain.kernels.task.singular import ExactWork, absorb, clear, solve_singular_fits
from mcbrain.kernels.types import SOUND, Fits, Population, Sizes
from mcbrain.typing import Floats


@kernel
def draw_brain_again(population: Population, streams: Streams, n: int, work: Workspace) -> None:
    """Draw the brain data of this replicate once more, into `work.brain_exact`."""
    data = work.brain
    restore(streams.brain_inputs, streams.brain_auxiliary, streams.recording_noise, work.states)
    clear(work.brain_exact)
    done = 0
    while done < n:
        rows = min(data.inputs.shape[0], n - done)
        X, R = data.inputs[:rows], data.recordings[:rows]
        draw_inputs(population, streams.brain_inputs, streams.brain_auxiliary, X)
        draw_recordings(population, work.maps, streams.recording_noise, X, data.latents[:rows], R)
        absorb(X, R, work.brain_exact)
        done += rows


@kernel
def draw_task_again(
    population: Population, streams: Streams, n: int, data: DataWork, states: NDArray[np.uint64],
    exact: ExactWork,
) -> float:  # fmt: skip
    """Draw the task data of this replicate once more, into `exact` (d rows).

    Returns the square of what of y no fit can reach.
    """
    restore(streams.task_inputs, streams.task_auxiliary, streams.label_noise, states)
    clear(exact)
    done, squares = 0, 0.0
    while done < n:
        rows = min(data.inputs.shape[0], n - done)
        X, y = data.inputs[:rows], data.labels[:rows]
        draw_task(population, streams, X, y)
        squares += absorb(X, y.reshape(rows, 1), exact)
        done += rows
    return squares


@helper
def record(
    population: Population, basis: Floats, lost: int, at: int, encode: EncodeWork, out: Outcome
) -> None:
    """Write m_hat and C^ of a replicate."""
    if lost == SOUND:
        out.m_hat[at] = share_missed(population.beta, basis, encode.residual)
        overlap_matrix(population.brain_map, basis, encode.cosines, out.overlap[at])
    else:
        out.m_hat[at] = np.nan
        out.overlap[at] = np.nan


@kernel
def encode_again(
    population: Population, sizes: Sizes, at: int, work: Workspace, out: Outcome
) -> None:
    """Decide the subspace of a replicate from `work.brain_exact`, and record it."""
    verdict = encode_exactly(
        work.lost[at], sizes.encoding_penalty, sizes.rank, sizes.n_brain, work.bases[at],
        work.encode, work.brain_exact,
    )  # fmt: skip
    work.lost[at] = verdict
    record(population, work.bases[at], verdict, at, work.encode, out)


def encode_each(
    brain: Callable[[int], int],
    take_again: Callable[[], object],
    population: Population,
    sizes: Sizes,
    work: Workspace,
    out: Outcome,
) -> None:
    """Run a kernel of the brain stage over the replicates of `out`.

    Parameters
    ----------
    brain : callable
        The replicate to begin at -> the one that singular values must decide, or how many there
        are.
    take_again : callable
        Brings the data of that replicate into `work.brain_exact`.
    population, sizes, work, out
        As `brain` has them.
    """
    at = brain(0)
    while at < out.m_hat.size:
        take_again()
        encode_again(population, sizes, at, work, out)
        at = brain(at + 1)


def solve_each(
    task: Callable[[int, bool], int],
    take_again: Callable[[], object],
    n: int,
    fits: Fits,
    work: Workspace,
    out: Outcome,
) -> None:
    """Run a kernel of the task stage over the replicates of `out`.

    Parameters
    ----------
    task : callable
        The replicate to begin at, and whether it is solved -> the one with fits that singular
        values must solve, or how many there are.
    take_again : callable
        Brings the n rows of that replicate into `work.task_exact`.
    n : int
    fits, work, out
        As `task` has them.
    """
    at = task(0, False)
    while at < out.m_hat.size:
        take_again()
        solve_singular_fits(
            work.used_bases[at], work.measured, int(work.lost[at]), work.frame.shape[0] > 0,
            work.solve.reduction, n, fits, work.task_exact, work.risk.coefs, out.failures[at],
        )  # fmt: skip
        at = task(at, True)
