"""Tests by chance: is there a response, and what is a brain worth that saw other stimuli.

The rows of the recordings are shuffled against the inputs, whole sets at a time. What the encoder
then explains is what it explains by chance; the subspaces that it then finds are controls for the
worth, as are subspaces that random combinations of the inputs' rows span.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from mcbrain.appraisal.coordinates import Inputs
from mcbrain.appraisal.encoding import Encoding, Response
from mcbrain.appraisal.principal import principal
from mcbrain.appraisal.recordings import Recordings, whitened
from mcbrain.appraisal.rows import Together
from mcbrain.typing import Floats

__all__ = ["CONTROLS", "Chance", "chance", "p_value", "random_subspaces", "shuffled_subspaces"]

SHUFFLES = 99
CONTROLS = 19
_MOST_ROWS = 1500
_MOST_AXES = 200


@dataclass(frozen=True)
class Chance:
    """Whether the recordings respond to the inputs.

    Attributes
    ----------
    p : float
        Share of shuffles in which the encoder explains at least as much.
    rows, shuffles : int
        Brain rows that were compared, and how often they were shuffled.
    """

    p: float
    rows: int
    shuffles: int

    @property
    def visible(self) -> bool:
        """Whether chance explains it in at most 1 % of shuffles."""
        return self.p <= 0.01


def p_value(found: float, by_chance: Floats) -> float:
    """Share of draws by chance that are at least as large, the one found among them.

    Parameters
    ----------
    found : float
        What was found.
    by_chance : (draws,)
        The same of each draw by chance.

    Returns
    -------
    float
        From 1 / (1 + draws) to 1.
    """
    return float(1 + np.count_nonzero(by_chance >= found)) / (1 + by_chance.size)


def _part(together: Together, rng: np.random.Generator) -> tuple[NDArray[np.integer], Together]:
    """Some of the rows, whole sets, and how they belong together."""
    n = together.sets.size
    rows = together.drawn(np.arange(n), min(n, _MOST_ROWS), rng)
    names = np.unique(together.sets[rows], return_inverse=True)[1]
    return rows, Together(names, names, together.given, together.gap, 0)


def chance(
    X: Floats,
    recordings: Recordings,
    together: Together,
    rng: np.random.Generator,
    progress: Callable[[float], None] | None = None,
) -> Chance:
    """Permutation test of a response: the largest share that one latent explains.

    Parameters
    ----------
    X : (n, d)
        Inputs of the recordings, in either coordinates.
    recordings : Recordings
        Of the same rows.
    together : Together
        Which rows are shuffled together.
    rng : numpy.random.Generator
        Of the shuffles.
    progress : callable, optional
        Called with the share done.

    Returns
    -------
    Chance
        The p value.
    """
    rows, sets = _part(together, rng)
    # What is whitened here is the total covariance, which no shuffle changes.
    recordings = whitened(recordings.taken(rows), np.zeros((rows.size, 0)), to_edge=True)
    axes = principal(X[rows])
    # The penalty depends on the inputs alone, so that shuffles are exchangeable.
    penalty = min(1.0, axes.sizes.size / rows.size) * float(np.mean(axes.sizes**2))
    U = axes.rows * (axes.sizes / np.sqrt(axes.sizes**2 + penalty))
    U = U[:, -_MOST_AXES:]  # the leading ones
    found = np.empty(SHUFFLES + 1)
    for i in range(SHUFFLES + 1):
        turned = U if i == 0 else U[sets.shuffled(rng)]
        found[i] = _largest(turned, recordings)
        if progress is not None:
            progress(i / SHUFFLES)
    return Chance(p_value(found[0], found[1:]), rows.size, SHUFFLES)


def _largest(U: Floats, recordings: Recordings) -> float:
    """The largest eigenvalue of U'R R'U."""
    if recordings.rows is None or recordings.channels > U.shape[1]:
        energy = U.T @ recordings.image(U)
    else:
        H = recordings.rows.T @ U
        energy = H @ H.T
    k = energy.shape[0]
    return float(linalg.eigvalsh(energy, subset_by_index=[k - 1, k - 1], check_finite=False)[0])


def shuffled_subspaces(
    inputs: Inputs,
    recordings: Recordings,
    together: Together,
    encoding: Encoding,
    rng: np.random.Generator,
) -> list[Floats]:
    """The subspaces that the encoder finds in shuffled recordings.

    Parameters
    ----------
    inputs : Inputs
        In the coordinates of the encoding.
    recordings : Recordings
        Of the brain rows.
    together : Together
        Which rows are shuffled together.
    encoding : Encoding
        Rank and penalty.
    rng : numpy.random.Generator
        Of the shuffles.

    Returns
    -------
    list of array (d, r)
        `CONTROLS` of them.
    """
    rows, sets = _part(together, rng)
    recordings = recordings.taken(rows)
    axes = principal(inputs.brain[rows])
    rank = min(encoding.rank, axes.sizes.size)
    out = []
    for _ in range(CONTROLS):
        U = axes.rows[sets.shuffled(rng)]
        response = Response(axes, U.T @ recordings.image(U))
        out.append(response.subspace(encoding.penalty, rank))
    return out


def random_subspaces(inputs: Inputs, rank: int, rng: np.random.Generator) -> list[Floats]:
    """Subspaces that random combinations of the brain's input rows span.

    Parameters
    ----------
    inputs : Inputs
        Whose covariance the directions have.
    rank : int
        Directions of each.
    rng : numpy.random.Generator
        Draws them.

    Returns
    -------
    list of array (d, r)
        `CONTROLS` of them.
    """
    X = inputs.brain
    draws = rng.standard_normal((X.shape[0], CONTROLS * rank))
    found = X.T @ draws
    return [
        np.asarray(linalg.qr(part, mode="economic")[0])
        for part in np.split(found, CONTROLS, axis=1)
    ]
