"""The test command: `python -m tests`.

Fills the cache of compiled code, runs the suite compiled on all cores, then the kernels' tests
again as plain Python, where coverage can count their lines, then lint, types and architecture.
`python -m tests --long` runs the long proofs instead.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent


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
        return
    run(str(tools / "ruff"), "check", ".")
    run(str(tools / "ruff"), "format", "--check", ".")
    run(str(tools / "mypy"))
    run(str(tools / "lint-imports"))
    uncovered = ("--cov=mcbrain.kernels", "--cov-report=term", "--cov-fail-under=90")
    run(
        python,
        "-m",
        "pytest",
        "-q",
        "-m",
        "kernels and not long",
        *uncovered,
        NUMBA_DISABLE_JIT="1",
    )
    run(python, "-m", "pytest", "-q", "-n", cores)


if __name__ == "__main__":
    main()
