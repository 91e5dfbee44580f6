"""The two coordinates in which ridge and BEFS are fitted: inputs as they are, and standardised."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcbrain.typing import Floats

__all__ = ["COORDINATES", "Inputs", "coordinates"]

COORDINATES = ("raw", "standardised")


@dataclass(frozen=True)
class Inputs:
    """Inputs of both sides in one pair of coordinates, centred on each side.

    Attributes
    ----------
    name : str
        "raw" or "standardised".
    task : (n_task, d)
        Inputs of the task.
    brain : (n_brain, d)
        Inputs of the recordings.
    """

    name: str
    task: Floats
    brain: Floats


def coordinates(X: Floats, X_brain: Floats) -> tuple[Inputs, Inputs]:
    """Inputs as they are, up to one common unit, and with each column of each side standardised.

    A column that does not vary on one side is measured by its spread on the other.

    Parameters
    ----------
    X, X_brain : (n_task, d), (n_brain, d)
        Inputs of the two sides.

    Returns
    -------
    tuple of Inputs
        Raw and standardised.
    """
    task, brain = X - X.mean(axis=0), X_brain - X_brain.mean(axis=0)
    spread = [np.std(rows, axis=0) for rows in (task, brain)]
    unit = np.sqrt(np.mean(np.concatenate(spread) ** 2))
    fallback = np.maximum(*spread)
    own = [np.where(s > 1e-7 * fallback, s, fallback) for s in spread]
    return (
        Inputs("raw", task / unit, brain / unit),
        Inputs("standardised", task / own[0], brain / own[1]),
    )
