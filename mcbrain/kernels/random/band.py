"""A spiked Gaussian matrix in block band form, drawn block after block (theory/README.md 3).

Orthogonal transformations that leave the first k coordinates alone bring an N x p Gaussian matrix
with a spike in its top-left k x k corner to block tridiagonal form (block form of Bloemendal &
Virag 2013, or block Lanczos started from the spike). Its blocks are independent, so that they
can be drawn one after the other, until the wanted singular vectors do not reach the last one.
"""

import math
from typing import NamedTuple

import numpy as np

from mcbrain.kernels.jit import kernel
from mcbrain.kernels.random.streams import Stream, load, next_chi_square, next_normal, store
from mcbrain.typing import Floats, Integers

ROWS, HEIGHT, COLUMN, WIDTH, BEFORE = 0, 1, 2, 3, 4
"""Places in `Band.at`: rows drawn, height of the next block, its column, its width and that of
the column block before it."""


class Band(NamedTuple):
    """The rows drawn so far of an N x p matrix Y, and of YY'.

    Attributes
    ----------
    entries : ndarray, shape (N, 3k)
        Entries of each row from column `first` on.
    first : ndarray of int, shape (N,)
        First column of each row.
    gram : ndarray, shape (N, 2k+1)
        YY': [i, b] is the entry (i, i-b).
    at : ndarray of int, shape (5,)
        Where the next block goes.
    """

    entries: Floats
    first: Integers
    gram: Floats
    at: Integers


def open_band(n_rows: int, k: int) -> Band:
    """Make room for a matrix of `n_rows` rows with blocks of k.

    Parameters
    ----------
    n_rows : int
        N.
    k : int
        Columns of the spike.

    Returns
    -------
    Band
        Without rows.
    """
    return Band(
        np.empty((n_rows, 3 * k)),
        np.empty(n_rows, np.int64),
        np.empty((n_rows, 2 * k + 1)),
        np.zeros(5, np.int64),
    )


@kernel
def start(band: Band) -> None:
    """Forget the rows drawn: the next block is the first one.

    Parameters
    ----------
    band : Band
        Emptied.
    """
    k = band.entries.shape[1] // 3
    at = band.at
    at[ROWS], at[COLUMN], at[BEFORE] = 0, 0, 0
    at[HEIGHT], at[WIDTH] = min(k, band.entries.shape[0]), k


@kernel
def add_block(stream: Stream, band: Band, n_columns: int, noise: float, spike: Floats) -> None:
    """Draw the next row block: below-diagonal, diagonal and above-diagonal block, in this order.

    The block below the diagonal of the row block before is upper trapezoidal, that above the
    diagonal is lower trapezoidal: squared diagonal chi^2_{rows (columns) not yet used - i}, all
    of them first, then the other entries N(0, 1) row by row. Everything is times `noise`.

    Parameters
    ----------
    stream : Stream
        Where the numbers come from; advanced in place.
    band : Band
        Gets the rows of the block.
    n_columns : int
        p, at least k.
    noise : float
        sigma_r.
    spike : ndarray, shape (min(k, N), k)
        Added to the first diagonal block.
    """
    at, entries = band.at, band.entries
    top, height, column, width, before = at[ROWS], at[HEIGHT], at[COLUMN], at[WIDTH], at[BEFORE]
    rows_left = entries.shape[0] - top
    columns_left = n_columns - column - width
    after = min(height, columns_left)
    for i in range(top, top + height):
        band.first[i] = column - before
        for j in range(entries.shape[1]):
            entries[i, j] = 0.0
    s = load(stream)
    for i in range(height if before > 0 else 0):
        s, square = next_chi_square(s, stream, rows_left - i)
        entries[top + i, i] = noise * math.sqrt(square)
    for i in range(height):
        for j in range(i + 1, before):
            s, x = next_normal(s, stream)
            entries[top + i, j] = noise * x
    for i in range(height):
        for j in range(before, before + width):
            s, x = next_normal(s, stream)
            entries[top + i, j] = noise * x
    for i in range(after):
        s, square = next_chi_square(s, stream, columns_left - i)
        entries[top + i, before + width + i] = noise * math.sqrt(square)
    for i in range(height):
        for j in range(min(i, after)):
            s, x = next_normal(s, stream)
            entries[top + i, before + width + j] = noise * x
    store(stream, s)
    if top == 0:
        for i in range(height):
            for j in range(width):
                entries[i, j] += spike[i, j]
    _extend_gram(band, top, top + height)
    at[ROWS], at[HEIGHT] = top + height, min(width, rows_left - height)
    at[COLUMN], at[WIDTH], at[BEFORE] = column + width, after, width


@kernel
def _extend_gram(band: Band, begin: int, end: int) -> None:
    """Fill the rows `begin` to `end` of YY', all their entries being known."""
    entries, first, gram = band.entries, band.first, band.gram
    n_entries = entries.shape[1]
    for i in range(begin, end):
        for b in range(gram.shape[1]):
            value = 0.0
            if b <= i:
                shift = first[i] - first[i - b]
                for j in range(n_entries - shift):
                    value += entries[i, j] * entries[i - b, j + shift]
            gram[i, b] = value
