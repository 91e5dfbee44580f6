"""The penalty of a fit by the closed forms of the scores, or IN_DOUBT (`rules.select`).

Leave-one-out needs the task rows a second time. They are kept where they fit in 16 megabytes, and
else drawn again from the saved state of their streams, so that memory does not depend on n_task.
"""

from mcbrain.kernels.jit import kernel, part
from mcbrain.kernels.linear.lapack import dgemm
from mcbrain.kernels.linear.products import copy, product, product_right
from mcbrain.kernels.random.draw import draw_task, restore
from mcbrain.kernels.random.roles import StageStreams
from mcbrain.kernels.replicate.choice import Choice, Chooser
from mcbrain.kernels.replicate.workspace import TaskWork
from mcbrain.kernels.rules.nodes import place_nodes, settle
from mcbrain.kernels.rules.partial import (
    form_axes,
    partial_out_dual,
    partial_out_primal,
    reduce_block,
)
from mcbrain.kernels.rules.select import (
    IN_DOUBT,
    best_candidate,
    factorise_shifts,
    is_singular,
    score_generalised,
    score_rows,
    set_candidates,
    take_candidates,
)
from mcbrain.kernels.rules.select_work import LIMIT, LOAD, MEAN, REST, TRACE, Free, SelectWork
from mcbrain.kernels.types import DUAL, LANES, LEAVE_ONE_OUT, PRIMAL, SOUND, Setting
from mcbrain.typing import Floats

_ALONE = 1e10  # sum of 1/left beyond which a row is alone in a direction of the subspace


@kernel
def _set_rows(rows: int, y: Floats, eta: float, free: Free, work: SelectWork) -> None:
    """Write residuals and 1 - leverages of least squares along `free.rows`, and their score."""
    for i in range(rows):
        residual, left = y[i], 1.0
        if eta == 0.0:
            for a in range(free.rows.shape[1]):
                residual -= free.rows[i, a] * free.along[a]
                left -= free.rows[i, a] ** 2
        work.residual[i], work.left[i] = residual, left
        work.numbers[LIMIT] += (residual / left) ** 2
        work.numbers[LOAD] += 1.0 / left


@kernel
def _score_task_rows(
    places: int, chooser: Chooser, setting: Setting, streams: StageStreams, task: TaskWork,
    choice: Choice,
) -> None:  # fmt: skip
    """Score every shift by the leave-one-out errors of the task rows, kept or drawn again."""
    work, free, n, done = chooser.work, chooser.free, setting.sizes.n_task, 0
    data, kept = choice.data, choice.data.inputs.shape[0]
    work.numbers[LIMIT], work.numbers[LOAD] = 0.0, 0.0
    if kept < n:
        restore(streams, task.states)
    while done < n:
        rows = min(work.table.shape[0], n - done)
        start = n - done - rows if kept == n else 0
        X, y = data.inputs[start : start + rows], data.labels[start : start + rows]
        if kept < n:
            draw_task(setting.population, streams, X, y)
        product(X, work.axes, 1.0, 0.0, work.table[:rows])
        if free.basis.shape[0] > 0:
            product_right(X, free.basis, 1.0, 0.0, free.rows[:rows])
        _set_rows(rows, y, chooser.eta, free, work)
        score_rows(rows, places, PRIMAL, work)
        done += rows


@part
def _start(matrix: Floats, rank: int, work: SelectWork) -> float:
    """Clear what is summed; returns the mean eigenvalue of a matrix, 1 if it is 0.

    Its upper triangle goes to both of `work.matrix` if something is to be partialled out.
    """
    m, trace = matrix.shape[0], 0.0
    for i in range(m):
        trace += matrix[i, i]
        for j in range(i if rank > 0 else m, m):
            work.matrix[i, j] = matrix[i, j]
            work.matrix[j, i] = matrix[i, j]
        for j in range(LANES):
            work.moment[i, j] = 0.0
    for j in range(TRACE):
        work.numbers[j] = 0.0
    work.numbers[TRACE] = trace
    return trace / m if trace > 0.0 else 1.0


@part
def _by_generalised(n: int, lost: int, form: int, work: SelectWork) -> float:
    """Return the best of all candidates by GCV; `lost` is r for eta = 0."""
    factorise_shifts(take_candidates(work), work)
    if is_singular(work):
        return IN_DOUBT
    score_generalised(n, lost, form, work)
    return best_candidate(work)


