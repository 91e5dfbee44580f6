"""Test laws: each shift as a second moment M and a target (theory/README.md 2), one registry."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcbrain.errors import InputError, did_you_mean
from mcbrain.geometry import Geometry
from mcbrain.model import Model, power_spectrum

__all__ = ["ALIGNED_MOMENTS", "SHIFTS", "Shift", "ShiftLaw", "parse_shift", "shifts_from_table"]

Floats = NDArray[np.float64]

# Shifts whose M is a combination of I, P_A and uu' alone: the exact laws hold for all of them.
ALIGNED_MOMENTS = ("id", "scale", "brain-insensitive", "brain-aligned", "missed-direction")


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
            model.input_law.name == "gaussian" and model.spectrum_exponent == 0.0
        ):
            return f"{self.label} is defined for isotropic Gaussian test inputs only"
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
    v = {"brain": g.aligned, "missed": g.missed}.get(shift.along)
    v = g.orthogonal if v is None else v
    return ShiftLaw(1.0, v[None, :].copy(), np.array([shift.value**2]), g.beta)


def _spectrum(shift: Shift, g: Geometry) -> ShiftLaw:
    values = power_spectrum(g.model.input_dim, shift.value)
    return ShiftLaw(0.0, g.spectrum_basis * g.scale, values, g.beta)


def _concept(shift: Shift, g: Geometry) -> ShiftLaw:
    toward = g.turn if shift.along == "brain" else g.orthogonal
    norm = g.model.signal_norm
    target = math.cos(shift.value) * g.beta + math.sin(shift.value) * norm * toward
    return ShiftLaw(1.0, _none(g), np.zeros(0), target)


def _adversarial(shift: Shift, g: Geometry) -> ShiftLaw:
    return ShiftLaw(1.0, _none(g), np.zeros(0), g.beta, budget=shift.value)


def _custom(shift: Shift, g: Geometry) -> ShiftLaw:
    matrix = load_moment(shift.along)
    if matrix.shape[0] != g.model.input_dim:
        raise InputError(
            f"custom:{shift.along}: the matrix is {matrix.shape[0]} x {matrix.shape[0]}; "
            f"input_dim = {g.model.input_dim} is needed"
        )
    values, vectors = np.linalg.eigh(matrix)
    probes = np.ascontiguousarray((g.rotation @ vectors).T)
    return ShiftLaw(0.0, probes, np.maximum(values, 0.0), g.beta)


@dataclass(frozen=True)
class _Kind:
    """How a shift is written and what it may hold."""

    law: Callable[[Shift, Geometry], ShiftLaw]
    parameter: str = ""
    low: float = 0.0
    high: float = 1e12
    along: str = ""
    directions: tuple[str, ...] = ()

    @property
    def form(self) -> str:
        parts = [self.parameter.upper()] if self.parameter else []
        return ":".join(parts + (["|".join(self.directions)] if self.directions else []))


SHIFTS: dict[str, _Kind] = {
    "id": _Kind(_id),
    "scale": _Kind(_scale, "factor"),
    "brain-insensitive": _Kind(_brain_insensitive, "factor"),
    "brain-aligned": _Kind(_brain_aligned, "factor"),
    "missed-direction": _Kind(_missed_direction, "factor"),
    "mean": _Kind(_mean, "size", 0.0, 1e6, "along", ("brain", "missed", "orthogonal")),
    "spectrum": _Kind(_spectrum, "exponent", 0.0, 10.0),
    "concept": _Kind(_concept, "angle", -math.pi, math.pi, "toward", ("brain", "orthogonal")),
    "adversarial": _Kind(_adversarial, "budget", 0.0, 1e6),
    "custom": _Kind(_custom, along="file"),
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
    """
    return SHIFTS[shift.kind].law(shift, geometry)


