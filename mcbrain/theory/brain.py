"""What the task stage needs to know of the brain stage (theory/README.md 4d and 4e).

Every vector and matrix is written in the frame of `frame.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mcbrain.theory.frame import ShiftCoefficients, apply, dot, pad
from mcbrain.theory.subspace import Projection, SubspaceMoments
from mcbrain.typing import Floats

__all__ = ["BrainMoments", "brain_moments", "known_subspace_moments"]


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

    m_hat: Floats
    trace: Floats
    m_hat_trace: Floats
    residual: Floats
    missed_signal: Floats
    signal: Floats
    trace_m: Floats
    missed_drift: Floats
    signal_drift: Floats
    drift: Floats

    @classmethod
    def under_id(cls, m_hat: ArrayLike, rank: int, input_dim: int) -> BrainMoments:
        """Without a shift: M = I, and m_hat is all that counts of signal and subspace.

        Parameters
        ----------
        m_hat : array_like, shape (...)
            Share of the squared signal that the subspace misses, from 0 to 1.
        rank : array_like of int
            Rank r of the spared subspace P; 0 for ridge and OLS.
        input_dim : array_like of int
            Dimension d of the inputs.

        Returns
        -------
        BrainMoments
            With the leading axes of `m_hat`.
        """
        m, trace, zero = np.asarray(m_hat, dtype=float), np.asarray(float(rank)), np.zeros(())
        return cls(
            m_hat=m,
            trace=trace,
            m_hat_trace=m * trace,
            residual=m,
            missed_signal=m,
            signal=np.ones(()),
            trace_m=np.asarray(float(input_dim)),
            missed_drift=zero,
            signal_drift=zero,
            drift=zero,
        )


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
    subspace : SubspaceMoments
        Moments of C^, with leading axes (...).
    signal : array_like, shape (..., f)
        beta in the frame; see `signal_coordinates`. Its leading axes broadcast against those of
        `subspace` and `shift`.
    shift : ShiftCoefficients
        Second moment M of the test inputs, in the frame.
    input_dim : int
        d, at least the number of latents.
    drift : array_like, shape (..., f), optional
        Change of beta at test time in the frame; see `concept_drift`. None by default.

    Returns
    -------
    BrainMoments
        With the leading axes of the arguments, broadcast.

    Raises
    ------
    ValueError
        If the shift is not a multiple of the identity inside the measured block and `subspace` has
        no `product` and `square`.
    """
    k = subspace.c.shape[-1]
    size = shift.frame.shape[-1]
    b = pad(np.asarray(signal, dtype=float), size)
    P = Projection(subspace, k, input_dim)
    K = shift.frame
    drop = np.zeros_like(b) if drift is None else pad(np.asarray(drift, dtype=float), size)

    expected = P.apply_mean(b)
    left = b - expected  # E (I-P) beta
    m_hat = dot(b, left)
    trace = shift.identity * subspace.rank + P.trace_mean(K)
    overlap = P.overlap_trace(b, K)  # E[b'Pb tr(KP)]
    Kb = apply(K, b)
    residual = shift.identity * m_hat + dot(b, Kb) - 2.0 * dot(expected, Kb) + P.sandwich(b, K)
    M_drop = shift.identity[..., None] * drop + apply(K, drop)
    M_b = shift.identity[..., None] * b + Kb
    return BrainMoments(
        m_hat=m_hat,
        trace=trace,
        m_hat_trace=shift.identity * subspace.rank * m_hat + P.trace_mean(K) - overlap,
        residual=residual,
        missed_signal=dot(left, M_b),
        signal=dot(b, M_b),
        trace_m=shift.identity * input_dim + np.trace(K, axis1=-2, axis2=-1),
        missed_drift=dot(left, M_drop),
        signal_drift=dot(b, M_drop),
        drift=dot(drop, M_drop),
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
    weights : array_like, shape (..., d)
        beta, with |beta| = 1.
    basis : array_like, shape (d, r), or None
        Orthonormal basis of the subspace; None is P = 0.
    second_moment : array_like, shape (..., d, d)
        Second moment M of the test inputs.
    drift : array_like, shape (..., d), optional
        Change of beta at test time; none by default.

    Returns
    -------
    BrainMoments
        With the leading axes of the arguments, broadcast.
    """
    b = np.asarray(weights, dtype=float)
    M = np.asarray(second_moment, dtype=float)
    B = np.zeros((b.shape[-1], 0)) if basis is None else np.asarray(basis, dtype=float)
    drop = np.zeros_like(b) if drift is None else np.asarray(drift, dtype=float)
    left = b - (b @ B) @ B.T
    m_hat = dot(left, left)
    trace = np.einsum("ir,...ij,jr->...", B, M, B)
    return BrainMoments(
        m_hat=m_hat,
        trace=trace,
        m_hat_trace=m_hat * trace,
        residual=dot(left, apply(M, left)),
        missed_signal=dot(left, apply(M, b)),
        signal=dot(b, apply(M, b)),
        trace_m=np.trace(M, axis1=-2, axis2=-1),
        missed_drift=dot(left, apply(M, drop)),
        signal_drift=dot(b, apply(M, drop)),
        drift=dot(drop, apply(M, drop)),
    )
