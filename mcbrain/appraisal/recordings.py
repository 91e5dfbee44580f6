"""The recordings, read once in slices of channels; of p channels at most n directions are kept.

What the encoder needs of recordings R (n, p) are products R R' of rows with rows: a rotation of the
channels changes nothing. With more channels than rows the Gram matrix (n, n) is kept, else R
itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from mcbrain.errors import InputError
from mcbrain.typing import Floats

__all__ = ["Recordings", "read", "whitened"]

RowSet = NDArray[np.integer]

_NUMBERS_AT_ONCE = 2**24
_NOISELESS = 1e-6
_LARGEST = 1e15
_MOST_FACTORS, _SKETCH, _ROUNDS = 12, 24, 3
_EDGE = 1.1  # a factor stands out where it exceeds the edge of noise by a tenth


@dataclass(frozen=True)
class Recordings:
    """Recordings of channels of equal noise, as products of rows with rows.

    Attributes
    ----------
    rows : (n, p) or None
        R, centred, where p <= n.
    gram : (n, n) or None
        R R', where p > n.
    channels : int
        Channels in use.
    dropped : int
        Channels that were left out: they miss values or do not vary.
    factors : int
        Directions of shared noise that were whitened.
    scale : float
        Standard deviation of the noise of a channel (the geometric mean), in the user's units; a
        channel's noise is 1 here.
    """

    rows: Floats | None
    gram: Floats | None
    channels: int
    dropped: int
    factors: int
    scale: float

    @property
    def count(self) -> int:
        """Number of rows."""
        kept = self.gram if self.rows is None else self.rows
        assert kept is not None
        return int(kept.shape[0])

    def image(self, weights: Floats) -> Floats:
        """R R' times weights: products of all rows with combinations of rows.

        Parameters
        ----------
        weights : (n, k)
            Of the rows; 0 for rows that are left out.

        Returns
        -------
        array (n, k)
            In squared units of the noise.
        """
        if self.rows is not None:
            return self.rows @ (self.rows.T @ weights)
        assert self.gram is not None
        return self.gram @ weights

    def partial(self, rows: RowSet, weights: Floats) -> Floats:
        """The same, for combinations of some rows alone: weights (len(rows), k).

        Parameters
        ----------
        rows : (m,)
            Rows that are combined.
        weights : (m, k)
            Of these rows.

        Returns
        -------
        array (n, k)
            In squared units of the noise.
        """
        if self.rows is not None:
            return np.asarray(self.rows @ (self.rows[rows].T @ weights))
        assert self.gram is not None
        return np.asarray(self.gram[rows].T @ weights)

    def squares(self) -> Floats:
        """Sum of squares over the channels of each row, (n,).

        Returns
        -------
        array (n,)
            In squared units of the noise.
        """
        if self.rows is not None:
            return np.asarray(np.sum(self.rows**2, axis=1))
        assert self.gram is not None
        return np.diagonal(self.gram)

    def taken(self, rows: RowSet) -> Recordings:
        """The recordings of some rows, or of all in another order.

        Parameters
        ----------
        rows : (m,)
            Rows, in the order to take.

        Returns
        -------
        Recordings
            Of these rows.
        """
        if self.rows is not None:
            return replace(self, rows=self.rows[rows])
        assert self.gram is not None
        return replace(self, gram=self.gram[np.ix_(rows, rows)])


def read(
    R: NDArray[Any], keep: RowSet, U: Floats, progress: Callable[[float], None] | None = None
) -> Recordings:
    """Read recordings in slices of channels, each divided by the size of its noise.

    Parameters
    ----------
    R : (n, p)
        Numbers of any type, such as an array that is mapped from a file.
    keep : (m,)
        Rows to use.
    U : (m, k)
        Orthonormal coordinates of the inputs; noise is what they leave of a channel.
    progress : callable, optional
        Called with the share done.

    Returns
    -------
    Recordings
        Products of single precision numbers are formed in single precision and summed in double.

    Raises
    ------
    InputError
        No channel varies, or a channel is an exact function of the inputs.
    """
    m, p = keep.size, R.shape[1]
    gram = np.zeros((m, m)) if p > m else None
    parts: list[Floats] = []
    logs, used = 0.0, 0
    whole = keep.size == R.shape[0]
    small = R.dtype.kind in "biu" and R.dtype.itemsize <= 2
    kind = np.float32 if gram is not None and (small or R.dtype.itemsize <= 4) else np.float64
    directions = U.astype(kind)
    freedom = m - 1 - U.shape[1]
    step = max(1, min(p, _NUMBERS_AT_ONCE // m))
    for start in range(0, p, step):
        piece = np.asarray(R[:, start : start + step], dtype=kind)
        piece = np.array(piece) if whole else piece[keep]
        total, noise = _noise(piece, directions, freedom)
        good = np.isfinite(total) & (total > 0)
        if np.any(np.abs(piece[:, good]) > _LARGEST) if good.any() else False:
            raise InputError(f"R holds values above {_LARGEST:g}: change its unit")
        exact = good & (noise <= _NOISELESS * total)
        if np.any(exact):
            raise InputError(
                "R is an exact linear function of the inputs in column "
                f"{start + int(np.flatnonzero(exact)[0])}: recordings have noise"
            )
        piece = piece[:, good] / noise[good].astype(kind)
        logs += float(np.sum(np.log(noise[good])))
        used += piece.shape[1]
        if gram is None:
            parts.append(piece)
        elif piece.size:
            gram += piece @ piece.T
        if progress is not None:
            progress(min(1.0, (start + step) / p))
    if not used:
        raise InputError("R: no channel has values in all rows and varies")
    rows = np.hstack(parts) if parts else None
    return Recordings(rows, gram, used, p - used, 0, float(np.exp(logs / used)))


def _noise(piece: NDArray[Any], U: NDArray[Any], freedom: int) -> tuple[Floats, Floats]:
    """Centre a slice in place; deviations of its channels, and of what U leaves of them."""
    with np.errstate(invalid="ignore", over="ignore"):
        first = np.abs(piece).max(axis=0).astype(np.float64)
        piece -= piece.mean(axis=0, dtype=np.float64).astype(piece.dtype)
        total = np.einsum("ij,ij->j", piece, piece, dtype=np.float64)
        explained = U.T @ piece
        left = total - np.einsum("ij,ij->j", explained, explained, dtype=np.float64)
        deviation = np.sqrt(total / (piece.shape[0] - 1))
        rounding = 32 * np.finfo(piece.dtype).eps * first
        deviation = np.where(
            deviation > rounding, deviation, np.where(np.isnan(total), np.nan, 0.0)
        )
        return deviation, np.sqrt(np.maximum(left, 0.0) / freedom)


def whitened(recordings: Recordings, U: Floats, *, to_edge: bool = False) -> Recordings:
    """Recordings whose shared noise is as large as the rest: a factor model of the residuals.

    The covariance of the residuals is taken as diagonal (already equal to one) plus the few
    directions that stand out of noise; each is shrunk to variance one, or to the largest that a
    direction of noise has by chance.

    Parameters
    ----------
    recordings : Recordings
        Channels of equal noise.
    U : (n, k)
        Orthonormal coordinates of the inputs, whose response is taken out first.
    to_edge : bool
        Whether to shrink to the edge of noise.

    Returns
    -------
    Recordings
        With `factors` directions whitened.
    """
    n = recordings.count
    freedom = n - 1 - U.shape[1]

    def residual(x: Floats) -> Floats:
        x = x - x.mean(axis=0)
        return x - U @ (U.T @ x)

    def apply(x: Floats) -> Floats:
        return residual(recordings.image(residual(x)))

    rng = np.random.default_rng(0)
    block: Floats = rng.standard_normal((n, min(_SKETCH, freedom)))
    for _ in range(_ROUNDS):
        block = np.asarray(linalg.qr(apply(block), mode="economic")[0], dtype=np.float64)
    image = apply(block)
    values, turn = linalg.eigh(block.T @ image)
    values, axes = values[::-1], (block @ turn)[:, ::-1]
    trace = float(np.sum(recordings.squares())) - float(np.sum(U * recordings.image(U)))
    p = recordings.channels
    for factors in range(min(_MOST_FACTORS, values.size, p) + 1):
        spare = max((freedom - factors) * (p - factors), 1)
        noise = max(trace - float(np.sum(values[:factors])), 0.0) / spare
        edge = noise * (np.sqrt(freedom) + np.sqrt(p)) ** 2
        if factors == values.size or factors == p or values[factors] <= _EDGE * edge:
            break
    if not factors:
        return recordings
    top, axes = values[:factors], axes[:, :factors]
    # Rows along the factor's channels are R v = R E'u / |E'u|.
    along = recordings.image(residual(axes)) / np.sqrt(top)
    size = edge if to_edge else noise * freedom
    kept = np.minimum(1.0, np.sqrt(size / top))
    unit = float(np.sqrt(noise))
    scale = recordings.scale * unit
    if recordings.rows is not None:
        v = recordings.rows.T @ residual(axes) / np.sqrt(top)
        rows = (recordings.rows - (along * (1.0 - kept)) @ v.T) / unit
        return replace(recordings, rows=rows, factors=factors, scale=scale)
    assert recordings.gram is not None
    gram = (recordings.gram - (along * (1.0 - kept**2)) @ along.T) / noise
    return replace(recordings, gram=gram, factors=factors, scale=scale)
