"""The frame in which signal, shifts and concept changes are written (theory/README.md 4e).

Orthonormal directions: the latents A_1..A_k (measured ones first), then u, then one direction
outside span(A, u), then, for a dense second moment only, the rest of the space.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mcbrain.typing import Floats

__all__ = ["ShiftCoefficients", "apply", "concept_drift", "dot", "pad", "signal_coordinates"]


@dataclass(frozen=True)
class ShiftCoefficients:
    """Second moment of the test inputs, M = identity I + F frame F', F the frame.

    Attributes
    ----------
    identity
        (...), weight of the identity.
    frame
        (..., f, f) symmetric, f >= k + 2 directions in the order above.
    """

    identity: Floats
    frame: Floats

    @classmethod
    def structured(
        cls,
        latent_dim: int,
        identity: ArrayLike = 1.0,
        brain: ArrayLike = 0.0,
        missed: ArrayLike = 0.0,
        outside: ArrayLike = 0.0,
        brain_direction: ArrayLike | None = None,
    ) -> ShiftCoefficients:
        """M = identity I + brain AA' + missed uu' + outside oo' + (Av)(Av)', v = brain_direction.

        A holds all k latents, measured or not, and u and o are directions outside span(A), as in
        the definition of the shifts (theory/README.md 2). Weights broadcast; v is (..., k) and
        carries its own size.

        Parameters
        ----------
        latent_dim : int
            Number of all latents, measured or not.
        identity : array_like, shape (...)
            Weight of I.
        brain : array_like, shape (...)
            Weight of AA'.
        missed : array_like, shape (...)
            Weight of uu', the direction of the signal outside the latents.
        outside : array_like, shape (...)
            Weight of oo', a direction outside latents and signal.
        brain_direction : array_like, shape (..., k), optional
            A direction v among the latents; none by default.

        Returns
        -------
        ShiftCoefficients
            In the frame of latents, u and outside.
        """
        identity, brain, missed, outside = np.broadcast_arrays(
            *(np.asarray(x, dtype=float) for x in (identity, brain, missed, outside))
        )
        weights = np.concatenate(
            [
                np.broadcast_to(brain[..., None], (*brain.shape, latent_dim)),
                missed[..., None],
                outside[..., None],
            ],
            axis=-1,
        )
        frame = weights[..., None] * np.eye(latent_dim + 2)
        if brain_direction is not None:
            v = pad(np.asarray(brain_direction, dtype=float), latent_dim + 2)
            frame = frame + v[..., :, None] * v[..., None, :]
        return cls(identity, frame)

    @classmethod
    def dense(cls, second_moment: ArrayLike, basis: ArrayLike) -> ShiftCoefficients:
        """Any M (..., d, d) in a whole basis of the space.

        Parameters
        ----------
        second_moment
            (..., d, d), M.
        basis
            (d, f), orthonormal columns A, u, o, then the rest. Where d < k + 2 there is no room for
            o, or for u either: their columns are 0, so that every frame has the same directions.

        Returns
        -------
        ShiftCoefficients
            In the frame of `basis`.
        """
        Q = np.asarray(basis, dtype=float)
        frame = np.swapaxes(Q, -1, -2) @ np.asarray(second_moment, dtype=float) @ Q
        return cls(np.zeros(frame.shape[:-2]), frame)


def signal_coordinates(misalignment: ArrayLike, loadings: ArrayLike) -> Floats:
    """beta in the frame, (..., k + 2): latents, u, outside.

    Parameters
    ----------
    misalignment
        (...), m of the model, not of the measured block.
    loadings
        (..., k), unit vector a over all latents.

    Returns
    -------
    ndarray, shape (..., k + 2)
        A vector of unit length.
    """
    m = np.asarray(misalignment, dtype=float)[..., None]
    inside = np.sqrt(1.0 - m) * np.asarray(loadings, dtype=float)
    missed = np.broadcast_to(np.sqrt(m), (*inside.shape[:-1], 1))
    return np.concatenate([inside, missed, np.zeros_like(missed)], axis=-1)


def concept_drift(
    signal: ArrayLike, angle: ArrayLike, brain_direction: ArrayLike | None = None
) -> Floats:
    """beta_te - beta in the frame, beta turned by `angle` towards a unit vector orthogonal to it.

    Parameters
    ----------
    signal : array_like, shape (..., k + 2)
        beta from `signal_coordinates`.
    angle : array_like, shape (...)
        Angle in radians by which beta turns.
    brain_direction : array_like, shape (..., k), optional
        Unit vector orthogonal to the loadings; None turns towards the outside direction.

    Returns
    -------
    ndarray, shape (..., k + 2)
        The difference of two vectors of equal length.
    """
    b = np.asarray(signal, dtype=float)
    angle = np.asarray(angle, dtype=float)[..., None]
    if brain_direction is None:
        w = np.zeros(b.shape[-1])
        w[-1] = 1.0
    else:
        w = pad(np.asarray(brain_direction, dtype=float), b.shape[-1])
    return np.asarray((np.cos(angle) - 1.0) * b + np.sin(angle) * w)


def pad(x: Floats, size: int) -> Floats:
    """x with zeros appended along its last axis.

    Parameters
    ----------
    x : ndarray, shape (..., n)
        Vectors along the last axis.
    size : int
        Length of the last axis afterwards, at least n.

    Returns
    -------
    ndarray, shape (..., size)
        The padded vectors.
    """
    widths = [(0, 0)] * (x.ndim - 1) + [(0, size - x.shape[-1])]
    return np.pad(x, widths)


def dot(x: Floats, y: Floats) -> Floats:
    """Inner product along the last axis.

    Parameters
    ----------
    x : ndarray, shape (..., n)
        Vectors along the last axis.
    y : ndarray, shape (..., n)
        Vectors along the last axis.

    Returns
    -------
    ndarray, shape (...)
        The products.
    """
    return np.asarray(np.einsum("...i,...i->...", x, y))


def apply(matrix: Floats, x: Floats) -> Floats:
    """A matrix on a vector, over leading axes.

    Parameters
    ----------
    matrix : ndarray, shape (..., m, n)
        Matrices, whose leading axes broadcast against those of `x`.
    x : ndarray, shape (..., n)
        Vectors along the last axis.

    Returns
    -------
    ndarray, shape (..., m)
        The products.
    """
    return np.asarray(np.einsum("...ij,...j->...i", matrix, x))
