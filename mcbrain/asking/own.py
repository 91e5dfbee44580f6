"""Estimators that a user brings: a plug-in at one setting of its parameters, and how to ask."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from mcbrain.asking.penalty_rules import grid
from mcbrain.errors import InputError, did_you_mean
from mcbrain.plain import is_number
from mcbrain.plugins.record import Plugin

__all__ = ["BRAIN_FIELDS", "Own", "Setting", "each_setting"]

Setting: TypeAlias = float | str | bool
"""One value of a parameter; words and truth values only of a class of scikit-learn's."""

BRAIN_FIELDS = ("X_brain", "R", "basis")
"""What of a data set is brain data."""

_BLOCK_SECONDS = 0.25
_MOST = 200_000


@dataclass(frozen=True)
class Own:
    """A plug-in at one setting of its parameters.

    Attributes
    ----------
    plugin : Plugin
    values : tuple of (str, float, str or bool)
        Every parameter in its order, with its value.
    """

    plugin: Plugin
    values: tuple[tuple[str, Setting], ...]

    @property
    def spelt(self) -> str:
        """The parameters in TOML spelling, as column `parameters` has them."""
        inside = ", ".join(f"{name} = {_toml(value)}" for name, value in self.values)
        return f"{{ {inside} }}" if inside else "{}"

    @property
    def label(self) -> str:
        """Name by content: parameters, and the text that computes with them."""
        return f"plug-in {self.plugin.name} {self.spelt} {self.plugin.digest}"

    @property
    def words(self) -> str:
        """For the beginning of a sentence: file and line, name and parameters."""
        inside = ", ".join(f"{name} = {_toml(value)}" for name, value in self.values)
        settled = f" with {inside}" if inside else ""
        return f"{self.plugin.where}: estimator '{self.plugin.name}'{settled}"

    @property
    def reads_basis(self) -> bool:
        """Whether it is given the estimated subspace, which needs as many samples as its rank."""
        return "basis" in self.plugin.reads

    @property
    def reads_brain(self) -> bool:
        """Whether brain data are drawn for it."""
        return any(name in self.plugin.reads for name in BRAIN_FIELDS)

    def line(self, number: int) -> str:
        """A line of its file, for a sentence.

        Parameters
        ----------
        number : int
            From 1; any other is no line.

        Returns
        -------
        str
            File, number and text; empty where there is no such line.
        """
        lines = self.plugin.source.text.splitlines()
        if not 0 < number <= len(lines):
            return ""
        return f"{self.plugin.source.at(number)}: {lines[number - 1].strip()}"

    def seen(self, block_size: int) -> int:
        """How many of the first replicates of a block it is given.

        Parameters
        ----------
        block_size : int

        Returns
        -------
        int
            All of them, or as many as its declared cost allows in a quarter of a second, at least
            one: a function of the cost alone, so that it is the same wherever it runs.
        """
        cost = self.plugin.cost
        return block_size if cost is None else min(block_size, max(1, int(_BLOCK_SECONDS / cost)))


def each_setting(plugin: Plugin, setting: object) -> list[Own]:
    """A plug-in at each setting that a study asks for.

    Parameters
    ----------
    plugin : Plugin
    setting : object
        A table of parameters: each a number, a list or `{geometric = [low, high, count]}`. Those
        that are not named have their defaults.

    Returns
    -------
    list of Own
        One for each combination, the last parameter fastest.

    Raises
    ------
    InputError
        Not a table, a parameter that it does not have, or a value that it cannot take.
    """
    where = f'[estimators] "{plugin.name}"' if ":" in plugin.name else f"[estimators] {plugin.name}"
    known = plugin.defaults
    form = ", ".join(f"{name} = {_toml(value)}" for name, value in known.items())
    table = f"{{ {form} }}" if form else "{}"
    if not isinstance(setting, Mapping):
        raise InputError(
            f"{where} = {setting!r}: a plug-in takes a table of its parameters, such as "
            f"{plugin.name} = {table}"
        )
    free = not known and plugin.name.startswith(SKLEARN)  # whatever the class takes
    for name in setting:
        if name not in known and not free:
            hint = did_you_mean(str(name), known) if known else "it has none"
            raise InputError(f"{where}: {name} is no parameter of {plugin.name}; {hint}")
    names = list(setting) if free else list(known)
    axes = [_values(setting.get(n, known.get(n)), f"{where}: {n}", free) for n in names]
    found = [
        Own(plugin, tuple(zip(names, values, strict=True))) for values in itertools.product(*axes)
    ]
    if not 0 < len(found) <= _MOST:
        raise InputError(f"{where}: asks for {len(found):,} settings; 1 to {_MOST:,} are allowed")
    return found


SKLEARN = "sklearn:"
"""How the name of a class of scikit-learn's begins in a study."""


def _values(value: Any, where: str, words: bool) -> Sequence[Setting]:
    """The values that are asked of one parameter."""
    if isinstance(value, Mapping):
        return grid(value, where)
    values = value if isinstance(value, (list, tuple)) else [value]
    return [_value(one, where, words) for one in values]


def _value(value: object, where: str, words: bool) -> Setting:
    if words and isinstance(value, (str, bool, int)):
        return value
    if not is_number(value) or not abs(float(value)) < float("inf"):  # type: ignore[arg-type]
        raise InputError(
            f"{where} = {value!r}: a finite number, a list or {{geometric = [low, high, count]}}"
        )
    return float(value)  # type: ignore[arg-type]


def _toml(value: Setting) -> str:
    """A value as TOML spells it."""
    if isinstance(value, str):
        return json.dumps(value)
    return str(value).lower() if isinstance(value, bool) else repr(value)
