"""The command `mcbrain appraise`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(appraise)


def appraise(
    task: Annotated[
        str, typer.Option(help="X and y: an .npz, .arrow or .parquet, or X.npy,y.npy.")
    ],
    brain: Annotated[str, typer.Option(help="X and R of the recordings, alike.")],
    latents: Annotated[
        int | None, typer.Option(help="Rank of the brain stage [cross-validated].")
    ] = None,
    cost_task: Annotated[float, typer.Option(help="Price of a task row.")] = 1.0,
    cost_brain: Annotated[float, typer.Option(help="Price of a brain row.")] = 1.0,
    block_length: Annotated[
        int, typer.Option(help="Consecutive rows that belong together (time series).")
    ] = 1,
    seed: Annotated[int, typer.Option(help="Of the bootstrap and of the splits.")] = 0,
    figure: Annotated[Path | None, typer.Option(help="Where to draw the figure.")] = None,
) -> None:
    """What your own recordings are worth: estimated, predicted, measured and compared."""
    from mcbrain.appraisal import appraise as judge
    from mcbrain.appraisal import load

    found = judge(
        *load(task, brain),
        n_latents=latents,
        cost_task=cost_task,
        cost_brain=cost_brain,
        block_length=block_length,
        seed=seed,
        progress=_progress,
    )
    print(found.summary())
    if figure is not None:
        found.figure().savefig(figure, dpi=150)
        print(f"figure: {figure}")


def _progress(step: str, share: float) -> None:
    if sys.stderr.isatty():
        print(f"\r{step} {share:4.0%}", end="\n" if share >= 1 else "", file=sys.stderr, flush=True)
