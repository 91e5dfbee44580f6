"""The test command: `python -m tests`.

Fills the cache of compiled code, runs the suite compiled on all cores, then the kernels' tests
again as plain Python, where coverage can count their lines, then lint, types and architecture.
`python -m tests --long` runs the long proofs instead, and then counts the lines of the whole
package that the default suite reaches: counting makes that suite slower by almost a half.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent

KERNELS_FLOOR = 90
"""Per cent of the kernels' lines and branches that their tests reach, run uncompiled."""
PACKAGE_FLOOR = 94
"""The same for the whole package: what the default suite reaches, and the kernels' uncompiled.

A whole count says 96.
"""


def run(*command: str, **environment: str) -> None:
    """Run one step, or stop with its status."""
    begun = time.monotonic()
    print("+", *command, flush=True)
    done = subprocess.run(command, cwd=ROOT, env=os.environ | environment, check=False)
    print(f"  {time.monotonic() - begun:.0f} s", flush=True)
    if done.returncode:
        sys.exit(done.returncode)


def main() -> None:
    """Every step, in order."""
    python, cores = sys.executable, str(len(os.sched_getaffinity(0)))
    os.environ["MCBRAIN_CACHE_DIR"] = os.environ.get("MCBRAIN_CACHE_DIR", str(ROOT / ".cache"))
    tools = Path(python).parent
    run(python, "-m", "mcbrain", "warmup", "--all")
    if "--long" in sys.argv[1:]:
        run(python, "-m", "pytest", "-m", "long", "-n", cores)
        count_lines(python, cores)
        return
    run(str(tools / "ruff"), "check", ".")
    run(str(tools / "ruff"), "format", "--check", ".")
    run(str(tools / "mypy"))
    run(str(tools / "lint-imports"))
    uncompiled(python, "--cov=mcbrain.kernels", f"--cov-fail-under={KERNELS_FLOOR}")
    run(python, "-m", "pytest", "-q", "-n", cores)


def uncompiled(python: str, *coverage: str) -> None:
    """Run the kernels' tests as plain Python."""
    chosen = ("-q", "-m", "kernels and not long", "--cov-report=term")
    run(python, "-m", "pytest", *chosen, *coverage, NUMBA_DISABLE_JIT="1")


def count_lines(python: str, cores: str) -> None:
    """Hold the lines that the default suite reaches in the whole package against their floor."""
    uncompiled(python, "--cov=mcbrain")
    floor = ("--cov=mcbrain", "--cov-append", f"--cov-fail-under={PACKAGE_FLOOR}")
    run(python, "-m", "pytest", "-q", "-n", cores, "--cov-report=term", *floor)


if __name__ == "__main__":
    main()
