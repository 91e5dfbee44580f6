"""The task stage of the raw engine where fits choose their penalty on each replicate's data."""

import numpy as np

from mcbrain.kernels.brain.choose_encoder import EncoderChoice, encoder_part
from mcbrain.kernels.jit import kernel, part
from mcbrain.kernels.random.draw import draw_task, save
from mcbrain.kernels.random.roles import StageStreams, Streams
from mcbrain.kernels.replicate.again import solve_each
from mcbrain.kernels.replicate.choice import Choice, chooser_of
from mcbrain.kernels.replicate.choose import choose_dual, choose_primal
from mcbrain.kernels.replicate.loop import any_singular, judge, solve_from_gram
from mcbrain.kernels.replicate.raw import (
    Then,
    draw_task_grams,
    nothing,
    solve_from_data,
    take_task_again,
)
from mcbrain.kernels.replicate.raw_brain import brain_stage
from mcbrain.kernels.replicate.workspace import Outcome, TaskWork, Workspace, parts_of
from mcbrain.kernels.task.solve import reduce_matrix
from mcbrain.kernels.task.solve_dual import reduce_dual
from mcbrain.kernels.task.solve_work import set_lane
from mcbrain.kernels.types import DUAL, ESTIMATED, LANES, PRIMAL, SOUND, Fits, Setting
from mcbrain.typing import Floats


@part
def _has_subspace(fit: int, fits: Fits, lost: int) -> bool:
    """Say whether a fit has the subspace that it needs; without, its penalty does not matter."""
    return fits.subspace[fit] != ESTIMATED or lost == SOUND


@part
def _set_penalty(fits: Fits, fit: int, penalty: float, form: int, task: TaskWork) -> None:
    """Give a fit its penalty, in every lane that it has."""
    fits.penalty_sum[fit] = penalty
    for place in range(fits.batches.shape[0]):
        for j in range(LANES):
            if fits.batches[place, j] == fit:
                set_lane(task.solve.parameters[place], j, penalty, fits.eta[fit], form)


@kernel
def _task_select_primal(
    setting: Setting, streams: StageStreams, work: TaskWork, choice: Choice, out: Outcome,
    chosen: Floats, first: int,
) -> int:  # fmt: skip
    """As `raw._task_primal`, after the fits with a rule have chosen: chosen (replicates, rules)."""
    rules, fits, chunk = choice.rules, setting.fits, work.data.inputs.shape[0]
    for at in range(first, out.m_hat.size):
        save(streams, work.states)
        squares = draw_task_grams(setting, streams, chunk, choice.data, work)
        reduce_matrix(work.solve)
        for place in range(rules.fit.size):
            fit, penalty = rules.fit[place], np.inf
            if _has_subspace(fit, fits, work.lost[at]):
                chooser = chooser_of(place, setting, at, work, choice)
                penalty = choose_primal(chooser, squares, setting, streams, work, choice)
            chosen[at, place] = penalty
            _set_penalty(fits, fit, penalty, PRIMAL, work)
        solve_from_gram(setting, at, work, out)
        if any_singular(out.failures[at]):
            return at
        judge(setting, at, work, out)
    return out.m_hat.size


@kernel
def _task_select_dual(
    setting: Setting, streams: StageStreams, work: TaskWork, choice: Choice, out: Outcome,
    chosen: Floats, first: int,
) -> int:  # fmt: skip
    """As `_task_select_primal`, n_task < d."""
    rules, fits, data = choice.rules, setting.fits, work.data
    for at in range(first, out.m_hat.size):
        draw_task(setting.population, streams, data.inputs, data.labels)
        reduce_dual(data.inputs, work.solve)
        for place in range(rules.fit.size):
            fit, penalty = rules.fit[place], np.inf
            if _has_subspace(fit, fits, work.lost[at]):
                chooser = chooser_of(place, setting, at, work, choice)
                penalty = choose_dual(chooser, work, choice)
            chosen[at, place] = penalty
            _set_penalty(fits, fit, penalty, DUAL, work)
        solve_from_data(setting, at, work, out)
        if any_singular(out.failures[at]):
            return at
        judge(setting, at, work, out)
    return out.m_hat.size


def _task_stage(
    setting: Setting, streams: StageStreams, work: TaskWork, choice: Choice, out: Outcome,
    chosen: Floats,
) -> None:  # fmt: skip
    """As `raw.task_stage`, the fits with a rule choosing first."""
    task = _task_select_primal
    if setting.sizes.n_task < setting.population.scale.size:
        task = _task_select_dual
    solve_each(
        lambda first: task(setting, streams, work, choice, out, chosen, first),
        lambda: take_task_again(setting, streams, work),
        setting, work, out,
    )  # fmt: skip


def raw_select_block(
    setting: Setting,
    streams: Streams,
    work: Workspace,
    choice: Choice,
    outcome: Outcome,
    encoder: EncoderChoice | None = None,
    then: Then = nothing,
) -> Floats:
    """Run `raw.raw_block` with fits that choose their penalty.

    Parameters
    ----------
    setting : Setting
        What is asked. `fits.penalty_sum` of the choosing fits is overwritten by every replicate,
        so that it and `work` belong to one thread.
    streams : Streams
        Advanced in place.
    work : Workspace
        Of `make_workspace` for the same setting.
    choice : Choice
        Of `make_choice`.
    outcome : Outcome
        Of `make_outcome`; filled.
    encoder : EncoderChoice, optional
        As for `raw.raw_block`.
    then : callable
        As for `raw.raw_block`.

    Returns
    -------
    ndarray, shape (replicates, rules)
        The chosen penalties, summed over samples (n_task times the penalty per sample). Other
        numbers are those that `raw_block` would give with these penalties fixed.
    """
    step, start = work.task.lost.size, 0
    chosen = np.zeros((outcome.m_hat.size, choice.rules.fit.size))
    for share in parts_of(outcome, step):
        own = encoder_part(encoder, start, step)
        brain_stage(setting, streams.brain, work.brain, share, own)
        picked = chosen[start : start + step]
        _task_stage(setting, streams.task, work.task, choice, share, picked)
        then(share)
        start += step
    return chosen
