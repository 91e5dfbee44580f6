"""Results in a terminal: choose columns and rows, print numbers."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mcbrain.errors import InputError
from mcbrain.results.column import Column
from mcbrain.results.columns import RESULT_COLUMNS, column_of
from mcbrain.results.settings import ENCODER
from mcbrain.results.tables import check_column, open_results, select

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["chosen_rows", "print_results", "print_table", "print_uncut"]


def _in_turn(turn: Callable[[Column], int]) -> tuple[str, ...]:
    """Names of the columns that have a turn, in order."""
    return tuple(c.name for c in sorted(RESULT_COLUMNS, key=turn) if turn(c))


# What is printed where nothing else is asked for, from the left.
_DEFAULT = _in_turn(lambda column: column.shown)
# What a narrow terminal leaves out, in this order; after columns of a single value.
_SPARE = _in_turn(lambda column: column.spare)
_LAWFUL = "_predicted"  # what the laws say of a metric
_OF_MODEL = frozenset(c.name for c in RESULT_COLUMNS if c.source == "model")


def telling(table: pa.Table, names: Sequence[str]) -> list[str]:
    """Columns in which some rows differ from others, null aside, or whose nulls do.

    Parameters
    ----------
    table : pyarrow.Table
    names : sequence of str
        Of columns; one that the table does not hold tells nothing.

    Returns
    -------
    list of str
        In the order of `names`.
    """
    there = [name for name in names if name in table.schema.names]
    return [n for n in there if len(pc.unique(table[n].drop_null())) > 1]


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

    Raises
    ------
    InputError
        No such file, a column that it does not hold, or a condition that makes no sense.
    """
    table, names = chosen_rows(path, columns=columns, where=where)
    conditions = list(where or [])
    if not table.num_rows:
        if _lists_failures(path, conditions):
            print("no replicate failed")
        else:
            print("no row meets " + ", ".join(conditions) if conditions else "no rows")
        return
    spare = () if columns else [*_constant(table, names), *_SPARE]
    if spread and table.num_rows > limit:
        shown = _spread(table, limit)
        print_table(shown, names, limit, spare)
        left = table.num_rows - shown.num_rows
        print(f"... {left:,} more rows, of other points and shifts (mcbrain show, mcbrain report)")
        return
    print_table(table, names, limit, spare)


def chosen_rows(
    path: str | Path, *, columns: str | None = None, where: list[str] | None = None
) -> tuple[pa.Table, list[str]]:
    """The rows of a results file that are asked for, and the columns of them.

    Parameters
    ----------
    path, columns, where
        As for `print_results`.

    Returns
    -------
    table : pyarrow.Table
        All columns of those rows.
    names : list of str
        The columns that are asked for.
    """
    conditions = list(where or [])
    if not _lists_failures(path, conditions):
        table = open_results(path)
        return select(table, conditions), _columns(table, columns)
    from mcbrain.results.failures import failures

    table, conditions = failures(path), [c for c in conditions if c != "failed"]
    return select(table, conditions, known_words=False), _columns(table, columns)


def _lists_failures(path: str | Path, conditions: list[str]) -> bool:
    """Whether failed replicates are asked for, rather than the rows of results."""
    return "failed" in conditions and Path(path).is_dir()


def _constant(table: pa.Table, names: list[str]) -> list[str]:
    """Words that are the same in every row."""
    words = [n for n in names if pa.types.is_dictionary(table.schema.field(n).type)]
    return [name for name in words if len(pc.unique(table[name])) == 1]


