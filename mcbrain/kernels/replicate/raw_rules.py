"""The task stage of the raw engine where fits choose their penalty on each replicate's data."""

import numpy as np

from mcbrain.kernels.jit import kernel, part
from mcbrain.kernels.random.draw import draw_task, save
from mcbrain.kernels.random.roles import Streams
from mcbrain.kernels.replicate.again import draw_task_again, solve_each
from mcbrain.kernels.replicate.choose import Choice, choose_dual, choose_primal
from mcbrain.kernels.replicate.raw import (
    brain_stage,
    draw_task_grams,
    judge,
    mark_lost,
    solve_fits,
)
from mcbrain.kernels.replicate.workspace import Outcome, Workspace, part_of
from mcbrain.kernels.task.risk import excess_risk
from mcbrain.kernels.task.singular import any_singular, keep_rows
from mcbrain.kernels.task.solve import reduce_matrix
from mcbrain.kernels.task.solve_dual import reduce_dual, solve_dual
from mcbrain.kernels.task.solve_work import set_lane
from mcbrain.kernels.types import ESTIMATED, LANES, MEASURED, SOUND, Fits, Population, Shifts, Sizes
from mcbrain.typing import Floats


@part
def _set_penalty(fits: Fits, fit: int, penalty: float, dual: int, task: Workspace) -> None:
    """Give a fit its penalty, in every lane that it has."""
    fits.penalty_sum[fit] = penalty
    for place in range(fits.batches.shape[0]):
        for j in range(LANES):
            if fits.batches[place, j] == fit:
                set_lane(task.solve.parameters[place], j, penalty, fits.eta[fit], dual)


@kernel
def task_select_primal(
    population: Population, streams: Streams, sizes: Sizes, fits: Fits, shifts: Shifts,
    work: Workspace, choice: Choice, out: Outcome, chosen: Floats, first: int, solved: bool,
) -> int:  # fmt: skip
    """As `raw.task_primal`, after the fits with a rule have chosen: chosen (replicates, rules)."""
    n, chunk = sizes.n_task, work.task.inputs.shape[0]
    solve, rules = work.solve, choice.rules
    for at in range(first, out.m_hat.size):
        if not solved:
            save(streams.task_inputs, streams.task_auxiliary, streams.label_noise, work.states)
            squares = draw_task_grams(population, streams, n, chunk, choice.data, solve)
            reduce_matrix(solve)
            for place in range(rules.fit.size):
                fit = rules.fit[place]
                code, eta = fits.subspace[fit], fits.eta[fit]
                basis, free, room = choice.none.basis, choice.none, choice.plain
                if code == ESTIMATED:
                    basis, free, room = work.used_bases[at], choice.estimated, choice.work
                elif code == MEASURED:
                    basis, free, room = work.measured, choice.measured, choice.work
                penalty = np.inf
                if code != ESTIMATED or work.lost[at] == SOUND:
                    penalty = choose_primal(
                        eta, rules.generalised[place], squares, basis, free, room, work, choice,
                        population, streams, n,
                    )  # fmt: skip
                chosen[at, place] = penalty
                _set_penalty(fits, fit, penalty, 0, work)
            solve_fits(fits, shifts, at, work, out)
            if any_singular(out.failures[at]):
                return at
        solved = False
        judge(population, fits, shifts, at, work, out)
    return out.m_hat.size


@kernel
def task_select_dual(
    population: Population, streams: Streams, fits: Fits, shifts: Shifts,
    work: Workspace, choice: Choice, out: Outcome, chosen: Floats, first: int, solved: bool,
) -> int:  # fmt: skip
    """As `task_select_primal`, n_task < d."""
    X, y, rules = work.task.inputs, work.task.labels, choice.rules
    for at in range(first, out.m_hat.size):
        failures = out.failures[at]
        if not solved:
            draw_task(population, streams, X, y)
            reduce_dual(X, work.solve)
            for place in range(rules.fit.size):
                fit = rules.fit[place]
                code, eta = fits.subspace[fit], fits.eta[fit]
                basis, free, room = choice.none.basis, choice.none, choice.plain
                if code == ESTIMATED:
                    basis, free, room = work.used_bases[at], choice.estimated, choice.work
                elif code == MEASURED:
                    basis, free, room = work.measured, choice.measured, choice.work
                penalty = np.inf
                if code != ESTIMATED or work.lost[at] == SOUND:
                    penalty = choose_dual(
                        eta, rules.generalised[place], basis, free, room, work, choice
                    )
                chosen[at, place] = penalty
                _set_penalty(fits, fit, penalty, 1, work)
            solve_dual(
                X, y, work.used_bases[at], work.measured, fits, work.solve, work.risk.coefs,
                failures,
            )  # fmt: skip
            if any_singular(failures):
                return at
        solved = False
        mark_lost(work.lost[at], fits, failures)
        excess_risk(population, shifts, work.risk, out.excess[at], failures)
    return out.m_hat.size


def _task_stage(
    population: Population,
    streams: Streams,
    sizes: Sizes,
    fits: Fits,
    shifts: Shifts,
    work: Workspace,
    choice: Choice,
    out: Outcome,
    chosen: Floats,
) -> None:
    """As `raw.task_stage`, the fits with a rule choosing first."""
    n, data = sizes.n_task, work.task
    if n < population.scale.size:
        solve_each(
            lambda first, solved: task_select_dual(
                population, streams, fits, shifts, work, choice, out, chosen, first, solved
            ),
            lambda: keep_rows(data.inputs, data.labels.reshape(n, 1), work.task_exact),
            n, fits, work, out,
        )  # fmt: skip
        return
    solve_each(
        lambda first, solved: task_select_primal(
            population, streams, sizes, fits, shifts, work, choice, out, chosen, first, solved
        ),
        lambda: draw_task_again(population, streams, n, data, work.states, work.task_exact),
        n, fits, work, out,
    )  # fmt: skip


def raw_select_block(
    population: Population,
    streams: Streams,
    sizes: Sizes,
    fits: Fits,
    shifts: Shifts,
    work: Workspace,
    choice: Choice,
    outcome: Outcome,
) -> Floats:
    """Run `raw.raw_block` with fits that choose their penalty.

    Parameters
    ----------
    population, streams, sizes, fits, shifts, work, outcome
        As for `raw_block`. `fits.penalty_sum` of the choosing fits is overwritten by every
        replicate, so `fits` and `work` belong to one thread.
    choice : Choice
        Of `make_choice`.

    Returns
    -------
    (replicates, rules)
        The chosen penalties, summed over samples (n_task times the penalty per sample). Other
        numbers are those that `raw_block` would give with these penalties fixed.
    """
    step = work.lost.size
    chosen = np.zeros((outcome.m_hat.size, choice.rules.fit.size))
    for start in range(0, outcome.m_hat.size, step):
        share, picked = part_of(outcome, start, start + step), chosen[start : start + step]
        brain_stage(population, streams, sizes, work, share)
        _task_stage(population, streams, sizes, fits, shifts, work, choice, share, picked)
    return chosen
