"""Estimated subspaces under any covariance, drawn without recordings (theory/README.md 5g).

The number of channels never enters the cost: of what the latents do not reach, only a Wishart
matrix is drawn. Everything is written in the eigenbasis of the inputs' covariance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mcbrain.errors import InputError
from mcbrain.typing import Floats

__all__ = ["BrainSetting", "drawn_subspaces"]


@dataclass(frozen=True)
class BrainSetting:
    """What the recordings are drawn from, and how they are encoded.

    Attributes
    ----------
    spectrum : ndarray, shape (d,)
        Eigenvalues of the inputs' covariance.
    brain_map : ndarray, shape (d, k)
        A of the measured latents, orthonormal columns in the eigenbasis of the covariance.
    gains : ndarray, shape (k,)
        D, the gain of each latent in the recordings.
    n_channels : int
        p, at least k.
    noise : float
        sigma_r, the standard deviation of the recording noise.
    n_brain : int
        Number of brain samples.
    rank : int
        r of the estimated subspace.
    penalty : float
        Ridge penalty of the encoder, per sample; 0 is least squares, of minimum norm below d.
    """

    spectrum: Floats
    brain_map: Floats
    gains: Floats
    n_channels: int
    noise: float
    n_brain: int
    rank: int
    penalty: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a rank that the recordings cannot give."""
        d, k = self.brain_map.shape
        largest = min(self.n_brain, d, self.n_channels)
        if not 1 <= self.rank <= largest:
            raise InputError(
                f"rank = {self.rank}: from 1 to min(n_brain, input_dim, n_channels) = {largest} "
                "is allowed"
            )
        if self.n_channels < k:
            raise InputError(
                f"n_channels = {self.n_channels}: at least the {k} measured latents are needed"
            )
        if not self.penalty >= 0.0:
            raise InputError(f"encoding penalty = {self.penalty}: a number >= 0 is allowed")


def drawn_subspaces(
    setting: BrainSetting, rng: np.random.Generator, count: int
) -> Iterator[Floats]:
    """Bases of the estimated subspace, one for each imagined data set.

    Parameters
    ----------
    setting : BrainSetting
    rng : numpy.random.Generator
    count : int

    Yields
    ------
    ndarray, shape (d, r)
        Orthonormal columns in the eigenbasis of the covariance.

    Notes
    -----
    With X = U Lambda^(1/2) V' the fitted recordings X B_hat are, in the basis U, the matrix
    Y = D (Lambda^(1/2) V'AH' + noise), D = Lambda/(Lambda + n_brain penalty), and the subspace is
    V Lambda^(-1/2) times the leading left singular vectors of Y: an identity at every n_brain.
    """
    for _ in range(count):
        squares, V = _inputs(setting, rng)
        roots = np.sqrt(squares)
        shrunk = squares / (squares + setting.n_brain * setting.penalty)
        signal = (roots[:, None] * (V.T @ setting.brain_map)) * setting.gains
        Y = shrunk[:, None] * np.hstack(_recordings(setting, rng, signal))
        left = np.linalg.svd(Y, full_matrices=False)[0][:, : setting.rank]
        yield np.linalg.qr(V @ (left / roots[:, None]))[0]


def _inputs(setting: BrainSetting, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Eigenvalues (m,) and eigenvectors (d, m) of X'X, m = min(n_brain, d)."""
    d, n = setting.spectrum.size, setting.n_brain
    if n <= d:
        X = rng.standard_normal((n, d)) * np.sqrt(setting.spectrum)
        _, roots, Vt = np.linalg.svd(X, full_matrices=False)
        return roots**2, Vt.T
    # Bartlett: X'X = LL' with L lower triangular, whatever n.
    L = np.tril(rng.standard_normal((d, d)), -1)
    L[np.diag_indices(d)] = np.sqrt(rng.chisquare(n - np.arange(d)))
    U, roots, _ = np.linalg.svd(np.sqrt(setting.spectrum)[:, None] * L)
    return roots**2, U


def _recordings(
    setting: BrainSetting, rng: np.random.Generator, signal: Floats
) -> tuple[Floats, Floats]:
    """Channels that the latents reach (m, k), and a factor of all others' Wishart matrix."""
    m, k = signal.shape
    rest = setting.n_channels - k
    width = min(m, rest)
    factor = np.tril(rng.standard_normal((m, width)), -1)
    factor[np.arange(width), np.arange(width)] = np.sqrt(rng.chisquare(rest - np.arange(width)))
    reached = signal + setting.noise * rng.standard_normal((m, k))
    return reached, setting.noise * factor
