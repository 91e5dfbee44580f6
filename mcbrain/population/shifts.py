"""Test laws: each shift as a second moment M and a target (theory/README.md 2), one record each."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mcbrain.errors import InputError, unhandled
from mcbrain.population.distributions import power_spectrum
from mcbrain.population.geometry import Geometry
from mcbrain.population.model import Model
from mcbrain.typing import Floats

__all__ = ["SHIFTS", "Shift", "ShiftKind", "ShiftLaw", "law", "load_moment"]


@dataclass(frozen=True)
class Shift:
    """One test law: its kind, its number and its direction or file.

    Attributes
    ----------
    kind : str
        A key of `SHIFTS`.
    value : float
        Factor, size, exponent, angle or budget; NaN where the kind has none.
    along : str
        Direction of `mean` and `concept`, file of `custom`, else empty.
    digest : str
        For `custom`: hash of the matrix, so that a changed file is a changed shift.
    """

    kind: str
    value: float = math.nan
    along: str = ""
    digest: str = ""

    @property
    def label(self) -> str:
        """The shift in text, as tables and commands write it: `brain-insensitive:4`."""
        number = [] if math.isnan(self.value) else [_spell(self.kind, self.value)]
        along = Path(self.along).name if self.kind == "custom" else self.along
        return ":".join([self.kind, *number, *([along] if along else [])])

    @property
    def content(self) -> str:
        """What defines the shift, for hashing: the label, or for `custom` the matrix itself."""
        return f"{self.kind}#{self.digest}" if self.digest else self.label

    @property
    def has_moment(self) -> bool:
        """Whether the test law is a second moment, which the laws of the theory need."""
        return SHIFTS[self.kind].moment is not None

    def objection(self, model: Model) -> str | None:
        """Why this shift does not apply to a model, as a sentence, or None."""
        k, d = model.latent_dim, model.input_dim
        if self.kind == "missed-direction" and k == d:
            return "missed-direction needs latent_dim < input_dim: the brain here misses nothing"
        if self.along == "missed" and k == d:
            return f"{self.label} needs latent_dim < input_dim: the brain here misses nothing"
        if self.along == "orthogonal" and k + 2 > d:
            return f"{self.label} needs input_dim >= latent_dim + 2 = {k + 2}; input_dim = {d}"
        if self.kind == "concept" and self.along == "brain" and k < 2:
            return f"{self.label} needs latent_dim >= 2; use concept:ANGLE:orthogonal"
        if self.kind == "adversarial" and not (
            model.input_distribution.name == "gaussian" and model.spectrum_exponent == 0.0
        ):
            return f"{self.label} is defined for isotropic Gaussian test inputs only"
        if self.kind == "custom":
            return _wrong_size(self, len(np.load(self.along, mmap_mode="r")), d)
        return None


@dataclass(frozen=True)
class ShiftLaw:
    """A shift in native coordinates of one geometry.

    excess = scale |Sigma^(1/2) delta|^2 + sum_j weights_j (probes_j . delta)^2, with
    delta = beta_hat - target; `budget` > 0 adds the adversary's term.

    Attributes
    ----------
    scale : float
    probes : ndarray, shape (n, d)
    weights : ndarray, shape (n,)
    target : ndarray, shape (d,)
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
    return np.zeros((0, geometry.model.input_dim))


def _id(shift: Shift, g: Geometry) -> ShiftLaw:
    return _structured(g, 1.0, _none(g), 0.0)


def _scale(shift: Shift, g: Geometry) -> ShiftLaw:
    return _structured(g, shift.value, _none(g), 0.0)


def _brain_insensitive(shift: Shift, g: Geometry) -> ShiftLaw:
    return _structured(g, shift.value, g.brain, 1.0 - shift.value)


def _brain_aligned(shift: Shift, g: Geometry) -> ShiftLaw:
    return _structured(g, 1.0, g.brain, shift.value - 1.0)


def _missed_direction(shift: Shift, g: Geometry) -> ShiftLaw:
    return _structured(g, 1.0, g.missed[None, :], shift.value - 1.0)


def _mean(shift: Shift, g: Geometry) -> ShiftLaw:
    """M = Sigma + size^2 v v', the second moment of inputs whose mean moved by size * v."""
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


def _spectrum(shift: Shift, g: Geometry) -> ShiftLaw:
    values = power_spectrum(g.model.input_dim, shift.value)
    return ShiftLaw(0.0, g.spectrum_basis * g.scale, values, g.beta)


def _concept(shift: Shift, g: Geometry) -> ShiftLaw:
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


def _adversarial(shift: Shift, g: Geometry) -> ShiftLaw:
    return ShiftLaw(1.0, _none(g), np.zeros(0), g.beta, budget=shift.value)


def _wrong_size(shift: Shift, size: int, input_dim: int) -> str | None:
    """The objection to a custom matrix that is not of the size of the inputs."""
    if size == input_dim:
        return None
    return f"custom:{shift.along}: the matrix is {size} x {size}; input_dim = {input_dim} is needed"


def _custom(shift: Shift, g: Geometry) -> ShiftLaw:
    matrix = load_moment(shift.along)
    if objection := _wrong_size(shift, len(matrix), g.model.input_dim):
        raise InputError(objection)
    values, vectors = np.linalg.eigh(matrix)
    probes = np.ascontiguousarray((g.rotation @ vectors).T)
    return ShiftLaw(0.0, probes, np.maximum(values, 0.0), g.beta)


