"""Shifted tridiagonal systems for a batch of eight penalties, side by side (`lanes`).

Arrays of lanes are flat, the lane running fastest: entry (i, c) of a table with `columns`
columns is the eight numbers from 8 (i columns + c) on.

The solution is OUTER M c + INNER M A x with M = (T + shift)^-1 and S x = A'M c, where the r x r
matrix S is FIRST S1 + SECOND S2 + IDENTITY I.
"""

from mcbrain.kernels.jit import kernel
from mcbrain.kernels.linear.lanes import get, least, positive, put
from mcbrain.kernels.types import LANES
from mcbrain.typing import Floats

SHIFT, FINITE, OUTER, INNER, FIRST, SECOND, IDENTITY, ALONG = range(0, 8 * LANES, LANES)
"""Where the eights of a batch's parameters begin in their flat array: what is added to the
diagonal; 1, or 0 for an infinite shift, where M becomes the identity; the weights of the formula
above; and the weight of x itself, along the basis."""

PARAMETERS = 8 * LANES
"""How many numbers these are."""

SMALLEST, NEGATIVE, SMALLEST_INSIDE, NEGATIVE_INSIDE = range(0, 4 * LANES, LANES)
"""Where the eights of what is found begin in their flat array: the smallest eigenvalue of T + shift
over its largest diagonal entry, or less; how many of its pivots are negative; the smallest pivot of
S, in size, over what S may be, T/(T + shift); and how many of the pivots of S are negative."""

FOUND = 4 * LANES
"""How many numbers these are."""


@kernel
def bound_below(n: int, inverse: Floats, ratio: Floats, out: Floats) -> None:
    """Write 1/tr (T + shift)^-1 for eight shifts to the start of `out`, from 1/D and L.

    It is the smallest eigenvalue or up to n times less, and not above 0 where some eigenvalue is
    not, or not a number. A small pivot would not say as much: all pivots of a singular T may be
    large, where its null vector has a small last entry. The trace is the slope of
    log det(T + shift) = sum log D, a sum of positive terms.

    Parameters
    ----------
    n : int
        Order of T.
    inverse : ndarray, shape (8 n,)
        1/D, in eights.
    ratio : ndarray, shape (8 n,)
        The subdiagonal of L, in eights.
    out : ndarray, shape (8 or more,)
        Filled at its start.
    """
    slope = 0.0 * get(inverse, 0) + 1.0
    trace, smallest = get(inverse, 0), get(inverse, 0)
    for i in range(1, n):
        lower, scale = get(ratio, LANES * i), get(inverse, LANES * i)
        slope = 1.0 + lower * lower * slope
        trace = trace + slope * scale
        smallest = least(scale, smallest)  # a NaN stays: all later pivots are
    put(out, 0, positive(smallest) / trace)


@kernel
def factorise(
    diagonal: Floats,
    beside: Floats,
    n: int,
    parameters: Floats,
    inverse: Floats,
    ratio: Floats,
    found: Floats,
) -> None:
    """Factorise T + shift = L D L', (n, n), for eight shifts.

    Writes 1/D to `inverse` and the subdiagonal of L to `ratio`, both (8 n,), and to `found` a
    bound on the smallest eigenvalue (`bound_below`), how many pivots are negative, as many as
    eigenvalues (Sylvester's inertia), and the size that S may have.

    Parameters
    ----------
    diagonal : ndarray, shape (n or more,)
        Of T.
    beside : ndarray, shape (n - 1 or more,)
        The entries beside the diagonal.
    n : int
        Order of T.
    parameters : ndarray, shape (PARAMETERS,)
        Of a batch.
    inverse : ndarray, shape (8 n,)
        Filled with 1/D.
    ratio : ndarray, shape (8 n,)
        Filled with the subdiagonal of L.
    found : ndarray, shape (FOUND,)
        SMALLEST, NEGATIVE and SMALLEST_INSIDE are filled.
    """
    shift, finite = get(parameters, SHIFT), get(parameters, FINITE)
    infinite = 1.0 - finite
    pivot = finite * (diagonal[0] + shift) + infinite
    largest = abs(diagonal[0])
    put(ratio, 0, 0.0 * shift)
    put(inverse, 0, 1.0 / pivot)
    for i in range(1, n):
        lower = finite * beside[i - 1] / pivot
        pivot = finite * (diagonal[i] + shift - lower * beside[i - 1]) + infinite
        put(ratio, LANES * i, lower)
        put(inverse, LANES * i, 1.0 / pivot)
        largest = max(largest, abs(diagonal[i]))
    # It goes to the start of `found`, to SMALLEST.
    bound_below(n, inverse, ratio, found)
    for j in range(LANES):
        found[SMALLEST + j] /= largest + abs(parameters[SHIFT + j])
        found[SMALLEST_INSIDE + j] = largest / (largest + abs(parameters[SHIFT + j]))
        if parameters[FINITE + j] == 0.0:
            found[SMALLEST_INSIDE + j] = largest
        found[NEGATIVE + j] = 0.0
        if parameters[SHIFT + j] < 0.0:
            for i in range(n):
                if inverse[LANES * i + j] < 0.0:
                    found[NEGATIVE + j] += 1.0


