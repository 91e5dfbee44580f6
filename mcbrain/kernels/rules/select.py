"""A penalty for each replicate: leave-one-out and generalised cross-validation, exactly.

With the subspace P and the penalty's sum over samples held fixed, leaving row i out turns the
residual e_i into e_i / (1 - h_i), h_i the leverage (Allen 1974); GCV replaces h_i by its mean
(Golub, Heath & Wahba 1979). Both are found for a whole grid from one tridiagonal form:

- what is not penalised is partialled out: with Z = XA, eta = 0, rows u = x - B'C^-1 A'x and
  G - B'C^-1 B for B = A'G, C = A'GA are plain ridge, next to the leverages of Z; with eta > 0
  the inputs become x + (eta^-1/2 - 1) P x, again plain ridge;
- T + lambda = LDL' turns h and the fit of a row into sums of z^2/D and z w/D, z = L^-1 Q'u,
  w = L^-1 Q'c: forward substitution only;
- below d samples the same with XX': residuals are alpha_i / E_ii for E = (XX' + lambda)^-1, or
  that on the complement of Z, alpha = E y; at lambda = 0 this is the limit from above.

Where a denominator is 0 up to rounding, or T is singular, `singular_select` scores instead. The
penalty chosen is the first candidate (0, then rising ones, then infinity) whose score is the
smallest but for rounding.
"""

from typing import NamedTuple

import numpy as np

from mcbrain.kernels.jit import kernel, part
from mcbrain.kernels.linear.lanes import get, least, put
from mcbrain.kernels.linear.tridiagonal import bound_below, substitute
from mcbrain.kernels.rules.select_work import FILL, LIMIT, MEAN, REST, TRACE, SelectWork
from mcbrain.kernels.types import DUAL, LANES, PRIMAL, SUSPECT
from mcbrain.typing import Floats, Integers

IN_DOUBT = -1.0
"""Instead of a penalty: the scores do not say."""

TIGHT = 1e-10
"""1 - leverage up to which a row may be alone in some direction, but for rounding."""

EQUAL = 1e-11
"""Share of the smallest score by which others may differ from it by rounding alone."""


class Rules(NamedTuple):
    """Which fits choose their penalty, and among which.

    Attributes
    ----------
    fit : ndarray of int, shape (rules,)
        Places in `Fits`.
    rule : ndarray of int, shape (rules,)
        LEAVE_ONE_OUT or GENERALISED.
    multiples : ndarray, shape (grid,)
        Candidates, times the mean eigenvalue of what is penalised; 0 and infinity join.
    """

    fit: Integers
    rule: Integers
    multiples: Floats


@kernel
def set_candidates(multiples: Floats, work: SelectWork) -> None:
    """Write the candidates, the last one again where an eight is not full.

    Parameters
    ----------
    multiples : ndarray, shape (grid,)
        Candidates, times the mean penalised eigenvalue.
    work : SelectWork
        `candidates` are filled.
    """
    for j in range(work.candidates.size):
        last = min(j, multiples.size) - 1
        work.candidates[j] = work.numbers[MEAN] * multiples[last] if last >= 0 else 0.0


@kernel
def take_candidates(work: SelectWork) -> int:
    """Score at all candidates; returns how many eights these are.

    Parameters
    ----------
    work : SelectWork
        `shifts` are filled.

    Returns
    -------
    int
        Eights of candidates.
    """
    for j in range(work.candidates.size):
        work.shifts[j] = work.candidates[j]
    return len(work.inverse)


