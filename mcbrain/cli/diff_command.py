"""The commands `mcbrain diff` and `mcbrain compare`: results, and rows, beside each other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mcbrain.cli.options import AsJson

if TYPE_CHECKING:
    from mcbrain.results.differences import Differences

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to the command line.

    Parameters
    ----------
    app : typer.Typer
        The command line.
    """
    app.command()(diff)
    app.command()(compare)


def diff(
    a: Annotated[Path, typer.Argument(help="Results folder or Arrow file.")],
    b: Annotated[Path, typer.Argument(help="The one that is held against it.")],
    alarm: Annotated[
        float, typer.Option(help="Chance of any false alarm, over all rows together.")
    ] = 0.01,
    limit: Annotated[int, typer.Option(min=1, help="Rows of each list at most.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Hold two results against each other, in standard errors; status 1 if they differ.

    Rows that rest on the same replicates (one seed, engine and code) must be equal to rounding, and
    where one has more of them the error is that of the others. All other rows are taken as
    independent. A row that only one of the two has is a difference too.
    """
    from mcbrain.results.differences import diff as differences

    found = differences(a, b, alarm=alarm)
    if as_json:
        from mcbrain.cli.json_output import print_json

        print_json({**vars(found), "beyond": found.beyond, "differ": found.differ})
    else:
        _print(found, limit)
    if found.differ:
        raise typer.Exit(1)


def compare(
    folder: Annotated[Path, typer.Argument(help="Results folder.")],
    a: Annotated[str, typer.Argument(help="An output: befs, or with its rule, befs=optimal.")],
    b: Annotated[str, typer.Argument(help="The one that it is compared with.")],
    where: Annotated[
        list[str] | None, typer.Option(help="Such as shift=id or 'n_task>=100'; may be repeated.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the ratios: FILE.png, .svg or .pdf.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Rows to print at most.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Compare two outputs of a study on the same data: difference, ratio, share of wins."""
    from mcbrain.results.printing import print_table
    from mcbrain.results.view import Results

    found = Results(folder).compare(a, b, where or [])
    if plot is not None:
        from mcbrain.reporting.comparison_figure import save_comparison

        save_comparison(found, plot)
    if as_json:
        from mcbrain.cli.json_output import print_json

        print_json({"a": found.a, "b": found.b, "rows": found.table, "note": found.note})
        return
    print(f"a: {found.a}, b: {found.b}")
    print_table(found.table, [n for n in found.table.schema.names if n != "point"], limit)
    print(found.summary)
    if found.note:
        print(found.note)


def _print(found: Differences, limit: int) -> None:
    """What differs in the settings, which rows one of them lacks, and the largest differences."""
    from mcbrain.results.printing import print_table

    for name, *values in found.settings:
        first, second = ("not set" if value is None else str(value) for value in values)
        print(f"{name}: {first} in {found.places[0]}, {second} in {found.places[1]}")
    for place, rows in zip(found.places, found.only, strict=True):
        if rows.num_rows:
            print(f"{rows.num_rows:,} rows in {place} alone")
            print_table(rows, rows.schema.names, limit)
    shown = found.table.slice(0, found.beyond or min(limit, 5))
    print_table(shown, [n for n in shown.schema.names if n != "differs"], limit)
    print(_verdict(found))


def _verdict(found: Differences) -> str:
    """What was compared and found, in a sentence or two."""
    numbers = found.table.num_rows
    counted = f"{found.rows:,} rows are in both, {numbers:,} numbers were compared"
    if found.same:
        counted += f", {found.same:,} rows rest on the same replicates"
    if found.unsure:
        counted += f", {found.unsure:,} rows have no error to compare them by"
    chance = f"(false alarms: {found.alarm:.3g} over all of them)"
    if not found.beyond:
        return f"{counted}\nno number differs by more than its bound {chance}"
    return f"{counted}\n{found.beyond:,} differ by more than their bounds {chance}"
