"""Which fits choose their penalty on each replicate's data, and room for it."""

from typing import NamedTuple

from mcbrain.kernels.jit import part
from mcbrain.kernels.replicate.workspace import TaskData, TaskWork, chunk_rows, make_task_data
from mcbrain.kernels.rules.nodes import Nodes, make_nodes
from mcbrain.kernels.rules.select import Rules
from mcbrain.kernels.rules.select_work import Free, SelectWork, make_select_work
from mcbrain.kernels.rules.singular_rules import ScoreWork, make_score_work
from mcbrain.kernels.types import ESTIMATED, MEASURED, Setting
from mcbrain.typing import Floats

_KEPT = 2**21  # entries of the task inputs
_TABLE = 256  # rows scored at a time, which the nearest cache holds


class Choice(NamedTuple):
    """Which fits choose, and room for it.

    Attributes
    ----------
    rules : Rules
        Which fits choose, and among what.
    nodes : Nodes
        Penalties from whose scores those of all candidates follow.
    work : SelectWork
        Buffers of a choice.
    plain : SelectWork
        The same buffers with the tridiagonal form of the task stage, for fits of no subspace.
    none : Free
        Of a fit without a subspace.
    estimated : Free
        Of the estimated subspace.
    measured : Free
        Of the measured subspace.
    data : TaskData
        Room for all task rows, or for a chunk of them.
    scores : ScoreWork
        Room for scores by singular values.
    """

    rules: Rules
    nodes: Nodes
    work: SelectWork
    plain: SelectWork
    none: Free
    estimated: Free
    measured: Free
    data: TaskData
    scores: ScoreWork


class Chooser(NamedTuple):
    """A fit that chooses its penalty, in the replicate at hand.

    Attributes
    ----------
    rule : int
        LEAVE_ONE_OUT or GENERALISED.
    eta : float
        Relative penalty inside the subspace.
    basis : ndarray, shape (r, d)
        Orthonormal rows, none without a subspace.
    free : Free
        Room for what is not penalised.
    work : SelectWork
        Buffers of the choice.
    """

    rule: int
    eta: float
    basis: Floats
    free: Free
    work: SelectWork


def make_choice(setting: Setting, rules: Rules, task: TaskWork, chunk: int = 0) -> Choice:
    """Return the buffers of `raw_select_block`, beside `task`; one for each thread.

    Parameters
    ----------
    setting : Setting
        What is asked of the block.
    rules : Rules
        Which fits choose, and among what.
    task : TaskWork
        Buffers of the task stage, whose tridiagonal form is shared.
    chunk : int, optional
        How many rows of inputs are drawn at a time; 0 for a megabyte of them.

    Returns
    -------
    Choice
        Zeros, but for the rules and the nodes.
    """
    d, sizes, n = setting.population.scale.size, setting.sizes, setting.sizes.n_task
    codes = set(setting.fits.subspace[rules.fit].tolist())
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
    data = make_task_data(kept, d)
    nodes = make_nodes(work.inverse.shape[0])
    scores = make_score_work(n, d, max(ranks), work.candidates.size)
    return Choice(rules, nodes, work, plain, none, free[0], free[1], data, scores)


@part
def chooser_of(place: int, setting: Setting, at: int, work: TaskWork, choice: Choice) -> Chooser:
    """Return the fit that the rule at `place` is for, in the replicate `at`.

    Parameters
    ----------
    place : int
        Which rule.
    setting : Setting
        What is asked of the block.
    at : int
        The replicate at hand.
    work : TaskWork
        Of the task stage, with the subspaces.
    choice : Choice
        Buffers of the choices.

    Returns
    -------
    Chooser
        It refers to the arrays of `work` and `choice`.
    """
    fit, fits = choice.rules.fit[place], setting.fits
    basis, free, room = choice.none.basis, choice.none, choice.plain
    if fits.subspace[fit] == ESTIMATED:
        basis, free, room = work.bases[at], choice.estimated, choice.work
    elif fits.subspace[fit] == MEASURED:
        basis, free, room = work.measured, choice.measured, choice.work
    return Chooser(choice.rules.rule[place], fits.eta[fit], basis, free, room)
