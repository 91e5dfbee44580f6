"""The singular values of a signal, found from those of the signal with noise."""

from __future__ import annotations

import numpy as np

from mcbrain.typing import Floats

__all__ = ["spiked_gains"]


def spiked_gains(values: Floats, noise: float, rows: int, columns: int) -> Floats:
    """Singular values of the signal in a matrix of signal plus noise, 0 where it is invisible.

    Parameters
    ----------
    values : (r,)
        Leading singular values of the noisy matrix.
    noise : float
        Standard deviation of an entry of the noise.
    rows, columns : int
        Dimensions of the noise (Gavish & Donoho 2017, equation 4, unscaled).

    Returns
    -------
    array (r,)
        In the units of `values`.
    """
    excess = values**2 - noise**2 * (rows + columns)
    inner = excess**2 - 4 * noise**4 * rows * columns
    visible = (inner > 0) & (excess > 0)
    signal = np.where(visible, excess + np.sqrt(np.where(visible, inner, 0.0)), 0.0)
    return np.asarray(np.sqrt(signal / 2))
