"""The task stage of the raw engine where rows choose their penalty on each replicate's data."""

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
    solve_rows,
)
from mcbrain.kernels.replicate.workspace import Outcome, Workspace, part_of
from mcbrain.kernels.task.risk import excess_risk
from mcbrain.kernels.task.singular import any_singular, keep_rows
from mcbrain.kernels.task.solve import reduce_matrix
from mcbrain.kernels.task.solve_dual import reduce_dual, solve_dual
from mcbrain.kernels.task.solve_work import set_lane
from mcbrain.kernels.types import ESTIMATED, MEASURED, SOUND, Population, Queries, Shifts, Sizes
from mcbrain.typing import Floats


@part
def _set_penalty(queries: Queries, row: int, penalty: float, dual: int, task: Workspace) -> None:
    """Give a row its penalty, in every lane that it has."""
    queries.penalty_sum[row] = penalty
    for place in range(queries.batches.shape[0]):
        for j in range(8):
            if queries.batches[place, j] == row:
                set_lane(task.solve.parameters[place], j, penalty, queries.eta[row], dual)


@kernel
def task_select_primal(
    population: Population, streams: Streams, sizes: Sizes, queries: Queries, shifts: Shifts,
    work: Workspace, choice: Choice, out: Outcome, chosen: Floats, first: int, solved: bool,
) -> int:  # fmt: skip
    """As `raw.task_primal`, after the rows with a rule have chosen: chosen (replicates, rules)."""
    n, chunk = sizes.n_task, work.task.inputs.shape[0]
    solve, rules = work.solve, choice.rules
    for at in range(first, out.m_hat.size):
        if not solved:
            save(streams.task_inputs, streams.task_auxiliary, streams.label_noise, work.states)
            squares = draw_task_grams(population, streams, n, chunk, choice.data, solve)
            reduce_matrix(solve)
            for place in range(rules.row.size):
                row = rules.row[place]
                code, eta = queries.subspace[row], queries.eta[row]
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
                _set_penalty(queries, row, penalty, 0, work)
            solve_rows(queries, shifts, at, work, out)
            if any_singular(out.failures[at]):
                return at
        solved = False
        judge(population, queries, shifts, at, work, out)
    return out.m_hat.size


@kernel
def task_select_dual(
    population: Population, streams: Streams, queries: Queries, shifts: Shifts,
    work: Workspace, choice: Choice, out: Outcome, chosen: Floats, first: int, solved: bool,
) -> int:  # fmt: skip
    """As `task_select_primal`, n_task < d."""
    X, y, rules = work.task.inputs, work.task.labels, choice.rules
    for at in range(first, out.m_hat.size):
        failures = out.failures[at]
        if not solved:
            draw_task(population, streams, X, y)
            reduce_dual(X, work.solve)
            for place in range(rules.row.size):
                row = rules.row[place]
                code, eta = queries.subspace[row], queries.eta[row]
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
                _set_penalty(queries, row, penalty, 1, work)
            solve_dual(
                X, y, work.used_bases[at], work.measured, queries, work.solve, work.risk.coefs,
                failures,
            )  # fmt: skip
            if any_singular(failures):
                return at
        solved = False
        mark_lost(work.lost[at], queries, failures)
        excess_risk(population, shifts, work.risk, out.excess[at], failures)
    return out.m_hat.size


def _task_stage(
    population: Population,
    streams: Streams,
    sizes: Sizes,
    queries: Queries,
    shifts: Shifts,
    work: Workspace,
    choice: Choice,
    out: Outcome,
    chosen: Floats,
) -> None:
    """As `raw.task_stage`, the rows with a rule choosing first."""
    n, data = sizes.n_task, work.task
    if n < population.scale.size:
        solve_each(
            lambda first, solved: task_select_dual(
                population, streams, queries, shifts, work, choice, out, chosen, first, solved
            ),
            lambda: keep_rows(data.inputs, data.labels.reshape(n, 1), work.task_exact),
            n, queries, work, out,
        )  # fmt: skip
        return
    solve_each(
        lambda first, solved: task_select_primal(
            population, streams, sizes, queries, shifts, work, choice, out, chosen, first, solved
        ),
        lambda: draw_task_again(population, streams, n, data, work.states, work.task_exact),
        n, queries, work, out,
    )  # fmt: skip


def raw_select_block(
    population: Population,
    streams: Streams,
    sizes: Sizes,
    queries: Queries,
    shifts: Shifts,
    work: Workspace,
    choice: Choice,
    outcome: Outcome,
) -> Floats:
    """Run `raw.raw_block` with rows that choose their penalty.

    Parameters
    ----------
    population, streams, sizes, queries, shifts, work, outcome
        As for `raw_block`. `queries.penalty_sum` of the choosing rows is overwritten by every
        replicate, so `queries` and `work` belong to one thread.
    choice : Choice
        Of `make_choice`.

    Returns
    -------
    (replicates, rules)
        The chosen penalties, summed over rows (n_task times the penalty per sample). Other
        numbers are those that `raw_block` would give with these penalties fixed.
    """
    step = work.lost.size
    chosen = np.zeros((outcome.m_hat.size, choice.rules.row.size))
    for start in range(0, outcome.m_hat.size, step):
        share, picked = part_of(outcome, start, start + step), chosen[start : start + step]
        brain_stage(population, streams, sizes, work, share)
        _task_stage(population, streams, sizes, queries, shifts, work, choice, share, picked)
    return chosen
