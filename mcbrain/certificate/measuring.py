"""What the scripts share that measure a law over a random design of cells."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from mcbrain.theory import accuracy

__all__ = ["measured"]

C = TypeVar("C")
E = TypeVar("E")


def measured(
    arguments: Sequence[str] | None,
    about: str | None,
    cells: int,
    draw: Callable[[int, int], Iterator[C]],
    compare: Callable[[C, int], E],
) -> tuple[list[E], Path | None]:
    """Measure the cells that a command line asks for.

    Parameters
    ----------
    arguments : sequence of str or None
        Of the command line; those of this process by default.
    about : str or None
        What the script is for.
    cells : int
        How many are drawn by default.
    draw : callable
        (count, seed) -> cells.
    compare : callable
        (cell, seed) -> its error.

    Returns
    -------
    found : list
        The error of each cell, in their order.
    folder : Path or None
        Where the table is to be written; None where only its coverage is asked for.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--cells", type=int, default=cells)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--check", action="store_true", help="only say what the table covers")
    parser.add_argument("--out", type=Path, default=Path(accuracy.__file__).parent)
    options = parser.parse_args(arguments)
    drawn = list(draw(options.cells, options.seed))
    with ThreadPoolExecutor(options.threads) as pool:
        found = list(pool.map(lambda cell: compare(cell, options.seed), drawn))
    return found, None if options.check else options.out
