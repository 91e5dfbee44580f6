"""The estimators and the penalty rules (theory/README.md 2), one registry.

Every estimator is one line: the subspace it spares from the penalty, eta, the share of the penalty
that the subspace still feels, Omega = (I - P) + eta P, and whether that penalty is to be chosen. No
two lines say the same: the numbers of an estimator follow from its line alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from mcbrain.errors import InputError, did_you_mean, unhandled

__all__ = [
    "ESTIMATORS",
    "FIXED",
    "RULES",
    "SELECTION_GRID",
    "Estimator",
    "Method",
    "Rule",
    "RuleKind",
    "check_estimators",
    "check_rules",
    "grid",
    "methods_from_table",
    "rules_by",
]

# Candidates of `loo` and `gcv`, as multiples of the mean eigenvalue of the penalised block's Gram
# matrix; 0 and infinity join them.
SELECTION_GRID = tuple(float(v) for v in np.geomspace(1e-4, 1e4, 49))

_MAX_METHODS = 200_000

Subspace = Literal["none", "estimated", "measured"]


Penalty = Literal["chosen", "zero", "infinite"]


@dataclass(frozen=True)
class Estimator:
    """One estimator.

    Attributes
    ----------
    name : str
        As in tables.
    subspace : {"none", "estimated", "measured"}
        What it spares from the penalty.
    eta : float
        Share of the penalty that the subspace still feels.
    penalty : {"chosen", "zero", "infinite"}
        Whether there is a penalty to choose, by a number or a rule, or what it always is.
    two_bands : bool
        Whether the subspace has a penalty of its own, which a rule chooses as well: eta is then
        that of a penalty without one.
    """

    name: str
    subspace: Subspace
    eta: float
    penalty: Penalty
    two_bands: bool = False

    @property
    def uses_brain(self) -> bool:
        """Whether brain samples change this estimator."""
        return self.subspace == "estimated"

    @property
    def penalised(self) -> bool:
        """Whether there is a penalty to choose."""
        return self.penalty == "chosen"

    @property
    def banded(self) -> bool:
        """Whether the subspace has a penalty too, of another size, or may have by a rule."""
        return self.two_bands or self.eta not in (0.0, 1.0)

    def in_force(self, chosen: float) -> float:
        """The penalty that the estimator has, where the one chosen for it is given.

        Parameters
        ----------
        chosen : float
            By a number or a rule.

        Returns
        -------
        float
            The same, or what the estimator's penalty always is.
        """
        match self.penalty:
            case "chosen":
                return chosen
            case "zero":
                return 0.0
            case "infinite":
                return math.inf
        raise unhandled("penalty of an estimator", self.penalty, "an estimator")


ESTIMATORS: dict[str, Estimator] = {
    "ols": Estimator("ols", "none", 1.0, "zero"),
    "ridge": Estimator("ridge", "none", 1.0, "chosen"),
    "befs": Estimator("befs", "estimated", 0.0, "chosen"),
    "befs-oracle": Estimator("befs-oracle", "measured", 0.0, "chosen"),
    "projection": Estimator("projection", "estimated", 0.0, "infinite"),
}


def check_estimators(table: Mapping[str, Estimator]) -> None:
    """Refuse a table in which an estimator would carry the numbers of another.

    Parameters
    ----------
    table : mapping of str to Estimator
        Estimators by their names.

    Raises
    ------
    ValueError
        Two names for one definition, a name that differs from its key, or an eta without effect.
    """
    seen: dict[Estimator, str] = {}
    for key, estimator in table.items():
        if estimator.name != key:
            raise ValueError(f"estimator '{key}' calls itself '{estimator.name}'")
        if (estimator.subspace == "none") != (estimator.eta == 1.0):
            raise ValueError(
                f"estimator '{key}' has subspace = '{estimator.subspace}' and eta = "
                f"{estimator.eta}: eta is 1 without a subspace, and not 1 with one, or the "
                "subspace has no effect"
            )
        if estimator.banded and not estimator.penalised:
            raise ValueError(
                f"estimator '{key}' has eta = {estimator.eta}, a share of a penalty, and penalty = "
                f"'{estimator.penalty}', which leaves none to share"
            )
        other = seen.setdefault(replace(estimator, name=""), key)
        if other != key:
            raise ValueError(
                f"estimators '{other}' and '{key}' have one definition, {estimator}: what '{key}' "
                f"does differently from '{other}' is not said, so it would carry the same numbers"
            )


check_estimators(ESTIMATORS)


@dataclass(frozen=True)
class RuleKind:
    """A way to choose a penalty.

    Attributes
    ----------
    by : {"study", "risk", "replicate"}
        What chooses: the number that the study gives, the least risk before the first replicate
        (by a law, or by a pilot where there is none), or each replicate by its own data, as the
        kernels do under this rule's name (`engines/sampled.py`).
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
            raise unhandled("penalty rule", self.kind, "the table of rules (asking/estimators.py)")
        return RULES[self.kind]

    @property
    def fixed(self) -> bool:
        """Whether it is a number that the study gives."""
        return self.record.by == "study"

    @property
    def selects(self) -> bool:
        """Whether each replicate chooses its own penalty from its data."""
        return self.record.by == "replicate"


@dataclass(frozen=True)
class Method:
    """An estimator under a penalty rule: what is compared.

    Attributes
    ----------
    estimator : Estimator
        `estimator` of a results row.
    rule : Rule
        `penalty_rule` of a results row.
    """

    estimator: Estimator
    rule: Rule

    @property
    def tuned(self) -> bool:
        """Whether this is tuned ridge, the fair opponent that gains are measured against."""
        return self.estimator.name == "ridge" and not self.rule.fixed


def parse_estimator(name: str) -> Estimator:
    """An estimator from its name, `two-penalty:eta` included.

    Parameters
    ----------
    name : str
        As in a study.

    Returns
    -------
    Estimator
        That of the table, or one with this eta.

    Raises
    ------
    InputError
        No such estimator, or an eta that is not a number >= 0.
    """
    check_estimators(ESTIMATORS)
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
    return Estimator(name, "estimated", eta, "chosen", two_bands=True)


def methods_from_table(table: Mapping[str, Any]) -> list[Method]:
    """Estimators under their rules, in the order of the table; a grid is one method per value.

    Parameters
    ----------
    table : mapping
        Estimator name to a number, a list, a rule in words or `{geometric = [low, high, count]}`.

    Returns
    -------
    list of Method
        At least one, and none twice.

    Raises
    ------
    InputError
        Naming the estimator, the value and what is allowed.
    """
    methods: list[Method] = []
    for name, setting in table.items():
        estimator = parse_estimator(name)
        for value in setting if isinstance(setting, (list, tuple)) else [setting]:
            methods += [Method(estimator, rule) for rule in _rules(estimator, value)]
            if len(methods) > _MAX_METHODS:
                raise InputError(
                    f"[estimators] {name}: at most {_MAX_METHODS:,} penalties are allowed in all"
                )
    if not methods:
        raise InputError('[estimators] is empty: ask for at least one, such as ridge = "optimal"')
    if len(set(methods)) < len(methods):
        raise InputError("[estimators]: the same estimator and penalty are listed twice")
    return methods


def _rules(estimator: Estimator, value: Any) -> list[Rule]:
    where = f"[estimators] {estimator.name} = {value!r}"
    if not estimator.penalised:
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value == 0:
            return [Rule(FIXED, 0.0)]
        raise InputError(f"{where}: {estimator.name} has no penalty to choose; only 0.0 is allowed")
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
        raise InputError(f"{where}: a finite penalty is allowed; for infinity use 'projection'")
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
