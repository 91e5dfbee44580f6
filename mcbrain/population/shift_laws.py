"""What each shift is in the geometry of a study: a second moment M and a target (README.md 2)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mcbrain.errors import InputError, unhandled
from mcbrain.population.covariance import power_spectrum
from mcbrain.population.geometry import Geometry
from mcbrain.population.given import read_numbers
from mcbrain.population.own import moment_of
from mcbrain.typing import Floats

if TYPE_CHECKING:
    from mcbrain.population.shifts import Shift

__all__ = [
    "ShiftLaw",
    "adversarial_law",
    "brain_aligned_law",
    "brain_insensitive_law",
    "concept_law",
    "custom_law",
    "id_law",
    "load_moment",
    "mean_law",
    "missed_direction_law",
    "own_law",
    "probe_directions",
    "probe_law",
    "scale_law",
    "spectrum_law",
    "wrong_size",
]


@dataclass(frozen=True)
class ShiftLaw:
    """A shift in native coordinates of one geometry.

    excess = scale |Sigma^(1/2) delta|^2 + sum_j weights_j (probes_j . delta)^2, with
    delta = beta_hat - target; `budget` > 0 adds the adversary's term.

    Attributes
    ----------
    scale : float
    probes : ndarray, shape (n, q)
    weights : ndarray, shape (n,)
    target : ndarray, shape (q,)
    budget : float
    """

    scale: float
    probes: Floats
    weights: Floats
    target: Floats
    budget: float = 0.0


def _structured(geometry: Geometry, scale: float, rows: Floats, weight: float) -> ShiftLaw:
    """M0 = scale I + weight * rows'rows in the whitened input."""
    return ShiftLaw(scale, rows * geometry.scale, np.full(len(rows), weight), geometry.beta)


def _none(geometry: Geometry) -> Floats:
    return np.zeros((0, geometry.model.native_dim))


def id_law(shift: Shift, g: Geometry) -> ShiftLaw:
    """The inputs of the training data.

    Parameters
    ----------
    shift : Shift
    g : Geometry

    Returns
    -------
    ShiftLaw
    """
    return _structured(g, 1.0, _none(g), 0.0)


def scale_law(shift: Shift, g: Geometry) -> ShiftLaw:
    """M0 = f I.

    Parameters
    ----------
    shift : Shift
    g : Geometry

    Returns
    -------
    ShiftLaw
    """
    return _structured(g, shift.value, _none(g), 0.0)


def brain_insensitive_law(shift: Shift, g: Geometry) -> ShiftLaw:
    """M0 = P_A + f (I - P_A).

    Parameters
    ----------
    shift : Shift
    g : Geometry

    Returns
    -------
    ShiftLaw
    """
    return _structured(g, shift.value, g.brain, 1.0 - shift.value)


def brain_aligned_law(shift: Shift, g: Geometry) -> ShiftLaw:
    """M0 = f P_A + (I - P_A).

    Parameters
    ----------
    shift : Shift
    g : Geometry

    Returns
    -------
    ShiftLaw
    """
    return _structured(g, 1.0, g.brain, shift.value - 1.0)


def missed_direction_law(shift: Shift, g: Geometry) -> ShiftLaw:
    """M0 = I + (f - 1) uu'.

    Parameters
    ----------
    shift : Shift
    g : Geometry

    Returns
    -------
    ShiftLaw
    """
    return _structured(g, 1.0, g.missed[None, :], shift.value - 1.0)


def mean_law(shift: Shift, g: Geometry) -> ShiftLaw:
    """M = Sigma + size^2 v v', the second moment of inputs whose mean moved by size * v.

    Parameters
    ----------
    shift : Shift
    g : Geometry

    Returns
    -------
    ShiftLaw
    """
    match shift.along:
        case "brain":
            v = g.aligned
        case "missed":
            v = g.missed
        case "orthogonal":
            v = g.orthogonal
        case _:
            raise unhandled("direction", shift.along, "the shift 'mean'")
    return ShiftLaw(1.0, v[None, :].copy(), np.array([shift.value**2]), g.beta)


def spectrum_law(shift: Shift, g: Geometry) -> ShiftLaw:
    """M0 with power-law eigenvalues of trace d in a seeded basis.

    Parameters
    ----------
    shift : Shift
    g : Geometry

    Returns
    -------
    ShiftLaw
    """
    values = power_spectrum(g.model.native_dim, shift.value)
    return ShiftLaw(0.0, g.spectrum_basis * g.scale, values, g.beta)


