"""The encoder's ridge penalty, chosen on the recordings of a replicate (theory/README.md 2).

The scores are those of all channels together, for B = (G + alpha I)^-1 C, G = X'X, C = X'R:

- leave-one-out: the sum over rows of |r_i - B'x_i|^2 / (1 - h_i)^2, h_i = x_i'(G + alpha I)^-1 x_i
  (Allen 1974), which is what refits without each row would give;
- generalised: n |R - X B|^2 / (n - sum_i h_i)^2 (Golub, Heath & Wahba 1979).

One decomposition G = U' diag(l) U serves all candidates: with z = U x and c = U C, h is the sum of
z^2 / (l + alpha) and B'x that of z c / (l + alpha). Only leave-one-out looks at single rows.
"""

from typing import NamedTuple

import numpy as np

from mcbrain.kernels.jit import kernel
from mcbrain.kernels.linear.householder import (
    Reduction,
    load_symmetric,
    make_reduction,
    multiply_out,
    tridiagonalise,
)
from mcbrain.kernels.linear.implicit_ql import tridiagonal_eigen
from mcbrain.kernels.linear.lanes import padded
from mcbrain.kernels.linear.lapack import dgemm
from mcbrain.kernels.linear.orthonormal import dot
from mcbrain.typing import Floats

_TILE = 256  # rows that are scored at a time, which the nearest cache holds


class EncoderChoice(NamedTuple):
    """By which rule the encoder chooses its penalty, among what, and room for it.

    Attributes
    ----------
    rule : int
        LEAVE_ONE_OUT or GENERALISED.
    multiples : ndarray, shape (grid,)
        Candidates in rising order, times the mean eigenvalue of G.
    chosen : ndarray, shape (replicates,)
        The penalty of each replicate, summed over samples.
    candidates, scores : ndarray, shape (grid,)
    reduction : Reduction
        Tridiagonal form of G; its diagonal becomes the eigenvalues l.
    reflected : ndarray, shape (d, d in eights)
        Q of that form.
    small, vectors : ndarray, shape (d, d)
        Eigenvectors of the tridiagonal form, and U, as rows.
    turned : ndarray, shape (d, p)
        c.
    products : ndarray, shape (d, d)
        cc', where there are more channels than inputs.
    rows, reached, shrunk : ndarray, shape (tile, d)
        Of each row z, c r, and z / (l + alpha).
    fitted : ndarray, shape (tile, min(d, p))
        B'x, or cc'z / (l + alpha) where there are more channels than inputs.
    squares : ndarray, shape (tile,)
        |r|^2.
    weights : ndarray, shape (d,)
        1 / (l + alpha).
    """

    rule: int
    multiples: Floats
    chosen: Floats
    candidates: Floats
    scores: Floats
    reduction: Reduction
    reflected: Floats
    small: Floats
    vectors: Floats
    turned: Floats
    products: Floats
    rows: Floats
    reached: Floats
    shrunk: Floats
    fitted: Floats
    squares: Floats
    weights: Floats


def make_encoder_choice(
    rule: int, multiples: Floats, input_dim: int, n_channels: int, rows: int, count: int
) -> EncoderChoice:
    """Return the buffers of a choice; one set for each thread.

    Parameters
    ----------
    rule : int
        LEAVE_ONE_OUT or GENERALISED.
    multiples : ndarray, shape (grid,)
        Positive candidates in rising order, times the mean eigenvalue of G.
    input_dim, n_channels : int
        d and p.
    rows : int
        The most rows that are scored at a time.
    count : int
        Replicates.

    Returns
    -------
    EncoderChoice
        Zeros, but for rule and multiples.
    """
    d, p, tile = input_dim, n_channels, min(rows, _TILE)
    return EncoderChoice(
        rule=rule,
        multiples=multiples,
        chosen=np.zeros(count),
        candidates=np.zeros(multiples.size),
        scores=np.zeros(multiples.size),
        reduction=make_reduction(d),
        reflected=np.zeros((d, padded(d))),
        small=np.zeros((d, d)),
        vectors=np.zeros((d, d)),
        turned=np.zeros((d, p)),
        products=np.zeros((d, d) if p > d else (0, 0)),
        rows=np.zeros((tile, d)),
        reached=np.zeros((tile, d)),
        shrunk=np.zeros((tile, d)),
        fitted=np.zeros((tile, min(d, p))),
        squares=np.zeros(tile),
        weights=np.zeros(d),
    )


def encoder_part(choice: EncoderChoice | None, start: int, count: int) -> EncoderChoice | None:
    """Return a choice with the room of some of its replicates.

    Parameters
    ----------
    choice : EncoderChoice or None
        Of all replicates.
    start, count : int
        The first of them, and how many.

    Returns
    -------
    EncoderChoice or None
        On the same arrays; None where there is none.
    """
    if choice is None:
        return None
    return choice._replace(chosen=choice.chosen[start : start + count])