def _spread(table: pa.Table, limit: int) -> pa.Table:
    """Rows under the first shift at points from the first to the last, about `limit` of them."""
    point, shift = table["point"].to_numpy(), table["shift"][0].as_py()

    def rows(points: NDArray[np.int64]) -> pa.Table:
        few = table.filter(pa.array(np.isin(point, points)))
        return few.filter(pc.equal(few["shift"].cast(pa.string()), shift))

    each = max(1, rows(point[:1]).num_rows)
    low, high, count = int(point.min()), int(point.max()), max(1, limit // each)
    return rows(np.linspace(low, high, count).round().astype(int)).slice(0, limit)


def print_table(
    table: pa.Table, names: list[str], limit: int = 100, spare: Sequence[str] = ()
) -> None:
    """Print some columns of a table, numbers as their columns say, null as a dash.

    Parameters
    ----------
    table : pyarrow.Table
    names : list of str
    limit : int
        Rows at most; how many are left out is said.
    spare : sequence of str
        Columns that a terminal too narrow for all may leave out, these first; it is said which.
    """
    shown = table.slice(0, limit)
    kept, left_out = list(names), []
    for name in dict.fromkeys(name for name in spare if name in names):
        if not sys.stdout.isatty() or _width(_view(shown, kept)) <= get_terminal_size().columns:
            break
        kept.remove(name)
        words = pc.unique(table[name])
        left_out.append(f"{name} = {words[0]}" if len(words) == 1 else name)
    print_uncut(_view(shown, kept))
    if left_out:
        print(f"left out for width: {', '.join(left_out)} (--columns)")
    if table.num_rows > limit:
        print(f"... {table.num_rows - limit:,} more rows (--limit, --where)")
    for line in _reasons(shown):
        print(line)


def _reasons(table: pa.Table) -> list[str]:
    """For each reason why rows have no number, a line that names their estimators."""
    if not {"reason", "estimator", "penalty_rule"} <= set(table.schema.names):
        return []
    named: dict[str, dict[str, None]] = {}
    rows = table.select(["reason", "estimator", "penalty_rule"]).to_pylist()
    for row in rows:
        if row["reason"] is not None:
            rule = "" if row["penalty_rule"] == "fixed" else f" {row['penalty_rule']}"
            named.setdefault(row["reason"], {})[f"{row['estimator']}{rule}"] = None
    return [f"undefined ({', '.join(who)}): {reason}" for reason, who in named.items()]


def _view(table: pa.Table, names: list[str]) -> Table:
    """The table as rich draws it."""
    from rich.table import Table

    view = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        numeric = not pa.types.is_dictionary(table.schema.field(name).type)
        view.add_column(name, justify="right" if numeric else "left", no_wrap=True)
    forms = [found.form if (found := column_of(name)) else Column.form for name in names]
    for row in zip(*table.select(names).to_pydict().values(), strict=True):
        view.add_row(*(_text(v, form) for v, form in zip(row, forms, strict=True)))
    return view


def print_uncut(view: Table) -> None:
    """Print a table as wide as it is: a terminal wraps what is too wide, and no digit is ever cut.

    Parameters
    ----------
    view : rich.table.Table
    """
    from rich.console import Console

    # Of a dumb terminal, rich believes its own width unless it is told both sizes.
    console = Console(highlight=False, markup=False, width=_width(view), height=100)
    with console.capture() as text:
        console.print(view)
    print(text.get(), end="")


def _width(view: Table) -> int:
    """Characters that a line of a table takes."""
    from rich.console import Console
    from rich.measure import Measurement

    console = Console(width=100_000, height=100)
    return max(1, Measurement.get(console, console.options, view).maximum)


def _columns(table: pa.Table, columns: str | None) -> list[str]:
    if columns == "all":
        return list(table.schema.names)
    if columns:
        names = list(dict.fromkeys(name.strip() for name in columns.split(",") if name.strip()))
        if not names:
            raise InputError(f"--columns {columns}: names separated by commas, or all, are allowed")
        for name in names:
            check_column(name, table)
        return names
    if "mean" not in table.schema.names or "estimator" not in table.schema.names:
        return list(table.schema.names)
    of_model = [n for n in table.schema.names if n in _OF_MODEL]
    fields = [n for n in of_model if len(pc.unique(table[n])) > 1]
    shown = [n for n in _DEFAULT if n in table.schema.names]
    if "shift" in shown:
        shown[shown.index("shift") : shown.index("shift")] = telling(table, ENCODER)
    # A metric and its error stand beside the risk; every other column is one of mcbrain's.
    measured = [n for n in table.schema.names if column_of(n) is None and not n.endswith(_LAWFUL)]
    if "mcse" in shown:
        shown[shown.index("mcse") + 1 : shown.index("mcse") + 1] = measured
    if "parameters" in table.schema.names and table["parameters"].null_count < table.num_rows:
        shown.insert(shown.index("estimator") + 1, "parameters")
    return fields + shown


def _text(value: object, form: str) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return format(value, form) if math.isfinite(value) else str(value)
    return str(value)
