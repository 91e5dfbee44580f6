"""A few penalties from whose leave-one-out scores those of all others follow (theory/README.md 2).

As a function of the penalty lambda, the error of a row that is left out is c - sum_j a_j/(s_j +
lambda), with s_j the eigenvalues of the penalised block without that row. So the score, the sum
of squares, has its poles in an interval [-b, -b/kappa], and is known for all lambda >= 0 from its
limit and its values at K nodes, but for an error that Zolotarev's number bounds: it falls as
exp(-pi^2 K / log(16 kappa)) (Beckermann & Townsend 2017). With Phi the rational function of the
nodes and as many poles, interpolation errs by

    1/(s + lambda):              Phi(lambda) r(s) / (s + lambda),  r(s) = 1/Phi(-s),
    1/((s + lambda)(t + lambda)): at most 1/(s t) times |Phi(lambda)| b/(b + lambda) R,
                                 R = sup over the interval of |r| + s |r'|,

the second being the first's difference quotient in 1/s; sums over j are bounded by Cauchy and
Schwarz. A choice that this bound does not settle is left to the scores of all candidates.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.special import ellipj, ellipkm1

from mcbrain.kernels.jit import kernel
from mcbrain.kernels.linear.lanes import get, least, put
from mcbrain.kernels.rules.select import IN_DOUBT, TIGHT
from mcbrain.kernels.rules.select_work import LIMIT, LOAD, SelectWork
from mcbrain.kernels.types import DUAL, LANES, PRIMAL
from mcbrain.typing import Floats, Integers

# Condition numbers kappa that nodes are made for, and how many eights of nodes keep R below 3e-8.
_CONDITIONS = 4.0 ** np.arange(1, 9)
_EIGHTS = np.array([2, 2, 3, 3, 4, 4, 5, 5])

_ROUNDING = 1e-11  # of scores, as a share of the one at an infinite penalty
_INSIDE = 1e5  # mean of 1/left beyond which rows lie inside the subspace but for rounding


class Nodes(NamedTuple):
    """Sets of nodes for growing condition numbers; numbers are shares of b.

    Attributes
    ----------
    eights : ndarray of int, shape (sets,)
        How many eights of lanes a set fills.
    place : ndarray, shape (sets, 40)
        penalties: -1/kappa, where the poles are held against it, then 0, then others.
    pole : ndarray, shape (sets, 40)
        Distances of the poles of Phi from 0.
    weight : ndarray, shape (sets, 40)
        1/Phi' at the nodes, 0 for the first.
    bound : ndarray, shape (sets,)
        R.
    """

    eights: Integers
    place: Floats
    pole: Floats
    weight: Floats
    bound: Floats


def _zolotarev(kappa: float, count: int) -> tuple[Floats, Floats]:
    """Return zeros in [0, inf) and poles in [-1, -1/kappa], the signs of these left away.

    Those of the symmetric problem on [-1, -l] and [l, 1], (1 + l)^2/(4 l) = kappa, moved by a
    Moebius map.
    """
    low = 1.0 / (2.0 * kappa - 1.0 + 2.0 * np.sqrt(kappa * (kappa - 1.0)))
    arguments = (2.0 * np.arange(1, count + 1) - 1.0) * ellipkm1(low**2) / (2 * count)
    z = ellipj(arguments, 1.0 - low**2)[2]
    scale = 2.0 / (1.0 + low)
    return scale * (z - low) / (1.0 - z), scale * (z + low) / (1.0 + z)


def _largest_slope(place: Floats, pole: Floats, kappa: float) -> float:
    """Return R: the supremum of |r(s)| + s |r'(s)|, r' by a complex step, on a fine grid."""
    s = np.geomspace(1.0 / kappa, 1.0, 4001)[:, None]
    r = np.prod((pole - s - 1e-30j * s) / (-s - 1e-30j * s - place), axis=1)
    return float(1.01 * np.max(np.abs(r.real) + np.abs(r.imag) / 1e-30))


@lru_cache
def make_nodes(eights: int) -> Nodes:
    """Return the sets that need fewer lanes than all candidates.

    Parameters
    ----------
    eights : int
        Eights of lanes that the candidates fill.

    Returns
    -------
    Nodes
        Sets for growing condition numbers.
    """
    sets = int(np.sum(eights > _EIGHTS))
    place, pole, weight = np.zeros((3, sets, LANES * int(_EIGHTS[-1])))
    bound = np.zeros(sets)
    for j, kappa in enumerate(_CONDITIONS[:sets]):
        zeros, poles = _zolotarev(kappa, LANES * int(_EIGHTS[j]) - 2)
        # The node 0 and the pole -1/kappa belong together: their factor is below 1 at every
        # penalty and above 1 at every pole of the score.
        zeros, poles = np.append(0.0, zeros), np.append(1.0 / kappa, poles)
        slopes = [
            np.prod(at + poles) / np.prod(at - np.delete(zeros, k)) for k, at in enumerate(zeros)
        ]
        used = slice(1, 1 + zeros.size)
        place[j, 0], place[j, used], pole[j, used], weight[j, used] = (
            -1.0 / kappa, zeros, poles, slopes
        )  # fmt: skip
        bound[j] = _largest_slope(zeros, poles, kappa)
    return Nodes(_EIGHTS[:sets].copy(), place, pole, weight, bound)


@kernel
def place_nodes(nodes: Nodes, room: float, work: SelectWork) -> int:
    """Write the nodes of the smallest set that suits T to `work.shifts`; its index, -1 for none.

    b is Gershgorin's bound on the eigenvalues; a set suits if all are above `room` b/kappa, as
    those of the block without a row may be smaller.

    Parameters
    ----------
    nodes : Nodes
        The sets.
    room : float
        By how much eigenvalues may be smaller without a row, at least 1.
    work : SelectWork
        With T; `shifts` are filled.

    Returns
    -------
    int
        The index of the set, or -1.
    """
    m, diagonal, beside = work.matrix.shape[0], work.reduction.diagonal, work.reduction.beside
    sets, largest = nodes.bound.size, 0.0
    for i in range(m):
        reach = abs(beside[i - 1]) if i > 0 else 0.0
        reach += abs(beside[i]) if i < m - 1 else 0.0
        largest = max(largest, diagonal[i] + reach)
    for j in range(LANES):
        work.shifts[j] = room * largest * nodes.place[min(j, sets - 1), 0] if sets > 0 else 0.0
    shift = get(work.shifts, 0)
    pivot = diagonal[0] + shift
    smallest = pivot
    for i in range(1, m):
        pivot = diagonal[i] + shift - beside[i - 1] * beside[i - 1] / pivot
        smallest = least(pivot, smallest)
    put(work.values, 0, smallest)
    for j in range(sets):
        if work.values[j] > 0.0:
            for k in range(LANES * nodes.eights[j]):
                work.shifts[k] = largest * nodes.place[j, k]
            return j
    return -1


@kernel
def _interpolate(nodes: Nodes, at: int, largest: float, work: SelectWork) -> None:
    """Write the scores of all candidates to `work.values` and Phi there to `work.doubts`."""
    limit, lanes = work.numbers[LIMIT], LANES * nodes.eights[at]
    for place in range(0, work.candidates.size, LANES):
        penalty = get(work.candidates, place) / largest
        above, below = 0.0 * penalty + 1.0, 0.0 * penalty + 1.0
        # sum_k of a term in node k, times the product of the distances to all nodes so far
        share = 0.0 * penalty
        for k in range(1, lanes):
            beyond = penalty - nodes.place[at, k]
            share = share * beyond + nodes.weight[at, k] * (work.scores[k] - limit) * above
            above, below = above * beyond, below * (penalty + nodes.pole[at, k])
        put(work.values, place, limit + share / below)
        put(work.doubts, place, above / below)
    work.values[0], work.doubts[0] = work.scores[1], 0.0


@kernel
def settle(nodes: Nodes, at: int, form: int, count: int, work: SelectWork) -> float:
    """Return the best of `count` candidates and infinity from the scores at nodes, or IN_DOUBT.

    Without a row the poles stay beyond -b/kappa if no leverage reaches its limit at that penalty,
    where T - b/kappa is positive definite (`place_nodes`).
    sum_j |a_j|/s_j of a row is at most |y| sqrt(l) with l = 1/(left - h) - 1/left at lambda = 0,
    in the dual with l = kappa/(b E_ii).

    Parameters
    ----------
    nodes : Nodes
        The sets.
    at : int
        Which set was scored.
    form : int
        PRIMAL or DUAL.
    count : int
        Candidates beside infinity.
    work : SelectWork
        With the scores at the nodes; `values` and `doubts` are filled.

    Returns
    -------
    float
        The penalty, summed over samples, or IN_DOUBT.
    """
    if not (work.tightest[0] > 0.0 and work.tightest[1] > TIGHT):
        return IN_DOUBT
    if form == DUAL and not 0.0 < work.numbers[LOAD] < _INSIDE * work.matrix.shape[0]:
        return IN_DOUBT
    limit, largest = work.numbers[LIMIT], work.shifts[0] / nodes.place[at, 0]
    load = work.loads[1] - work.numbers[LOAD] if form == PRIMAL else work.loads[1] / -work.shifts[0]
    load = max(load, 0.0)
    scale = nodes.bound[at] * limit * (2.0 * math.sqrt(load) + load)
    _interpolate(nodes, at, largest, work)
    best, doubt, chosen = limit, 0.0, np.inf
    for j in range(count):
        work.doubts[j] = scale * abs(work.doubts[j]) / (1.0 + work.candidates[j] / largest)
        work.doubts[j] += _ROUNDING * limit
        if work.values[j] < best:
            best, doubt, chosen = work.values[j], work.doubts[j], work.candidates[j]
    # Written so that a NaN leaves doubt.
    sure = chosen == np.inf or limit > best + doubt
    for j in range(count):
        other = work.values[j] - work.doubts[j] > best + doubt
        sure = sure and (other or work.candidates[j] == chosen)
    return chosen if sure else IN_DOUBT