@kernel
def decompose_encoder(gram: Floats, cross: Floats, choice: EncoderChoice) -> None:
    """Decompose G, turn C, and write the candidates.

    Parameters
    ----------
    gram : ndarray, shape (d, d)
        G, upper triangle.
    cross : ndarray, shape (d, p)
        C.
    choice : EncoderChoice
        Everything but the scores and what belongs to rows is filled; the scores become 0.
    """
    d, p = cross.shape
    reduction, values, size = choice.reduction, choice.reduction.diagonal, choice.reflected.shape[1]
    trace = 0.0
    for i in range(d):
        trace += gram[i, i]
    load_symmetric(gram, d, reduction)
    tridiagonalise(d, reduction)
    multiply_out(d, reduction, choice.reflected)
    tridiagonal_eigen(values, reduction.beside, d, choice.small)
    for i in range(d):
        values[i] = max(values[i], 0.0)  # below 0 by rounding alone
    dgemm(
        "T", "N", d, d, d, 1.0, choice.reflected, size, choice.small, d, 0.0, choice.vectors, d
    )  # fmt: skip
    dgemm("N", "N", p, d, d, 1.0, cross, p, choice.vectors, d, 0.0, choice.turned, p)
    if p > d:
        dgemm("T", "N", d, d, p, 1.0, choice.turned, p, choice.turned, p, 0.0, choice.products, d)
    scale = trace / d if trace > 0.0 else 1.0
    for j in range(choice.multiples.size):
        choice.candidates[j], choice.scores[j] = scale * choice.multiples[j], 0.0


@kernel
def score_encoder(n: int, squares: float, choice: EncoderChoice) -> None:
    """Write the generalised score of every candidate, after `decompose_encoder`.

    Parameters
    ----------
    n : int
        Brain samples.
    squares : float
        |R|^2.
    choice : EncoderChoice
        `scores` are filled.
    """
    values, turned, d = choice.reduction.diagonal, choice.turned, choice.turned.shape[0]
    for j in range(choice.candidates.size):
        alpha, error, free = choice.candidates[j], squares, float(n - d)
        for a in range(d):
            shifted = values[a] + alpha
            error -= dot(turned[a], turned[a]) * (shifted + alpha) / (shifted * shifted)
            free += alpha / shifted
        choice.scores[j] = n * error / (free * free)


@kernel
def score_encoder_rows(X: Floats, R: Floats, choice: EncoderChoice) -> None:
    """Add the squared leave-one-out errors of some rows, for every candidate.

    Parameters
    ----------
    X : ndarray, shape (rows, d)
        Inputs.
    R : ndarray, shape (rows, p)
        Their recordings.
    choice : EncoderChoice
        As `decompose_encoder` leaves it; `scores` grow.
    """
    (n, d), p, values = X.shape, R.shape[1], choice.reduction.diagonal
    z, reached, shrunk, fitted = choice.rows, choice.reached, choice.shrunk, choice.fitted
    width, wide, weights, start = fitted.shape[1], p > d, choice.weights, 0
    while start < n:
        rows = min(z.shape[0], n - start)
        x, r = X[start : start + rows], R[start : start + rows]
        dgemm("T", "N", d, rows, d, 1.0, choice.vectors, d, x, d, 0.0, z, d)
        dgemm("T", "N", d, rows, p, 1.0, choice.turned, p, r, p, 0.0, reached, d)
        for i in range(rows):
            choice.squares[i] = dot(r[i], r[i])
        for j in range(choice.candidates.size):
            for a in range(d):
                weights[a] = 1.0 / (values[a] + choice.candidates[j])
            for i in range(rows):
                for a in range(d):
                    shrunk[i, a] = z[i, a] * weights[a]
            maps = choice.products if wide else choice.turned
            dgemm("N", "N", width, rows, d, 1.0, maps, width, shrunk, d, 0.0, fitted, width)
            for i in range(rows):
                left = 1.0 - dot(z[i], shrunk[i])
                error = choice.squares[i] - 2.0 * dot(shrunk[i], reached[i])
                error += dot(fitted[i], shrunk[i] if wide else fitted[i])
                choice.scores[j] += error / (left * left)
        start += rows


@kernel
def best_encoder(choice: EncoderChoice) -> float:
    """Return the first candidate with the smallest score.

    Parameters
    ----------
    choice : EncoderChoice
        With the scores of all candidates.

    Returns
    -------
    float
        The penalty, summed over samples.
    """
    best = 0
    for j in range(choice.scores.size):
        if choice.scores[j] < choice.scores[best]:
            best = j
    return float(choice.candidates[best])
