"""Shifted tridiagonal systems for a batch of eight penalties, side by side (`lanes`).

Arrays of lanes are flat, the lane running fastest: entry (i, c) of a table with `columns`
columns is the eight numbers from 8 (i columns + c) on.

The parameters of a batch are a flat array of eight eights: `shift`, added to the diagonal;
`finite`, 1, or 0 for an infinite shift, where M = (T + shift)^-1 becomes the identity; `outer` and
`inner`, the weights of M c and of M A x in the solution; the weights of S1, S2 and of the identity
in S, the r x r matrix of S x = A'M c; and `outside`, the weight of x itself. What is found is four
eights: the smallest eigenvalue of T + shift over its largest diagonal entry, or less, how many of
its pivots are negative, the smallest pivot of S, in size, over what S may be, T/(T + shift), and
how many of its pivots are negative.
"""

from mcbrain.kernels.jit import kernel
from mcbrain.kernels.linear.lanes import get, least, positive, put
from mcbrain.typing import Floats


@kernel
def bound_below(n: int, inverse: Floats, ratio: Floats, out: Floats) -> None:
    """Write 1/tr (T + shift)^-1 for eight shifts to the start of `out`, from 1/D and L.

    It is the smallest eigenvalue or up to n times less, and not above 0 where some eigenvalue is
    not, or not a number. A small pivot would not say as much: all pivots of a singular T may be
    large, where its null vector has a small last entry. The trace is the slope of
    log det(T + shift) = sum log D, a sum of positive terms.
    """
    slope = 0.0 * get(inverse, 0) + 1.0
    trace, smallest = get(inverse, 0), get(inverse, 0)
    for i in range(1, n):
        lower, scale = get(ratio, 8 * i), get(inverse, 8 * i)
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
    """
    shift, finite = get(parameters, 0), get(parameters, 8)
    infinite = 1.0 - finite
    pivot = finite * (diagonal[0] + shift) + infinite
    largest = abs(diagonal[0])
    put(ratio, 0, 0.0 * shift)
    put(inverse, 0, 1.0 / pivot)
    for i in range(1, n):
        lower = finite * beside[i - 1] / pivot
        pivot = finite * (diagonal[i] + shift - lower * beside[i - 1]) + infinite
        put(ratio, 8 * i, lower)
        put(inverse, 8 * i, 1.0 / pivot)
        largest = max(largest, abs(diagonal[i]))
    bound_below(n, inverse, ratio, found)
    for j in range(8):
        found[j] /= largest + abs(parameters[j])
        found[16 + j] = largest / (largest + abs(parameters[j]))
        if parameters[8 + j] == 0.0:
            found[16 + j] = largest
        found[8 + j] = 0.0
        if parameters[j] < 0.0:
            for i in range(n):
                if inverse[8 * i + j] < 0.0:
                    found[8 + j] += 1.0


@kernel
def substitute(right: Floats, inverse: Floats, ratio: Floats, solution: Floats) -> None:
    """Solve (T + shift) X = right (n, columns) for eight shifts: solution (8 n columns,)."""
    n, columns = right.shape
    width = 8 * columns
    zero = 0.0 * get(ratio, 0)
    for c in range(columns):
        put(solution, 8 * c, zero + right[0, c])
    for i in range(1, n):
        lower = get(ratio, 8 * i)
        for c in range(columns):
            place = width * i + 8 * c
            put(solution, place, right[i, c] - lower * get(solution, place - width))
    last = get(inverse, 8 * (n - 1))
    for place in range(width * (n - 1), width * n, 8):
        put(solution, place, last * get(solution, place))
    for i in range(n - 2, -1, -1):
        upper, scale = get(ratio, 8 * (i + 1)), get(inverse, 8 * i)
        for place in range(width * i, width * (i + 1), 8):
            below = upper * get(solution, place + width)
            put(solution, place, scale * get(solution, place) - below)


@kernel
def assemble_inside(r: int, parameters: Floats, sums: Floats) -> None:
    """Overwrite S1 (upper triangle) by S = first S1 + second S2 + identity I, in `sums`.

    `sums` has 1 + 2r rows of r eights: A'M c, S1, and S2 if some `second` is not 0.
    """
    first, second, identity = get(parameters, 32), get(parameters, 40), get(parameters, 48)
    width = 8 * r
    needed = False
    for j in range(40, 48):
        needed = needed or parameters[j] != 0.0
    for a in range(r):
        for place in range((1 + a) * width + 8 * a, (2 + a) * width, 8):
            entry = first * get(sums, place)
            if needed:
                entry = entry + second * get(sums, place + r * width)
            put(sums, place, entry)
        place = (1 + a) * width + 8 * a
        put(sums, place, get(sums, place) + identity)


@kernel
def solve_inside(r: int, sums: Floats, found: Floats) -> None:
    """Solve S x = v for eight symmetric systems by S = U'DU, without pivoting.

    Row 0 of `sums` is v, and becomes x; rows 1 to r the upper triangle of S, lost. Writes to
    `found` the smallest pivot, as a share of the larger of S and the size found there, and how many
    are negative.
    """
    width = 8 * r
    for j in range(8):
        found[24 + j] = 0.0
        for a in range(r):
            found[16 + j] = max(found[16 + j], abs(sums[(1 + a) * width + 8 * a + j]))
    for a in range(r):
        row = (1 + a) * width
        scale = 1.0 / get(sums, row + 8 * a)
        for b in range(a + 1, r):
            factor = scale * get(sums, row + 8 * b)
            put(sums, 8 * b, get(sums, 8 * b) - factor * get(sums, 8 * a))
            for c in range(8 * b, width, 8):
                place = (1 + b) * width + c
                put(sums, place, get(sums, place) - factor * get(sums, row + c))
    for j in range(8):
        smallest = abs(sums[width + j])
        for a in range(r):
            pivot = sums[(1 + a) * width + 8 * a + j]
            smallest = min(smallest, abs(pivot))
            found[24 + j] += 1.0 if pivot < 0.0 else 0.0
        found[16 + j] = smallest / found[16 + j]
    for a in range(r - 1, -1, -1):
        row = (1 + a) * width
        value = get(sums, 8 * a)
        for c in range(8 * (a + 1), width, 8):
            value = value - get(sums, row + c) * get(sums, c)
        put(sums, 8 * a, value / get(sums, row + 8 * a))


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
    """Write outer M c + inner M A x to eight columns of `out` (n, lanes) from `start` on.

    `solution` is (n, columns) eights, M c and the r columns of M A first; x is row 0 of `sums`,
    whose row 1 is lost.
    """
    outer, inner = get(parameters, 16), get(parameters, 24)
    width, entries = 8 * columns, out.reshape(out.size)
    for a in range(r):
        put(sums, 8 * (r + a), inner * get(sums, 8 * a))
    for i in range(out.shape[0]):
        value = outer * get(solution, i * width)
        for a in range(r):
            value = value + get(sums, 8 * (r + a)) * get(solution, i * width + 8 * (1 + a))
        put(entries, i * out.shape[1] + start, value)
