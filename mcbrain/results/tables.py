"""Results as a table: opened, cut down to the rows that meet conditions, written out."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from mcbrain.checks import results_path
from mcbrain.errors import InputError, did_you_mean
from mcbrain.plain import whole
from mcbrain.store.atomic import mapped, replacing
from mcbrain.store.folder import ResultsFolder

__all__ = ["check_column", "export_results", "open_results", "select"]

_FORMS = ("parquet", "csv")
_OPERATORS = {
    "=": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}


def open_results(path: str | Path) -> pa.Table:
    """A results file as a memory-mapped table.

    Parameters
    ----------
    path : str or Path
        A results folder, or an Arrow file.

    Returns
    -------
    pyarrow.Table
        Its words are dictionaries of strings, whatever tool wrote them.

    Raises
    ------
    InputError
        No such file, or not an Arrow file.
    """
    path = results_path(path)
    file = path / "results.arrow" if path.is_dir() else path
    if path.is_dir() and not file.exists() and (part := ResultsFolder(path).record().get("shard")):
        raise InputError(
            f"{path}: holds the blocks of shard {part}, which has no results of its own; "
            "put the shards together with mcbrain merge DIR... --out DIR"
        )
    if not file.exists():
        raise InputError(f"{file}: no such file; run a study first, or name a results folder")
    try:
        with mapped(file) as source:
            table = pa.ipc.open_file(source).read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{file}: not a readable Arrow file ({reason})") from None
    return _as_mcbrain_writes(table)


def _as_mcbrain_writes(table: pa.Table) -> pa.Table:
    """Words as dictionaries of strings, however the tool that wrote the table keeps them.

    Polars writes views of strings, for which Arrow has few functions; others write plain or large
    strings.
    """
    for place, field in enumerate(table.schema):
        if _is_text(field.type):
            chunks = [_words(chunk) for chunk in table[place].chunks]
            words = pa.chunked_array(chunks, pa.dictionary(pa.int32(), pa.string()))
            table = table.set_column(place, field.with_type(words.type), words)
    return table


def _is_text(kind: pa.DataType) -> bool:
    """Whether a column holds words in another form than the dictionaries that mcbrain writes."""
    if pa.types.is_dictionary(kind):
        return not pa.types.is_string(kind.value_type) and _is_text(kind.value_type)
    checks = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return any(check(kind) for check in checks)


def _words(chunk: pa.Array) -> pa.DictionaryArray:
    """A chunk of words as a dictionary of strings."""
    if not pa.types.is_dictionary(chunk.type):
        return pa.array(chunk.to_pylist(), pa.string()).dictionary_encode()
    words = pa.array(chunk.dictionary.to_pylist(), pa.string())
    return pa.DictionaryArray.from_arrays(chunk.indices.cast(pa.int32()), words)


def select(table: pa.Table, where: list[str], known_words: bool = True) -> pa.Table:
    """Rows that meet every condition.

    Parameters
    ----------
    table : pyarrow.Table
    where : list of str
        NAME=VALUE, or another of != < <= > >=; `failed` alone keeps outputs with failed replicates.
    known_words : bool
        Whether a word that a column does not hold is a mistake.

    Returns
    -------
    pyarrow.Table

    Raises
    ------
    InputError
        Unknown column, or a value that does not compare with it.
    """
    whole = table
    for condition in where:
        if condition == "failed":
            check_column("failed", table)
            table = table.filter(pc.greater(table["failed"], 0))
            continue
        match = re.fullmatch(r"\s*(\w+)\s*(<=|>=|!=|=|<|>)\s*(.*?)\s*", condition)
        if not match or match[3].startswith("="):
            raise InputError(
                f"--where {condition}: the form is NAME=VALUE, or != < <= > >=; "
                "--where is repeated for more than one condition"
            )
        name, operator, text = match.groups()
        check_column(name, table)
        column = table[name]
        if pa.types.is_dictionary(column.type):
            column = column.cast(pa.string())
            _check_word(condition, operator, text, whole[name] if known_words else None)
        try:
            value = _scalar(text, column.type)
            table = table.filter(_OPERATORS[operator](column, value))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            kind = "a whole number" if pa.types.is_integer(column.type) else "a number"
            raise InputError(f"--where {condition}: {text!r} is not {kind}") from None
    return table


def _scalar(text: str, kind: pa.DataType) -> pa.Scalar:
    """What a condition compares with; 1e3 is a whole number too."""
    if pa.types.is_integer(kind) and not text.lstrip("+-").isdecimal():
        found = whole(pa.scalar(text).cast(pa.float64()).as_py())
        if isinstance(found, int):
            return pa.scalar(found).cast(kind)
    return pa.scalar(text).cast(kind)


def _check_word(condition: str, operator: str, text: str, column: pa.ChunkedArray | None) -> None:
    """Refuse a word that a column of words does not hold or cannot be compared with."""
    if operator not in ("=", "!="):
        raise InputError(f"--where {condition}: words are compared by = and != alone")
    words = [] if column is None else [str(word) for word in pc.unique(column).to_pylist()]
    if words and text not in words:
        raise InputError(f"--where {condition}: {did_you_mean(text, words)}")


def export_results(
    path: str | Path, form: str | None = None, out: str | Path | None = None
) -> Path:
    """Write results as Parquet or CSV; dictionary columns become text.

    Parameters
    ----------
    path : str or Path
        A results folder, or an Arrow file.
    form : str, optional
        "parquet" or "csv"; default what the name of `out` ends with, or else "parquet".
    out : str or Path, optional
        Where to write; "-" is standard output, the default a file beside the Arrow file.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    InputError
        Another form, a column that the form cannot hold, or nothing to export.
    """
    named = "" if out is None else Path(out).suffix.lower().removeprefix(".")
    form = form or (named if named in _FORMS else "parquet")
    if form not in _FORMS:
        raise InputError(f"--format {form}: allowed: {', '.join(_FORMS)}")
    table = open_results(path)
    plain = [pa.field(f.name, _plain(f.type), metadata=f.metadata) for f in table.schema]
    table = table.cast(pa.schema(plain, metadata=table.schema.metadata))
    lists = [field.name for field in table.schema if pa.types.is_nested(field.type)]
    if form == "csv" and lists:
        raise InputError(f"--format csv: column {lists[0]} of {path} holds lists; allowed: parquet")
    source = Path(path) / "results.arrow" if Path(path).is_dir() else Path(path)
    target = source.with_suffix(f".{form}") if out is None else Path(out)
    if str(target) == "-":
        _write(table, form, sys.stdout.buffer)
        return target
    if target.is_dir():
        raise InputError(f"--out {target}: it is a folder; the name of a file, or -, is allowed")
    with replacing(target) as sink:
        _write(table, form, sink)
    return target


def _write(table: pa.Table, form: str, sink: BinaryIO) -> None:
    """Write a table in one of the forms."""
    if form == "csv":
        import pyarrow.csv

        pyarrow.csv.write_csv(table, sink)
    else:
        import pyarrow.parquet

        pyarrow.parquet.write_table(table, sink)


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def check_column(name: str, table: pa.Table) -> None:
    """Refuse the name of a column that a table does not have.

    Parameters
    ----------
    name : str
    table : pyarrow.Table

    Raises
    ------
    InputError
        The table does not have it; the sentence says what was meant.
    """
    if name not in table.schema.names:
        raise InputError(
            f"column '{name}' does not exist; {did_you_mean(name, table.schema.names)}"
        )
