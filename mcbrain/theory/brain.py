"""What the task stage needs to know of the estimated subspace (theory/README.md 4d and 4e).

Every vector and matrix is written in the frame of `frame.py`. Outside the measured latents no
direction is preferred by P: its law is invariant under rotations of their complement, so its first
two moments follow from those of C^ = A'PA alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mcbrain.theory.frame import ShiftCoefficients, pad

__all__ = ["BrainMoments", "SubspaceMoments", "brain_moments", "known_subspace_moments"]

Array = NDArray[np.float64]


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
    c: Array
    c_squared: Array
    trace_c: Array
    product: Array | None = None
    square: Array | None = None

    @classmethod
    def oracle(cls, latents: int) -> SubspaceMoments:
        """The measured block itself: C^ = I, rank k."""
        eye = np.eye(latents)
        return cls(latents, eye, eye, latents * eye, np.ones((latents, latents)), eye)

    @classmethod
    def none(cls, latents: int) -> SubspaceMoments:
        """No subspace at all, which is ridge or OLS: P = 0."""
        zero = np.zeros((latents, latents))
        return cls(0, zero, zero, zero, zero, zero)


@dataclass(frozen=True)
class BrainMoments:
    """All that the risk needs of signal, subspace and shift (theory/README.md 4b, 4d); |beta| = 1.

    Attributes
    ----------
    m_hat, trace, m_hat_trace
        E m_hat, E tr(PM), E[m_hat tr(PM)].
    residual, missed_signal, signal
        E b'(I-P)M(I-P)b, E b'(I-P)Mb and b'Mb, where b = beta.
    trace_m
        tr M.
    missed_drift, signal_drift, drift
        E b'(I-P)MD, b'MD and D'MD, where D is the change of beta at test time.
    """

    m_hat: Array
    trace: Array
    m_hat_trace: Array
    residual: Array
    missed_signal: Array
    signal: Array
    trace_m: Array
    missed_drift: Array
    signal_drift: Array
    drift: Array


def brain_moments(
    subspace: SubspaceMoments,
    signal: ArrayLike,
    shift: ShiftCoefficients,
    input_dim: int,
    drift: ArrayLike | None = None,
) -> BrainMoments:
    """Moments of an estimated subspace under a shift, exact (theory/README.md 4e).

    Parameters
    ----------
    subspace
        Moments of C^, leading axes (...).
    signal, drift
        beta and its change at test time in the frame, (..., f); see `signal_coordinates` and
        `concept_drift`. Leading axes broadcast against those of `subspace` and `shift`.
    input_dim
        d, at least the number of latents.

    Raises
    ------
    ValueError
        If the shift is not a multiple of the identity inside the measured block and `subspace` has
        no `product` and `square`.
    """
    k = subspace.c.shape[-1]
    size = shift.frame.shape[-1]
    b = pad(np.asarray(signal, dtype=float), size)
    P = _Projection(subspace, k, input_dim)
    K = shift.frame
    drop = np.zeros_like(b) if drift is None else pad(np.asarray(drift, dtype=float), size)

    expected = P.apply_mean(b)
    left = b - expected  # E (I-P) beta
    m_hat = _dot(b, left)
    trace = shift.identity * subspace.rank + P.trace_mean(K)
    overlap = P.overlap_trace(b, K)  # E[b'Pb tr(KP)]
    Kb = _apply(K, b)
    residual = shift.identity * m_hat + _dot(b, Kb) - 2.0 * _dot(expected, Kb) + P.sandwich(b, K)
    M_drop = shift.identity[..., None] * drop + _apply(K, drop)
    M_b = shift.identity[..., None] * b + Kb
    return BrainMoments(
        m_hat=m_hat,
        trace=trace,
        m_hat_trace=shift.identity * subspace.rank * m_hat + P.trace_mean(K) - overlap,
        residual=residual,
        missed_signal=_dot(left, M_b),
        signal=_dot(b, M_b),
        trace_m=shift.identity * input_dim + np.trace(K, axis1=-2, axis2=-1),
        missed_drift=_dot(left, M_drop),
        signal_drift=_dot(b, M_drop),
        drift=_dot(drop, M_drop),
    )


def known_subspace_moments(
    weights: ArrayLike,
    basis: ArrayLike | None,
    second_moment: ArrayLike,
    drift: ArrayLike | None = None,
) -> BrainMoments:
    """Moments for a subspace that is known (ridge, OLS, oracle), whatever M (theory/README.md 4b).

    Parameters
    ----------
    weights, drift
        (..., d), beta with |beta| = 1, and its change at test time.
    basis
        (d, r) orthonormal; None is P = 0.
    second_moment
        (..., d, d), M.
    """
    b = np.asarray(weights, dtype=float)
    M = np.asarray(second_moment, dtype=float)
    B = np.zeros((b.shape[-1], 0)) if basis is None else np.asarray(basis, dtype=float)
    drop = np.zeros_like(b) if drift is None else np.asarray(drift, dtype=float)
    left = b - (b @ B) @ B.T
    m_hat = _dot(left, left)
    trace = np.einsum("ir,...ij,jr->...", B, M, B)
    return BrainMoments(
        m_hat=m_hat,
        trace=trace,
        m_hat_trace=m_hat * trace,
        residual=_dot(left, _apply(M, left)),
        missed_signal=_dot(left, _apply(M, b)),
        signal=_dot(b, _apply(M, b)),
        trace_m=np.trace(M, axis1=-2, axis2=-1),
        missed_drift=_dot(left, _apply(M, drop)),
        signal_drift=_dot(b, _apply(M, drop)),
        drift=_dot(drop, _apply(M, drop)),
    )


class _Projection:
    """Moments of P in the frame: blocks A (measured, k wide) and G (everything else).

    P = [[C, B], [B', E]] and (B, E) ~ (BR, R'ER) for every rotation R of the complement, which has
    `width` dimensions, so that given C
    E[B_ia B_jb] = 1{a=b} (C - C^2)_ij / width,   E E_ab = 1{a=b} (r - tr C) / width,
    E[E_ab E_cd] = x 1{a=b,c=d} + y (1{a=c,b=d} + 1{a=d,b=c}).
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

    def apply_mean(self, b: Array) -> Array:
        """E Pb."""
        inside = _apply(self.moments.c, b[..., : self.k])
        outside = self.outside[..., None] * b[..., self.k :]
        lead = np.broadcast_shapes(inside.shape[:-1], outside.shape[:-1])
        return np.concatenate(
            [np.broadcast_to(x, (*lead, x.shape[-1])) for x in (inside, outside)], axis=-1
        )

    def trace_mean(self, K: Array) -> Array:
        """E tr(PK)."""
        k = self.k
        inside = np.einsum("...ij,...ij->...", self.moments.c, K[..., :k, :k])
        return np.asarray(inside + self.outside * np.trace(K[..., k:, k:], axis1=-2, axis2=-1))

    def overlap_trace(self, b: Array, K: Array) -> Array:
        """E[b'Pb tr(PK)]."""
        k = self.k
        bA, bG = b[..., :k], b[..., k:]
        AA, AG, GG = K[..., :k, :k], K[..., :k, k:], K[..., k:, k:]
        b2, tr_gg = _dot(bG, bG), np.trace(GG, axis1=-2, axis2=-1)
        return np.asarray(
            self._inside_trace(bA, AA)
            + _dot(bA, _apply(self.joint, bA)) * tr_gg
            + b2 * np.einsum("...ij,...ij->...", self.joint, AA)
            + 4.0 * _dot(bA, _apply(self.mixed, _apply(AG, bG)))
            + self.x * b2 * tr_gg
            + 2.0 * self.y * _dot(bG, _apply(GG, bG))
        )

    def sandwich(self, b: Array, K: Array) -> Array:
        """E b'PKPb."""
        k = self.k
        bA, bG = b[..., :k], b[..., k:]
        AA, AG, GG = K[..., :k, :k], K[..., :k, k:], K[..., k:, k:]
        b2, tr_gg = _dot(bG, bG), np.trace(GG, axis1=-2, axis2=-1)
        crossed = _apply(AG, bG)
        return np.asarray(
            self._inside_sandwich(bA, AA)
            + b2 * np.einsum("...ij,...ij->...", self.mixed, AA)
            + _dot(bA, _apply(self.mixed, bA)) * tr_gg
            + (self.x + self.y) * _dot(bG, _apply(GG, bG))
            + self.y * b2 * tr_gg
            + 2.0 * _dot(bA, _apply(self.joint + self.mixed, crossed))
        )

    def _inside_trace(self, b: Array, K: Array) -> Array:
        """E[b'Cb tr(CK)], K inside the measured block."""
        if _is_scalar_matrix(K):
            return np.asarray(K[..., 0, 0] * _dot(b, _apply(self.moments.trace_c, b)))
        product, square = self._pairs()
        diagonal = np.diagonal(K, axis1=-2, axis2=-1)
        equal = _dot(b * b, _apply(product, diagonal))
        off = square * K * (1.0 - np.eye(self.k))
        return np.asarray(equal + 2.0 * _dot(b, _apply(off, b)))

    def _inside_sandwich(self, b: Array, K: Array) -> Array:
        """E b'CKCb, K inside the measured block."""
        if _is_scalar_matrix(K):
            return np.asarray(K[..., 0, 0] * _dot(b, _apply(self.moments.c_squared, b)))
        product, square = self._pairs()
        diagonal = np.diagonal(K, axis1=-2, axis2=-1)
        off = square * (1.0 - np.eye(self.k))
        return np.asarray(
            _dot(b, _apply(product * K + off * K, b)) + _dot(b * b, _apply(off, diagonal))
        )

    def _pairs(self) -> tuple[Array, Array]:
        if self.moments.product is None or self.moments.square is None:
            raise ValueError(
                "this shift needs E[C_ii C_jj] and E[C_ij^2] of the brain stage, which are unknown "
                "here; shifts that treat all measured latents alike do not need them"
            )
        return self.moments.product, self.moments.square


def _is_scalar_matrix(K: Array) -> bool:
    return bool(np.all(K[..., :1, :1] * np.eye(K.shape[-1]) == K))


def _dot(x: Array, y: Array) -> Array:
    return np.asarray(np.einsum("...i,...i->...", x, y))


def _apply(matrix: Array, x: Array) -> Array:
    return np.asarray(np.einsum("...ij,...j->...i", matrix, x))