def concept_law(shift: Shift, g: Geometry) -> ShiftLaw:
    """M0 = I, and beta turned by an angle.

    Parameters
    ----------
    shift : Shift
    g : Geometry

    Returns
    -------
    ShiftLaw
    """
    match shift.along:
        case "brain":
            toward = g.turn
        case "orthogonal":
            toward = g.orthogonal
        case _:
            raise unhandled("direction", shift.along, "the shift 'concept'")
    norm = g.model.signal_norm
    target = math.cos(shift.value) * g.beta + math.sin(shift.value) * norm * toward
    return ShiftLaw(1.0, _none(g), np.zeros(0), target)


def probe_directions(g: Geometry) -> Floats:
    """Where the mean of beta_hat may lie: the brain's span, and what the brain misses of the task.

    Isotropic Gaussian inputs look the same after every rotation that leaves these directions alone,
    so the mean of an estimator that knows no other direction has no part outside them.

    Parameters
    ----------
    g : Geometry

    Returns
    -------
    ndarray, shape (k or k + 1, q)
        Orthonormal rows.
    """
    return np.vstack([g.brain, g.missed]) if g.missed.any() else g.brain


def probe_law(shift: Shift, g: Geometry) -> ShiftLaw:
    """M0 = I, and beta moved by |beta| along one of `probe_directions`; place 0 moves nothing.

    Parameters
    ----------
    shift : Shift
        Its number is the place of the direction, from 1.
    g : Geometry

    Returns
    -------
    ShiftLaw
    """
    place = int(shift.value)
    moved = g.model.signal_norm * probe_directions(g)[place - 1] if place else 0.0
    return ShiftLaw(1.0, _none(g), np.zeros(0), g.beta + moved)


def adversarial_law(shift: Shift, g: Geometry) -> ShiftLaw:
    """M0 = I, and an adversary of some budget.

    Parameters
    ----------
    shift : Shift
    g : Geometry

    Returns
    -------
    ShiftLaw
    """
    return ShiftLaw(1.0, _none(g), np.zeros(0), g.beta, budget=shift.value)


def wrong_size(shift: Shift, size: int, input_dim: int) -> str | None:
    """The objection to a custom matrix that is not of the size of the inputs.

    Parameters
    ----------
    shift : Shift
    size : int
        Of the matrix.
    input_dim : int

    Returns
    -------
    str or None
    """
    if size == input_dim:
        return None
    return f"custom:{shift.along}: the matrix is {size} x {size}; input_dim = {input_dim} is needed"


def custom_law(shift: Shift, g: Geometry) -> ShiftLaw:
    """M as in a file, in the coordinates of x.

    Parameters
    ----------
    shift : Shift
    g : Geometry

    Returns
    -------
    ShiftLaw

    Raises
    ------
    InputError
        A matrix of another size than the inputs have.
    """
    matrix = load_moment(shift.along)
    if objection := wrong_size(shift, len(matrix), g.model.input_dim):
        raise InputError(objection)
    values, vectors = np.linalg.eigh(matrix)
    probes = np.ascontiguousarray((g.rotation @ vectors).T)
    return ShiftLaw(0.0, probes, np.maximum(values, 0.0), g.beta)


def own_law(shift: Shift, g: Geometry) -> ShiftLaw:
    """M, and perhaps beta, as a user's function says, in the coordinates of data sets.

    Parameters
    ----------
    shift : Shift
    g : Geometry

    Returns
    -------
    ShiftLaw
    """
    assert shift.own is not None
    moment, beta = moment_of(shift.own, g.model, g.seed)
    values, vectors = np.linalg.eigh(moment)
    axes = g.model.input_covariance.axes
    probes = vectors.T if axes is None else vectors.T @ axes.T
    target = g.beta if beta is None else beta if axes is None else axes @ beta
    return ShiftLaw(0.0, np.ascontiguousarray(probes), np.maximum(values, 0.0), target)


def load_moment(path: str) -> Floats:
    """The second moment matrix of a `custom` shift from a .npy file; never a pickle.

    Parameters
    ----------
    path : str

    Returns
    -------
    ndarray, shape (d, d)

    Raises
    ------
    InputError
        No such file, not a square finite real matrix, not symmetric, not positive semi-definite.
    """
    matrix = read_numbers(f"custom:{path}", path)
    if matrix.ndim != 2 or len(set(matrix.shape)) != 1:
        raise InputError(f"custom:{path}: a square matrix is allowed, this is {matrix.shape}")
    size = max(float(np.abs(matrix).max()), 1e-300)
    if np.abs(matrix - matrix.T).max() > 1e-10 * size:
        raise InputError(f"custom:{path}: the matrix is not symmetric")
    lowest = float(np.linalg.eigvalsh(matrix)[0])
    if lowest < -1e-10 * size:
        raise InputError(
            f"custom:{path}: a second moment is positive semi-definite; "
            f"the smallest eigenvalue here is {lowest:.3g}"
        )
    return np.asarray((matrix + matrix.T) / 2)
