"""Results as a table in a terminal: choose columns, filter rows, print numbers."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mcbrain.errors import InputError, did_you_mean
from mcbrain.store.folder import ResultsFolder

__all__ = ["export_results", "open_results", "print_results", "print_table", "select"]

_DEFAULT = (
    "n_task",
    "n_brain",
    "estimator",
    "penalty_rule",
    "penalty",
    "shift",
    "mean",
    "mcse",
    "predicted",
    "prediction",
    "gain",
    "status",
)
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

    Raises
    ------
    InputError
        No such file, or not an Arrow file.
    """
    path = Path(path)
    file = path / "results.arrow" if path.is_dir() else path
    if path.is_dir() and not file.exists() and (part := ResultsFolder(path).record().get("shard")):
        raise InputError(
            f"{path}: holds the blocks of shard {part}, which has no results of its own; "
            "put the shards together with mcbrain merge DIR... --out DIR"
        )
    if not file.exists():
        raise InputError(f"{file}: no such file; run a study first, or name a results folder")
    try:
        with pa.memory_map(str(file)) as source:
            table = pa.ipc.open_file(source).read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{file}: not a readable Arrow file ({reason})") from None
    return table


def select(table: pa.Table, where: list[str], known_words: bool = True) -> pa.Table:
    """Rows that meet every condition.

    Parameters
    ----------
    table : pyarrow.Table
    where : list of str
        NAME=VALUE, or another of != < <= > >=; `failed` alone keeps outputs with failed replicates.
    known_words : bool
        Whether a word that a column does not hold is a mistake.

    Raises
    ------
    InputError
        Unknown column, or a value that does not compare with it.
    """
    whole = table
    for condition in where:
        if condition == "failed":
            table = table.filter(pc.greater(table["failed"], 0))
            continue
        match = re.fullmatch(r"\s*(\w+)\s*(<=|>=|!=|=|<|>)\s*(.*?)\s*", condition)
        if not match or match[3].startswith("="):
            raise InputError(
                f"--where {condition}: the form is NAME=VALUE, or != < <= > >=; "
                "--where is repeated for more than one condition"
            )
        name, operator, text = match.groups()
        _known(name, table)
        column = table[name]
        if pa.types.is_dictionary(column.type):
            column = column.cast(pa.string())
            _check_word(condition, operator, text, whole[name] if known_words else None)
        try:
            value = pa.scalar(text).cast(column.type)
            table = table.filter(_OPERATORS[operator](column, value))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            kind = "a whole number" if pa.types.is_integer(column.type) else "a number"
            raise InputError(f"--where {condition}: {text!r} is not {kind}") from None
    return table


def _check_word(condition: str, operator: str, text: str, column: pa.ChunkedArray | None) -> None:
    """Refuse a word that a column of words does not hold or cannot be compared with."""
    if operator not in ("=", "!="):
        raise InputError(f"--where {condition}: words are compared by = and != alone")
    words = [] if column is None else [str(word) for word in pc.unique(column).to_pylist()]
    if words and text not in words:
        raise InputError(f"--where {condition}: {did_you_mean(text, words)}")


def print_results(
    path: str | Path,
    *,
    columns: str | None = None,
    where: list[str] | None = None,
    limit: int = 100,
    spread: bool = False,
) -> None:
    """Print a results file.

    Parameters
    ----------
    path : str or Path
    columns : str, optional
        Names separated by commas, or "all"; default the most telling ones, and every model field
        that varies.
    where : list of str, optional
        Conditions, see `select`; of a folder, `failed` lists its failed replicates instead.
    limit : int
        Rows at most.
    spread : bool
        Show rows from all over the table, not its first ones.
    """
    conditions = list(where or [])
    listing = "failed" in conditions and Path(path).is_dir()
    if listing:
        from mcbrain.rows.failures import failures

        conditions = [condition for condition in conditions if condition != "failed"]
        table = failures(path)
    else:
        table = open_results(path)
    names = _columns(table, columns)
    table = select(table, conditions, known_words=not listing)
    if listing and not table.num_rows:
        print("no replicate failed")
        return
    if not table.num_rows:
        print("no row meets " + ", ".join(conditions) if conditions else "no rows")
        return
    if spread and table.num_rows > limit:
        shown = _spread(table, limit)
        print_table(shown, names, limit)
        left = table.num_rows - shown.num_rows
        print(f"... {left:,} more rows, of other points and shifts (mcbrain show, mcbrain report)")
        return
    print_table(table, names, limit)


