"""The penalty of a fit from the data of a replicate, by leave-one-out or GCV (`select`).

Leave-one-out needs the task rows a second time. They are kept where they fit in 16 megabytes, and
else drawn again from the saved state of their streams, so that memory does not depend on n_task.
"""

from typing import NamedTuple

import numpy as np

from mcbrain.kernels.jit import kernel, part
from mcbrain.kernels.linear.lapack import dgemm
from mcbrain.kernels.linear.products import copy
from mcbrain.kernels.random.draw import draw_task, restore
from mcbrain.kernels.random.roles import Streams
from mcbrain.kernels.replicate.again import draw_task_again
from mcbrain.kernels.replicate.workspace import DataWork, Workspace, chunk_rows, make_data
from mcbrain.kernels.rules.nodes import Nodes, make_nodes, place_nodes, settle
from mcbrain.kernels.rules.partial import (
    LIMIT,
    LOAD,
    MEAN,
    REST,
    TRACE,
    Free,
    SelectWork,
    form_axes,
    make_select_work,
    partial_out_dual,
    partial_out_primal,
    product,
    product_right,
    reduce_block,
)
from mcbrain.kernels.rules.select import (
    IN_DOUBT,
    Rules,
    best_candidate,
    factorise_shifts,
    is_singular,
    score_generalised,
    score_rows,
    set_candidates,
    take_candidates,
)
from mcbrain.kernels.rules.singular_rules import (
    ScoreWork,
    make_score_work,
    prepare_scores,
    score_generalised_exactly,
    score_rows_exactly,
)
from mcbrain.kernels.task.singular import keep_rows
from mcbrain.kernels.types import (
    ESTIMATED,
    FINE,
    GENERALISED,
    LANES,
    LEAVE_ONE_OUT,
    MEASURED,
    SOUND,
    Fits,
    Population,
    Sizes,
)
from mcbrain.typing import Floats

_KEPT = 2**21  # entries of the task inputs
_TABLE = 256  # rows scored at a time, which the nearest cache holds
_ALONE = 1e10  # sum of 1/left beyond which a row is alone in a direction of the subspace


class Choice(NamedTuple):
    """Which fits choose, and room for it."""

    rules: Rules
    nodes: Nodes
    work: SelectWork
    plain: SelectWork
    """The same buffers with the tridiagonal form of the task stage, for fits of no subspace."""
    none: Free
    estimated: Free
    measured: Free
    data: DataWork
    """Room for all task rows, or for a chunk of them."""
    scores: ScoreWork


def make_choice(
    population: Population,
    sizes: Sizes,
    fits: Fits,
    rules: Rules,
    task: Workspace,
    chunk: int = 0,
) -> Choice:
    """Return the buffers of `raw_select_block`, beside `task`; one for each thread."""
    d, n = population.scale.size, sizes.n_task
    codes = set(fits.subspace[rules.fit].tolist())
    rows, grid = n if n < d else min(n, chunk or chunk_rows(d)), rules.multiples.size
    kept = n if n >= d and n * d <= _KEPT and chunk == 0 else rows
    # In the dual the table holds all rows at once.
    table = rows if n < d else min(rows, _TABLE)
    ranks = [
        0,
        sizes.rank if ESTIMATED in codes else 0,
        sizes.measured if MEASURED in codes else 0,
    ]
    work, none = make_select_work(d, n, 0, table, grid)
    free = [make_select_work(d, n, rank, table, grid)[1] for rank in ranks[1:]]
    plain = work._replace(reduction=task.solve.reduction)
    data = make_data(kept, d, 0, 0)
    nodes = make_nodes(work.inverse.shape[0])
    scores = make_score_work(n, d, max(ranks), work.candidates.size)
    return Choice(rules, nodes, work, plain, none, free[0], free[1], data, scores)


@kernel
def set_rows(rows: int, y: Floats, eta: float, free: Free, work: SelectWork) -> None:
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
def score_task_rows(
    population: Population, streams: Streams, n: int, places: int, eta: float, free: Free,
    work: SelectWork, task: Workspace, choice: Choice,
) -> None:  # fmt: skip
    """Score every shift by the leave-one-out errors of the task rows, kept or drawn again."""
    data, kept, done = choice.data, choice.data.inputs.shape[0], 0
    work.numbers[LIMIT], work.numbers[LOAD] = 0.0, 0.0
    if kept < n:
        restore(streams.task_inputs, streams.task_auxiliary, streams.label_noise, task.states)
    while done < n:
        rows = min(work.table.shape[0], n - done)
        start = n - done - rows if kept == n else 0
        X, y = data.inputs[start : start + rows], data.labels[start : start + rows]
        if kept < n:
            draw_task(population, streams, X, y)
        product(X, work.axes, 1.0, 0.0, work.table[:rows])
        if free.basis.shape[0] > 0:
            product_right(X, free.basis, 1.0, 0.0, free.rows[:rows])
        set_rows(rows, y, eta, free, work)
        score_rows(rows, places, 0, work)
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


