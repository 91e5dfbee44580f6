"""Test laws: each shift and what it asks for (theory/README.md 2), one record each."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mcbrain.errors import unhandled
from mcbrain.population.geometry import Geometry
from mcbrain.population.labels import best_predictor
from mcbrain.population.model import Model
from mcbrain.population.own import OwnShift
from mcbrain.population.shift_laws import (
    ShiftLaw,
    adversarial_law,
    brain_aligned_law,
    brain_insensitive_law,
    concept_law,
    custom_law,
    id_law,
    mean_law,
    missed_direction_law,
    own_law,
    probe_law,
    scale_law,
    spectrum_law,
    wrong_size,
)

__all__ = ["PROBE", "SHIFTS", "Shift", "ShiftKind", "law"]


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
    own : OwnShift or None
        What a user brought; the kind is then its name.
    """

    kind: str
    value: float = math.nan
    along: str = ""
    digest: str = ""
    own: OwnShift | None = None

    @property
    def record(self) -> ShiftKind:
        """Its kind, in the table."""
        if self.own is not None:
            return _OWN
        return _PROBE if self.kind == PROBE else SHIFTS[self.kind]

    @property
    def label(self) -> str:
        """The shift in text, as tables and commands write it: `brain-insensitive:4`."""
        if self.own is not None:
            return self.own.label
        number = [] if math.isnan(self.value) else [_spell(self.kind, self.value)]
        along = Path(self.along).name if self.kind == "custom" else self.along
        return ":".join([self.kind, *number, *([along] if along else [])])

    @property
    def content(self) -> str:
        """What defines the shift, for hashing: the label, or for `custom` the matrix itself."""
        if self.own is not None:
            return f"plug-in {self.label} {self.own.plugin.digest}"
        return f"{self.kind}#{self.digest}" if self.digest else self.label

    @property
    def has_moment(self) -> bool:
        """Whether the test law is a second moment, which the laws of the theory need."""
        return self.record.moment is not None

    def objection(self, model: Model) -> str | None:
        """Why this shift does not apply to a model.

        Parameters
        ----------
        model : Model

        Returns
        -------
        str or None
            A sentence; None where it applies.
        """
        k, d, q = model.latent_dim, model.input_dim, model.native_dim
        if self.kind == "missed-direction" and k == q:
            return "missed-direction needs latent_dim < input_dim: the brain here misses nothing"
        if self.along == "missed" and k == q:
            return f"{self.label} needs latent_dim < input_dim: the brain here misses nothing"
        if self.along == "orthogonal" and k + 2 > q:
            varying = "input_dim" if q == d else "rank of the covariance"
            return f"{self.label} needs {varying} >= latent_dim + 2 = {k + 2}; it is {q}"
        if self.kind == "concept" and self.along == "brain" and k < 2:
            return f"{self.label} needs latent_dim >= 2; use concept:ANGLE:orthogonal"
        if self.kind == "adversarial" and not model.isotropic_inputs:
            return f"{self.label} is defined for isotropic Gaussian test inputs only"
        if self.kind == "adversarial" and not model.linear_labels:
            return f"{self.label} is defined for labels = 'linear' only"
        if self.kind == "custom":
            return wrong_size(self, len(np.load(self.along, mmap_mode="r")), d)
        return None


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
    centred : bool
        Whether test inputs have mean 0 and their second moment says all of them.
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
    centred: bool = True

    @property
    def form(self) -> str:
        """How its number and its direction are written: "SIZE:brain|missed|orthogonal"."""
        parts = [self.parameter.upper()] if self.parameter else []
        return ":".join(parts + (["|".join(self.directions)] if self.directions else []))


SHIFTS: dict[str, ShiftKind] = {
    "id": ShiftKind(id_law, lambda shift, model: {}, "none"),
    "scale": ShiftKind(
        scale_law,
        lambda shift, model: {"identity": shift.value},
        "all directions scaled",
        "factor",
        neutral=1.0,
    ),
    "brain-insensitive": ShiftKind(
        brain_insensitive_law,
        lambda shift, model: {"identity": shift.value, "brain": 1.0 - shift.value},
        "outside the brain's span",
        "factor",
        neutral=1.0,
    ),
    "brain-aligned": ShiftKind(
        brain_aligned_law,
        lambda shift, model: {"brain": shift.value - 1.0},
        "inside the brain's span",
        "factor",
        neutral=1.0,
    ),
    "missed-direction": ShiftKind(
        missed_direction_law,
        lambda shift, model: {"missed": shift.value - 1.0},
        "along what the brain misses",
        "factor",
        neutral=1.0,
    ),
    "mean": ShiftKind(
        mean_law,
        _mean_weights,
        "moved mean",
        "size",
        0.0,
        1e6,
        "along",
        ("brain", "missed", "orthogonal"),
        centred=False,
    ),
    "spectrum": ShiftKind(spectrum_law, "dense", "another spectrum", "exponent", 0.0, 10.0),
    "concept": ShiftKind(
        concept_law,
        lambda shift, model: {},
        "turned task",
        "angle",
        -math.pi,
        math.pi,
        "toward",
        ("brain", "orthogonal"),
        moves_target=True,
    ),
    "adversarial": ShiftKind(adversarial_law, None, "adversary", "budget", 0.0, 1e6, centred=False),
    "custom": ShiftKind(custom_law, "dense", "a matrix of the user's", along="file"),
}


_OWN = ShiftKind(own_law, None, "a shift of the user's", moves_target=True)
"""Every shift that a user brings. It may move the task anywhere, so that no law holds."""
PROBE = "probe"
"""Kind of the test laws that measure a mean of beta_hat and that no study can ask for."""

_PROBE = ShiftKind(probe_law, None, "a target beside beta", "place", moves_target=True)


def law(shift: Shift, geometry: Geometry) -> ShiftLaw:
    """The second moment and target of a shift in one geometry (theory/README.md 2).

    The target is the best linear predictor of the labels, beta itself where they are linear.

    Parameters
    ----------
    shift : Shift
    geometry : Geometry

    Returns
    -------
    ShiftLaw

    Raises
    ------
    InputError
        A custom matrix of the wrong size.
    NotImplementedError
        The record of the shift contradicts its law: a target that moves, or an adversary, which the
        laws of the theory would overlook.
    """
    kind = shift.record
    found = kind.law(shift, geometry)
    if not kind.moves_target and not np.array_equal(found.target, geometry.beta):
        raise unhandled("target that moves under the shift", shift.kind, "its record in SHIFTS")
    if kind.moment is not None and found.budget:
        raise unhandled("adversary of the shift", shift.kind, "its record in SHIFTS")
    if geometry.model.linear_labels:
        return found
    return replace(found, target=best_predictor(geometry, found.target))


def _spell(kind: str, value: float) -> str:
    if kind == "spectrum":
        return repr(value)
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
