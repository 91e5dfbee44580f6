"""Everything that the recordings say: read, whitened, tested, and encoded in both coordinates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, signal

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
_MOST = 0.99  # correlation of neighbouring rows
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
    ratio = float(beside.sum() / rows.sum())
    beside += level * np.sum(U[a] * U[b], axis=1)
    order = order_of(beside, level, together)
    left = n - 1.0 - U.shape[1]
    slow = _left_by_fit(U, ratio) if order.dependent else left
    size = recordings.scale * np.sqrt(left / max(slow, 1.0))
    # Residuals spread over fewer dimensions than there are rows.
    error = together.spread(rows) * np.sqrt(n / max(slow, 1.0))
    return Noise(float(size), float(error), order)


def _left_by_fit(U: Floats, ratio: float) -> float:
    """How many rows' worth of AR(1) noise the fit of mean and inputs leaves.

    The fit takes slow noise up and makes what is left quicker. So rho is the one at which products
    of neighbouring residuals over their squares are expected to have the ratio that was found.
    With H = QQ' the fit and Sigma the correlation of noise, squares sum up to tr(Sigma - H Sigma),
    products to tr(S (I - H) Sigma (I - H)), S half the shift up and down.
    """
    n = U.shape[0]
    Q = np.column_stack([np.full(n, n**-0.5), U])
    shifted = np.zeros_like(Q)
    shifted[1:] = Q[:-1] / 2.0
    shifted[:-1] += Q[1:] / 2.0
    inner = Q.T @ shifted

    def expected(rho: float) -> tuple[float, float]:
        ahead = signal.lfilter([1.0], [1.0, -rho], Q, axis=0)
        behind = signal.lfilter([1.0], [1.0, -rho], Q[::-1], axis=0)[::-1]
        slow = ahead + behind - Q
        squares = n - float(np.sum(Q * slow))
        taken = 2.0 * np.sum(shifted * slow) - np.sum(inner * (Q.T @ slow))
        return squares, (n - 1.0) * rho - float(taken)

    def above(rho: float) -> float:
        squares, products = expected(rho)
        return products / max(squares, 1e-300) - ratio

    if above(0.0) >= 0.0:
        return expected(0.0)[0]
    if above(_MOST) <= 0.0:
        return expected(_MOST)[0]
    return expected(float(optimize.brentq(above, 0.0, _MOST, xtol=1e-4)))[0]