@kernel
def leave_one_out_primal(
    population: Population, streams: Streams, n: int, eta: float, free: Free, work: SelectWork,
    task: Workspace, choice: Choice,
) -> float:  # fmt: skip
    """Return the best candidate by the errors of rows left out, after `reduce_block`, n >= d.

    IN_DOUBT where a row is alone in some direction, so that its error is 0/0.
    """
    nodes = choice.nodes
    form_axes(eta, 0, free, work)
    # Without row i the smallest eigenvalue falls by 1 - h_i at most, which is 1 - d/n on average.
    at = place_nodes(nodes, max(2.0, n / max(n - work.matrix.shape[0], 0.1)), work)
    if at >= 0:
        factorise_shifts(nodes.eights[at], work)
        score_task_rows(population, streams, n, nodes.eights[at], eta, free, work, task, choice)
        chosen = settle(nodes, at, 0, 1 + choice.rules.multiples.size, work)
        if chosen != IN_DOUBT:
            return chosen
    every = take_candidates(work)
    factorise_shifts(every, work)
    if is_singular(work):
        return IN_DOUBT
    score_task_rows(population, streams, n, every, eta, free, work, task, choice)
    return best_candidate(work)


@part
def _given(n: int, spared: int, rule: int) -> float:
    """Return the penalty where the data say nothing of it, else IN_DOUBT.

    With n <= `spared` rows, the directions that are not penalised, every penalty gives the same
    fit, and the penalty is infinite; with one more, every penalty gives the same errors when a row
    is left out, and the first is chosen, 0.
    """
    if n <= spared:
        return np.inf
    return 0.0 if rule == LEAVE_ONE_OUT and n == spared + 1 else IN_DOUBT


@part
def _best_or_none(work: SelectWork) -> float:
    """Return the best candidate, not a number where the scores are none."""
    chosen = best_candidate(work)
    return chosen if chosen != IN_DOUBT else np.nan


@kernel
def _choose_fast_primal(
    eta: float, rule: int, squares: float, basis: Floats, free: Free, work: SelectWork,
    task: Workspace, choice: Choice, population: Population, streams: Streams, n: int,
) -> float:  # fmt: skip
    """As `choose_primal`, or IN_DOUBT."""
    r, d = basis.shape[0], population.scale.size
    work.numbers[MEAN] = _start(task.solve.matrix, r, work)
    for i in range(d):
        work.moment[i, 0] = task.solve.moment[i]
    if r > 0 and partial_out_primal(basis, eta, free, work) != SOUND:
        work.numbers[MEAN] = 0.0
        return IN_DOUBT
    reduce_block(free, work)
    set_candidates(choice.rules.multiples, work)
    if rule == LEAVE_ONE_OUT:
        return leave_one_out_primal(population, streams, n, eta, free, work, task, choice)
    lost = r if eta == 0.0 else 0
    for a in range(lost):
        squares -= free.along[a] ** 2
    work.numbers[REST], work.numbers[LIMIT] = squares, n * squares / (n - lost) ** 2
    factorise_shifts(take_candidates(work), work)
    if is_singular(work):
        return IN_DOUBT
    score_generalised(n, lost, 0, work)
    return best_candidate(work)