def _mean_weights(shift: Shift, model: Model) -> dict[str, Any]:
    """Weights of the shift `mean` in the frame of the theory."""
    match shift.along:
        case "brain":
            return {"brain_direction": shift.value * model.loadings}
        case "missed":
            return {"missed": shift.value**2}
        case "orthogonal":
            return {"outside": shift.value**2}
    raise unhandled("direction", shift.along, "the second moment of the shift 'mean'")


Weights = Callable[[Shift, Model], Mapping[str, Any]]


@dataclass(frozen=True)
class ShiftKind:
    """Everything about one kind of shift.

    Attributes
    ----------
    law : callable
        Shift, geometry -> what the kernels need.
    moment : callable, "dense" or None
        M in the frame of the theory: shift, model -> the weights of `ShiftCoefficients.structured`;
        "dense" where M has no such form and is taken from `law`; None where the test law is no
        second moment, so that no law of the theory holds.
    words : str
        What moves, above a figure.
    parameter : str
        Name of its number, if it has one.
    low, high : float
        Range of that number.
    along : str
        Name of its direction or file, if it has one.
    directions : tuple of str
        The directions that are allowed.
    neutral : float, optional
        The number at which the shift is `id`, where there is one that a figure can show.
    moves_target : bool
        Whether the task weights change at test time.
    """

    law: Callable[[Shift, Geometry], ShiftLaw]
    moment: Weights | Literal["dense"] | None
    words: str
    parameter: str = ""
    low: float = 0.0
    high: float = 1e12
    along: str = ""
    directions: tuple[str, ...] = ()
    neutral: float | None = None
    moves_target: bool = False

    @property
    def form(self) -> str:
        parts = [self.parameter.upper()] if self.parameter else []
        return ":".join(parts + (["|".join(self.directions)] if self.directions else []))


SHIFTS: dict[str, ShiftKind] = {
    "id": ShiftKind(_id, lambda shift, model: {}, "none"),
    "scale": ShiftKind(
        _scale,
        lambda shift, model: {"identity": shift.value},
        "all directions scaled",
        "factor",
        neutral=1.0,
    ),
    "brain-insensitive": ShiftKind(
        _brain_insensitive,
        lambda shift, model: {"identity": shift.value, "brain": 1.0 - shift.value},
        "outside the brain's span",
        "factor",
        neutral=1.0,
    ),
    "brain-aligned": ShiftKind(
        _brain_aligned,
        lambda shift, model: {"brain": shift.value - 1.0},
        "inside the brain's span",
        "factor",
        neutral=1.0,
    ),
    "missed-direction": ShiftKind(
        _missed_direction,
        lambda shift, model: {"missed": shift.value - 1.0},
        "along what the brain misses",
        "factor",
        neutral=1.0,
    ),
    "mean": ShiftKind(
        _mean,
        _mean_weights,
        "moved mean",
        "size",
        0.0,
        1e6,
        "along",
        ("brain", "missed", "orthogonal"),
    ),
    "spectrum": ShiftKind(_spectrum, "dense", "another spectrum", "exponent", 0.0, 10.0),
    "concept": ShiftKind(
        _concept,
        lambda shift, model: {},
        "turned task",
        "angle",
        -math.pi,
        math.pi,
        "toward",
        ("brain", "orthogonal"),
        moves_target=True,
    ),
    "adversarial": ShiftKind(_adversarial, None, "adversary", "budget", 0.0, 1e6),
    "custom": ShiftKind(_custom, "dense", "a matrix of the user's", along="file"),
}


def law(shift: Shift, geometry: Geometry) -> ShiftLaw:
    """The second moment and target of a shift in one geometry (theory/README.md 2).

    Parameters
    ----------
    shift : Shift
    geometry : Geometry

    Raises
    ------
    InputError
        A custom matrix of the wrong size.
    NotImplementedError
        The record of the shift contradicts its law: a target that moves, or an adversary, which the
        laws of the theory would overlook.
    """
    kind = SHIFTS[shift.kind]
    found = kind.law(shift, geometry)
    if not kind.moves_target and not np.array_equal(found.target, geometry.beta):
        raise unhandled("target that moves under the shift", shift.kind, "its record in SHIFTS")
    if kind.moment is not None and found.budget:
        raise unhandled("adversary of the shift", shift.kind, "its record in SHIFTS")
    return found


def load_moment(path: str) -> Floats:
    """The second moment matrix of a `custom` shift, shape (d, d), from a .npy file; never a pickle.

    Raises
    ------
    InputError
        No such file, not a square finite real matrix, not symmetric, not positive semi-definite.
    """
    try:
        matrix = np.load(path, allow_pickle=False)
    except Exception as error:  # a hostile header can make the parser raise anything
        raise InputError(f"custom:{path}: not a readable .npy file of numbers ({error})") from None
    if not isinstance(matrix, np.ndarray) or matrix.ndim != 2 or len(set(matrix.shape)) != 1:
        shape = getattr(matrix, "shape", "no single array")
        raise InputError(f"custom:{path}: a square matrix is allowed, this is {shape}")
    if matrix.dtype.kind not in "fiu" or not np.all(np.isfinite(matrix)):
        raise InputError(f"custom:{path}: finite real numbers are allowed")
    matrix = matrix.astype(float)
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


def _spell(kind: str, value: float) -> str:
    if kind == "spectrum":
        return repr(value)
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
