"""The command `mcbrain status`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mcbrain.running.standing import ProblemStanding, Standing

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to the command line.

    Parameters
    ----------
    app : typer.Typer
        The command line.
    """
    app.command()(status)


def status(
    folder: Annotated[Path, typer.Argument(help="Results folder.")],
    as_json: Annotated[bool, typer.Option("--json", help="Everything, as JSON.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="Problems to list at most.")] = 40,
) -> None:
    """How far a results folder is: what is done, what is missing, who is at work."""
    from mcbrain.cli.waiting import patience
    from mcbrain.running.standing import status as status_of

    with patience(f"looking at every block of {folder}"):
        found = status_of(folder)
    if as_json:
        print(json.dumps(found.as_dict(), indent=1))
        return
    for line in _lines(found):
        print(line)
    _print_problems(found, limit)


def _lines(found: Standing) -> list[str]:
    """What is true of the folder as a whole, a sentence each."""
    part = f", shard {found.shard}" if found.shard else ""
    lines = [f"{found.study}{part}: engine {found.engine}"]
    lines[0] += ", a run is writing here now" if found.running else ", no run is writing here"
    if found.problems:
        left = _left(found)
        lines.append(f"problems: {found.complete:,} of {len(found.problems):,} complete{left}")
    for code, number in found.blocks.items():
        use = ", which a run does not use" if code in found.other_code else ""
        use += ", used with --reuse-other-code alone" if code in found.reused else ""
        lines.append(f"blocks: {number:,} of {code}{use}")
    if not found.rows:
        lines.append("results: none")
    else:
        lines.append(
            f"results: {found.rows:,} outputs of {' and '.join(found.rows_of)}; {found.unmet:,} "
            f"above their target standard error, {found.missing:,} of these not begun"
        )
    lines.append(f"report: {found.report}")
    lines += [f"{name}: older than the results" for name in found.stale]
    return lines


def _left(found: Standing) -> str:
    """How long the rest takes, as the end of a sentence; empty where nothing is left."""
    if found.complete == len(found.problems):
        return ""
    if found.seconds_left is None:
        return "; too little is done to say how long the rest takes"
    return f"; about {_duration(found.seconds_left)} left at the pace of the last run"


def _print_problems(found: Standing, limit: int) -> None:
    """The problems as a table, those that are not complete first."""
    from rich.table import Table

    from mcbrain.results.printing import print_uncut

    if not found.problems:
        return
    ordered = sorted(found.problems, key=lambda problem: problem.complete)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("problem", no_wrap=True)
    for name in ("blocks", "needed", "of other code", "core time left"):
        table.add_column(name, justify="right", no_wrap=True)
    for problem in ordered[:limit]:
        table.add_row(*_cells(problem))
    print_uncut(table)
    if len(ordered) > limit:
        print(f"... {len(ordered) - limit:,} more problems (--limit, --json)")


def _cells(problem: ProblemStanding) -> list[str]:
    """The cells of a problem's row in the table."""
    left = problem.seconds_left
    return [
        problem.name,
        f"{problem.done:,}",
        "after its pilot" if problem.needed is None else f"{problem.needed:,}",
        f"{problem.other_code:,}" if problem.other_code else "-",
        "-" if problem.complete or left is None else _duration(left),
    ]


def _duration(seconds: float) -> str:
    """The words of `progress.duration`, whose module is loaded only where it is needed."""
    from mcbrain.cli.progress import duration

    return duration(seconds)
