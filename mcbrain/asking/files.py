"""The text of a study's file, or what stands in its place."""

from __future__ import annotations

import re
from pathlib import Path

from mcbrain.errors import InputError

__all__ = ["read_text"]

_MAX_BYTES = 10_000_000
_MAX_DOTS = 200
_KEY_DOTS = re.compile(r"(?<!\d)\.|\.(?!\d)|\.[\w+-]+(?=\.)")


def read_text(path: Path) -> str:
    """A file's text, if it has no more of it than a study may hold.

    A key of n dotted parts costs the TOML parser n^2 memory. Each of its dots but one is beside
    something other than a digit, or has a bare word between itself and the next: floats have none.

    Parameters
    ----------
    path : Path
        Of the file.

    Returns
    -------
    str
        Without a mark of its encoding.

    Raises
    ------
    InputError
        A folder, a table of results, bytes that are no text, or too many of them.
    """
    if path.exists() and (objection := _objection(path)):
        raise InputError(f"{path}: {objection}")
    with path.open("rb") as source:
        content = source.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise InputError(f"{path}: a study file has at most {_MAX_BYTES:,} bytes")
    try:
        text = content.decode("utf-8-sig")  # some editors begin a file with a mark of its encoding
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: cannot be read as text ({error}); save it as UTF-8") from None
    for number, line in enumerate(text.split("\n"), start=1):
        if line.count(".") > _MAX_DOTS and len(_KEY_DOTS.findall(line)) > _MAX_DOTS:
            raise InputError(f"{path}: line {number}: a key has at most {_MAX_DOTS} dots")
    return text


def _objection(path: Path) -> str:
    """What stands where a study was expected, and what to do with it; empty where one may be."""
    if path.is_dir():
        kept = "; its study is study.toml in it" if (path / "study.toml").exists() else ""
        return f"a folder, where the TOML file of a study is expected{kept}"
    if path.suffix in (".arrow", ".parquet", ".csv"):
        return (
            "a table of results, where the TOML file of a study is expected; "
            "'mcbrain show' prints results"
        )
    return ""