@kernel
def substitute(right: Floats, inverse: Floats, ratio: Floats, solution: Floats) -> None:
    """Solve (T + shift) X = right (n, columns) for eight shifts: solution (8 n columns,).

    Parameters
    ----------
    right : ndarray, shape (n, columns)
        Right-hand sides, the same for all eight shifts.
    inverse : ndarray, shape (8 n,)
        1/D.
    ratio : ndarray, shape (8 n,)
        The subdiagonal of L.
    solution : ndarray, shape (8 n columns,)
        Filled with X, eight lanes an entry.
    """
    n, columns = right.shape
    width = LANES * columns
    zero = 0.0 * get(ratio, 0)
    for c in range(columns):
        put(solution, LANES * c, zero + right[0, c])
    for i in range(1, n):
        lower = get(ratio, LANES * i)
        for c in range(columns):
            place = width * i + LANES * c
            put(solution, place, right[i, c] - lower * get(solution, place - width))
    last = get(inverse, LANES * (n - 1))
    for place in range(width * (n - 1), width * n, LANES):
        put(solution, place, last * get(solution, place))
    for i in range(n - 2, -1, -1):
        upper, scale = get(ratio, LANES * (i + 1)), get(inverse, LANES * i)
        for place in range(width * i, width * (i + 1), LANES):
            below = upper * get(solution, place + width)
            put(solution, place, scale * get(solution, place) - below)


@kernel
def assemble_inside(r: int, parameters: Floats, sums: Floats) -> None:
    """Overwrite S1 (upper triangle) by S = FIRST S1 + SECOND S2 + IDENTITY I, in `sums`.

    `sums` has 1 + 2r rows of r eights: A'M c, S1, and S2 if some SECOND is not 0.

    Parameters
    ----------
    r : int
        Order of S.
    parameters : ndarray, shape (PARAMETERS,)
        Of a batch.
    sums : ndarray, shape (8 r (1 + 2 r),)
        A'M c, S1 and S2; S1 becomes S.
    """
    first, second = get(parameters, FIRST), get(parameters, SECOND)
    identity = get(parameters, IDENTITY)
    width = LANES * r
    needed = False
    for j in range(LANES):
        needed = needed or parameters[SECOND + j] != 0.0
    for a in range(r):
        for place in range((1 + a) * width + LANES * a, (2 + a) * width, LANES):
            entry = first * get(sums, place)
            if needed:
                entry = entry + second * get(sums, place + r * width)
            put(sums, place, entry)
        place = (1 + a) * width + LANES * a
        put(sums, place, get(sums, place) + identity)


@kernel
def solve_inside(r: int, sums: Floats, found: Floats) -> None:
    """Solve S x = v for eight symmetric systems by S = U'DU, without pivoting.

    Row 0 of `sums` is v, and becomes x; rows 1 to r the upper triangle of S, lost. Writes to
    `found` the smallest pivot, as a share of the larger of S and the size found there, and how many
    are negative.

    Parameters
    ----------
    r : int
        Order of S.
    sums : ndarray, shape (8 r (1 + r) or more,)
        v and S; v becomes x, S is lost.
    found : ndarray, shape (FOUND,)
        SMALLEST_INSIDE and NEGATIVE_INSIDE are filled.
    """
    width = LANES * r
    for j in range(LANES):
        found[NEGATIVE_INSIDE + j] = 0.0
        for a in range(r):
            entry = abs(sums[(1 + a) * width + LANES * a + j])
            found[SMALLEST_INSIDE + j] = max(found[SMALLEST_INSIDE + j], entry)
    for a in range(r):
        row = (1 + a) * width
        scale = 1.0 / get(sums, row + LANES * a)
        for b in range(a + 1, r):
            factor = scale * get(sums, row + LANES * b)
            put(sums, LANES * b, get(sums, LANES * b) - factor * get(sums, LANES * a))
            for c in range(LANES * b, width, LANES):
                place = (1 + b) * width + c
                put(sums, place, get(sums, place) - factor * get(sums, row + c))
    for j in range(LANES):
        smallest = abs(sums[width + j])
        for a in range(r):
            pivot = sums[(1 + a) * width + LANES * a + j]
            smallest = min(smallest, abs(pivot))
            found[NEGATIVE_INSIDE + j] += 1.0 if pivot < 0.0 else 0.0
        found[SMALLEST_INSIDE + j] = smallest / found[SMALLEST_INSIDE + j]
    for a in range(r - 1, -1, -1):
        row = (1 + a) * width
        value = get(sums, LANES * a)
        for c in range(LANES * (a + 1), width, LANES):
            value = value - get(sums, row + c) * get(sums, c)
        put(sums, LANES * a, value / get(sums, row + LANES * a))


@kernel
def combine(
    r: int,
    columns: int,
    parameters: Floats,
    sums: Floats,
    solution: Floats,
    start: int,
    out: Floats,
) -> None:
    """Write OUTER M c + INNER M A x to eight columns of `out` (n, lanes) from `start` on.

    `solution` is (n, columns) eights, M c and the r columns of M A first; x is row 0 of `sums`,
    whose row 1 is lost.

    Parameters
    ----------
    r : int
        Columns of A.
    columns : int
        Columns of `solution`, 1 + r or more.
    parameters : ndarray, shape (PARAMETERS,)
        Of a batch.
    sums : ndarray, shape (8 r (1 + r) or more,)
        x in row 0; row 1 is overwritten.
    solution : ndarray, shape (8 n columns,)
        M c and M A.
    start : int
        The first of the eight columns of `out`.
    out : ndarray, shape (n, lanes)
        Filled there.
    """
    outer, inner = get(parameters, OUTER), get(parameters, INNER)
    width, entries = LANES * columns, out.reshape(out.size)
    for a in range(r):
        put(sums, LANES * (r + a), inner * get(sums, LANES * a))
    for i in range(out.shape[0]):
        value = outer * get(solution, i * width)
        for a in range(r):
            value = value + get(sums, LANES * (r + a)) * get(solution, i * width + LANES * (1 + a))
        put(entries, i * out.shape[1] + start, value)
