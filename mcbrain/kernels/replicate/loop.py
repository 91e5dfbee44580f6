"""The loop over replicates of either stage, whatever draws their data.

A loop takes the function that draws and solves a replicate; in compiled code it is merged into the
loop, so that each engine has a kernel of its own for each form of a stage, and a study compiles
only those that it runs.
"""

from collections.abc import Callable

import numpy as np

from mcbrain.kernels.brain.alignment import overlap_matrix, share_missed
from mcbrain.kernels.jit import helper, part
from mcbrain.kernels.linear.householder import PLAIN, reflect
from mcbrain.kernels.linear.products import copy
from mcbrain.kernels.random.draw import save
from mcbrain.kernels.random.roles import StageStreams
from mcbrain.kernels.replicate.workspace import BrainWork, Outcome, TaskWork
from mcbrain.kernels.task.risk import excess_risk
from mcbrain.kernels.task.solve import Bases, Solved, solve_primal
from mcbrain.kernels.types import (
    DOUBTFUL,
    ESTIMATED,
    SINGULAR,
    SOUND,
    CodeArray,
    Fits,
    Population,
    Setting,
    Shifts,
)
from mcbrain.typing import Floats

Encode = Callable[[Setting, StageStreams, Floats, BrainWork], int]
"""Draws the brain data of a replicate and writes the subspace to a basis (r, d); a verdict."""

Solve = Callable[[Setting, StageStreams, int, TaskWork, Outcome], None]
"""Draws the task data of a replicate and solves every fit."""


@helper
def record(population: Population, at: int, work: BrainWork, out: Outcome) -> None:
    """Write m_hat and C^ of the replicate `at`.

    Parameters
    ----------
    population : Population
        What the data are drawn from.
    at : int
        The replicate at hand.
    work : BrainWork
        With the subspace and whether it is lost.
    out : Outcome
        Room for some replicates; filled.
    """
    encode, basis = work.encode, work.bases[at]
    if work.lost[at] == SOUND:
        out.m_hat[at] = share_missed(population.beta, basis, encode.residual)
        overlap_matrix(population.brain_map, basis, encode.cosines, out.overlap[at])
    else:
        out.m_hat[at] = np.nan
        out.overlap[at] = np.nan


@part
def encode_replicates(
    encode: Encode, setting: Setting, streams: StageStreams, work: BrainWork, out: Outcome,
    first: int,
) -> int:  # fmt: skip
    """Estimate a subspace for each replicate of `out`, from the replicate `first` on.

    Returns the one that singular values must decide, drawn and not recorded (`again`), or how many
    there are.

    Parameters
    ----------
    encode : callable
        Draws the brain data of a replicate and writes its subspace; returns a verdict.
    setting : Setting
        What is asked of the block.
    streams : StageStreams
        Of the stage; advanced in place.
    work : BrainWork
        Buffers of the brain stage.
    out : Outcome
        Room for some replicates; filled.
    first : int
        The replicate to begin at.

    Returns
    -------
    int
        A replicate.
    """
    for at in range(first, out.m_hat.size):
        save(streams, work.states)
        verdict = encode(setting, streams, work.bases[at], work)
        work.lost[at] = verdict
        if verdict >= DOUBTFUL:
            return at
        record(setting.population, at, work, out)
    return out.m_hat.size


@helper
def any_singular(failures: CodeArray) -> bool:
    """Say whether singular values must decide about some fit.

    Parameters
    ----------
    failures : ndarray of int8, shape (fits,)
        Codes of `types`.

    Returns
    -------
    bool
        Whether one of them is SINGULAR.
    """
    found = False
    for fit in range(failures.size):
        found = found or failures[fit] == SINGULAR
    return found


@helper
def _mark_lost(lost: int, fits: Fits, failures: CodeArray) -> None:
    """Mark the fits that need a subspace that was not found."""
    for fit in range(failures.size):
        if lost != SOUND and fits.subspace[fit] == ESTIMATED:
            failures[fit] = SINGULAR


@helper
def _keep(at: int, work: TaskWork, out: Outcome) -> None:
    """Keep the coefficients of every fit of the replicate `at`, in native coordinates."""
    risk = work.risk
    if work.frame.shape[0] > 0:
        reflect(risk.coefs.shape[0], work.solve.reduction, PLAIN, risk.coefs)
    for lane in range(risk.fit.size):
        fit = risk.fit[lane]
        if fit >= 0:
            for i in range(risk.coefs.shape[0]):
                out.coefs[at, fit, i] = risk.coefs[i, lane]


@part
def judge(setting: Setting, at: int, work: TaskWork, out: Outcome) -> None:
    """Record the risk of every fit of the replicate `at`, once all are solved.

    Parameters
    ----------
    setting : Setting
        What is asked of the block.
    at : int
        The replicate at hand.
    work : TaskWork
        With the coefficients.
    out : Outcome
        Room for some replicates; filled.
    """
    shifts, frame, failures = setting.shifts, work.frame, out.failures[at]
    targets, probes = shifts.targets, shifts.probes
    if frame.shape[0] > 0:
        split = targets.shape[0]
        targets, probes = frame[:split], frame[split:]
    _mark_lost(work.lost[at], setting.fits, failures)
    seen = Shifts(
        shifts.scale, shifts.weights, probes, targets, shifts.target, shifts.adversary,
        shifts.measure,
    )  # fmt: skip
    excess_risk(setting.population, seen, work.risk, out.excess[at], failures)
    if out.coefs.shape[0] > 0:
        _keep(at, work, out)


@part
def solve_replicates(
    solve: Solve, setting: Setting, streams: StageStreams, work: TaskWork, out: Outcome,
    first: int,
) -> int:  # fmt: skip
    """Solve every fit of each replicate of `out`, from `first` on, and record its risk.

    Returns the replicate with fits that singular values must solve (`again`), or how many there
    are.

    Parameters
    ----------
    solve : callable
        Draws the task data of a replicate and solves every fit.
    setting : Setting
        What is asked of the block.
    streams : StageStreams
        Of the stage; advanced in place.
    work : TaskWork
        Buffers of the task stage.
    out : Outcome
        Room for some replicates; filled.
    first : int
        The replicate to begin at.

    Returns
    -------
    int
        A replicate.
    """
    for at in range(first, out.m_hat.size):
        save(streams, work.states)
        solve(setting, streams, at, work, out)
        if any_singular(out.failures[at]):
            return at
        judge(setting, at, work, out)
    return out.m_hat.size


@part
def solve_from_gram(setting: Setting, at: int, work: TaskWork, out: Outcome) -> None:
    """Solve every fit of the replicate `at` after `reduce_matrix`, n_task >= d.

    Parameters
    ----------
    setting : Setting
        What is asked of the block.
    at : int
        The replicate at hand.
    work : TaskWork
        With T and X'y; the coefficients are filled.
    out : Outcome
        Room for some replicates; filled.
    """
    frame, shifts = work.frame, setting.shifts
    if frame.shape[0] > 0:
        split = shifts.targets.shape[0]
        copy(shifts.targets, frame[:split])
        copy(shifts.probes, frame[split:])
    solve_primal(
        Bases(work.bases[at], work.measured), frame, setting.fits, work.solve,
        Solved(work.risk.coefs, out.failures[at]),
    )  # fmt: skip
