"""The text behind a plug-in: what it is identified by, and what travels to those who run it."""

from __future__ import annotations

import ast
import hashlib
import inspect
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from mcbrain.errors import InputError

__all__ = ["SOURCE", "Source", "source_of", "source_of_text"]

SOURCE = "__mcbrain_source__"
"""The name under which the loader leaves the source of a module in its namespace."""

_ALIKE = (int, float, complex, bool, str, bytes, type(None))


@dataclass(frozen=True)
class Source:
    """The module in which a plug-in stands.

    Attributes
    ----------
    file : str
        As its user named it, for sentences.
    text : str
        The whole of it.
    versions : str
        The packages that it imports, with major and minor versions.
    alone : bool
        Whether the text is all that is needed to have the function again. Not so of a function that
        was made in a session: that travels by value.
    """

    file: str
    text: str
    versions: str
    alone: bool = True

    @property
    def digest(self) -> str:
        """16 hexadecimal digits of text and versions: a helper that changes is a change."""
        return hashlib.blake2b(f"{self.versions}\n{self.text}".encode(), digest_size=8).hexdigest()

    def at(self, line: int) -> str:
        """File and line, for the beginning of a sentence.

        Parameters
        ----------
        line : int

        Returns
        -------
        str
        """
        return f"{self.file}, line {line}"


def source_of_text(file: str, text: str) -> Source:
    """The source of a file of plug-ins, none of which is run.

    Parameters
    ----------
    file : str
        What to call it.
    text : str

    Returns
    -------
    Source

    Raises
    ------
    InputError
        The text is not Python, or imports what no installed package has: a worker would lack it.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        what = getattr(error, "msg", str(error))
        raise InputError(f"{file}, line {line}: not Python: {what}") from None
    return Source(file, text, _versions(file, tree))


def _versions(file: str, tree: ast.AST) -> str:
    """The packages that a module imports; mcbrain has an identity of its own."""
    found = {name: _version(file, line, name) for name, line in _imported(file, tree)}
    return ", ".join(f"{name} {number}" for name, number in sorted(found.items()) if number)


def _imported(file: str, tree: ast.AST) -> Iterator[tuple[str, int]]:
    """The first name of every import, and its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name.partition(".")[0], node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level or node.module is None:
                raise InputError(
                    f"{file}, line {node.lineno}: a relative import; a plug-in is one file, and "
                    "what it needs stands in it or in an installed package"
                )
            yield node.module.partition(".")[0], node.lineno


def _version(file: str, line: int, name: str) -> str:
    """Major and minor version of an imported package; empty for Python's own and for mcbrain."""
    if name in sys.stdlib_module_names or name == "mcbrain":
        return ""
    try:
        (distribution, *_) = _distributions().get(name, [name])
        return ".".join(version(distribution).split(".")[:2])
    except PackageNotFoundError:
        there = find_spec(name) is not None
    what = "is a file of yours" if there else "is not installed"
    raise InputError(
        f"{file}, line {line}: imports '{name}', which {what}; a plug-in is one file, and what it "
        "needs stands in it or in an installed package"
    )


@lru_cache(maxsize=1)
def _distributions() -> dict[str, list[str]]:
    return dict(packages_distributions())


def source_of(function: Callable[..., object]) -> Source:
    """The source of a function that somebody has decorated.

    Parameters
    ----------
    function : callable

    Returns
    -------
    Source
        Of the module as the loader read it, or of the file that was imported; for a function of a
        session, the text of the function and of the globals that it names.
    """
    space = function.__globals__
    if isinstance(found := space.get(SOURCE), Source):
        return found
    file = space.get("__file__")
    if isinstance(file, str) and Path(file).is_file():
        text = Path(file).read_text(encoding="utf-8")
        return Source(file, text, _loaded_versions(space), alone=False)
    name = f"the session's {function.__name__}"
    return Source(name, _spelt(function, set()), _loaded_versions(space), alone=False)


def _loaded_versions(space: dict[str, Any]) -> str:
    """Packages of the modules that a namespace holds."""
    names = {
        value.__name__.partition(".")[0]
        for value in space.values()
        if isinstance(value, ModuleType)
    }
    names -= {"mcbrain", *sys.stdlib_module_names}
    found = []
    for name in sorted(names):
        try:
            (distribution, *_) = _distributions().get(name, [name])
            found.append(f"{name} {'.'.join(version(distribution).split('.')[:2])}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def _spelt(function: Callable[..., object], seen: set[str]) -> str:
    """A function of a session with the globals that it names.

    What cannot be spelt is given a name that no other run has: such a function is never taken for
    the one of an earlier run.
    """
    try:
        text = inspect.getsource(function)
    except (OSError, TypeError):
        return f"{uuid.uuid4().hex} (a function without a text cannot be resumed)"
    parts = [text]
    for name in sorted(_names(function.__code__)):
        value = function.__globals__.get(name)
        if name in seen or name not in function.__globals__:
            continue
        seen.add(name)
        inner = getattr(value, "py_func", value)
        if isinstance(value, ModuleType):
            parts.append(f"{name} is {value.__name__}")
        elif isinstance(value, _ALIKE):
            parts.append(f"{name} = {value!r}")
        elif inspect.isfunction(inner):
            parts.append(_spelt(inner, seen))
        else:
            parts.append(f"{name} = {uuid.uuid4().hex} (this cannot be resumed)")
    return "\n".join(parts)


def _names(code: Any) -> set[str]:
    """The global names of a function and of those inside it."""
    found = set(code.co_names)
    for constant in code.co_consts:
        if hasattr(constant, "co_names"):
            found |= _names(constant)
    return found
