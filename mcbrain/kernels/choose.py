"""The penalty of a row from the data of a replicate, by leave-one-out or GCV (`select`).

Leave-one-out needs the task rows a second time. They are kept where they fit in 16 megabytes, and
else drawn again from the saved state of their streams, so that memory does not depend on n_task.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mcbrain.kernels.draw import restore
from mcbrain.kernels.jit import kernel, part
from mcbrain.kernels.lapack import dgemm
from mcbrain.kernels.nodes import Nodes, make_nodes, place_nodes, settle
from mcbrain.kernels.partial import (
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
from mcbrain.kernels.products import copy
from mcbrain.kernels.raw import draw_task
from mcbrain.kernels.select import (
    Rules,
    best_candidate,
    factorise_shifts,
    score_generalised,
    score_rows,
    set_candidates,
    take_candidates,
)
from mcbrain.kernels.streams import FloatArray
from mcbrain.kernels.types import Population, Queries, Sizes, Streams
from mcbrain.kernels.workspace import DataWork, Workspace, chunk_rows, make_data

_KEPT = 2**21  # entries of the task inputs
_TABLE = 256  # rows scored at a time, which the nearest cache holds


class Choice(NamedTuple):
    """Which rows choose, and room for it."""

    rules: Rules
    nodes: Nodes
    work: SelectWork
    plain: SelectWork
    """The same buffers with the tridiagonal form of the task stage, for rows of no subspace."""
    none: Free
    estimated: Free
    measured: Free
    data: DataWork
    """Room for all task rows, or for a chunk of them."""
    states: NDArray[np.uint64]
    """`Workspace.states`."""


def make_choice(
    population: Population,
    sizes: Sizes,
    queries: Queries,
    rules: Rules,
    task: Workspace,
    chunk: int = 0,
) -> Choice:
    """Return the buffers of `raw_select_block`, beside `task`; one for each thread."""
    d, n = population.scale.size, sizes.n_task
    codes = set(queries.subspace[rules.row].tolist())
    rows, grid = n if n < d else min(n, chunk or chunk_rows(d)), rules.multiples.size
    kept = n if n >= d and n * d <= _KEPT and chunk == 0 else rows
    # In the dual the table holds all rows at once.
    table = rows if n < d else min(rows, _TABLE)
    ranks = [0, sizes.rank if 1 in codes else 0, sizes.measured if 2 in codes else 0]
    work, none = make_select_work(d, n, 0, table, grid)
    free = [make_select_work(d, n, rank, table, grid)[1] for rank in ranks[1:]]
    plain = work._replace(reduction=task.solve.reduction)
    data = make_data(kept, d, 0, 0)
    nodes = make_nodes(work.inverse.shape[0])
    return Choice(rules, nodes, work, plain, none, free[0], free[1], data, task.states)


@kernel
def set_rows(rows: int, y: FloatArray, eta: float, free: Free, work: SelectWork) -> None:
    """Write residuals and 1 - leverages of least squares along `free.rows`, and their score."""
    for i in range(rows):
        residual, left = y[i], 1.0
        if eta == 0.0:
            for a in range(free.rows.shape[1]):
                residual -= free.rows[i, a] * free.along[a]
                left -= free.rows[i, a] ** 2
        work.residual[i], work.left[i] = residual, left
        work.numbers[3] += (residual / left) ** 2
        work.numbers[4] += 1.0 / left


@kernel
def score_task_rows(
    population: Population, streams: Streams, n: int, places: int, eta: float, free: Free,
    work: SelectWork, choice: Choice,
) -> None:  # fmt: skip
    """Score every shift by the leave-one-out errors of the task rows, kept or drawn again."""
    data, kept, done = choice.data, choice.data.inputs.shape[0], 0
    work.numbers[3], work.numbers[4] = 0.0, 0.0
    if kept < n:
        restore(streams.task_inputs, streams.task_auxiliary, streams.label_noise, choice.states)
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
def _start(matrix: FloatArray, rank: int, work: SelectWork) -> float:
    """Clear what is summed; returns the mean eigenvalue of a matrix, 1 if it is 0.

    Its upper triangle goes to both of `work.matrix` if something is to be partialled out.
    """
    m, trace = matrix.shape[0], 0.0
    for i in range(m):
        trace += matrix[i, i]
        for j in range(i if rank > 0 else m, m):
            work.matrix[i, j] = matrix[i, j]
            work.matrix[j, i] = matrix[i, j]
        for j in range(8):
            work.moment[i, j] = 0.0
    for j in range(5):
        work.numbers[j] = 0.0
    return trace / m if trace > 0.0 else 1.0


@kernel
def leave_one_out_primal(
    population: Population, streams: Streams, n: int, eta: float, free: Free, work: SelectWork,
    choice: Choice,
) -> float:  # fmt: skip
    """Return the best candidate by the errors of rows left out, after `reduce_block`, n >= d."""
    nodes = choice.nodes
    form_axes(eta, 0, free, work)
    # Without row i the smallest eigenvalue falls by 1 - h_i at most, which is 1 - d/n on average.
    at = place_nodes(nodes, max(2.0, n / max(n - work.matrix.shape[0], 0.1)), work)
    if at >= 0:
        factorise_shifts(nodes.eights[at], work)
        score_task_rows(population, streams, n, nodes.eights[at], eta, free, work, choice)
        chosen = settle(nodes, at, 0, 1 + choice.rules.multiples.size, work)
        if chosen >= 0.0:
            return chosen
    every = take_candidates(work)
    factorise_shifts(every, work)
    score_task_rows(population, streams, n, every, eta, free, work, choice)
    return best_candidate(work)


@kernel
def choose_primal(
    eta: float, generalised: int, squares: float, basis: FloatArray, free: Free,
    work: SelectWork, task: Workspace, choice: Choice, population: Population, streams: Streams,
    n: int,
) -> float:  # fmt: skip
    """Return the penalty (summed over rows) that a rule chooses, n >= d."""
    r, d = basis.shape[0], population.scale.size
    work.numbers[1] = _start(task.solve.matrix, r, work)
    for i in range(d):
        work.moment[i, 0] = task.solve.moment[i]
    if r > 0 and partial_out_primal(basis, eta, free, work) != 0:
        return np.nan
    reduce_block(free, work)
    set_candidates(choice.rules.multiples, work)
    if generalised == 0:
        return leave_one_out_primal(population, streams, n, eta, free, work, choice)
    lost = r if eta == 0.0 else 0
    for a in range(lost):
        squares -= free.along[a] ** 2
    work.numbers[2], work.numbers[3] = squares, n * squares / (n - lost) ** 2
    factorise_shifts(take_candidates(work), work)
    score_generalised(n, lost, 0, work)
    return best_candidate(work)


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
        if chosen >= 0.0:
            return chosen
    every = take_candidates(work)
    factorise_shifts(every, work)
    score_rows(n, every, 1, work)
    return best_candidate(work)


@kernel
def choose_dual(
    eta: float, generalised: int, basis: FloatArray, free: Free, work: SelectWork,
    task: Workspace, choice: Choice,
) -> float:  # fmt: skip
    """As `choose_primal` for n < d; infinite where every penalty gives the same (n <= r)."""
    X, y = task.task.inputs, task.task.labels
    (n, d), r = X.shape, basis.shape[0]
    if r >= n and eta == 0.0:
        return np.inf
    work.numbers[1] = n * _start(task.solve.matrix, r, work) / d
    for i in range(n):
        work.moment[i, 0] = y[i]
    if r > 0:
        dgemm("T", "N", n, r, d, 1.0, X, d, basis, d, 0.0, free.basis, n)
        if partial_out_dual(eta, free, d, work) != 0:
            return np.nan
    lost = r if eta == 0.0 else 0
    squares = 0.0
    for i in range(n):
        for a in range(r):
            free.rows[i, a] = free.basis[a, i]
        squares += work.moment[i, 0] ** 2
    set_rows(n, y, eta, free, work)
    reduce_block(free, work)
    set_candidates(choice.rules.multiples, work)
    if generalised == 0:
        return leave_one_out_dual(eta, n, free, work, choice)
    work.numbers[3] = n * squares / (n - lost) ** 2
    factorise_shifts(take_candidates(work), work)
    score_generalised(n, lost, 1, work)
    return best_candidate(work)
