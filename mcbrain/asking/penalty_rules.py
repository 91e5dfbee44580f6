"""The rules by which a penalty is chosen, one registry (theory/README.md 2).

A rule says what chooses: the study by a number, the least risk before the first replicate, or each
replicate by its own data.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from mcbrain.errors import InputError, did_you_mean, unhandled

__all__ = [
    "FIXED",
    "REDUCIBLE",
    "RULES",
    "SELECTION_GRID",
    "Rule",
    "RuleKind",
    "check_rules",
    "grid",
    "rules_by",
    "rules_from",
]

# Candidates of `loo` and `gcv`, as multiples of the mean eigenvalue of the penalised block's Gram
# matrix; 0 and infinity join them.
SELECTION_GRID = tuple(float(v) for v in np.geomspace(1e-4, 1e4, 49))


@dataclass(frozen=True)
class RuleKind:
    """A way to choose a penalty.

    Attributes
    ----------
    by : {"study", "risk", "replicate"}
        What chooses: the number that the study gives, the least risk before the first replicate
        (by a law, or by a pilot where there is none), or each replicate by its own data, as the
        kernels do under this rule's name (`engines/bridge.py`).
    under : {"", "id", "each"}
        The shifts under which the risk is the least: without a shift, or under each of the
        study's, which then has a penalty of its own.
    """

    by: Literal["study", "risk", "replicate"]
    under: Literal["", "id", "each"] = ""


FIXED = "fixed"
"""The rule of a number or a grid of numbers, which has no word of its own in a study."""

RULES: dict[str, RuleKind] = {
    FIXED: RuleKind("study"),
    "optimal": RuleKind("risk", "id"),
    "optimal-shift": RuleKind("risk", "each"),
    "loo": RuleKind("replicate"),
    "gcv": RuleKind("replicate"),
}


REDUCIBLE = ("gcv",)
"""Rules by which an encoder chooses from sufficient statistics alone, without single recordings."""


def check_rules(table: Mapping[str, RuleKind]) -> None:
    """Refuse a table in which a rule would carry the numbers of another.

    Parameters
    ----------
    table : mapping
        Rules by name.

    Raises
    ------
    ValueError
        Two rules that choose before the first replicate have one definition.
    """
    seen: dict[RuleKind, str] = {}
    for name, kind in table.items():
        other = seen.setdefault(kind, name)
        if kind.by != "replicate" and other != name:
            raise ValueError(
                f"penalty rules '{other}' and '{name}' have one definition, {kind}: what '{name}' "
                f"does differently from '{other}' is not said, so it would carry the same numbers"
            )


check_rules(RULES)


def rules_by(chooser: str) -> tuple[str, ...]:
    """The names of the penalty rules by which something chooses.

    Parameters
    ----------
    chooser : {"study", "risk", "replicate"}
        See `RuleKind.by`.

    Returns
    -------
    tuple of str
    """
    return tuple(name for name, kind in RULES.items() if kind.by == chooser)


@dataclass(frozen=True)
class Rule:
    """How a penalty is chosen: one of `RULES`, and the number of a fixed one.

    Attributes
    ----------
    kind : str
        Its name in `RULES`.
    value : float
        Of a fixed penalty, as it was written; NaN under a rule.
    """

    kind: str
    value: float = math.nan

    @property
    def record(self) -> RuleKind:
        """Its entry in the table of rules."""
        if self.kind not in RULES:
            raise unhandled(
                "penalty rule", self.kind, "the table of rules (asking/penalty_rules.py)"
            )
        return RULES[self.kind]

    @property
    def fixed(self) -> bool:
        """Whether it is a number that the study gives."""
        return self.record.by == "study"

    @property
    def selects(self) -> bool:
        """Whether each replicate chooses its own penalty from its data."""
        return self.record.by == "replicate"


def rules_from(value: Any, where: str, infinity: str) -> list[Rule]:
    """The rules that one value of a study stands for; a grid is one rule for each of its values.

    Parameters
    ----------
    value : object
        A number, a rule in words, or `{geometric = [low, high, count]}`.
    where : str
        What to call it in a sentence.
    infinity : str
        What is to be said to who asks for a penalty beyond all bounds.

    Returns
    -------
    list of Rule
        At least one.

    Raises
    ------
    InputError
        Naming the value and what is allowed.
    """
    if isinstance(value, str):
        check_rules(RULES)
        words = [name for name in RULES if name != FIXED]
        if value not in words:
            raise InputError(f"{where}: a number, a list or a rule; {did_you_mean(value, words)}")
        return [Rule(value)]
    if isinstance(value, Mapping):
        return [Rule(FIXED, v) for v in grid(value, where)]
    if isinstance(value, (bool, np.bool_)) or not isinstance(
        value, (int, float, np.integer, np.floating)
    ):
        raise InputError(f"{where}: a number, a list, a rule or {{geometric = [low, high, count]}}")
    if not -1e150 <= value <= 1e150:  # before float(): whole numbers may be too large for it
        raise InputError(f"{where}: a finite penalty is allowed{infinity}")
    return [Rule(FIXED, float(value))]


def grid(setting: Mapping[str, Any], where: str) -> list[float]:
    """Values of `{geometric = [low, high, count]}` or `{linear = [low, high, count]}`.

    Parameters
    ----------
    setting : mapping
        "geometric" or "linear" to its three numbers.
    where : str
        What to call it in a sentence.

    Returns
    -------
    list of float
        From `low` to `high`, `count` of them.

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
