"""From sufficient statistics of one data set, or of many bootstrap draws, to parameters."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mcbrain.appraisal.parameters import Parameters, Shape, latent_overlaps
from mcbrain.typing import Floats

__all__ = ["Inside", "Task", "assemble", "noise_ratio", "variances"]

_SMALLEST_OVERLAP = 0.05
_ITERATIONS = 25
_UNSEEN = 1e-10  # share of the largest variance below which inputs do not vary


class Task(NamedTuple):
    """Sufficient statistics of the task data given a subspace, of one data set or of many draws.

    y'y outside the subspace splits into squares along directions of variance
    noise + spectrum * outside, and `rest`, a sum of `freedom` squares of variance noise alone.

    Attributes
    ----------
    spectrum : (c,)
        Variances of the inputs along the directions, times the rows.
    squares : (..., c)
        Squares of the labels along them.
    rest : (...)
        Sum of the other squares.
    freedom : int
        How many those are.
    """

    spectrum: Floats  # (c,)
    squares: Floats  # (..., c)
    rest: Floats  # (...)
    freedom: int


class Inside(NamedTuple):
    """What the variance of the loadings depends on: blocks of X'X along P and outside it.

    Attributes
    ----------
    inside : (r, r)
        X'X within the subspace.
    cross : (q, r)
        X'X between the eigenvectors outside and the subspace.
    outside : (q,)
        Eigenvalues of X'X outside the subspace.
    """

    inside: Floats  # (r, r)
    cross: Floats  # (q, r)
    outside: Floats  # (q,)

    def covariance(self, ratio: Floats) -> Floats:
        """Covariance of the fitted loadings, over the variance of the task noise.

        Parameters
        ----------
        ratio : (...)
            Noise over signal per direction outside, see `noise_ratio`.

        Returns
        -------
        array (..., r, r)
            In units of 1 / (variance of an input).
        """
        weight = 1.0 / (self.outside + np.asarray(ratio)[..., None])
        explained = (weight[..., None, :] * self.cross.T) @ self.cross
        left = self.inside - explained
        sizes = np.linalg.eigvalsh(left)
        if np.all(sizes[..., 0] > _UNSEEN * sizes[..., -1]):
            return np.asarray(np.linalg.inv(left))
        # Along a direction in which no task row varies, no loading is fitted.
        return np.asarray(np.linalg.pinv(left, rcond=_UNSEEN, hermitian=True))


def variances(task: Task) -> tuple[Floats, Floats]:
    """The noise variance, and the signal per direction outside the subspace.

    Reweighted least squares of the squares on (1, spectrum), which is restricted maximum likelihood
    without its bound at zero.

    Parameters
    ----------
    task : Task
        Of one data set, or of many draws (...).

    Returns
    -------
    noise : array (...)
        Variance of the task noise, above 0.
    outside : array (...)
        Squared weight of each direction outside; may be negative.
    """
    s, squares, rest, freedom = task
    mean = (squares.sum(axis=-1) + rest) / (s.size + freedom)
    noise, outside = np.array(mean / 2), np.array(mean / (2 * s.mean()))
    for _ in range(_ITERATIONS):
        weight = (noise[..., None] + s * np.maximum(outside, 0.0)[..., None]) ** -2.0
        a11 = weight.sum(axis=-1) + freedom / noise**2
        a12, a22 = weight @ s, weight @ s**2
        b1 = np.sum(weight * squares, axis=-1) + rest / noise**2
        b2 = np.sum(weight * squares * s, axis=-1)
        determinant = a11 * a22 - a12**2
        noise = np.maximum((a22 * b1 - a12 * b2) / determinant, 1e-6 * mean)
        outside = (a11 * b2 - a12 * b1) / determinant
    return noise, outside


def noise_ratio(noise: Floats, outside: Floats) -> Floats:
    """Noise over signal per direction.

    Parameters
    ----------
    noise, outside : (...)
        As `variances` returns them.

    Returns
    -------
    array (...)
        Infinite where there seems to be no signal outside.
    """
    with np.errstate(divide="ignore"):
        return np.where(outside > 0, noise / np.where(outside > 0, outside, 1.0), np.inf)


def assemble(
    shape: Shape, noise: Floats, outside: Floats, along: Floats, gains: Floats, neural: Floats
) -> Parameters:
    """The parameters of the model from what the two stages found.

    Parameters
    ----------
    shape : Shape
        Numbers of rows, inputs and channels, and the rank.
    noise, outside : (...)
        Variance of the task noise, and signal per direction outside the subspace.
    along : (..., r)
        Squared loadings along the estimated latents, corrected for noise.
    gains : (..., r)
        Latent gains.
    neural : (...)
        Standard deviation of the neural noise.

    Returns
    -------
    found : Parameters
        Unbiased, and so not always within the bounds of the model.
    """
    q = shape.d - shape.r
    total = q * outside + along.sum(axis=-1)
    scale = np.maximum(total, 1e-3 * noise)
    overlap = np.maximum(
        latent_overlaps(gains, neural, shape.n_brain, shape.d, shape.p), _SMALLEST_OVERLAP
    )
    along = along / scale[..., None]
    # 4e, latent by latent: E along_j = shares_j C_j + (m/q) (1 - C_j), and m = 1 - sum of shares.
    leak = (1.0 - overlap) / (q * overlap)
    m = (1.0 - np.sum(along / overlap, axis=-1)) / (1.0 - leak.sum(axis=-1))
    return Parameters(
        task_noise=np.sqrt(noise),
        signal=total,
        missed=q * outside / scale,
        misalignment=m,
        shares=along / overlap - leak * m[..., None],
        latent_gains=gains,
        neural_noise=neural,
    )
