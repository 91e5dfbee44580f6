"""Replicates that a kernel gives up, since their Gram matrix is singular or nearly so.

A kernel stops at such a replicate, its data are taken again (drawn by the same numbers, or kept),
singular values decide (`task.singular`), and the kernel goes on. What is rare so has kernels of its
own, which are compiled in the first process that meets it, and in no other kernel.
"""

from collections.abc import Callable

import numpy as np

from mcbrain.kernels.brain.choose_encoder import EncoderChoice
from mcbrain.kernels.brain.encode_exactly import encode_exactly
from mcbrain.kernels.jit import kernel
from mcbrain.kernels.linear.householder import TRANSPOSED, reflect
from mcbrain.kernels.random.draw import draw_inputs, draw_recordings, draw_task, restore
from mcbrain.kernels.random.roles import StageStreams
from mcbrain.kernels.replicate.loop import judge, record
from mcbrain.kernels.replicate.workspace import BrainWork, Outcome, TaskWork
from mcbrain.kernels.task.exact_data import absorb, clear
from mcbrain.kernels.task.singular import solve_exactly
from mcbrain.kernels.types import ESTIMATED, LANES, MEASURED, SINGULAR, SOUND, Population, Setting


@kernel
def draw_brain_again(
    population: Population, streams: StageStreams, n: int, work: BrainWork
) -> None:
    """Draw the brain data of this replicate, n samples, once more, into `work.exact` (d rows).

    Parameters
    ----------
    population : Population
        What the data are drawn from.
    streams : StageStreams
        Of the stage; advanced in place.
    n : int
        Brain samples.
    work : BrainWork
        `exact` is filled; `states` say where the replicate began.
    """
    data = work.data
    restore(streams, work.states)
    clear(work.exact)
    done = 0
    while done < n:
        rows = min(data.inputs.shape[0], n - done)
        X, R = data.inputs[:rows], data.recordings[:rows]
        draw_inputs(population, streams, X)
        draw_recordings(population, work.maps, streams.noise, X, data.latents[:rows], R)
        absorb(X, R, work.exact)
        done += rows


@kernel
def draw_task_again(population: Population, streams: StageStreams, n: int, work: TaskWork) -> float:
    """Draw the task data of this replicate, n samples, once more, into `work.exact` (d rows).

    Returns the square of what of y no fit can reach.

    Parameters
    ----------
    population : Population
        What the data are drawn from.
    streams : StageStreams
        Of the stage; advanced in place.
    n : int
        Task samples.
    work : TaskWork
        `exact` is filled; `states` say where the replicate began.

    Returns
    -------
    float
        A square, 0 where the fit is exact.
    """
    data = work.data
    restore(streams, work.states)
    clear(work.exact)
    done, squares = 0, 0.0
    while done < n:
        rows = min(data.inputs.shape[0], n - done)
        X, y = data.inputs[:rows], data.labels[:rows]
        draw_task(population, streams, X, y)
        squares += absorb(X, y.reshape(rows, 1), work.exact)
        done += rows
    return squares


@kernel
def _encode_again(setting: Setting, at: int, work: BrainWork, out: Outcome) -> None:
    """Decide the subspace of the replicate `at` from `work.exact`, and record it."""
    work.lost[at] = encode_exactly(
        work.lost[at], setting.sizes, work.bases[at], work.encode, work.exact
    )
    record(setting.population, at, work, out)


@kernel
def _solve_again(setting: Setting, at: int, work: TaskWork, out: Outcome) -> None:
    """Solve the fits of the replicate `at` that were given up, from `work.exact`; judge all fits.

    Their coefficients go into every lane that they have, in the coordinates of T where the frame
    is in these.
    """
    fits, coefs, failures, exact = setting.fits, work.risk.coefs, out.failures[at], work.exact
    for fit in range(failures.size):
        code = fits.subspace[fit]
        if failures[fit] != SINGULAR or (code == ESTIMATED and work.lost[at] != SOUND):
            continue
        basis = work.bases[at][:0]
        if code == ESTIMATED:
            basis = work.bases[at]
        elif code == MEASURED:
            basis = work.measured
        failures[fit] = solve_exactly(
            basis, fits.eta[fit], fits.penalty_sum[fit], setting.sizes.n_task, exact
        )
        if work.frame.shape[0] > 0:
            reflect(coefs.shape[0], work.solve.reduction, TRANSPOSED, exact.solution)
        for lane in range(coefs.shape[1]):
            if fits.batches[lane // LANES, lane % LANES] == fit:
                for i in range(coefs.shape[0]):
                    coefs[i, lane] = exact.solution[i, 0]
    judge(setting, at, work, out)


def encode_each(
    brain: Callable[[int], int],
    take_again: Callable[[], object],
    setting: Setting,
    work: BrainWork,
    out: Outcome,
) -> None:
    """Run a kernel of the brain stage over the replicates of `out`, none without brain data.

    Parameters
    ----------
    brain : callable
        The replicate to begin at -> the one that singular values must decide, or how many there
        are.
    take_again : callable
        Brings the data of that replicate into `work.exact`.
    setting, work, out
        As `brain` has them.
    """
    if setting.sizes.n_brain == 0:
        out.m_hat[:] = np.nan
        out.overlap[:] = np.nan
        return
    at = brain(0)
    while at < out.m_hat.size:
        take_again()
        _encode_again(setting, at, work, out)
        at = brain(at + 1)


def encode_each_chosen(
    brain: Callable[[int], int],
    take_again: Callable[[], object],
    setting: Setting,
    work: BrainWork,
    out: Outcome,
    choice: EncoderChoice,
) -> None:
    """As `encode_each`, where each replicate chooses the penalty of stage 1.

    Parameters
    ----------
    brain, take_again, setting, work, out
        As for `encode_each`.
    choice : EncoderChoice
        With the penalties that the replicates chose.
    """
    at = brain(0)
    while at < out.m_hat.size:
        take_again()
        own = setting.sizes._replace(encoding_penalty=float(choice.chosen[at]))
        _encode_again(setting._replace(sizes=own), at, work, out)
        at = brain(at + 1)


def solve_each(
    task: Callable[[int], int],
    take_again: Callable[[], object],
    setting: Setting,
    work: TaskWork,
    out: Outcome,
) -> None:
    """Run a kernel of the task stage over the replicates of `out`.

    Parameters
    ----------
    task : callable
        The replicate to begin at -> the one with fits that singular values must solve, or how many
        there are.
    take_again : callable
        Brings the data of that replicate into `work.exact`.
    setting, work, out
        As `task` has them.
    """
    at = task(0)
    while at < out.m_hat.size:
        take_again()
        _solve_again(setting, at, work, out)
        at = task(at + 1)
