"""Everything that the recordings say: read, whitened, tested, and encoded in both coordinates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mcbrain.appraisal.controls import (
    Chance,
    chance,
    random_subspaces,
    shuffled_subspaces,
)
from mcbrain.appraisal.coordinates import Inputs
from mcbrain.appraisal.encoding import Encoding, Response, choose_encoding, crossed, subspace_of
from mcbrain.appraisal.principal import principal
from mcbrain.appraisal.recordings import Recordings, read, whitened
from mcbrain.appraisal.rows import Order, Together, order_of
from mcbrain.errors import InputError
from mcbrain.typing import Floats

__all__ = ["BrainSide", "Noise", "brain_side"]

Report = Callable[[str, float], None]

_FEWEST_ROWS = 20
_SPARE_ROWS = 20
_NEGLIGIBLE = 1e-3
_LEVEL_DRAWS = 5
_COSTLY = 2e10  # operations of an encoding, above which fewer subsets of the brain rows are drawn


@dataclass(frozen=True)
class Noise:
    """What the inputs leave of the recordings.

    Attributes
    ----------
    size : float
        Standard deviation of a channel, the geometric mean, in the units of R.
    error : float
        Relative standard error of its square, sets of rows taken as independent.
    order : Order
        Whether neighbouring rows are alike.
    """

    size: float
    error: float
    order: Order


@dataclass
class BrainSide:
    """The recordings and what is learned from them.

    Attributes
    ----------
    inputs : sequence of Inputs
        Both coordinates.
    recordings : Recordings
        Of equal noise, shared noise whitened.
    together : Together
        Which brain rows belong together.
    encodings : list of Encoding
        Of either coordinates.
    full : list of array (d, r)
        The subspace that all brain rows give.
    gains : (r,)
        Latent gains in the units of R, in the first coordinates.
    noise : Noise
        Of a channel.
    chance : Chance
        Whether there is a response at all.
    levels : list of int
        Numbers of brain rows that are compared, all first.
    seed : int
        Of subsets and controls.
    wholes : list of array or None
        As `encoding.crossed` gives them.
    """

    inputs: Sequence[Inputs]
    recordings: Recordings
    together: Together
    encodings: list[Encoding]
    full: list[Floats]
    gains: Floats
    noise: Noise
    chance: Chance
    levels: list[int]
    seed: int
    wholes: list[Floats | None]
    _drawn: dict[tuple[int, int, int], Floats] = field(default_factory=dict)
    _controls: dict[int, list[Floats]] = field(default_factory=dict)

    def subspace(self, coordinates: int, level: int, draw: int) -> Floats:
        """The subspace that a random part of the brain rows gives; all at level 0.

        Parameters
        ----------
        coordinates, level, draw : int
            Places in `inputs` and `levels`, and which part.

        Returns
        -------
        array (d, r)
            Orthonormal columns.
        """
        if level == 0:
            return self.full[coordinates]
        X = self.inputs[coordinates].brain
        cost = X.shape[0] * X.shape[1] * min(X.shape[0], self.recordings.channels)
        draw %= 2 if cost > _COSTLY else _LEVEL_DRAWS
        key = coordinates, level, draw
        if key not in self._drawn:
            rng = np.random.default_rng([self.seed, 3, level, draw])
            rows = self.together.drawn(np.arange(X.shape[0]), self.levels[level], rng)
            self._drawn[key] = subspace_of(
                X, self.recordings, rows, self.encodings[coordinates], self.wholes[coordinates]
            )
        return self._drawn[key]

    def controls(self, coordinates: int) -> list[Floats]:
        """Subspaces of shuffled recordings, then random ones.

        Parameters
        ----------
        coordinates : int
            Place in `inputs`.

        Returns
        -------
        list of array (d, r)
            Twice `CONTROLS` of them.
        """
        if coordinates not in self._controls:
            rng = np.random.default_rng([self.seed, 4])
            encoding, inputs = self.encodings[coordinates], self.inputs[coordinates]
            shuffled = shuffled_subspaces(inputs, self.recordings, self.together, encoding, rng)
            self._controls[coordinates] = [
                *shuffled,
                *random_subspaces(inputs, encoding.rank, rng),
            ]
        return self._controls[coordinates]


def brain_side(
    inputs: Sequence[Inputs],
    R: NDArray[np.generic],
    keep: NDArray[np.integer],
    together: Together,
    *,
    n_latents: int | None,
    seed: int,
    report: Report,
) -> BrainSide:
    """Read the recordings and encode them.

    Parameters
    ----------
    inputs : sequence of Inputs
        Both coordinates.
    R : (n, p)
        Recordings.
    keep : (n_brain,)
        Rows to use.
    together : Together
        Which of them belong together.
    n_latents : int, optional
        The rank; chosen if None.
    seed : int
        Of folds, shuffles and subsets.
    report : callable
        Called with a step and the share of it that is done.

    Returns
    -------
    BrainSide
        Encoded in both coordinates.

    Raises
    ------
    InputError
        An impossible rank, or recordings that cannot be used.
    """
    axes = principal(inputs[0].brain)
    n, k = axes.rows.shape
    U = axes.rows[:, max(0, k - max(1, n - 1 - max(_SPARE_ROWS, n // 3))) :]
    plain = read(R, keep, U, lambda share: report("read", share))
    most = min(plain.channels, inputs[0].brain.shape[1], max(1, n // 2))
    if n_latents is not None and n_latents > most:
        raise InputError(
            f"n_latents is {n_latents}: with {inputs[0].brain.shape[1]} inputs, {plain.channels} "
            f"channels and {n} brain rows it must be at most {most}"
        )
    noise = _noise(plain, U, together)
    tested = chance(
        inputs[0].brain,
        plain,
        together,
        np.random.default_rng([seed, 1]),
        lambda share: report("shuffle", share),
    )
    recordings = whitened(plain, U)
    encodings: list[Encoding] = []
    full: list[Floats] = []
    wholes: list[Floats | None] = []
    for j, one in enumerate(inputs):
        rng = np.random.default_rng([seed, 2])

        def part(share: float, done: int = j) -> None:
            report("encode", (done + share) / len(inputs))

        whole = crossed(one.brain, recordings)
        encoding = choose_encoding(one.brain, recordings, together, n_latents, rng, whole, part)
        response, _ = Response.of(one.brain, recordings, np.arange(n), whole)
        rank = min(encoding.rank, response.axes.sizes.size)
        if not full:
            gains = response.gains(rank, recordings.channels) * recordings.scale
        encodings.append(encoding)
        full.append(response.subspace(encoding.penalty, rank))
        wholes.append(whole)
    levels = [n, *(part for part in (n // 2, n // 4) if part >= _FEWEST_ROWS)]
    return BrainSide(
        inputs,
        recordings,
        together,
        encodings,
        full,
        gains,
        noise,
        tested,
        levels,
        seed,
        wholes,
    )


def _noise(recordings: Recordings, U: Floats, together: Together) -> Noise:
    """Size, error and order of what the inputs leave of the recordings."""
    image = recordings.image(U)
    energy = U.T @ image
    turned = U @ energy
    rows = recordings.squares() - 2.0 * np.sum(U * image, axis=1) + np.sum(U * turned, axis=1)
    a, b = slice(1, None), slice(None, -1)
    if recordings.rows is not None:
        beside = np.sum(recordings.rows[a] * recordings.rows[b], axis=1)
    else:
        assert recordings.gram is not None
        beside = np.diagonal(recordings.gram, 1).copy()
    beside -= np.sum(U[a] * image[b], axis=1) + np.sum(U[b] * image[a], axis=1)
    beside += np.sum(U[a] * turned[b], axis=1)
    # The fit makes residuals of alike inputs unlike: that is added back.
    n = rows.size
    level = float(rows.sum()) / (n - 1 - U.shape[1])
    beside += level * np.sum(U[a] * U[b], axis=1)
    order = order_of(beside, level, together)
    taken = _taken_by_fit(U, order.correlation) if order.dependent else 1.0 + U.shape[1]
    size = recordings.scale * np.sqrt((n - 1.0 - U.shape[1]) / max(n - taken, 1.0))
    return Noise(float(size), together.spread(rows), order)


def _taken_by_fit(U: Floats, rho: float) -> float:
    """How many rows' worth of AR(1) noise the mean and the inputs take up."""
    n = U.shape[0]
    basis = np.column_stack([np.full(n, n**-0.5), U])
    rho = min(rho, 0.99)
    total, lag = float(basis.shape[1]), 1
    while rho**lag > _NEGLIGIBLE and lag < n:
        total += 2.0 * rho**lag * float(np.sum(basis[lag:] * basis[:-lag]))
        lag += 1
    return total
