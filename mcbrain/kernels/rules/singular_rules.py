"""Scores of all candidate penalties by singular values, where the closed form is 0/0 (`select`).

With U, s and the rest as in `singular`, a row that is left out errs by

    (e + lambda sum_j u_j t_j/(s_j^2 + lambda)) / (l + lambda sum_j u_j^2/(s_j^2 + lambda)),

u its row of U, t = U'y, e its residual and l = 1 - leverage, both of least squares. A row with
l = 0 is alone in some direction: then e = 0 as well, and lambda is divided out, which is refitting
without the row by the pseudo-inverse. Where the row is alone already in a direction of Z, its own
row z of Z's singular vectors, with singular values sigma, gives

    sum_a z_a w_a/sigma_a^2 / sum_a z_a^2/sigma_a^2,   w = (U of Z)'(y - W delta),

since the coefficient that fits the row alone is then taken away again.
"""

import math
from typing import NamedTuple

import numpy as np

from mcbrain.kernels.jit import kernel
from mcbrain.kernels.linear.orthonormal import dot
from mcbrain.kernels.linear.singular_values import rounding_share
from mcbrain.kernels.rules.select import set_candidates
from mcbrain.kernels.rules.select_work import LIMIT, MEAN, SelectWork
from mcbrain.kernels.task.exact_data import INSIDE, OUTSIDE, ExactWork
from mcbrain.kernels.task.singular import explain, separate
from mcbrain.kernels.types import FINE
from mcbrain.typing import Floats


class ScoreWork(NamedTuple):
    """Room for scores of C candidates, m = min(n, d) and a subspace of rank r.

    Attributes
    ----------
    maps : ndarray, shape (r + m, d)
        What turns a row x into its rows of the U of Z and of U.
    lengths : ndarray, shape (r + m,)
        Lengths of these.
    turned : ndarray, shape (r + m,)
        a row of both U.
    cross : ndarray, shape (r, m)
        U'WV for the U of Z.
    inverse : ndarray, shape (C, m)
        1/(s^2 + lambda).
    beyond : ndarray, shape (C, r)
        w.
    """

    maps: Floats
    lengths: Floats
    turned: Floats
    cross: Floats
    inverse: Floats
    beyond: Floats


def make_score_work(rows: int, input_dim: int, rank: int, candidates: int) -> ScoreWork:
    """Return room for scores.

    Parameters
    ----------
    rows, input_dim, rank : int
        n, d and the largest r.
    candidates : int
        C, in whole eights.

    Returns
    -------
    ScoreWork
        Zeros.
    """
    m = min(rows, input_dim)
    return ScoreWork(
        maps=np.zeros((rank + m, input_dim)),
        lengths=np.zeros(rank + m),
        turned=np.zeros(rank + m),
        cross=np.zeros((rank, m)),
        inverse=np.zeros((candidates, m)),
        beyond=np.zeros((candidates, rank)),
    )


@kernel
def _map_rows(basis: Floats, eta: float, exact: ExactWork, room: ScoreWork) -> None:
    """Write the maps, after `separate`."""
    r, d, maps = basis.shape[0], exact.factor.shape[1], room.maps
    inside, outside = exact.ranks[INSIDE], exact.ranks[OUTSIDE]
    for a in range(inside):
        for i in range(d):
            maps[a, i] = 0.0
        for b in range(r):
            weight = exact.inner_right[a * r + b] / exact.inner_values[a]
            for i in range(d):
                maps[a, i] += weight * basis[b, i]
    for j in range(outside):
        target = maps[inside + j]
        for i in range(d):
            target[i] = exact.right[j, i]
        if eta > 0.0:
            for b in range(r):
                weight = (1.0 / math.sqrt(eta) - 1.0) * dot(exact.right[j], basis[b])
                for i in range(d):
                    target[i] += weight * basis[b, i]
        for a in range(inside):
            room.cross[a, j] = dot(exact.across[a * d : (a + 1) * d], exact.right[j])
            for i in range(d):
                target[i] -= room.cross[a, j] * maps[a, i]
        for i in range(d):
            target[i] /= exact.values[j]
    for a in range(inside + outside):
        room.lengths[a] = math.sqrt(dot(maps[a], maps[a]))


@kernel
def prepare_scores(
    basis: Floats, eta: float, n: int, multiples: Floats, exact: ExactWork,
    work: SelectWork, room: ScoreWork,
) -> int:  # fmt: skip
    """Decompose the data of `exact`, once n rows, and set the candidates; FINE or why not.

    A mean penalised eigenvalue of 0 is not known yet.

    Parameters
    ----------
    basis : ndarray, shape (r, d)
        Orthonormal rows, none for plain ridge.
    eta : float
        Relative penalty inside the subspace.
    n : int
        Rows that the data had.
    multiples : ndarray, shape (grid,)
        Candidates, times the mean penalised eigenvalue.
    exact : ExactWork
        The data; decomposed.
    work : SelectWork
        Candidates are set and scores cleared.
    room : ScoreWork
        Filled.

    Returns
    -------
    int
        FINE, SINGULAR or NOT_FINITE.
    """
    r, d = basis.shape[0], exact.factor.shape[1]
    verdict = separate(basis, eta, n, exact)
    if verdict != FINE:
        return verdict
    explain(r, exact)
    _map_rows(basis, eta, exact, room)
    inside, outside, total = exact.ranks[INSIDE], exact.ranks[OUTSIDE], 0.0
    for j in range(outside):
        total += exact.values[j] ** 2
    count = d - r if eta == 0.0 else d
    if work.numbers[MEAN] == 0.0:
        work.numbers[MEAN] = total / count if total > 0.0 else 1.0
    set_candidates(multiples, work)
    for c in range(work.candidates.size):
        work.scores[c], work.tightest[c] = 0.0, 1.0
        for a in range(inside):
            room.beyond[c, a] = exact.inside[a]
        for j in range(outside):
            s = exact.values[j]
            room.inverse[c, j] = 1.0 / (s * s + work.candidates[c])
            fit = s * room.inverse[c, j] * exact.along[j]
            for a in range(inside):
                room.beyond[c, a] -= room.cross[a, j] * fit
    work.numbers[LIMIT] = 0.0
    return FINE


