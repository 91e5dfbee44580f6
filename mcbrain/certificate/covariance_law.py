"""The error of the laws of any covariance over a random design (theory/README.md 5f, 5g).

`python -m mcbrain.certificate.covariance_law` simulates the cells of the design one after another
and adds the rows of each to a table as soon as it is done; run again, it goes on with the cells
that are missing. `--tables` prints what the table holds.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mcbrain.certificate.covariance_cells import CovarianceCell, draw_cells
from mcbrain.certificate.covariance_errors import compare
from mcbrain.certificate.covariance_tables import CovarianceRow, append_rows, read_rows, tables
from mcbrain.certificate.features import SOUND, has_sound

__all__ = ["main"]


def _missing(
    cells: Sequence[CovarianceCell], rows: Sequence[CovarianceRow]
) -> list[CovarianceCell]:
    """Cells that the table lacks; without nitime those of its sound are left out."""
    done = {row.cell for row in rows}
    return [c for c in cells if c.index not in done and (c.spectrum != SOUND or has_sound())]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the cells that a table lacks, or print what it holds; see the module.

    Parameters
    ----------
    arguments : sequence of str, optional
        Of the command line; those of this process by default.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=160)
    parser.add_argument("--seed", type=int, default=20261123)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("data/certificate/covariance.csv"))
    parser.add_argument("--tables", action="store_true", help="only print what --out holds")
    options = parser.parse_args(arguments)
    if not options.tables:
        cells = list(draw_cells(options.cells, options.seed))
        for cell in _missing(cells, read_rows(options.out)):
            append_rows(options.out, compare(cell, options.threads))
    sys.stdout.write(tables(read_rows(options.out)) + "\n")


if __name__ == "__main__":
    main()
