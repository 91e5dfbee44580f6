"""The penalty of a fit from the data of a replicate, by leave-one-out or GCV (`rules.select`).

Where the closed forms leave doubt (`choose_fast`), singular values of the data decide.
"""

import numpy as np

from mcbrain.kernels.jit import kernel, part
from mcbrain.kernels.random.draw import draw_task, restore
from mcbrain.kernels.random.roles import StageStreams
from mcbrain.kernels.replicate.again import draw_task_again
from mcbrain.kernels.replicate.choice import Choice, Chooser
from mcbrain.kernels.replicate.choose_fast import choose_fast_dual, choose_fast_primal
from mcbrain.kernels.replicate.workspace import TaskWork
from mcbrain.kernels.rules.select import IN_DOUBT, best_candidate
from mcbrain.kernels.rules.select_work import SelectWork
from mcbrain.kernels.rules.singular_rules import (
    prepare_scores,
    score_generalised_exactly,
    score_rows_exactly,
)
from mcbrain.kernels.task.exact_data import keep_rows
from mcbrain.kernels.types import FINE, GENERALISED, LEAVE_ONE_OUT, Setting


@part
def _given(n: int, chooser: Chooser) -> float:
    """Return the penalty where the data say nothing of it, else IN_DOUBT.

    With n <= r samples, where the r directions of the subspace are not penalised, every penalty
    gives the same fit, and the penalty is infinite; with one more, every penalty gives the same
    errors when a row is left out, and the first is chosen, 0.
    """
    spared = chooser.basis.shape[0] if chooser.eta == 0.0 else 0
    if n <= spared:
        return np.inf
    return 0.0 if chooser.rule == LEAVE_ONE_OUT and n == spared + 1 else IN_DOUBT


@part
def _best_or_none(work: SelectWork) -> float:
    """Return the best candidate, not a number where the scores are none."""
    chosen = best_candidate(work)
    return chosen if chosen != IN_DOUBT else np.nan


@part
def _known(rule: int) -> bool:
    """Say whether a rule is of `types`."""
    return rule in (LEAVE_ONE_OUT, GENERALISED)


@kernel
def choose_primal(
    chooser: Chooser, squares: float, setting: Setting, streams: StageStreams, task: TaskWork,
    choice: Choice,
) -> float:  # fmt: skip
    """Return the penalty (summed over samples) that a rule chooses, n >= d; `squares` is y'y.

    Not a number for a rule that is not of `types`, or for data that are not finite.

    Parameters
    ----------
    chooser : Chooser
        The fit.
    squares : float
        y'y.
    setting : Setting
        What is asked of the block.
    streams : StageStreams
        Restored, and advanced again, where the rows are drawn once more.
    task : TaskWork
        With X'X and X'y of the replicate.
    choice : Choice
        Buffers, and the rows where these are kept.

    Returns
    -------
    float
        The penalty, n_task times the penalty per sample; it may be infinite.
    """
    if not _known(chooser.rule):
        return np.nan
    population, n = setting.population, setting.sizes.n_task
    chosen = _given(n, chooser)
    if chosen == IN_DOUBT:
        chosen = choose_fast_primal(chooser, squares, setting, streams, task, choice)
    if chosen != IN_DOUBT:
        return chosen
    work, exact, data, scores = chooser.work, task.exact, task.data, choice.scores
    beyond = draw_task_again(population, streams, n, task)
    multiples = choice.rules.multiples
    if prepare_scores(chooser.basis, chooser.eta, n, multiples, exact, work, scores) != FINE:
        return np.nan
    if chooser.rule == GENERALISED:
        score_generalised_exactly(n, beyond, exact, work, scores)
        return _best_or_none(work)
    restore(streams, task.states)
    done = 0
    while done < n:
        rows = min(data.inputs.shape[0], n - done)
        X, y = data.inputs[:rows], data.labels[:rows]
        draw_task(population, streams, X, y)
        score_rows_exactly(X, y, n, exact, work, scores)
        done += rows
    return _best_or_none(work)


@kernel
def choose_dual(chooser: Chooser, task: TaskWork, choice: Choice) -> float:
    """As `choose_primal` for n < d.

    Parameters
    ----------
    chooser : Chooser
        The fit.
    task : TaskWork
        With the data and XX' of the replicate.
    choice : Choice
        Buffers.

    Returns
    -------
    float
        The penalty, n_task times the penalty per sample; it may be infinite.
    """
    if not _known(chooser.rule):
        return np.nan
    X, y = task.data.inputs, task.data.labels
    n = X.shape[0]
    chosen = _given(n, chooser)
    if chosen == IN_DOUBT:
        chosen = choose_fast_dual(chooser, task, choice)
    if chosen != IN_DOUBT:
        return chosen
    work, exact, scores = chooser.work, task.exact, choice.scores
    keep_rows(X, y.reshape(n, 1), exact)
    multiples = choice.rules.multiples
    if prepare_scores(chooser.basis, chooser.eta, n, multiples, exact, work, scores) != FINE:
        return np.nan
    if chooser.rule == GENERALISED:
        score_generalised_exactly(n, 0.0, exact, work, scores)
    else:
        score_rows_exactly(X, y, n, exact, work, scores)
    return _best_or_none(work)
