"""The parameters of the model as an appraisal knows them: values, and bootstrap draws."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from mcbrain.theory.asymptotic import subspace_law
from mcbrain.typing import Floats

__all__ = ["Estimates", "Parameters", "Shape", "latent_overlaps", "missed_signal"]


class Shape(NamedTuple):
    """Sizes of the two data sets as the laws count them.

    Attributes
    ----------
    n_task, n_brain : int
        Rows less one each, since the mean is fitted too.
    d : int
        Inputs.
    p : int
        Channels.
    r : int
        Rank of the subspace.
    """

    n_task: int
    n_brain: int
    d: int
    p: int
    r: int


@dataclass(frozen=True)
class Parameters:
    """The model's parameters: one value each, or one for each bootstrap draw (leading axis ...).

    Attributes
    ----------
    task_noise : (...)
        sigma_y, in the units of y.
    signal : (...)
        |beta|^2, the variance of y that the inputs explain.
    missed : (...)
        m_hat, the share of the signal outside the *estimated* subspace.
    misalignment : (...)
        m, the share outside the *true* subspace of the latents in use.
    shares : (..., r)
        Share of the signal along each true latent, (1 - m) a_j^2.
    latent_gains : (..., r)
        D, in the units of the recordings.
    neural_noise : (...)
        sigma_r, in the units of the recordings.
    """

    task_noise: Floats
    signal: Floats
    missed: Floats
    misalignment: Floats
    shares: Floats
    latent_gains: Floats
    neural_noise: Floats

    def bounded(self) -> Parameters:
        """The same within the bounds of the model.

        Returns
        -------
        bounded : Parameters
            With no negative variance, and shares in [0, 1] that sum to 1 - m.
        """
        m = np.clip(self.misalignment, 0.0, 1.0)
        shares = np.clip(self.shares, 1e-9, None)
        return replace(
            self,
            signal=np.maximum(self.signal, 1e-9 * self.task_noise**2),
            missed=np.clip(self.missed, 0.0, 1.0),
            misalignment=m,
            shares=shares * ((1.0 - m) / shares.sum(axis=-1))[..., None],
            latent_gains=np.maximum(self.latent_gains, 0.0),
        )


@dataclass(frozen=True)
class Estimates:
    """Estimates of one pair of data sets.

    Attributes
    ----------
    value : Parameters
        The estimates, unbiased and so not always within the model's bounds.
    draws : Parameters
        What the parameters may be, within bounds: quantiles are bootstrap intervals.
    subspace : (d, r)
        Orthonormal basis in whitened coordinates.
    shape : Shape
        Rows after centring (n_task, n_brain), inputs d, channels p, rank r.
    visible : bool
        Whether the recordings respond to the inputs more than noise would.
    """

    value: Parameters
    draws: Parameters
    subspace: Floats
    shape: Shape
    visible: bool

    def interval(self, name: str, level: float = 0.95) -> tuple[Floats, Floats]:
        """Bootstrap interval of one parameter.

        Parameters
        ----------
        name : str
            A field of `Parameters`.
        level : float
            Its coverage, between 0 and 1.

        Returns
        -------
        low, high : array
            The two ends, in the shape of a single value.
        """
        tail = (1.0 - level) / 2.0
        low, high = np.quantile(getattr(self.draws, name), [tail, 1.0 - tail], axis=0)
        return low, high


def latent_overlaps(gains: Floats, noise: Floats, n_brain: float, d: int, p: int) -> Floats:
    """Mean squared overlap C_j of each latent with the estimated subspace (theory/README.md 5b).

    Parameters
    ----------
    gains : (..., r)
        Latent gains.
    noise : (...)
        Standard deviation of the neural noise, in the units of `gains`.
    n_brain : float
        Rows that remain after centring.
    d, p : int
        Inputs and channels.

    Returns
    -------
    array (..., r)
        From 0 to 1.
    """
    law = subspace_law(n_brain, gains, neural_noise=noise, input_dim=d, n_channels=p)
    return np.diagonal(law.c, axis1=-2, axis2=-1)


def missed_signal(parameters: Parameters, n_brain: float, d: int, p: int) -> Floats:
    """Expected share of the signal outside the subspace estimated from n_brain rows (4e).

    Parameters
    ----------
    parameters : Parameters
        `shares` are those of the true latents.
    n_brain : float
        Rows, before centring.
    d, p : int
        Inputs and channels.

    Returns
    -------
    array (...)
        From 0 to 1 for parameters within bounds.
    """
    overlap = latent_overlaps(parameters.latent_gains, parameters.neural_noise, n_brain - 1, d, p)
    r = overlap.shape[-1]
    m = np.asarray(parameters.misalignment)
    found = np.sum(parameters.shares * overlap, axis=-1)
    return np.asarray(1.0 - found - m / (d - r) * (r - overlap.sum(axis=-1)))
