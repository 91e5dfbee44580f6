"""The estimators (theory/README.md 2), one registry, and what is compared: one under a rule.

Every estimator is one line: the subspace it spares from the penalty, eta, the share of the penalty
that the subspace still feels, Omega = (I - P) + eta P, and whether that penalty is to be chosen. No
two lines say the same: the numbers of an estimator follow from its line alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal

from mcbrain.asking.encoders import PLAIN, Encoder
from mcbrain.asking.own import SKLEARN, Own, each_setting
from mcbrain.asking.penalty_rules import FIXED, Rule, rules_from
from mcbrain.errors import InputError, did_you_mean, unhandled
from mcbrain.plugins.kinds import ESTIMATOR
from mcbrain.plugins.record import Plugin
from mcbrain.plugins.sklearn_classes import of_class

__all__ = [
    "ESTIMATORS",
    "Estimator",
    "Method",
    "check_estimators",
    "methods_from_table",
    "parse_estimator",
]

_MAX_METHODS = 200_000

Subspace = Literal["none", "estimated", "measured"]


Penalty = Literal["chosen", "zero", "infinite"]

Plugins = Mapping[tuple[str, str], Plugin]
"""Plug-ins by kind and name (`plugins.loading.named`)."""


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
    own : Own, optional
        What a user brought in the place of all this; `subspace` then says whether it is given the
        estimated one.
    """

    name: str
    subspace: Subspace
    eta: float
    penalty: Penalty
    two_bands: bool = False
    own: Own | None = None

    @classmethod
    def of_plugin(cls, own: Own) -> Estimator:
        """The estimator that a plug-in is at one setting of its parameters.

        Parameters
        ----------
        own : Own

        Returns
        -------
        Estimator
        """
        if own.reads_basis:
            return cls(own.plugin.name, "estimated", 0.0, "zero", own=own)
        return cls(own.plugin.name, "none", 1.0, "zero", own=own)

    @property
    def reads_brain(self) -> bool:
        """Whether brain data are drawn for it: for the subspace, or to be read as they are."""
        return self.uses_brain or (self.own is not None and self.own.reads_brain)

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
class Method:
    """An estimator under a penalty rule, with an encoder if it has one: what is compared.

    Attributes
    ----------
    estimator : Estimator
        `estimator` of a results row.
    rule : Rule
        `penalty_rule` of a results row.
    encoder : Encoder
        Of its subspace, where it is estimated from recordings; `PLAIN` where not.
    """

    estimator: Estimator
    rule: Rule
    encoder: Encoder = PLAIN

    @property
    def tuned(self) -> bool:
        """Whether this is tuned ridge, the fair opponent that gains are measured against."""
        return self.estimator.name == "ridge" and not self.rule.fixed

    @property
    def label(self) -> str:
        """What it is, in a list: the estimator with its rule or number, and its encoder."""
        own = self.estimator.own
        rule = f"{self.rule.value:g}" if self.rule.fixed else self.rule.kind
        rule = rule if own is None else own.spelt
        return f"{self.estimator.name} ({', '.join(filter(None, (rule, self.encoder.words)))})"


def parse_estimator(name: str, own: Iterable[str] = ()) -> Estimator:
    """An estimator from its name, `two-penalty:eta` included.

    Parameters
    ----------
    name : str
        As in a study.
    own : iterable of str
        Names of plug-ins, for the sentence about one that does not exist.

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
        hint = did_you_mean(str(name), [*ESTIMATORS, "two-penalty:ETA", *own])
        raise InputError(f"estimator '{name}' does not exist; {hint}")
    try:
        eta = float(text)
    except ValueError:
        eta = math.nan
    if not 0.0 <= eta <= 1e6:
        raise InputError(f"estimator '{name}': the form is two-penalty:ETA with a number ETA >= 0")
    return Estimator(name, "estimated", eta, "chosen", two_bands=True)


def methods_from_table(
    table: Mapping[str, Any],
    encoders: Sequence[Encoder] = (PLAIN,),
    plugins: Plugins = MappingProxyType({}),
) -> list[Method]:
    """Estimators under their rules, in the order of the table; a grid is one method per value.

    Parameters
    ----------
    table : mapping
        Estimator name to a number, a list, a rule in words or `{geometric = [low, high, count]}`;
        of a plug-in, to a table of its parameters.
    encoders : sequence of Encoder
        An estimator of a subspace is one method with each of them.
    plugins : mapping, optional
        The plug-ins that the study has.

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
        if (own := _plugin_of(name, plugins)) is not None:
            found = [Estimator.of_plugin(one) for one in each_setting(own, setting)]
            if any(estimator.uses_brain for estimator in found):
                _check_encoders_of(own, encoders)
            methods += [
                Method(estimator, Rule(FIXED, 0.0), encoder)
                for estimator in found
                for encoder in (encoders if estimator.uses_brain else (PLAIN,))
            ]
            continue
        estimator = parse_estimator(name, [n for kind, n in plugins if kind == ESTIMATOR])
        for value in setting if isinstance(setting, (list, tuple)) else [setting]:
            methods += [
                Method(estimator, rule, encoder)
                for rule in _rules(estimator, value)
                for encoder in (encoders if estimator.uses_brain else (PLAIN,))
            ]
            if len(methods) > _MAX_METHODS:
                raise InputError(
                    f"[estimators] {name}: at most {_MAX_METHODS:,} penalties are allowed in all"
                )
    if not methods:
        raise InputError('[estimators] is empty: ask for at least one, such as ridge = "optimal"')
    if len(set(methods)) < len(methods):
        raise InputError("[estimators]: the same estimator and penalty are listed twice")
    return methods


def _check_encoders_of(plugin: Plugin, encoders: Sequence[Encoder]) -> None:
    """Refuse the encoder of least risk for a plug-in, whose risk nobody knows beforehand."""
    for encoder in encoders:
        if encoder.rule.record.by == "risk":
            raise InputError(
                f"[encoding] penalty = '{encoder.rule.kind}': {plugin.where}: estimator "
                f"'{plugin.name}' reads the subspace, and no law says at which penalty of the "
                "encoder its risk is least; give numbers, or a rule that chooses on the recordings "
                "(loo, gcv)"
            )


def _plugin_of(name: str, plugins: Plugins) -> Plugin | None:
    """The plug-in of a name, or the class of scikit-learn's that it stands for."""
    if str(name).startswith(SKLEARN):
        return of_class(name.removeprefix(SKLEARN))
    return plugins.get((ESTIMATOR, name))


def _rules(estimator: Estimator, value: Any) -> list[Rule]:
    where = f"[estimators] {estimator.name} = {value!r}"
    if estimator.penalised:
        return rules_from(value, where, "; for infinity use 'projection'")
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value == 0:
        return [Rule(FIXED, 0.0)]
    raise InputError(f"{where}: {estimator.name} has no penalty to choose; only 0.0 is allowed")
