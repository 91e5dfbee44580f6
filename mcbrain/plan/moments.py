"""Models, shifts and brain problems in the words of the theory (theory/README.md 4e)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from mcbrain.blocks.problem import BrainProblem
from mcbrain.blocks.query import statistic_id
from mcbrain.errors import InputError, unhandled
from mcbrain.population.geometry import Geometry
from mcbrain.population.model import Model
from mcbrain.population.shifts import Shift, law
from mcbrain.typing import Floats

if TYPE_CHECKING:
    from mcbrain.theory.frame import ShiftCoefficients
    from mcbrain.theory.subspace import SubspaceMoments

__all__ = [
    "BrainStatistic",
    "brain_statistics",
    "shift_coefficients",
    "shift_drift",
    "signal",
    "subspace_moments",
    "task_noise",
]


@dataclass(frozen=True)
class BrainStatistic:
    """One column of a brain problem's sums: a moment of C^ = A'PA (theory/README.md 4e).

    Attributes
    ----------
    name : str
        "diagonal" (C^_ii), "square" (C^_ij^2) or "product" (C^_ii C^_jj).
    i, j : int
        Measured latents, from 0.
    """

    name: str
    i: int
    j: int

    @property
    def label(self) -> str:
        """Name by content."""
        return f"{self.name} {self.i} {self.j}"

    @property
    def id(self) -> int:
        """64-bit name."""
        return statistic_id(self.label)


@lru_cache(maxsize=64)
def brain_statistics(k: int) -> tuple[BrainStatistic, ...]:
    """C^_ii, then C^_ij^2 for i <= j, then C^_ii C^_jj for i < j: all first and second moments.

    The law of C^ is unchanged by flipping the sign of a latent, so no other moment is nonzero.

    Parameters
    ----------
    k : int
        Number of measured latents.

    Returns
    -------
    tuple of BrainStatistic
        k + k^2 of them.
    """
    upper = [(i, j) for i in range(k) for j in range(i, k)]
    return (
        *(BrainStatistic("diagonal", i, i) for i in range(k)),
        *(BrainStatistic("square", i, j) for i, j in upper),
        *(BrainStatistic("product", i, j) for i, j in upper if i < j),
    )


def subspace_moments(problem: BrainProblem, means: Floats) -> SubspaceMoments:
    """Moments of C^ from the means of `brain_statistics`.

    Parameters
    ----------
    problem : BrainProblem
        The problem whose means they are.
    means : ndarray, shape (statistics, ...)
        In the order of `brain_statistics`. Axes after the first, such as one of blocks that are
        left out in turn, lead in the moments' arrays.

    Returns
    -------
    SubspaceMoments
        Arrays of shape (..., k, k), k the number of measured latents.
    """
    from mcbrain.theory.subspace import SubspaceMoments

    k = len(problem.latent_gains)
    rest = means.shape[1:]
    square, product = np.zeros((k, k, *rest)), np.zeros((k, k, *rest))
    for value, s in zip(means[k:], brain_statistics(k)[k:], strict=True):
        target = {"square": square, "product": product}[s.name]
        target[s.i, s.j] = target[s.j, s.i] = value
    for i in range(k):
        product[i, i] = square[i, i]

    def leading(values: Floats) -> Floats:
        return np.moveaxis(values, (0, 1), (-2, -1))

    def diagonal(values: Floats) -> Floats:
        return np.asarray(np.moveaxis(values, 0, -1)[..., None, :] * np.eye(k))

    return SubspaceMoments(
        rank=problem.rank,
        c=diagonal(means[:k]),
        c_squared=diagonal(square.sum(axis=1)),
        trace_c=diagonal(product.sum(axis=1)),
        product=leading(product),
        square=leading(square),
    )


def signal(model: Model) -> Floats:
    """beta / |beta| in the frame of the theory.

    Parameters
    ----------
    model : Model
        Its misalignment and task loadings say where beta lies.

    Returns
    -------
    ndarray, shape (k + 2,)
        Along the k latents, the task's direction outside them, and any other direction.
    """
    from mcbrain.theory.frame import signal_coordinates

    return signal_coordinates(model.misalignment, model.loadings)


def task_noise(model: Model) -> float:
    """The noise of a task whose signal has length 1, as the laws have it: sigma_y / |beta|.

    Where labels are signs, of the linear labels with their second moments (theory/README.md 4h),
    for inputs of covariance I.

    Parameters
    ----------
    model : Model
        What the task belongs to.

    Returns
    -------
    float
        Without a unit.
    """
    noise = model.sigma_y / model.signal_norm
    if model.linear_labels:
        return noise
    return math.sqrt(0.5 * math.pi * (1.0 + noise**2) - 1.0)


def shift_coefficients(shift: Shift, model: Model, seed: int) -> ShiftCoefficients:
    """M of a shift in the frame of the theory, for isotropic Gaussian inputs.

    Parameters
    ----------
    shift : Shift
        What the risk is tested on.
    model : Model
        What the shift is relative to.
    seed : int
        The study's seed, which fixes where brain and task lie in the coordinates of the inputs.

    Returns
    -------
    ShiftCoefficients
        The second moment of the test inputs.

    Raises
    ------
    InputError
        The shift has no second moment, as an adversary has none.
    """
    from mcbrain.theory.frame import ShiftCoefficients

    match shift.record.moment:
        case None:
            raise InputError(
                f"{shift.label} has no second moment and no law: simulate it (raw, sufficient)"
            )
        case "dense":
            geometry = Geometry(model, seed)
            found = law(shift, geometry)
            moment = (found.probes.T * found.weights) @ found.probes
            moment += found.scale * np.eye(model.input_dim)
            return ShiftCoefficients.dense(moment, _full_basis(geometry))
        case weights:
            return ShiftCoefficients.structured(model.latent_dim, **weights(shift, model))


def shift_drift(shift: Shift, model: Model, seed: int) -> Floats | None:
    """Change of beta / |beta| at test time, in the frame of the theory.

    Parameters
    ----------
    shift : Shift
        What the risk is tested on.
    model : Model
        What the shift is relative to.
    seed : int
        The study's seed, which fixes the direction in which the task moves within the brain's.

    Returns
    -------
    ndarray, shape (k + 2,), or None
        The change in each direction of the frame; None where the shift leaves the task as it is.

    Raises
    ------
    NotImplementedError
        The shift moves the task in a way that is unknown here.
    """
    from mcbrain.theory.frame import concept_drift

    if not shift.record.moves_target:
        return None
    match shift.kind, shift.along:
        case "concept", "brain":
            geometry = Geometry(model, seed)
            return concept_drift(signal(model), shift.value, geometry.brain @ geometry.turn)
        case "concept", "orthogonal":
            return concept_drift(signal(model), shift.value)
    raise unhandled("target that moves under the shift", shift.label, "the laws (plan/moments.py)")


def _full_basis(geometry: Geometry) -> Floats:
    """Orthonormal columns, shape (d, max(d, k + 2)): latents, u, one direction outside, the rest.

    Columns of directions for which the space has no room are 0.
    """
    known, d = geometry.frame, geometry.model.input_dim
    full, _ = np.linalg.qr(known.T, mode="complete")
    full[:, : len(known)] = known.T
    missing = max(geometry.model.latent_dim + 2 - d, 0)
    return np.pad(full, [(0, 0), (0, missing)])