@kernel
def factorise_shifts(places: int, work: SelectWork) -> None:
    """Factorise T + lambda for every shift of so many eights, and make w/D from c.

    Parameters
    ----------
    places : int
        Eights of shifts.
    work : SelectWork
        With T, c and the shifts; factors are filled and scores cleared.
    """
    m, inverse, ratio = work.matrix.shape[0], work.inverse, work.ratio
    diagonal, beside = work.reduction.diagonal, work.reduction.beside
    for place in range(places):
        put(ratio[place], 0, 0.0 * get(work.shifts, 0))
        put(inverse[place], 0, 1.0 / (diagonal[0] + get(work.shifts, LANES * place)))
    for i in range(1, m):
        # Places within steps: a step waits for the division before it, places do not.
        for place in range(places):
            lower = beside[i - 1] * get(inverse[place], LANES * (i - 1))
            pivot = diagonal[i] + get(work.shifts, LANES * place) - lower * beside[i - 1]
            put(ratio[place], LANES * i, lower)
            put(inverse[place], LANES * i, 1.0 / pivot)
    for place in range(places):
        w = 0.0 * get(work.shifts, 0)
        for i in range(m):
            w = work.moment[i, 0] - get(ratio[place], LANES * i) * w
            put(work.weights[place], LANES * i, w * get(inverse[place], LANES * i))
    for j in range(LANES * places):
        work.scores[j], work.tightest[j], work.loads[j] = 0.0, np.inf, 0.0


@kernel
def is_singular(work: SelectWork) -> bool:
    """Say whether T is singular up to rounding, after `factorise_shifts` of all candidates.

    Parameters
    ----------
    work : SelectWork
        With the factors.

    Returns
    -------
    bool
        True as well where T is not finite.
    """
    m, largest = work.matrix.shape[0], work.numbers[TRACE]
    for i in range(m):
        largest = max(largest, abs(work.reduction.diagonal[i]))
    bound_below(m, work.inverse[0], work.ratio[0], work.values)
    # The first candidate is 0; written so that a NaN is singular too.
    return bool(not work.values[0] > SUSPECT * m * largest)


@part
def _four_sums(start: int, place: int, work: SelectWork) -> tuple[Floats, ...]:
    """Return the sums of z^2/D, and then of z w/D, of four rows of the table at eight shifts.

    `start` is where the first row begins.
    """
    m, size, table = work.matrix.shape[0], work.table.shape[1], work.table.reshape(work.table.size)
    inverse, ratio, weights = work.inverse[place], work.ratio[place], work.weights[place]
    zero = 0.0 * get(work.scores, LANES * place)
    z0, z1, z2, z3 = zero, zero, zero, zero
    h0, h1, h2, h3 = zero, zero, zero, zero
    f0, f1, f2, f3 = zero, zero, zero, zero
    for j in range(m):
        lower, scale = get(ratio, LANES * j), get(inverse, LANES * j)
        weight = get(weights, LANES * j)
        z0 = table[start + j] - lower * z0
        z1 = table[start + size + j] - lower * z1
        z2 = table[start + 2 * size + j] - lower * z2
        z3 = table[start + 3 * size + j] - lower * z3
        h0, h1 = h0 + scale * z0 * z0, h1 + scale * z1 * z1
        h2, h3 = h2 + scale * z2 * z2, h3 + scale * z3 * z3
        f0, f1 = f0 + weight * z0, f1 + weight * z1
        f2, f3 = f2 + weight * z2, f3 + weight * z3
    return h0, h1, h2, h3, f0, f1, f2, f3


@part
def _four_inverses(h0: Floats, h1: Floats, h2: Floats, h3: Floats) -> tuple[Floats, ...]:
    """Return 1/h of each, by one division: 1/h0 = h1 h2 h3 / (h0 h1 h2 h3).

    A zero spoils all four, and then there is doubt.
    """
    a, b = h0 * h1, h2 * h3
    scale = 1.0 / (a * b)
    a, b = scale * b, scale * a
    return a * h1, a * h0, b * h3, b * h2


