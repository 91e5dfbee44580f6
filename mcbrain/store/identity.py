"""Which code computed a block: a hash over the syntax of every module that decides numbers.

Blocks of different code must never be averaged, wherever the code lies and whatever is said about
its version. So each block carries the identity of the code that drew it: the syntax trees of the
modules below, without comments, docstrings and formatting, and the major and minor versions of the
libraries that compile and compute. A changed constant or statement is another identity; a moved,
reformatted or better explained module is the same.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from importlib.resources.abc import Traversable

from mcbrain.errors import InputError
from mcbrain.places import cache_root

__all__ = [
    "KEEPERS",
    "LIBRARIES",
    "MODULES",
    "PACKAGES",
    "UNKNOWN",
    "Identity",
    "code_identity",
    "syntax",
]

# Every module that turns a problem into random numbers, and random numbers into block sums:
# whatever the engines import, except what only refuses input and the laws, which stand beside
# blocks and never in them (tests/store/test_identity.py holds this list against the imports).
PACKAGES = ("blocks", "engines", "kernels", "plugins", "population")
MODULES = (
    "asking.encoders",
    "asking.estimators",
    "asking.metrics",
    "asking.own",
    "asking.penalty_rules",
    "blas",
    "plan.moments",
    "plan.task_stage",
    "typing",
)
# What keeps machine code between processes: it loads what the others compiled, or nothing.
KEEPERS = ("kernels.cache", "kernels.cache_folder", "places")
LIBRARIES = ("numba", "numpy", "scipy")

_SILENT = ("ctx", "kind", "type_comment")  # fields of a syntax tree that decide nothing


@dataclass(frozen=True)
class Identity:
    """The code that computed some blocks.

    Attributes
    ----------
    digest : str
        16 hexadecimal digits: of the syntax of `MODULES` and `PACKAGES`, and of the major and minor
        versions of `LIBRARIES`. Blocks of equal digests may be averaged.
    versions : str
        What a person calls this code, such as "mcbrain 0.1.0, numba 0.68, numpy 2.4, scipy 1.17".
    """

    digest: str
    versions: str

    @property
    def text(self) -> str:
        """Both, as blocks carry them."""
        return f"{self.digest} {self.versions}"

    @property
    def name(self) -> str:
        """What a person calls this code, told apart from other code of the same version."""
        if not self.digest:
            return self.versions
        own, _, libraries = self.versions.partition(", ")
        return f"{own} (code {self.digest[:8]}), {libraries}"

    @classmethod
    def parse(cls, text: str | None) -> Identity:
        """The identity that a block carries.

        Parameters
        ----------
        text : str or None
            As `text` spells it; None or empty where a block says nothing of its code.

        Returns
        -------
        Identity
            `UNKNOWN` where the block carries none.
        """
        if not text:
            return UNKNOWN
        digest, _, versions = text.partition(" ")
        return cls(digest, versions)


# Blocks of format 1 say nothing of their code.
UNKNOWN = Identity("", "an unknown version")


@lru_cache(maxsize=1)
def code_identity() -> Identity:
    """The identity of the code that runs here.

    Returns
    -------
    Identity
        Found once in a process; later changes of the sources are not seen.

    Raises
    ------
    InputError
        mcbrain was installed without its sources.
    """
    libraries = {name: _minor(name) for name in LIBRARIES}
    digest = blake2b(_sources_digest().encode(), digest_size=8)
    digest.update(repr(libraries).encode())
    own = import_module("mcbrain").__version__
    named = [f"mcbrain {own}", *(f"{n} {v}" for n, v in libraries.items())]
    return Identity(digest.hexdigest(), ", ".join(named))


def syntax(source: str | bytes) -> str:
    """The statements and constants of a module: its syntax tree as text, docstrings aside.

    The text is the same in every version of Python: fields that are empty are left out.

    Parameters
    ----------
    source : str or bytes
        Python source.

    Returns
    -------
    str
        Equal for sources that differ only in comments, docstrings and formatting.

    Raises
    ------
    SyntaxError
        The source is not Python.
    """
    words: list[str] = []
    _spell(ast.parse(source), words)
    return " ".join(words)


def _spell(part: object, words: list[str]) -> None:
    """Add the words for a part of a syntax tree: a node, a list of nodes, or a constant."""
    if isinstance(part, ast.AST):
        words.append(f"({type(part).__name__}")
        for name in part._fields:
            value = getattr(part, name, None)
            if value is not None and value != [] and name not in _SILENT:
                words.append(name)
                _spell(value, words)
        words.append(")")
    elif isinstance(part, list):
        words.append("[")
        for item in part:
            if not _is_docstring(item):
                _spell(item, words)
        words.append("]")
    else:
        words.append(repr(part))


def _is_docstring(item: object) -> bool:
    """Whether a statement is a text alone, which does nothing."""
    return (
        isinstance(item, ast.Expr)
        and isinstance(item.value, ast.Constant)
        and isinstance(item.value.value, str)
    )


def _sources_digest() -> str:
    """Hash of the syntax of every module that decides numbers, remembered by that of the bytes.

    To parse the modules takes a quarter of a second, to read them a hundredth.
    """
    sources = dict(_sources())
    raw = blake2b(repr(sys.version_info[:2]).encode(), digest_size=16)
    for name, content in sources.items():
        raw.update(f"{name} {len(content)} ".encode() + content)
    name = f"identity-{raw.hexdigest()}"
    with suppress(OSError, ValueError):
        known = (cache_root() / name).read_text(encoding="ascii")
        if len(known) == 32 and int(known, 16) >= 0:
            return known
    digest = blake2b(digest_size=16)
    for name, content in sources.items():
        digest.update(f"{name} {syntax(content)}\n".encode())
    with suppress(OSError):
        note = cache_root() / name
        note.parent.mkdir(parents=True, exist_ok=True)
        draft = note.with_name(f".{note.name}.{os.getpid()}.tmp")
        draft.write_text(digest.hexdigest(), encoding="ascii")
        draft.replace(note)
    return digest.hexdigest()


def _sources() -> Iterator[tuple[str, bytes]]:
    """Name and source of each module that decides numbers, wherever the package was imported from.

    Raises
    ------
    InputError
        mcbrain was installed without its sources.
    """
    root = files("mcbrain")
    paths = [f"{name.replace('.', '/')}.py" for name in MODULES]
    kept = [f"{name.replace('.', '/')}.py" for name in KEEPERS]
    for package in PACKAGES:
        paths += sorted(_modules(root.joinpath(package), package))
    for path in (path for path in paths if path not in kept):
        try:
            yield path, root.joinpath(path).read_bytes()
        except OSError:
            raise InputError(
                f"mcbrain/{path} cannot be read, so nobody could tell which code computed a "
                "block; install mcbrain with its sources"
            ) from None


def _modules(folder: Traversable, path: str) -> Iterator[str]:
    """Paths of the modules of a package and of the packages in it."""
    for item in folder.iterdir():
        if item.is_dir():
            yield from _modules(item, f"{path}/{item.name}")
        elif item.name.endswith(".py"):
            yield f"{path}/{item.name}"


def _minor(library: str) -> str:
    """Major and minor version of a library, such as "2.4"; "unknown" if it is not installed."""
    try:
        return ".".join(version(library).split(".")[:2])
    except PackageNotFoundError:
        return "unknown"
