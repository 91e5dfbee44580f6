"""The command `mcbrain check`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mcbrain.cli.options import AsJson

if TYPE_CHECKING:
    from mcbrain.running.checking import Check

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to the command line.

    Parameters
    ----------
    app : typer.Typer
        The command line.
    """
    app.command()(check)


def check(
    study: Annotated[str, typer.Argument(help="TOML file, or name of a shipped study.")],
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="KEY=VALUE, as of `run`; may be repeated.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what a study would take: points, rows, engine, time, memory and disk; nothing is run."""
    from mcbrain.asking.from_toml import load_study
    from mcbrain.running.checking import check as check_study

    found = check_study(load_study(study, settings or []))
    if as_json:
        from mcbrain.cli.json_output import print_json

        print_json(found)
        return
    for line in _lines(found):
        print(line)


def _lines(found: Check) -> list[str]:
    """What a study would take, a line each."""
    from mcbrain.cli.progress import duration

    lines = [
        f"{found.study}: {found.points:,} points of {found.models:,} models, {found.rows:,} rows",
        f"engine {found.engine}: {found.reason}",
    ]
    if found.problems:
        low, high = found.replicates
        pilots = f" and {found.pilots:,} pilots" if found.pilots else ""
        lines += [
            f"simulated: {found.problems:,} problems{pilots}, {low:,} to {high:,} replicates",
            f"time: {duration(found.seconds[0])} to {duration(found.seconds[1])} on "
            f"{found.cores} cores, kernels once compiled; the shorter where the first "
            "replicates are precise enough, the longer at max_replicates everywhere",
        ]
    low_disk, high_disk = (f"{size / 1e6:,.3g} MB" for size in found.disk)
    disk = low_disk if low_disk == high_disk else f"{low_disk} to {high_disk}"
    return [*lines, f"memory: about {found.memory / 1e9:.2g} GB", f"disk: about {disk}"]