@kernel
def choose_primal(
    eta: float, rule: int, squares: float, basis: Floats, free: Free, work: SelectWork,
    task: Workspace, choice: Choice, population: Population, streams: Streams, n: int,
) -> float:  # fmt: skip
    """Return the penalty (summed over samples) that a rule chooses, n >= d.

    Not a number for a rule that is not of `types`, or for data that are not finite.
    """
    if rule != LEAVE_ONE_OUT and rule != GENERALISED:
        return np.nan
    chosen = _given(n, basis.shape[0] if eta == 0.0 else 0, rule)
    if chosen == IN_DOUBT:
        chosen = _choose_fast_primal(
            eta, rule, squares, basis, free, work, task, choice, population, streams, n
        )
    if chosen != IN_DOUBT:
        return chosen
    exact, data, scores = task.task_exact, task.task, choice.scores
    beyond = draw_task_again(population, streams, n, data, task.states, exact)
    if prepare_scores(basis, eta, n, choice.rules.multiples, exact, work, scores) != FINE:
        return np.nan
    if rule == GENERALISED:
        score_generalised_exactly(n, beyond, exact, work, scores)
        return _best_or_none(work)
    restore(streams.task_inputs, streams.task_auxiliary, streams.label_noise, task.states)
    done = 0
    while done < n:
        rows = min(data.inputs.shape[0], n - done)
        X, y = data.inputs[:rows], data.labels[:rows]
        draw_task(population, streams, X, y)
        score_rows_exactly(X, y, n, exact, work, scores)
        done += rows
    return _best_or_none(work)


@kernel
def leave_one_out_dual(eta: float, n: int, free: Free, work: SelectWork, choice: Choice) -> float:
    """As `leave_one_out_primal` for n < d, after `set_rows`."""
    nodes = choice.nodes
    form_axes(eta, 1, free, work)
    copy(work.axes, work.table[:n])
    at = place_nodes(nodes, 1.0, work)
    if at >= 0:
        factorise_shifts(nodes.eights[at], work)
        score_rows(n, nodes.eights[at], 1, work)
        chosen = settle(nodes, at, 1, 1 + choice.rules.multiples.size, work)
        if chosen != IN_DOUBT:
            return chosen
    every = take_candidates(work)
    factorise_shifts(every, work)
    alone = not 0.0 < work.numbers[LOAD] < _ALONE
    if alone or is_singular(work):
        return IN_DOUBT
    score_rows(n, every, 1, work)
    return best_candidate(work)


@kernel
def _choose_fast_dual(
    eta: float, rule: int, basis: Floats, free: Free, work: SelectWork, task: Workspace,
    choice: Choice,
) -> float:  # fmt: skip
    """As `choose_dual`, or IN_DOUBT."""
    X, y = task.task.inputs, task.task.labels
    (n, d), r = X.shape, basis.shape[0]
    work.numbers[MEAN] = n * _start(task.solve.matrix, r, work) / d
    for i in range(n):
        work.moment[i, 0] = y[i]
    if r > 0:
        dgemm("T", "N", n, r, d, 1.0, X, d, basis, d, 0.0, free.basis, n)
        if partial_out_dual(eta, free, d, work) != SOUND:
            work.numbers[MEAN] = 0.0
            return IN_DOUBT
    lost = r if eta == 0.0 else 0
    squares = 0.0
    for i in range(n):
        for a in range(r):
            free.rows[i, a] = free.basis[a, i]
        squares += work.moment[i, 0] ** 2
    set_rows(n, y, eta, free, work)
    reduce_block(free, work)
    set_candidates(choice.rules.multiples, work)
    if rule == LEAVE_ONE_OUT:
        return leave_one_out_dual(eta, n, free, work, choice)
    work.numbers[LIMIT] = n * squares / (n - lost) ** 2
    factorise_shifts(take_candidates(work), work)
    if is_singular(work):
        return IN_DOUBT
    score_generalised(n, lost, 1, work)
    return best_candidate(work)


@kernel
def choose_dual(
    eta: float, rule: int, basis: Floats, free: Free, work: SelectWork, task: Workspace,
    choice: Choice,
) -> float:  # fmt: skip
    """As `choose_primal` for n < d."""
    if rule != LEAVE_ONE_OUT and rule != GENERALISED:
        return np.nan
    X, y, exact = task.task.inputs, task.task.labels, task.task_exact
    n = X.shape[0]
    chosen = _given(n, basis.shape[0] if eta == 0.0 else 0, rule)
    if chosen == IN_DOUBT:
        chosen = _choose_fast_dual(eta, rule, basis, free, work, task, choice)
    if chosen != IN_DOUBT:
        return chosen
    keep_rows(X, y.reshape(n, 1), exact)
    if prepare_scores(basis, eta, n, choice.rules.multiples, exact, work, choice.scores) != FINE:
        return np.nan
    if rule == GENERALISED:
        score_generalised_exactly(n, 0.0, exact, work, choice.scores)
    else:
        score_rows_exactly(X, y, n, exact, work, choice.scores)
    return _best_or_none(work)
