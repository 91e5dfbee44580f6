"""`python -m tests.frozen`: freeze today's block sums, on purpose, and print what moved.

It adds configurations for what the program's tables have got since. `--check` only prints. `--sums
FILE` takes another file of sums: freeze one commit on a machine of your own, then hold another
commit against it. `--elsewhere` lists anew the blocks whose means hang on rounding:
NUMBA_CPU_NAME=generic OPENBLAS_CORETYPE=Nehalem python -m tests.frozen --elsewhere
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

# Before anything imports NumPy: sums in BLAS depend on its threads.
for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

from . import sums  # noqa: E402
from .cases import cases as every_case  # noqa: E402


def main() -> None:
    """The command; exit status 1 where `--check` finds a difference."""
    parser = argparse.ArgumentParser(prog="python -m tests.frozen")
    parser.add_argument("--check", action="store_true", help="print what moved, write nothing")
    parser.add_argument("--elsewhere", action="store_true", help="write rounding.txt")
    parser.add_argument("--sums", type=Path, default=sums.SUMS, help="another file of sums")
    asked = parser.parse_args()
    cases = sums.configurations() if sums.CONFIGURATIONS.exists() else []
    if not (asked.check or asked.elsewhere):
        known = {case["name"] for case in cases}
        cases += [case for case in every_case() if case["name"] not in known]
    now = sums.compute(cases)
    if asked.elsewhere:
        return sums.mark_rounding(now)
    found = {}
    if asked.sums.exists():
        found = sums.differences(now, asked.sums)
        if not sums.frozen_here(asked.sums):
            print(f"Frozen elsewhere: means are held to {sums.ELSEWHERE:g} of their value.")
    for name, how in found.items():
        print(f"{name:56}  {how}")
    print(f"{len(found)} moved of {len(now.lines)} lines, their keys and labels.")
    if not asked.check:
        sums.freeze(cases, now, asked.sums)
    sys.exit(bool(found) and asked.check)


if __name__ == "__main__":
    main()