@kernel
def _score_inside(exact: ExactWork, work: SelectWork, room: ScoreWork) -> None:
    """Add the errors of a row that is alone in some direction of Z."""
    total, limit = 0.0, 0.0
    for a in range(exact.ranks[INSIDE]):
        room.turned[a] /= exact.inner_values[a] ** 2
        limit += room.turned[a] * exact.inside[a]
        total += (room.turned[a] * exact.inner_values[a]) ** 2
    work.numbers[LIMIT] += (limit / total) ** 2
    for c in range(work.candidates.size):
        error = 0.0
        for a in range(exact.ranks[INSIDE]):
            error += room.turned[a] * room.beyond[c, a]
        work.scores[c] += (error / total) ** 2


@kernel
def score_rows_exactly(
    X: Floats, y: Floats, n: int, exact: ExactWork, work: SelectWork, room: ScoreWork
) -> None:
    """Add the squared leave-one-out errors of some of the n rows at every candidate.

    Parameters
    ----------
    X : ndarray, shape (rows, d)
        Inputs of some rows.
    y : ndarray, shape (rows,)
        Their labels.
    n : int
        Rows of all data.
    exact : ExactWork
        The data, decomposed.
    work : SelectWork
        `scores` and the score at infinity grow.
    room : ScoreWork
        As `prepare_scores` leaves it; `turned` is scratch.
    """
    inside, outside = exact.ranks[INSIDE], exact.ranks[OUTSIDE]
    turned, share = room.turned, rounding_share(n, X.shape[1])
    for i in range(X.shape[0]):
        size = math.sqrt(dot(X[i], X[i]))
        # What rounding of the row may change in its leverages
        doubt, limit, left = 1.0, y[i], 1.0
        for a in range(inside):
            turned[a] = dot(X[i], room.maps[a])
            doubt += size * room.lengths[a] * abs(turned[a])
            limit -= turned[a] * exact.inside[a]
            left -= turned[a] ** 2
        if inside > 0 and left <= share * doubt:
            _score_inside(exact, work, room)
            continue
        work.numbers[LIMIT] += (limit / left) ** 2
        residual = limit
        for j in range(outside):
            place = inside + j
            turned[place] = dot(X[i], room.maps[place])
            doubt += size * room.lengths[place] * abs(turned[place])
            residual -= turned[place] * exact.along[j]
            left -= turned[place] ** 2
        alone = left <= share * doubt or n == inside + outside
        for c in range(work.candidates.size):
            above, below = 0.0, 0.0
            for j in range(outside):
                weight = room.inverse[c, j] * turned[inside + j]
                above += weight * exact.along[j]
                below += weight * turned[inside + j]
            penalty = work.candidates[c]
            error = (
                above / below if alone else (residual + penalty * above) / (left + penalty * below)
            )
            work.scores[c] += error * error


@kernel
def score_generalised_exactly(
    n: int, squares: float, exact: ExactWork, work: SelectWork, room: ScoreWork
) -> None:
    """Write the GCV scores of all candidates; `squares` is what of y is not in `exact.answers`.

    Where the fit has no freedom left, n = rank, lambda is divided out: the limit from above.

    Parameters
    ----------
    n : int
        Rows of all data.
    squares : float
        The square of what of y no fit can reach, and that is not in `exact`.
    exact : ExactWork
        The data, decomposed.
    work : SelectWork
        `scores` and the score at infinity are filled.
    room : ScoreWork
        As `prepare_scores` leaves it.
    """
    left, residual, whole = n - exact.ranks[INSIDE] - exact.ranks[OUTSIDE], squares, squares
    for i in range(exact.rest.size):
        residual += exact.rest[i] ** 2
    whole = residual
    for j in range(exact.ranks[OUTSIDE]):
        whole += exact.along[j] ** 2
    work.numbers[LIMIT] = n * whole / (n - exact.ranks[INSIDE]) ** 2
    for c in range(work.candidates.size):
        penalty = work.candidates[c]
        errors, freedom = 0.0, 0.0
        for j in range(exact.ranks[OUTSIDE]):
            errors += (room.inverse[c, j] * exact.along[j]) ** 2
            freedom += room.inverse[c, j]
        if left > 0:
            errors, freedom = residual + penalty**2 * errors, left + penalty * freedom
        work.scores[c] = n * errors / freedom**2