@kernel
def score_rows(rows: int, places: int, form: int, work: SelectWork) -> None:
    """Add the squared leave-one-out errors of the rows of `work.table` for every shift.

    The table has whole fours of rows. Without the row, the error is
    (residual - fit) / (left - h), in the dual fit / h.

    Parameters
    ----------
    rows : int
        Of the table that count.
    places : int
        Eights of shifts.
    form : int
        PRIMAL or DUAL.
    work : SelectWork
        With the table; `scores`, `tightest` and `loads` grow.
    """
    left, residual, size = work.left, work.residual, work.table.shape[1]
    for place in range(places):
        at = LANES * place
        squares, tightest, loads = get(work.scores, at), get(work.tightest, at), get(work.loads, at)
        zero = 0.0 * squares
        one = zero + 1.0
        for i in range(0, rows, 4):
            h0, h1, h2, h3, f0, f1, f2, f3 = _four_sums(i * size, place, work)
            if form == PRIMAL:
                h0, f0 = left[i] - h0, residual[i] - f0
                h1, f1 = left[i + 1] - h1, residual[i + 1] - f1
                h2, f2 = left[i + 2] - h2, residual[i + 2] - f2
                h3, f3 = left[i + 3] - h3, residual[i + 3] - f3
            if i + 3 >= rows:
                h3, f3 = one, zero
                h1, f1 = (h1, f1) if i + 1 < rows else (one, zero)
                h2, f2 = (h2, f2) if i + 2 < rows else (one, zero)
            if form == PRIMAL:
                tightest = least(tightest, least(least(h0, h1), least(h2, h3)))
            h0, h1, h2, h3 = _four_inverses(h0, h1, h2, h3)
            f0, f1, f2, f3 = f0 * h0, f1 * h1, f2 * h2, f3 * h3
            if i + 3 >= rows:
                h3 = zero
                h1, h2 = (h1 if i + 1 < rows else zero), (h2 if i + 2 < rows else zero)
            loads = loads + ((h0 + h1) + (h2 + h3))
            squares = squares + ((f0 * f0 + f1 * f1) + (f2 * f2 + f3 * f3))
        put(work.scores, at, squares)
        put(work.loads, at, loads)
        put(work.tightest, at, tightest)


@kernel
def score_generalised(n: int, lost: int, form: int, work: SelectWork) -> None:
    """Write the GCV scores n |e|^2 / (n - tr H)^2 of every candidate; `lost` is r for eta = 0.

    tr M is the derivative of log det(T + lambda) = sum log D, a sum of positive terms.

    Parameters
    ----------
    n : int
        Samples.
    lost : int
        r for eta = 0, else 0.
    form : int
        PRIMAL or DUAL.
    work : SelectWork
        With the factors of all candidates; `scores` and `tightest` are filled.
    """
    m = work.matrix.shape[0]
    for i in range(m):
        work.column[i, 0] = work.moment[i, 0]
    for place in range(work.inverse.shape[0]):
        inverse, ratio = work.inverse[place], work.ratio[place]
        penalty = get(work.candidates, LANES * place)
        slope = 0.0 * penalty + 1.0
        trace = slope * get(inverse, 0)
        for i in range(1, m):
            lower = get(ratio, LANES * i)
            slope = 1.0 + lower * lower * slope
            trace = trace + slope * get(inverse, LANES * i)
        if lost > 0:
            trace = trace - lost / (penalty + work.numbers[FILL])
        substitute(work.column, inverse, ratio, work.solution)
        square, fit = 0.0 * penalty, 0.0 * penalty
        for i in range(m):
            entry = get(work.solution, LANES * i)
            square = square + entry * entry
            fit = fit + work.moment[i, 0] * entry
        if form == DUAL:
            put(work.scores, LANES * place, n * square / (trace * trace))
            continue
        errors = work.numbers[REST] - fit - penalty * square
        freedom = (n - m) + penalty * trace
        put(work.scores, LANES * place, n * errors / (freedom * freedom))
        put(work.tightest, LANES * place, freedom / n)


@kernel
def best_candidate(work: SelectWork) -> float:
    """Return the penalty with the smallest score, the first of those equal up to rounding.

    IN_DOUBT where a denominator is rounding, or a score not a number.

    Parameters
    ----------
    work : SelectWork
        With the scores of all candidates.

    Returns
    -------
    float
        The penalty, summed over samples, or IN_DOUBT.
    """
    best, chosen = work.numbers[LIMIT], np.inf
    for j in range(work.candidates.size):
        # Written so that a NaN leaves doubt.
        if not (work.tightest[j] > TIGHT and work.scores[j] < np.inf):
            return IN_DOUBT
        best = min(best, work.scores[j])
    for j in range(work.candidates.size - 1, -1, -1):
        # Of data that are fitted exactly, the best score may be below 0 by rounding.
        if work.scores[j] - best <= EQUAL * abs(best):
            chosen = work.candidates[j]
    return chosen if best < np.inf else IN_DOUBT