def _spread(table: pa.Table, limit: int) -> pa.Table:
    """Rows under the first shift at points from the first to the last, about `limit` of them."""
    point, shift = table["point"].to_numpy(), table["shift"][0].as_py()

    def rows(points: NDArray[np.int64]) -> pa.Table:
        few = table.filter(pa.array(np.isin(point, points)))
        return few.filter(pc.equal(few["shift"].cast(pa.string()), shift))

    each = max(1, rows(point[:1]).num_rows)
    low, high, count = int(point.min()), int(point.max()), max(1, limit // each)
    return rows(np.linspace(low, high, count).round().astype(int)).slice(0, limit)


def print_table(table: pa.Table, names: list[str], limit: int = 100) -> None:
    """Print some columns of a table, numbers to five digits, null as a dash.

    Parameters
    ----------
    table : pyarrow.Table
    names : list of str
    limit : int
        Rows at most; how many are left out is said.
    """
    from rich.console import Console
    from rich.table import Table

    shown = table.slice(0, limit).select(names).to_pydict()
    view = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        numeric = not pa.types.is_dictionary(table.schema.field(name).type)
        view.add_column(name, justify="right" if numeric else "left", no_wrap=True)
    for row in zip(*shown.values(), strict=True):
        view.add_row(*(_text(v) for v in row))
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console = Console(width=400, highlight=False, markup=False)
    console.print(view)
    if table.num_rows > limit:
        print(f"... {table.num_rows - limit:,} more rows (--limit, --where)")


def export_results(path: str | Path, form: str) -> Path:
    """Write results as Parquet or CSV beside the Arrow file; dictionary columns become text.

    Parameters
    ----------
    path : str or Path
        A results folder, or an Arrow file.
    form : str
        "parquet" or "csv".

    Raises
    ------
    InputError
        Another form, or nothing to export.
    """
    if form not in ("parquet", "csv"):
        raise InputError(f"--format {form}: allowed: parquet, csv")
    table = open_results(path)
    plain = [pa.field(f.name, _plain(f.type), metadata=f.metadata) for f in table.schema]
    table = table.cast(pa.schema(plain, metadata=table.schema.metadata))
    source = Path(path) / "results.arrow" if Path(path).is_dir() else Path(path)
    target = source.with_suffix(f".{form}")
    aside = target.with_name(f".{target.name}.tmp")
    try:
        if form == "csv":
            import pyarrow.csv

            pyarrow.csv.write_csv(table, aside)
        else:
            import pyarrow.parquet

            pyarrow.parquet.write_table(table, aside)
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)
    return target


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _columns(table: pa.Table, columns: str | None) -> list[str]:
    if columns == "all":
        return list(table.schema.names)
    if columns:
        names = [name.strip() for name in columns.split(",") if name.strip()]
        for name in names:
            _known(name, table)
        return names
    if "mean" not in table.schema.names or "estimator" not in table.schema.names:
        return list(table.schema.names)
    end = table.schema.names.index("n_task")
    fields = [n for n in table.schema.names[1:end] if len(pc.unique(table[n])) > 1]
    return fields + [n for n in _DEFAULT if n in table.schema.names]


def _known(name: str, table: pa.Table) -> None:
    if name not in table.schema.names:
        raise InputError(
            f"column '{name}' does not exist; {did_you_mean(name, table.schema.names)}"
        )


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.5g}" if math.isfinite(value) else str(value)
    return str(value)
