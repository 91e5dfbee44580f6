"""Where brain, task and shifts point in input space: the seeded directions of a study.

All vectors are in native coordinates, those of the independent components of the inputs, in which
x = scale * z. A `haar` basis is one seeded rotation for a study; `axes` is none. Only the image of
the brain map, of beta and of the shift directions under that rotation is ever needed, so the
rotation itself is built for custom shifts alone (theory/README.md 1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mcbrain.errors import InputError, unhandled
from mcbrain.population.model import Model
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
        """Square roots of the eigenvalues of Sigma, shape (d,)."""
        return np.sqrt(self.model.input_variances)

    @cached_property
    def frame(self) -> Floats:
        """Orthonormal rows: k latents, then u, then one more, as far as d allows."""
        d, rows = self.model.input_dim, min(self.model.latent_dim + 2, self.model.input_dim)
        match self.model.basis:
            case "axes":
                return np.eye(rows, d)
            case "haar":
                return _orthonormal_rows(self._rng(BASIS).standard_normal((rows, d)))
        raise unhandled("basis", self.model.basis, "the geometry of a study")

    @cached_property
    def rotation(self) -> Floats:
        """The whole seeded basis, shape (d, d): native coordinates of x are `rotation @ x`."""
        d = self.model.input_dim
        match self.model.basis:
            case "axes":
                return np.eye(d)
            case "haar":
                axes = np.ascontiguousarray(self._rng(BASIS).standard_normal((d, d)))
                return np.ascontiguousarray(_orthonormal_rows(axes).T)
        raise unhandled("basis", self.model.basis, "the geometry of a study")

    @cached_property
    def brain(self) -> Floats:
        """A', orthonormal rows, shape (k, d)."""
        return np.ascontiguousarray(self.frame[: self.model.latent_dim])

    @cached_property
    def missed(self) -> Floats:
        """u, shape (d,); zeros when the brain spans every input."""
        k, d = self.model.latent_dim, self.model.input_dim
        return self.frame[k].copy() if k < d else np.zeros(d)

    @cached_property
    def orthogonal(self) -> Floats:
        """A seeded unit vector orthogonal to the brain and to u, shape (d,); needs d >= k + 2."""
        k = self.model.latent_dim
        if k + 2 > self.model.input_dim:
            raise InputError(
                f"a direction orthogonal to brain and task needs input_dim >= {k + 2}, "
                f"two more than latent_dim; input_dim = {self.model.input_dim}"
            )
        return np.asarray(self.frame[k + 1].copy())

    @cached_property
    def aligned(self) -> Floats:
        """A a: the direction of the task inside the brain's span, shape (d,)."""
        return np.asarray(self.model.loadings @ self.brain)

    @cached_property
    def beta(self) -> Floats:
        """Task weights, shape (d,)."""
        m = self.model.misalignment
        return self.model.signal_norm * (
            math.sqrt(1.0 - m) * self.aligned + math.sqrt(m) * self.missed
        )

    @cached_property
    def turn(self) -> Floats:
        """A seeded unit vector inside the brain's span, orthogonal to beta, shape (d,)."""
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
        """Seeded Haar basis of the `spectrum` shift, orthonormal rows, shape (d, d)."""
        d = self.model.input_dim
        return _orthonormal_rows(self._rng(_SPECTRUM).standard_normal((d, d)))

    @cached_property
    def channels(self) -> Floats:
        """H = O diag(D), shape (p, k); columns of unmeasured latents are 0."""
        model = self.model
        channels = np.zeros((model.n_channels, model.latent_dim))
        rows = _orthonormal_rows(self._rng(CHANNELS).standard_normal((model.k_m, model.n_channels)))
        channels[:, : model.k_m] = rows.T * model.gains[: model.k_m]
        return channels


def _orthonormal_rows(gaussian: Floats) -> Floats:
    """Gram-Schmidt of the rows (by QR, signs fixed): Haar, and rows added later change none."""
    q, r = np.linalg.qr(gaussian.T)
    signs = np.where(np.diag(r) < 0, -1.0, 1.0)
    return np.ascontiguousarray((q * signs).T)
