"""Where brain, task and shifts point in input space: the seeded directions of a study.

All vectors are in native coordinates, those of the independent components of the inputs, in which
x = scale * z: along the eigenvectors of the covariance. There are q of them, d unless a covariance
that is given is singular: nothing of a model lies where inputs never vary. A `haar` basis is one
seeded rotation for a study; `axes` is none, or the eigenvectors of a covariance that is given. Only
the image of the brain map, of beta and of the shift directions under that rotation is ever needed,
so the rotation itself is built for custom shifts and for what is given alone (theory/README.md 1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mcbrain.errors import InputError, unhandled
from mcbrain.population.brain_map import orthonormal_rows
from mcbrain.population.given import Given
from mcbrain.population.model import Model
from mcbrain.population.task import source_direction
from mcbrain.typing import Floats

__all__ = ["BASIS", "CHANNELS", "Geometry"]


# The studies' own streams: block streams end in (index, role), these in a word no role reaches.
BASIS, CHANNELS, _SPECTRUM, _TURN = 0xB0000001, 0xB0000002, 0xB0000003, 0xB0000004


@dataclass(frozen=True)
class Geometry:
    """Directions of one model under one study seed.

    Parameters
    ----------
    model : Model
        The population.
    seed : int
        The study's seed.
    """

    model: Model
    seed: int

    def _rng(self, word: int) -> np.random.Generator:
        return np.random.Generator(
            np.random.SFC64(np.random.SeedSequence(self.seed, spawn_key=(word,)))
        )

    @cached_property
    def scale(self) -> Floats:
        """Square roots of the eigenvalues of Sigma, shape (q,)."""
        return np.sqrt(self.model.input_variances)

    @cached_property
    def frame(self) -> Floats:
        """Orthonormal rows: k latents, then two directions outside them, as far as d allows."""
        d, rows = self.model.native_dim, min(self.model.latent_dim + 2, self.model.native_dim)
        match self.model.brain.word:
            case Given():
                brain = self.model.brain.fixed
                assert brain is not None
                others = self._rng(BASIS).standard_normal((rows - len(brain), d))
                return orthonormal_rows(np.concatenate([brain, others]))
            case "leading":
                return np.eye(rows, d)
            case "random":
                return orthonormal_rows(self._rng(BASIS).standard_normal((rows, d)))
        raise unhandled("brain map", self.model.brain.word, "the geometry of a study")

    @cached_property
    def rotation(self) -> Floats:
        """The whole basis, shape (q, d): native coordinates of x are `rotation @ x`."""
        d, axes = self.model.native_dim, self.model.input_covariance.axes
        match self.model.basis:
            case "axes":
                return np.eye(d) if axes is None else axes
            case "haar":
                seeded = np.ascontiguousarray(self._rng(BASIS).standard_normal((d, d)))
                return np.ascontiguousarray(orthonormal_rows(seeded).T)
        raise unhandled("basis", self.model.basis, "the geometry of a study")

    def as_given(self, rows: Floats) -> Floats:
        """Vectors in the coordinates in which their user knows them.

        Parameters
        ----------
        rows : ndarray, shape (..., q)
            In native coordinates.

        Returns
        -------
        ndarray, shape (..., d)
            In the coordinates of x where an array of the model is in them; else as they are.
        """
        axes = self.model.input_covariance.axes
        return rows if axes is None else np.asarray(rows @ axes)

    @cached_property
    def brain(self) -> Floats:
        """A', orthonormal rows, shape (k, q)."""
        return np.ascontiguousarray(self.frame[: self.model.latent_dim])

    @cached_property
    def missed(self) -> Floats:
        """u, shape (q,); zeros when the brain spans every input."""
        model = self.model
        k, d = model.latent_dim, model.native_dim
        if k == d:
            return np.zeros(d)
        if isinstance(model.task, Given):
            outside = self.beta - (self.brain @ self.beta) @ self.brain
            # A task that misses nothing says nothing of where it would.
            away = model.misalignment > 0
            return np.asarray(outside / np.linalg.norm(outside) if away else self.frame[k].copy())
        if model.source is not None:
            return source_direction(model.input_variances, model.source, self.brain)
        return np.asarray(self.frame[k].copy())

    @cached_property
    def orthogonal(self) -> Floats:
        """A seeded unit vector orthogonal to the brain and to u, shape (q,); needs q >= k + 2."""
        k = self.model.latent_dim
        if k + 2 > self.model.native_dim:
            raise InputError(
                f"a direction orthogonal to brain and task needs {k + 2} inputs that vary, "
                f"two more than latent_dim; there are {self.model.native_dim}"
            )
        spare = self.frame[k:]
        if np.array_equal(self.missed, spare[0]):
            return np.asarray(spare[1].copy())
        left = spare - np.outer(spare @ self.missed, self.missed)
        best = left[np.argmax(np.linalg.norm(left, axis=1))]
        return np.asarray(best / np.linalg.norm(best))

    @cached_property
    def aligned(self) -> Floats:
        """A a: the direction of the task inside the brain's span, shape (q,)."""
        return np.asarray(self.model.loadings @ self.brain)

    @cached_property
    def beta(self) -> Floats:
        """Task weights, shape (q,)."""
        if isinstance(self.model.task, Given):
            return self.model.input_covariance.in_axes(self.model.task.values)
        m = self.model.misalignment
        missed = self.missed if m > 0 else np.zeros(self.model.native_dim)
        return self.model.signal_norm * (math.sqrt(1.0 - m) * self.aligned + math.sqrt(m) * missed)

    @cached_property
    def turn(self) -> Floats:
        """A seeded unit vector inside the brain's span, orthogonal to beta, shape (q,)."""
        k = self.model.latent_dim
        if k < 2:
            raise InputError(
                "concept:ANGLE:brain turns beta inside the brain's span and needs latent_dim >= 2; "
                "with latent_dim = 1 use concept:ANGLE:orthogonal"
            )
        inside = self._rng(_TURN).standard_normal(k)
        inside -= (inside @ self.model.loadings) * self.model.loadings
        return (inside / np.linalg.norm(inside)) @ self.brain

    @cached_property
    def spectrum_basis(self) -> Floats:
        """Seeded Haar basis of the `spectrum` shift, orthonormal rows, shape (q, q)."""
        d = self.model.native_dim
        return orthonormal_rows(self._rng(_SPECTRUM).standard_normal((d, d)))

    @cached_property
    def channels(self) -> Floats:
        """H = O diag(D), shape (p, k); columns of unmeasured latents are 0."""
        model = self.model
        channels = np.zeros((model.n_channels, model.latent_dim))
        rows = orthonormal_rows(self._rng(CHANNELS).standard_normal((model.k_m, model.n_channels)))
        channels[:, : model.k_m] = rows.T * model.gains[: model.k_m]
        return channels