@kernel
def _leave_one_out_primal(
    chooser: Chooser, setting: Setting, streams: StageStreams, task: TaskWork, choice: Choice
) -> float:
    """Return the best candidate by the errors of rows left out, after `reduce_block`, n >= d.

    IN_DOUBT where a row is alone in some direction, so that its error is 0/0.
    """
    nodes, work, n = choice.nodes, chooser.work, setting.sizes.n_task
    form_axes(chooser.eta, PRIMAL, chooser.free, work)
    # Without row i the smallest eigenvalue falls by 1 - h_i at most, which is 1 - d/n on average.
    at = place_nodes(nodes, max(2.0, n / max(n - work.matrix.shape[0], 0.1)), work)
    if at >= 0:
        factorise_shifts(nodes.eights[at], work)
        _score_task_rows(nodes.eights[at], chooser, setting, streams, task, choice)
        chosen = settle(nodes, at, PRIMAL, 1 + choice.rules.multiples.size, work)
        if chosen != IN_DOUBT:
            return chosen
    every = take_candidates(work)
    factorise_shifts(every, work)
    if is_singular(work):
        return IN_DOUBT
    _score_task_rows(every, chooser, setting, streams, task, choice)
    return best_candidate(work)


@kernel
def choose_fast_primal(
    chooser: Chooser, squares: float, setting: Setting, streams: StageStreams, task: TaskWork,
    choice: Choice,
) -> float:  # fmt: skip
    """Return the penalty that a rule chooses, n >= d, or IN_DOUBT; `squares` is y'y.

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
        The penalty, n_task times the penalty per sample, or IN_DOUBT.
    """
    eta, basis, free, work = chooser.eta, chooser.basis, chooser.free, chooser.work
    (r, d), n = basis.shape, setting.sizes.n_task
    work.numbers[MEAN] = _start(task.solve.matrix, r, work)
    for i in range(d):
        work.moment[i, 0] = task.solve.moment[i]
    if r > 0 and partial_out_primal(basis, eta, free, work) != SOUND:
        work.numbers[MEAN] = 0.0
        return IN_DOUBT
    reduce_block(free, work)
    set_candidates(choice.rules.multiples, work)
    if chooser.rule == LEAVE_ONE_OUT:
        return _leave_one_out_primal(chooser, setting, streams, task, choice)
    lost = r if eta == 0.0 else 0
    for a in range(lost):
        squares -= free.along[a] ** 2
    work.numbers[REST], work.numbers[LIMIT] = squares, n * squares / (n - lost) ** 2
    return _by_generalised(n, lost, PRIMAL, work)


@kernel
def _leave_one_out_dual(chooser: Chooser, n: int, choice: Choice) -> float:
    """As `_leave_one_out_primal` for n < d, after `_set_rows`."""
    nodes, work = choice.nodes, chooser.work
    form_axes(chooser.eta, DUAL, chooser.free, work)
    copy(work.axes, work.table[:n])
    at = place_nodes(nodes, 1.0, work)
    if at >= 0:
        factorise_shifts(nodes.eights[at], work)
        score_rows(n, nodes.eights[at], DUAL, work)
        chosen = settle(nodes, at, DUAL, 1 + choice.rules.multiples.size, work)
        if chosen != IN_DOUBT:
            return chosen
    every = take_candidates(work)
    factorise_shifts(every, work)
    alone = not 0.0 < work.numbers[LOAD] < _ALONE
    if alone or is_singular(work):
        return IN_DOUBT
    score_rows(n, every, DUAL, work)
    return best_candidate(work)


@kernel
def choose_fast_dual(chooser: Chooser, task: TaskWork, choice: Choice) -> float:
    """As `choose_fast_primal`, n < d.

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
        The penalty, n_task times the penalty per sample, or IN_DOUBT.
    """
    eta, basis, free, work = chooser.eta, chooser.basis, chooser.free, chooser.work
    X, y = task.data.inputs, task.data.labels
    (n, d), r = X.shape, basis.shape[0]
    work.numbers[MEAN] = n * _start(task.solve.matrix, r, work) / d
    for i in range(n):
        work.moment[i, 0] = y[i]
    if r > 0:
        dgemm("T", "N", n, r, d, 1.0, X, d, basis, d, 0.0, free.basis, n)
        if partial_out_dual(eta, free, d, work) != SOUND:
            work.numbers[MEAN] = 0.0
            return IN_DOUBT
    squares = 0.0
    for i in range(n):
        for a in range(r):
            free.rows[i, a] = free.basis[a, i]
        squares += work.moment[i, 0] ** 2
    _set_rows(n, y, eta, free, work)
    reduce_block(free, work)
    set_candidates(choice.rules.multiples, work)
    if chooser.rule == LEAVE_ONE_OUT:
        return _leave_one_out_dual(chooser, n, choice)
    lost = r if eta == 0.0 else 0
    work.numbers[LIMIT] = n * squares / (n - lost) ** 2
    return _by_generalised(n, lost, DUAL, work)