def parse_shift(text: str) -> Shift:
    """A shift from its text, such as `mean:2:brain`.

    Parameters
    ----------
    text : str

    Raises
    ------
    InputError
        An unknown kind, a missing or impossible number, an unknown direction.
    """
    kind, *parts = str(text).split(":")
    spec = _kind(kind)
    where = f"shift '{text}'"
    if kind == "custom":
        return _make(kind, math.nan, ":".join(parts), where)
    want = bool(spec.parameter) + bool(spec.directions)
    if len(parts) != want:
        form = f"{kind}:{spec.form}" if spec.form else kind
        raise InputError(f"{where}: the form is {form}")
    value = math.nan
    if spec.parameter:
        try:
            value = float(parts[0])
        except ValueError:
            raise InputError(f"{where}: {parts[0]!r} is not a number") from None
    return _make(kind, value, parts[1] if spec.directions else "", where)


def shifts_from_table(table: Mapping[str, Any], folder: Path | None = None) -> list[Shift]:
    """Shifts from the [shifts] table of a study; a list inside a shift is one shift for each value.

    Parameters
    ----------
    table : mapping
        Kind to its settings.
    folder : Path, optional
        Where relative files of `custom` shifts are looked for.

    Raises
    ------
    InputError
        As `parse_shift`, naming the key.
    """
    shifts: list[Shift] = []
    for kind, settings in table.items():
        spec = _kind(kind)
        where = f"[shifts] {kind}"
        if not isinstance(settings, Mapping):
            raise InputError(
                f"{where} = {settings!r}: a table is allowed, such as {_example(kind)}"
            )
        allowed = [name for name in (spec.parameter, spec.along) if name]
        for key in settings:
            if key not in allowed:
                hint = did_you_mean(key, allowed) if allowed else "it takes no settings"
                raise InputError(f"{where}.{key}: unknown key; {hint}")
        for name in allowed:
            if name not in settings:
                raise InputError(f"{where}: '{name}' is missing; write {_example(kind)}")
        for value in _each(settings.get(spec.parameter, math.nan)):
            for along in _each(settings.get(spec.along, "")):
                if kind == "custom" and folder is not None:
                    along = str(folder / str(along))
                shifts.append(_make(kind, value, along, where))
    if len({s.label for s in shifts}) < len(shifts):
        raise InputError("[shifts]: the same shift is listed twice")
    return shifts


def load_moment(path: str) -> Floats:
    """The second moment matrix of a `custom` shift, shape (d, d), from a .npy file; never a pickle.

    Raises
    ------
    InputError
        No such file, not a square finite real matrix, not symmetric, not positive semi-definite.
    """
    try:
        matrix = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
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


def _kind(kind: str) -> _Kind:
    if kind not in SHIFTS:
        raise InputError(f"shift '{kind}' does not exist; {did_you_mean(kind, SHIFTS)}")
    return SHIFTS[kind]


def _make(kind: str, value: Any, along: Any, where: str) -> Shift:
    spec = SHIFTS[kind]
    if spec.parameter:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise InputError(f"{where}.{spec.parameter} = {value!r}: a number is allowed")
        if not spec.low <= value <= spec.high:
            raise InputError(
                f"{where}: {spec.parameter} = {value}: allowed is {spec.low:g} to {spec.high:g}"
            )
        value = float(value)
    if spec.directions and along not in spec.directions:
        raise InputError(
            f"{where}: {along!r} is not a direction; {did_you_mean(str(along), spec.directions)}"
        )
    if kind != "custom":
        return Shift(kind, value, along)
    if not isinstance(along, str) or not along:
        raise InputError(f"{where}: the form is custom:FILE.npy")
    return Shift(
        kind, math.nan, along, hashlib.sha256(load_moment(along).tobytes()).hexdigest()[:16]
    )


def _each(value: Any) -> Iterable[Any]:
    if isinstance(value, list):
        if not value:
            raise InputError("[shifts]: an empty list asks for no shift; leave the key out instead")
        return value
    return [value]


def _example(kind: str) -> str:
    spec = SHIFTS[kind]
    parts = [f"{spec.parameter} = 2.0"] if spec.parameter else []
    if spec.directions:
        parts.append(f'{spec.along} = "{spec.directions[0]}"')
    elif spec.along:
        parts.append(f'{spec.along} = "moment.npy"')
    return f"{kind} = {{ {', '.join(parts)} }}" if parts else f"{kind} = {{}}"


def _spell(kind: str, value: float) -> str:
    if kind == "spectrum":
        return repr(value)
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
