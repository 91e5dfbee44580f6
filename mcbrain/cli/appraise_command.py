"""The command `mcbrain appraise`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from mcbrain.cli.json_output import print_json
from mcbrain.cli.options import AsJson
from mcbrain.errors import InputError

__all__ = ["register"]

_FORMATS = (".png", ".svg", ".pdf", ".jpg")


def register(app: typer.Typer) -> None:
    """Add the command to the command line.

    Parameters
    ----------
    app : typer.Typer
        The command line.
    """
    app.command()(appraise)


def appraise(
    task: Annotated[
        str, typer.Option(help="Inputs X and labels y: .npz, .arrow, .parquet, or X.npy,y.npy.")
    ],
    brain: Annotated[
        str, typer.Option(help="Inputs X_brain (or X) and recordings R: the same kinds of file.")
    ],
    latents: Annotated[
        int | None, typer.Option(help="Rank of the brain stage [cross-validated].")
    ] = None,
    cost_task: Annotated[float, typer.Option(help="Price of a task row.")] = 1.0,
    cost_brain: Annotated[float, typer.Option(help="Price of a brain row.")] = 1.0,
    budget: Annotated[
        float | None,
        typer.Option(help="For rows to buy next [a tenth of what the rows in hand cost]."),
    ] = None,
    block_length: Annotated[
        int, typer.Option(help="Consecutive rows that belong together (time series).")
    ] = 1,
    groups: Annotated[
        str | None,
        typer.Option(help="Task rows that belong together: a column of --task, or an .npy file."),
    ] = None,
    groups_brain: Annotated[
        str | None, typer.Option(help="Brain rows likewise: a column of --brain, or an .npy file.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the bootstrap and of the splits.")] = 0,
    figure: Annotated[
        Path | None, typer.Option(help=f"Where to draw the figure: {', '.join(_FORMATS)}.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What your own recordings are worth: estimated, predicted, measured and compared.

    An .npz holds arrays X and y (task), X_brain or X and R (brain). A table (.arrow, .parquet)
    holds columns of lists with those names, or a column for each input, called x0, x1, ... or
    x_NAME, and y or a column for each channel, called r0, r1, ... or r_NAME; other columns are
    left out. Inputs that have names in both files are matched by name, others by position.
    """
    from mcbrain.appraisal import appraise as judge
    from mcbrain.appraisal import load, load_groups

    if figure is not None:
        _check_figure(figure)
    found = judge(
        *load(task, brain),
        groups=None if groups is None else load_groups(groups, task),
        groups_brain=None if groups_brain is None else load_groups(groups_brain, brain),
        n_latents=latents,
        cost_task=cost_task,
        cost_brain=cost_brain,
        budget=budget,
        block_length=block_length,
        seed=seed,
        progress=_progress,
    )
    if as_json:
        print_json(found.record())
    else:
        print(found.summary())
    if figure is not None:
        from mcbrain.store.atomic import replacing

        with replacing(figure) as sink:
            found.figure().savefig(sink, dpi=150, format=figure.suffix[1:].lower())
        if not as_json:
            print(f"figure: {figure}")


def _check_figure(path: Path) -> None:
    """Refuse a figure that could not be written, before everything that it shows is computed."""
    if path.suffix.lower() not in _FORMATS:
        raise InputError(f"--figure {path}: the name must end with {' or '.join(_FORMATS)}")
    if not path.parent.is_dir():
        raise InputError(f"--figure {path}: there is no folder {path.parent}")
    if path.is_dir():
        raise InputError(f"--figure {path}: it is a folder; the name of a file is allowed")
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise InputError(
            f"--figure {path}: nothing can be written into {path.parent} ({error.strerror})"
        ) from None


def _progress(step: str, share: float) -> None:
    """Show a step and the share of it that is done, on a terminal alone."""
    if sys.stderr.isatty():
        print(f"\r{step} {share:4.0%}", end="\n" if share >= 1 else "", file=sys.stderr, flush=True)
