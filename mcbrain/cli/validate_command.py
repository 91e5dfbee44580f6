"""The command `mcbrain validate`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from mcbrain.checks import integer
from mcbrain.errors import InputError

__all__ = ["register"]

_SEED = 20261123


def register(app: typer.Typer) -> None:
    """Add the command to the command line.

    Parameters
    ----------
    app : typer.Typer
        The command line.
    """
    app.command()(validate)


def validate(
    quick: Annotated[bool, typer.Option("--quick", help="A small design, about a minute.")] = False,
    out: Annotated[Path, typer.Option("--out", help="Folder of the page and the tables.")] = Path(
        "certificate"
    ),
    seed: Annotated[int, typer.Option(min=0, help="Fixes the design and all data.")] = _SEED,
    threads: Annotated[
        int | None, typer.Option(help="Threads; no number depends on it [all cores].")
    ] = None,
) -> None:
    """Hold every law against simulation; exit status 1 when one fails."""
    from mcbrain.certificate import FULL, QUICK, certify, save

    if threads is not None:
        integer("threads", threads, 1, 4096)
    _check_folder(out)
    command = "mcbrain validate" + " --quick" * quick + f" --seed {seed}"
    certificate = certify(
        QUICK if quick else FULL, seed, threads=threads, command=command, note=_note
    )
    save(certificate, out)
    print(certificate.verdict)
    _note(f"page: {out / 'certificate.html'}, {certificate.seconds:.0f} s")
    if not certificate.passed:
        raise typer.Exit(1)


def _check_folder(out: Path) -> None:
    """Refuse, before minutes of work, a folder that could not be made or written."""
    found = next(place for place in (out, *out.absolute().parents) if place.exists())
    if not found.is_dir():
        raise InputError(f"--out {out}: a folder is needed, {found} is a file")
    if not os.access(found, os.W_OK):
        raise InputError(f"--out {out}: {found} cannot be written to")


def _note(text: str) -> None:
    """Print a sentence to standard error, so that standard output holds the verdict alone."""
    print(text, file=sys.stderr, flush=True)
