"""Moments of P, the projection on the estimated subspace, in the frame (theory/README.md 4e).

Outside the measured latents no direction is preferred by P: its law is invariant under rotations of
their complement, so its first two moments follow from those of C^ = A'PA alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcbrain.theory.frame import apply, dot
from mcbrain.typing import Floats

__all__ = ["Projection", "SubspaceMoments"]


@dataclass(frozen=True)
class SubspaceMoments:
    """First and second moments of C^ = A'PA, A the k measured latents (theory/README.md 4e).

    Leading axes (brain samples, blocks, ...) are the same for every field or broadcast.

    Attributes
    ----------
    rank
        tr P.
    c, c_squared, trace_c
        E C^, E C^C^ and E[tr(C^) C^], each (..., k, k).
    product, square
        E[C^_ii C^_jj] and E[C^_ij^2], each (..., k, k): with the symmetry C^ ~ SC^S, S any diagonal
        matrix of signs, they are all second moments. Needed only by a shift that is not a multiple
        of the identity inside the measured block; None if unknown.
    """

    rank: int
    c: Floats
    c_squared: Floats
    trace_c: Floats
    product: Floats | None = None
    square: Floats | None = None

    @classmethod
    def oracle(cls, latents: int) -> SubspaceMoments:
        """The measured block itself: C^ = I, rank k.

        Parameters
        ----------
        latents : int
            Number k of measured latents.

        Returns
        -------
        SubspaceMoments
            Without leading axes.
        """
        eye = np.eye(latents)
        return cls(latents, eye, eye, latents * eye, np.ones((latents, latents)), eye)

    @classmethod
    def none(cls, latents: int) -> SubspaceMoments:
        """No subspace at all, which is ridge or OLS: P = 0.

        Parameters
        ----------
        latents : int
            Number k of measured latents.

        Returns
        -------
        SubspaceMoments
            Without leading axes.
        """
        zero = np.zeros((latents, latents))
        return cls(0, zero, zero, zero, zero, zero)


class Projection:
    """Moments of P in the frame: blocks A (measured, k wide) and G (everything else).

    P = [[C, B], [B', E]] and (B, E) ~ (BR, R'ER) for every rotation R of the complement, which has
    `width` dimensions, so that given C
    E[B_ia B_jb] = 1{a=b} (C - C^2)_ij / width,   E E_ab = 1{a=b} (r - tr C) / width,
    E[E_ab E_cd] = x 1{a=b,c=d} + y (1{a=c,b=d} + 1{a=d,b=c}).

    Parameters
    ----------
    subspace : SubspaceMoments
        Moments of C, with leading axes (...).
    k : int
        Number of measured latents.
    input_dim : int
        d, at least k.
    """

    def __init__(self, subspace: SubspaceMoments, k: int, input_dim: int) -> None:
        self.moments, self.k = subspace, k
        # An empty complement has no coordinates with weight: any width gives its zeros.
        self.width = width = max(input_dim - k, 1)
        rank = subspace.rank
        tr_c = np.trace(subspace.c, axis1=-2, axis2=-1)
        tr_c2 = np.trace(subspace.c_squared, axis1=-2, axis2=-1)
        self.outside = (rank - tr_c) / width
        self.mixed = (subspace.c - subspace.c_squared) / width  # E BB' per direction
        self.joint = (rank * subspace.c - subspace.trace_c) / width  # E C_ij E_aa
        t1 = rank**2 - 2.0 * rank * tr_c + np.trace(subspace.trace_c, axis1=-2, axis2=-1)
        t2 = rank - 2.0 * tr_c + tr_c2
        if width == 1:
            self.x, self.y = t1, np.zeros_like(t1)
        else:
            scale = width * (width - 1) * (width + 2)
            self.x = ((width + 1) * t1 - 2.0 * t2) / scale
            self.y = (width * t2 - t1) / scale

    def apply_mean(self, b: Floats) -> Floats:
        """E Pb.

        Parameters
        ----------
        b : ndarray, shape (..., f)
            A vector in the frame.

        Returns
        -------
        ndarray, shape (..., f)
            A vector in the frame.
        """
        inside = apply(self.moments.c, b[..., : self.k])
        outside = self.outside[..., None] * b[..., self.k :]
        lead = np.broadcast_shapes(inside.shape[:-1], outside.shape[:-1])
        return np.concatenate(
            [np.broadcast_to(x, (*lead, x.shape[-1])) for x in (inside, outside)], axis=-1
        )

    def trace_mean(self, K: Floats) -> Floats:
        """E tr(PK).

        Parameters
        ----------
        K : ndarray, shape (..., f, f)
            A symmetric matrix in the frame.

        Returns
        -------
        ndarray, shape (...)
            In the units of `K`.
        """
        k = self.k
        inside = np.einsum("...ij,...ij->...", self.moments.c, K[..., :k, :k])
        return np.asarray(inside + self.outside * np.trace(K[..., k:, k:], axis1=-2, axis2=-1))

    def overlap_trace(self, b: Floats, K: Floats) -> Floats:
        """E[b'Pb tr(PK)].

        Parameters
        ----------
        b : ndarray, shape (..., f)
            A vector in the frame.
        K : ndarray, shape (..., f, f)
            A symmetric matrix in the frame.

        Returns
        -------
        ndarray, shape (...)
            In the units of `b` squared times those of `K`.
        """
        k = self.k
        bA, bG = b[..., :k], b[..., k:]
        AA, AG, GG = K[..., :k, :k], K[..., :k, k:], K[..., k:, k:]
        b2, tr_gg = dot(bG, bG), np.trace(GG, axis1=-2, axis2=-1)
        return np.asarray(
            self._inside_trace(bA, AA)
            + dot(bA, apply(self.joint, bA)) * tr_gg
            + b2 * np.einsum("...ij,...ij->...", self.joint, AA)
            + 4.0 * dot(bA, apply(self.mixed, apply(AG, bG)))
            + self.x * b2 * tr_gg
            + 2.0 * self.y * dot(bG, apply(GG, bG))
        )

    def sandwich(self, b: Floats, K: Floats) -> Floats:
        """E b'PKPb.

        Parameters
        ----------
        b : ndarray, shape (..., f)
            A vector in the frame.
        K : ndarray, shape (..., f, f)
            A symmetric matrix in the frame.

        Returns
        -------
        ndarray, shape (...)
            In the units of `b` squared times those of `K`.
        """
        k = self.k
        bA, bG = b[..., :k], b[..., k:]
        AA, AG, GG = K[..., :k, :k], K[..., :k, k:], K[..., k:, k:]
        b2, tr_gg = dot(bG, bG), np.trace(GG, axis1=-2, axis2=-1)
        crossed = apply(AG, bG)
        return np.asarray(
            self._inside_sandwich(bA, AA)
            + b2 * np.einsum("...ij,...ij->...", self.mixed, AA)
            + dot(bA, apply(self.mixed, bA)) * tr_gg
            + (self.x + self.y) * dot(bG, apply(GG, bG))
            + self.y * b2 * tr_gg
            + 2.0 * dot(bA, apply(self.joint + self.mixed, crossed))
        )

    def _inside_trace(self, b: Floats, K: Floats) -> Floats:
        """E[b'Cb tr(CK)], K inside the measured block."""
        if _is_scalar_matrix(K):
            return np.asarray(K[..., 0, 0] * dot(b, apply(self.moments.trace_c, b)))
        product, square = self._pairs()
        diagonal = np.diagonal(K, axis1=-2, axis2=-1)
        equal = dot(b * b, apply(product, diagonal))
        off = square * K * (1.0 - np.eye(self.k))
        return np.asarray(equal + 2.0 * dot(b, apply(off, b)))

    def _inside_sandwich(self, b: Floats, K: Floats) -> Floats:
        """E b'CKCb, K inside the measured block."""
        if _is_scalar_matrix(K):
            return np.asarray(K[..., 0, 0] * dot(b, apply(self.moments.c_squared, b)))
        product, square = self._pairs()
        diagonal = np.diagonal(K, axis1=-2, axis2=-1)
        off = square * (1.0 - np.eye(self.k))
        return np.asarray(
            dot(b, apply(product * K + off * K, b)) + dot(b * b, apply(off, diagonal))
        )

    def _pairs(self) -> tuple[Floats, Floats]:
        if self.moments.product is None or self.moments.square is None:
            raise ValueError(
                "this shift needs E[C_ii C_jj] and E[C_ij^2] of the brain stage, which are unknown "
                "here; shifts that treat all measured latents alike do not need them"
            )
        return self.moments.product, self.moments.square


def _is_scalar_matrix(K: Floats) -> bool:
    return bool(np.all(K[..., :1, :1] * np.eye(K.shape[-1]) == K))
