"""From files and installed packages to plug-ins: the one place where a user's text is run."""

from __future__ import annotations

import linecache
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from mcbrain.errors import InputError, did_you_mean
from mcbrain.plugins.record import Plugin
from mcbrain.plugins.sources import SOURCE, Source, source_of_text

__all__ = ["GROUP", "function_of", "installed", "load_file", "named", "read_file", "space_of"]

GROUP = "mcbrain.plugins"
"""The group of entry points by which an installed package brings plug-ins."""

_LOADED: dict[str, tuple[Plugin, ...]] = {}
"""The plug-ins of each text that this process has run, by its digest."""


def read_file(path: Path, file: str) -> Source:
    """The source of a file of plug-ins; nothing in it is run.

    Parameters
    ----------
    path : Path
        Where it is.
    file : str
        As the study names it.

    Returns
    -------
    Source

    Raises
    ------
    InputError
        It is missing, cannot be read or is not Python.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"[plugins] files: {file} is not there (looked for {path})") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"[plugins] files: {file} cannot be read ({error})") from None
    return source_of_text(file, text)


def load_file(source: Source) -> tuple[Plugin, ...]:
    """The plug-ins of a file. This runs it.

    Parameters
    ----------
    source : Source
        As `read_file` gives it, by somebody who trusts it.

    Returns
    -------
    tuple of Plugin
        In the order in which they stand; the same for a text that was run before.

    Raises
    ------
    InputError
        The file raises an error, with its line; or it brings no plug-in, or one name twice.
    """
    if source.digest not in _LOADED:
        _LOADED[source.digest] = tuple(_run(source))
    return _LOADED[source.digest]


def _run(source: Source) -> list[Plugin]:
    module = ModuleType(f"mcbrain_plugin_{source.digest}")
    shown = f"<plug-in {source.digest}> {source.file}"  # tracebacks and inspect find the text by it
    linecache.cache[shown] = (len(source.text), None, source.text.splitlines(True), shown)
    vars(module).update({"__file__": shown, SOURCE: source})
    try:
        exec(compile(source.text, shown, "exec"), vars(module))
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == shown]
        line = lines[-1] if lines and lines[-1] else 1
        raise InputError(f"{source.at(line)}: {type(error).__name__}: {error}") from None
    sys.modules[module.__name__] = module  # machine code that is loaded asks for it by name
    found = [v for v in vars(module).values() if isinstance(v, Plugin) and v.source is source]
    found = sorted(dict.fromkeys(found), key=lambda plugin: plugin.line)
    if not found:
        raise InputError(
            f"{source.file} brings no plug-in; decorate a function, such as with @mb.estimator"
        )
    return found


# Any: a user's own function.
def function_of(plugin: Plugin) -> Callable[..., Any]:
    """The function of a plug-in, loaded from its text where it is not there yet.

    Parameters
    ----------
    plugin : Plugin
        Of a study that somebody has trusted: only those are asked to compute.

    Returns
    -------
    callable
        As it was written, uncompiled.

    Raises
    ------
    InputError
        The text brings no such function any more, or an error when it is run.
    """
    if plugin.python is not None:
        return plugin.python
    for other in load_file(plugin.source):
        if (other.kind, other.name) == (plugin.kind, plugin.name) and other.python is not None:
            return other.python
    raise InputError(f"{plugin.source.file} has no {plugin.kind} '{plugin.name}'")


# Any: whatever stands in a user's module.
def space_of(plugin: Plugin) -> dict[str, Any]:
    """The names that stand beside the function of a plug-in.

    Parameters
    ----------
    plugin : Plugin

    Returns
    -------
    dict
        Value by name.

    Raises
    ------
    InputError
        As of `function_of`.
    """
    return function_of(plugin).__globals__


def installed() -> tuple[Plugin, ...]:
    """The plug-ins of installed packages, by the entry points `mcbrain.plugins`.

    Returns
    -------
    tuple of Plugin
        By the names of their entry points. Importing a package runs it: who installed it trusts it.

    Raises
    ------
    InputError
        An entry point cannot be loaded, or is no plug-in.
    """
    found = []
    for entry in sorted(entry_points(group=GROUP), key=lambda e: e.name):
        where = f"entry point {entry.name} = {entry.value}"
        try:
            value = entry.load()
        except Exception as error:
            raise InputError(f"{where}: cannot be loaded ({error})") from None
        if not isinstance(value, Plugin):
            raise InputError(f"{where}: is no plug-in; decorate it, such as with @mb.estimator")
        found.append(value)
    return tuple(found)


def named(
    plugins: Iterable[Plugin], built_in: Mapping[str, Iterable[str]]
) -> dict[tuple[str, str], Plugin]:
    """Plug-ins by kind and name.

    Parameters
    ----------
    plugins : iterable of Plugin
    built_in : mapping of str to iterable of str
        For each kind the names that mcbrain has itself.

    Returns
    -------
    dict of (str, str) to Plugin

    Raises
    ------
    InputError
        A name is mcbrain's own, or two different plug-ins have it.
    """
    found: dict[tuple[str, str], Plugin] = {}
    for plugin in plugins:
        key = plugin.kind, plugin.name
        if plugin.name in built_in.get(plugin.kind, ()):
            raise InputError(
                f"{plugin.where}: {plugin.kind} '{plugin.name}' has a name of mcbrain's own; "
                "choose another"
            )
        other = found.setdefault(key, plugin)
        if other != plugin:
            raise InputError(
                f"{plugin.where}: {plugin.kind} '{plugin.name}' is also in {other.where}; "
                "one of them needs another name"
            )
    return found


def unknown(name: str, kind: str, plugins: Mapping[tuple[str, str], Plugin]) -> str:
    """The end of a sentence about a name that no plug-in has.

    Parameters
    ----------
    name : str
    kind : str
    plugins : mapping
        As of `named`.

    Returns
    -------
    str
    """
    return did_you_mean(name, [other for k, other in plugins if k == kind])
