"""The decorators of `mcbrain` that make a plug-in of a function."""

from __future__ import annotations

import ast
import inspect
import math
import re
import textwrap
from collections.abc import Callable, Mapping
from typing import Any, overload

from mcbrain.errors import InputError
from mcbrain.plain import is_number
from mcbrain.plugins.kinds import Kind, kind_of
from mcbrain.plugins.record import Plugin
from mcbrain.plugins.sources import source_of

__all__ = [
    "FIELDS",
    "encoder",
    "estimator",
    "inputs",
    "labels",
    "law",
    "metric",
    "recordings",
    "shift",
]

FIELDS = ("X", "y", "X_brain", "R", "basis", "n")
"""The fields of `data` in the function of an estimator."""

Function = Callable[..., Any]
"""A user's own function."""

_NAME = re.compile(r"(?:sklearn:)?[A-Za-z][A-Za-z0-9_-]{0,63}")
_GRIDS = ("geometric", "linear")  # what a table of a study would take for a grid


class _Decorator:
    """A decorator of one kind, used bare or with options.

    Parameters
    ----------
    kind : str
        One of `kinds.KINDS`.
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self.__name__ = self.__qualname__ = kind
        self.__doc__ = f"A plug-in of kind {kind}; see `mcbrain.plugins.decorators.plugin`."

    @overload
    def __call__(self, function: Function, /) -> Plugin: ...

    @overload
    def __call__(
        self,
        function: None = None,
        /,
        *,
        parameters: Mapping[str, float] | None = None,
        compiled: bool = True,
        cost: float | None = None,
        name: str | None = None,
    ) -> Callable[[Function], Plugin]: ...

    def __call__(
        self,
        function: Function | None = None,
        /,
        *,
        parameters: Mapping[str, float] | None = None,
        compiled: bool | None = None,
        cost: float | None = None,
        name: str | None = None,
    ) -> Plugin | Callable[[Function], Plugin]:
        """Make a plug-in of a function, or the decorator that does."""
        kind = kind_of(self._kind)
        if compiled is None:
            compiled = bool(kind.takes)
        if function is None:
            return lambda own: plugin(kind, own, parameters or {}, compiled, cost, name)
        return plugin(kind, function, {}, compiled, None, None)


def plugin(
    kind: Kind,
    function: Function,
    parameters: Mapping[str, float],
    compiled: bool,
    cost: float | None,
    name: str | None,
) -> Plugin:
    """A plug-in of a function.

    Parameters
    ----------
    kind : Kind
    function : callable
        With the parameters that its kind says.
    parameters : mapping of str to float
        Names of its parameters, and their defaults.
    compiled : bool
        Whether Numba compiles it.
    cost : float, optional
        Seconds of a call, where that is too slow for every replicate.
    name : str, optional
        As studies name it; default that of the function.

    Returns
    -------
    Plugin

    Raises
    ------
    InputError
        What was brought cannot serve, with file and line.
    """
    if not inspect.isfunction(function):
        raise InputError(f"mb.{kind.name}: {function!r} is no function; decorate one with def")
    source, line = source_of(function), function.__code__.co_firstlineno
    name, where = name or function.__name__, source.at(line)
    if not kind.served:
        raise InputError(
            f"{where}: '{name}' is of kind {kind.name}, which mcbrain does not run yet"
        )
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InputError(f"{where}: name = {name!r}: letters, digits, - and _ are allowed")
    if cost is not None and not (is_number(cost) and 0 < cost < 1e6):
        raise InputError(f"{where}: cost = {cost!r}: seconds of a call, above 0, are allowed")
    if cost is not None and not kind.takes:
        raise InputError(f"{where}: cost = {cost!r}: a {kind.name} has none")
    if cost is not None and compiled:
        raise InputError(f"{where}: cost = {cost!r}: only a function with compiled=False has one")
    if parameters and "parameters" not in (*kind.takes, *kind.takes_in_python):
        raise InputError(f"{where}: parameters = {parameters!r}: a {kind.name} takes none")
    _check_signature(kind, function, compiled, f"{where}: {kind.name} '{name}'")
    return Plugin(
        kind=kind.name,
        name=name,
        parameters=_checked(parameters, where),
        compiled=bool(compiled),
        cost=None if cost is None else float(cost),
        reads=_reads(function),
        line=line,
        source=source,
        python=function,
    )


def _check_signature(kind: Kind, function: Function, compiled: bool, where: str) -> None:
    """Refuse a function that does not take what its kind is given."""
    wanted = kind.takes if compiled else kind.takes_in_python
    if not wanted:
        other = "compiled=False" if compiled else "compiled=True"
        raise InputError(f"{where}: a {kind.name} has {other}")
    found = [
        p.name
        for p in inspect.signature(function).parameters.values()
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.default is p.empty
    ]
    if len(found) != len(wanted) or len(found) != len(inspect.signature(function).parameters):
        given = ", ".join(inspect.signature(function).parameters)
        raise InputError(f"{where} takes ({given}); the form is ({', '.join(wanted)})")


def _checked(parameters: Mapping[str, float], where: str) -> tuple[tuple[str, float], ...]:
    """Names and defaults of parameters, as finite numbers."""
    if not isinstance(parameters, Mapping):
        raise InputError(f"{where}: parameters = {parameters!r}: names and defaults are allowed")
    for name, default in parameters.items():
        if not isinstance(name, str) or not name.isidentifier() or name.startswith("_"):
            raise InputError(f"{where}: parameter {name!r}: a Python name is allowed")
        if name in _GRIDS:
            raise InputError(
                f"{where}: parameter '{name}': a study writes grids by this word; choose another"
            )
        if not is_number(default) or not math.isfinite(default):
            raise InputError(f"{where}: {name} = {default!r}: a finite number is allowed")
    return tuple((name, float(value)) for name, value in parameters.items())


def _reads(function: Function) -> tuple[str, ...]:
    """The fields of the first parameter that a function reads; all where it does else with it."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return FIELDS
    first = next(iter(inspect.signature(function).parameters))
    uses = sum(isinstance(n, ast.Name) and n.id == first for n in ast.walk(tree))
    fields = [
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == first
    ]
    if uses != len(fields):
        return FIELDS
    return tuple(name for name in FIELDS if name in fields)


estimator = _Decorator("estimator")
encoder = _Decorator("encoder")
inputs = _Decorator("inputs")
labels = _Decorator("labels")
recordings = _Decorator("recordings")
shift = _Decorator("shift")
metric = _Decorator("metric")
law = _Decorator("law")
