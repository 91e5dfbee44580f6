"""The parameters of the model as an appraisal knows them: values, and draws of what they may be."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from mcbrain.typing import Floats

__all__ = ["Estimates", "Parameters", "Shape"]


class Shape(NamedTuple):
    """Sizes of the two data sets.

    Attributes
    ----------
    n_task, n_brain : int
        Rows in use.
    d : int
        Inputs.
    p : int
        Channels in use.
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
    """The model's parameters: one value each, or one for each draw (leading axis ...).

    Attributes
    ----------
    task_noise : (...)
        sigma_y, in the units of y.
    signal : (...)
        Variance of y that a linear function of the inputs explains.
    missed : (...)
        Share of the signal that the latents of the estimated subspace cannot predict.
    latent_gains : (..., r)
        D: standard deviation that each latent causes over all channels, in units of R.
    neural_noise : (...)
        sigma_r of a channel (the geometric mean), in the units of the recordings.
    """

    task_noise: Floats
    signal: Floats
    missed: Floats
    latent_gains: Floats
    neural_noise: Floats

    def bounded(self) -> Parameters:
        """The same within the bounds of the model.

        Returns
        -------
        bounded : Parameters
            With no negative variance, and shares in [0, 1].
        """
        return replace(
            self,
            signal=np.maximum(self.signal, 1e-9 * self.task_noise**2),
            missed=np.clip(self.missed, 0.0, 1.0),
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
        What the parameters may be, within bounds: quantiles are intervals.
    subspace : (d, r)
        Orthonormal basis in the coordinates that were chosen.
    shape : Shape
        Rows in use (n_task, n_brain), inputs d, channels p, rank r.
    coordinates : str
        "raw" or "standardised": in which ridge has the smaller error.
    visible : bool
        Whether the recordings respond to the inputs more than shuffled ones.
    """

    value: Parameters
    draws: Parameters
    subspace: Floats
    shape: Shape
    coordinates: str
    visible: bool

    def interval(self, name: str, level: float = 0.95) -> tuple[Floats, Floats]:
        """Interval of one parameter.

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
