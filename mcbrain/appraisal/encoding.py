"""The ridge encoder of given rank, from Gram matrices alone (theory/README.md 2, stage 1).

With X = U diag(s) V', penalty z, H = U'R and D = s^2 / (s^2 + z), ridge fits U D H. The best
approximation of it of rank r is U u u'D H, u the r leading eigenvectors of D H H'D, so that the
coefficients are V s^-1 u u'D H. Of the recordings only H H' = U'R R'U is needed, and R_held R'U
for the error of rows held out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg
from scipy.sparse.linalg import eigsh

from mcbrain.appraisal.principal import Principal, principal
from mcbrain.appraisal.recordings import Recordings
from mcbrain.appraisal.rows import Together
from mcbrain.befs.spiked import spiked_gains
from mcbrain.typing import Floats

__all__ = ["Encoding", "Response", "choose_encoding", "crossed", "subspace_of"]

RowSet = NDArray[np.integer]

FOLDS = 5
MOST_LATENTS = 30
_TRIED = np.array([1e-3, 1e-2, 0.1, 0.3, 1.0, 3.0, 30.0])
_DENSE = 400  # matrices up to this size are diagonalised as a whole


@dataclass(frozen=True)
class Encoding:
    """What cross-validation on the brain rows chose.

    Attributes
    ----------
    rank : int
        r.
    penalty : float
        As a multiple of the mean variance of an input per row.
    error : float
        Squared error of the rows held out, less that of predicting the mean, over the latter.
    gains : (folds, r)
        Latent gains without each of the folds, in units of the noise.
    """

    rank: int
    penalty: float
    error: float
    gains: Floats


@dataclass(frozen=True)
class Response:
    """What some brain rows say of the recordings' response.

    Attributes
    ----------
    axes : Principal
        Of the inputs of the rows.
    energy : (k, k)
        H H', the recordings along the principal axes.
    """

    axes: Principal
    energy: Floats

    @classmethod
    def of(
        cls, X: Floats, recordings: Recordings, rows: RowSet, whole: Floats | None
    ) -> tuple[Response, Floats]:
        """The response of some rows, and R R'U for all rows (n, k).

        Parameters
        ----------
        X : (n, d)
            Inputs of all rows.
        recordings : Recordings
            Of the same rows.
        rows : (m,)
            Rows to use.
        whole : (n, d + 1) or None
            What `crossed` gives: then that of the rows is the difference from the others'.

        Returns
        -------
        tuple
            The response, and the products (n, k).
        """
        n = X.shape[0]
        axes = principal(X[rows])
        if whole is None or axes.axes is None:
            weights = np.zeros((n, axes.sizes.size))
            weights[rows] = axes.rows
            image = recordings.image(weights)
        else:
            others = np.setdiff1d(np.arange(n), rows)
            ours = (
                recordings.partial(rows, _with_one(X[rows]))
                if rows.size < n // 2
                else (whole - recordings.partial(others, _with_one(X[others])))
            )
            image = (ours[:, :-1] - ours[:, -1:] * axes.mean) @ (axes.axes / axes.sizes)
        return cls(axes, axes.rows.T @ image[rows]), image

    def leading(self, penalty: float, rank: int) -> tuple[Floats, Floats]:
        """The largest eigenvalues (r,) of D H H'D and their vectors (k, r), in falling order.

        Parameters
        ----------
        penalty : float
            As a multiple of the mean variance of an input per row.
        rank : int
            Of the subspace.

        Returns
        -------
        tuple of array
            Eigenvalues and eigenvectors.
        """
        s = self.axes.sizes
        kept = s**2 / (s**2 + self.summed(penalty))
        return _leading(kept[:, None] * self.energy * kept, rank)

    def summed(self, penalty: float) -> float:
        """The penalty as a sum over rows, z.

        Parameters
        ----------
        penalty : float
            As a multiple of the mean variance of an input per row.

        Returns
        -------
        float
            In squared units of the inputs.
        """
        return float(penalty * np.sum(self.axes.sizes**2) / self.axes.X.shape[1])

    def subspace(self, penalty: float, rank: int) -> Floats:
        """Orthonormal basis (d, r) of what the recordings represent.

        Parameters
        ----------
        penalty : float
            As a multiple of the mean variance of an input per row.
        rank : int
            Of the subspace.

        Returns
        -------
        array (d, r)
            Strongest first.
        """
        vectors = self.leading(penalty, rank)[1]
        found = self.axes.lift(vectors / self.axes.sizes[:, None])
        return np.asarray(linalg.qr(found, mode="economic")[0])

    def gains(self, rank: int, channels: int) -> Floats:
        """Latent gains (r,) in units of the noise, without what noise adds to them.

        Parameters
        ----------
        rank : int
            Of the subspace.
        channels : int
            Channels in use.

        Returns
        -------
        array (r,)
            0 where nothing rises above noise.
        """
        values = np.sqrt(np.maximum(_leading(self.energy, rank)[0], 0.0))
        k = self.axes.sizes.size
        found = spiked_gains(values, 1.0, max(k - rank, 0), max(channels - rank, 0))
        return np.asarray(found / np.sqrt(self.axes.count))


def _with_one(X: Floats) -> Floats:
    """Inputs and a constant column."""
    return np.column_stack([X, np.ones(X.shape[0])])


def crossed(X: Floats, recordings: Recordings) -> Floats | None:
    """R R'(X, 1), from which the folds are differences; None where it saves nothing.

    Parameters
    ----------
    X : (n, d)
        Inputs of the recordings.
    recordings : Recordings
        Of the same rows.

    Returns
    -------
    array (n, d + 1) or None
        None where R itself is kept, or there are more inputs than half of the rows.
    """
    if recordings.gram is None or X.shape[1] > X.shape[0] // 2:
        return None
    return recordings.image(_with_one(X))


def _leading(matrix: Floats, rank: int) -> tuple[Floats, Floats]:
    """The `rank` largest eigenvalues of a symmetric matrix and their vectors, in falling order."""
    k = matrix.shape[0]
    if k <= _DENSE or rank > k // 4:
        values, vectors = linalg.eigh(matrix, driver="evd", check_finite=False)
    else:
        values, vectors = eigsh(matrix, rank, v0=np.ones(k))
    return values[::-1][:rank], vectors[:, ::-1][:, :rank]


def choose_encoding(
    X: Floats,
    recordings: Recordings,
    together: Together,
    n_latents: int | None,
    rng: np.random.Generator,
    whole: Floats | None = None,
    progress: Callable[[float], None] | None = None,
) -> Encoding:
    """Choose the penalty, and the rank unless it is given, by the error of brain rows held out.

    Parameters
    ----------
    X : (n, d)
        Inputs of the recordings.
    recordings : Recordings
        Of the same rows.
    together : Together
        Which rows are held out together.
    n_latents : int, optional
        The rank.
    rng : numpy.random.Generator
        Of the folds.
    whole : (n, d + 1), optional
        As `crossed` gives it.
    progress : callable, optional
        Called with the share done.

    Returns
    -------
    Encoding
        Penalty and rank of the least error.
    """
    folds = together.folds(FOLDS, rng)
    smallest = min(together.rest(held).size for held in folds)
    most = min(MOST_LATENTS, recordings.channels, X.shape[1], smallest - 1)
    most = most if n_latents is None else n_latents
    errors = np.zeros((_TRIED.size, most))
    responses = []
    total = 0.0
    for f, held in enumerate(folds):
        rest = together.rest(held)
        response, image = Response.of(X, recordings, rest, whole)
        responses.append(response)
        along = image[held] - image[rest].mean(axis=0)
        errors += _errors(response, response.axes.project(X[held]), along, most)
        total += float(np.sum(recordings.squares()[held]))
        if progress is not None:
            progress((f + 1) / len(folds))
    ranks = slice(None) if n_latents is None else slice(most - 1, None)
    at = np.unravel_index(np.argmin(errors[:, ranks]), errors[:, ranks].shape)
    rank = int(at[1]) + 1 if n_latents is None else n_latents
    return Encoding(
        rank,
        float(_TRIED[at[0]]),
        float(errors[at[0], rank - 1]) / total,
        np.array([r.gains(min(rank, r.axes.sizes.size), recordings.channels) for r in responses]),
    )


def _errors(response: Response, held: Floats, along: Floats, most: int) -> Floats:
    """Squared errors (penalties, ranks) of rows held out, less those of predicting the mean.

    `along` (m, k) is R_held R'U. The channels' axes are orthogonal, so that each rank adds its
    own square less twice its product with the truth.
    """
    out = np.zeros((_TRIED.size, most))
    s = response.axes.sizes
    for i, penalty in enumerate(_TRIED):
        values, u = response.leading(float(penalty), most)
        kept = s**2 / (s**2 + response.summed(float(penalty)))
        latents = held @ (u / s[:, None])
        truth = along @ (u * kept[:, None])
        change = np.cumsum(np.sum(latents**2, axis=0) * values - 2.0 * np.sum(latents * truth, 0))
        out[i, : change.size] = change
        out[i, change.size :] = np.inf
    return out


def subspace_of(
    X: Floats,
    recordings: Recordings,
    rows: RowSet,
    encoding: Encoding,
    whole: Floats | None = None,
) -> Floats:
    """The subspace (d, r) that some brain rows give at the rank and penalty that were chosen.

    Parameters
    ----------
    X : (n, d)
        Inputs of the recordings.
    recordings : Recordings
        Of the same rows.
    rows : (m,)
        Rows to use.
    encoding : Encoding
        Rank and penalty.
    whole : (n, d + 1), optional
        As `crossed` gives it.

    Returns
    -------
    array (d, r)
        Orthonormal columns; fewer where the rows have fewer directions.
    """
    response, _ = Response.of(X, recordings, rows, whole)
    return response.subspace(encoding.penalty, min(encoding.rank, response.axes.sizes.size))
