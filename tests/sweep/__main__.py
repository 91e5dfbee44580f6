"""Cells of the sweep, one by one: `python -m tests.sweep --cells 3,7 --jobs 1`."""

import argparse
import os
from pathlib import Path

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

from tests.sweep import record  # noqa: E402
from tests.sweep.design import cells  # noqa: E402
from tests.sweep.named import NAMED  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--cells",
        help="numbers of cells, such as 3,7 or 0-40; default all; those once wrong begin at 1000",
    )
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("sweep-results"))
    asked = parser.parse_args()
    some = [*cells(), *NAMED.values()]
    if asked.cells:
        spans = [part.split("-") for part in asked.cells.split(",")]
        wanted = {i for s in spans for i in range(int(s[0]), int(s[-1]) + 1)}
        some = [cell for cell in some if cell.index in wanted]
    results = record.run_cells(some, asked.out, asked.jobs)
    for cell, found in zip(some, results, strict=True):
        print("\n".join(record.disagreements(cell, found)))
    print(record.summary(some, results))


if __name__ == "__main__":
    main()
