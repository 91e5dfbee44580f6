"""The estimators and the penalty rules (theory/README.md 2), one registry.

Every estimator is one line: the subspace it spares from the penalty, and eta, the share of the
penalty that the subspace still feels: Omega = (I - P) + eta P.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from mcbrain.errors import InputError, did_you_mean

__all__ = [
    "ESTIMATORS",
    "RULES",
    "SELECTION_GRID",
    "Choice",
    "Estimator",
    "Rule",
    "choices_from_table",
    "grid",
]

# Candidates of `loo` and `gcv`, as multiples of the mean eigenvalue of the penalised block's Gram
# matrix; 0 and infinity join them.
SELECTION_GRID = tuple(float(v) for v in np.geomspace(1e-4, 1e4, 49))

_MAX_CHOICES = 200_000

Subspace = Literal["none", "estimated", "measured"]

# Rules in words; a number or a grid of numbers is the rule `fixed`.
RULES = ("optimal", "optimal-shift", "loo", "gcv")


@dataclass(frozen=True)
class Estimator:
    """One estimator: `name` as in tables, the subspace it spares, and eta."""

    name: str
    subspace: Subspace
    eta: float
    penalised: bool = True

    @property
    def uses_brain(self) -> bool:
        """Whether brain samples change this estimator."""
        return self.subspace == "estimated"

    @property
    def two_bands(self) -> bool:
        """Whether the subspace has a penalty of its own."""
        return self.name.startswith("two-penalty")


ESTIMATORS: dict[str, Estimator] = {
    "ols": Estimator("ols", "none", 1.0, penalised=False),
    "ridge": Estimator("ridge", "none", 1.0),
    "befs": Estimator("befs", "estimated", 0.0),
    "befs-oracle": Estimator("befs-oracle", "measured", 0.0),
    "projection": Estimator("projection", "estimated", 0.0, penalised=False),
}


@dataclass(frozen=True)
class Rule:
    """How a penalty is chosen: a `fixed` number, or one of `RULES`."""

    kind: str
    value: float = math.nan

    @property
    def selects(self) -> bool:
        """Whether each replicate chooses its own penalty from its data."""
        return self.kind in ("loo", "gcv")


@dataclass(frozen=True)
class Choice:
    """An estimator under a penalty rule: `estimator` and `penalty_rule` of a results row."""

    estimator: Estimator
    rule: Rule

    @property
    def tuned(self) -> bool:
        """Whether this is tuned ridge, the fair opponent that gains are measured against."""
        return self.estimator.name == "ridge" and self.rule.kind != "fixed"


def parse_estimator(name: str) -> Estimator:
    """An estimator from its name, `two-penalty:eta` included.

    Raises
    ------
    InputError
        No such estimator, or an eta that is not a number >= 0.
    """
    if name in ESTIMATORS:
        return ESTIMATORS[name]
    kind, _, text = str(name).partition(":")
    if kind != "two-penalty":
        hint = did_you_mean(str(name), [*ESTIMATORS, "two-penalty:ETA"])
        raise InputError(f"estimator '{name}' does not exist; {hint}")
    try:
        eta = float(text)
    except ValueError:
        eta = math.nan
    if not 0.0 <= eta <= 1e6:
        raise InputError(f"estimator '{name}': the form is two-penalty:ETA with a number ETA >= 0")
    return Estimator(name, "estimated", eta)


def choices_from_table(table: Mapping[str, Any]) -> list[Choice]:
    """Estimators under their rules, in the order of the table; a grid is one choice per value.

    Parameters
    ----------
    table : mapping
        Estimator name to a number, a list, a rule in words or `{geometric = [low, high, count]}`.

    Raises
    ------
    InputError
        Naming the estimator, the value and what is allowed.
    """
    choices: list[Choice] = []
    for name, setting in table.items():
        estimator = parse_estimator(name)
        for value in setting if isinstance(setting, (list, tuple)) else [setting]:
            choices += [Choice(estimator, rule) for rule in _rules(estimator, value)]
            if len(choices) > _MAX_CHOICES:
                raise InputError(
                    f"[estimators] {name}: at most {_MAX_CHOICES:,} penalties are allowed in all"
                )
    if not choices:
        raise InputError('[estimators] is empty: ask for at least one, such as ridge = "optimal"')
    if len(set(choices)) < len(choices):
        raise InputError("[estimators]: the same estimator and penalty are listed twice")
    return choices


def _rules(estimator: Estimator, value: Any) -> list[Rule]:
    where = f"[estimators] {estimator.name} = {value!r}"
    if not estimator.penalised:
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value == 0:
            return [Rule("fixed", 0.0)]
        raise InputError(f"{where}: {estimator.name} has no penalty to choose; only 0.0 is allowed")
    if isinstance(value, str):
        if value not in RULES:
            raise InputError(f"{where}: a number, a list or a rule; {did_you_mean(value, RULES)}")
        return [Rule(value)]
    if isinstance(value, Mapping):
        return [Rule("fixed", v) for v in grid(value, where)]
    if isinstance(value, (bool, np.bool_)) or not isinstance(
        value, (int, float, np.integer, np.floating)
    ):
        raise InputError(f"{where}: a number, a list, a rule or {{geometric = [low, high, count]}}")
    if not -1e150 <= value <= 1e150:  # before float(): whole numbers may be too large for it
        raise InputError(f"{where}: a finite penalty is allowed; for infinity use 'projection'")
    return [Rule("fixed", float(value))]


def grid(setting: Mapping[str, Any], where: str) -> list[float]:
    """Values of `{geometric = [low, high, count]}` or `{linear = [low, high, count]}`.

    Raises
    ------
    InputError
        Another key, or values that make no grid.
    """
    if len(setting) != 1 or next(iter(setting)) not in ("geometric", "linear"):
        raise InputError(f"{where}: the form is {{geometric = [low, high, count]}} or linear")
    kind, values = next(iter(setting.items()))
    if not isinstance(values, (list, tuple)) or len(values) != 3:
        raise InputError(f"{where}: {kind} needs three numbers, [low, high, count]")
    if any(isinstance(v, bool) or not isinstance(v, (int, float)) for v in values):
        raise InputError(f"{where}: {kind} needs three numbers, [low, high, count]")
    low, high, count = values
    if not 1 <= count <= 100_000 or count != int(count):
        raise InputError(f"{where}: the count is a whole number from 1 to 100000")
    if not -1e300 <= low <= high <= 1e300:  # also refuses NaN
        raise InputError(f"{where}: low <= high are finite numbers")
    low, high = float(low), float(high)
    if kind == "linear":
        return [float(v) for v in np.linspace(low, high, int(count))]
    if low <= 0:
        raise InputError(f"{where}: a geometric grid starts above 0")
    return [float(v) for v in np.geomspace(low, high, int(count))]
