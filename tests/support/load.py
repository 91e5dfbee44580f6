"""Memory, store and time of large studies: 100,000 points, and ten million raw replicates.

`python -m tests.support.load [scale]` runs both; a scale of 0.1 runs a tenth of each.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from mcbrain.asking.from_toml import study_from_table
from mcbrain.results.tables import open_results
from mcbrain.running.runner import run
from mcbrain.store.blockstore import BlockStore

MODEL = {"input_dim": 3, "latent_dim": 1, "n_channels": 2, "misalignment": 0.2}


def points(number: int) -> dict:
    """A study of so many points, each to 2 %; by the engine that is made for large grids."""
    noises = np.linspace(0.5, 2.0, max(1, number // 1000)).tolist()
    return {
        "name": "points",
        "model": MODEL | {"task_noise": noises},
        "design": {"n_task": list(range(8, 108)), "n_brain": list(range(10, 20))},
        "estimators": {"ridge": 0.1, "befs": 0.1},
        "precision": {"relative": 0.02},
        "engine": {"kind": "spectral"},
    }


def replicates(number: int) -> dict:
    """A study of one point and so many replicates."""
    return {
        "name": "replicates",
        "model": MODEL,
        "design": {"n_task": 10, "n_brain": 10},
        "estimators": {"ridge": 0.1, "befs": 0.1},
        "precision": {"relative": 0.0, "max_replicates": number},
        "engine": {"kind": "raw"},
    }


def resident() -> float:
    """Megabytes that this process holds now, pages of mapped files left out."""
    pages = Path("/proc/self/statm").read_text().split()
    return (int(pages[1]) - int(pages[2])) * os.sysconf("SC_PAGE_SIZE") / 1e6


def measure(table: dict, folder: Path) -> None:
    """Run a study; print its memory along the way, its store and how fast that opens."""
    seen, over = [], threading.Event()

    def watch() -> None:
        while not over.wait(0.25):
            seen.append(resident())

    threading.Thread(target=watch, daemon=True).start()
    begun = time.monotonic()
    outcome = run(study_from_table(table), folder)
    over.set()
    quarters = [f"{max(part):.0f}" for part in np.array_split(seen, 4)]
    print(
        f"{table['name']}: {outcome.computed:,} blocks, {outcome.replicates:,} replicates", end=""
    )
    print(f" in {time.monotonic() - begun:.0f} s; most MB in each quarter: {', '.join(quarters)}")
    begun = time.monotonic()
    names = len(list(BlockStore(folder / "blocks", read_only=True).names()))
    opened = time.monotonic() - begun
    begun = time.monotonic()
    rows = open_results(folder).num_rows
    size = sum(p.stat().st_size for p in folder.rglob("*.arrow")) / 1e6
    print(f"  {size:.0f} MB; {names:,} problems open in {opened:.2f} s", end="")
    print(f", {rows:,} rows in {time.monotonic() - begun:.2f} s", flush=True)
    begun = time.monotonic()
    again = run(study_from_table(table), folder)
    print(f"  run again: {again.computed} blocks in {time.monotonic() - begun:.1f} s", flush=True)


def main() -> None:
    """Both studies."""
    scale = float(sys.argv[1]) if sys.argv[1:] else 1.0
    with TemporaryDirectory() as folder:
        measure(points(round(100_000 * scale)), Path(folder) / "points")
        measure(replicates(round(10_000_000 * scale)), Path(folder) / "replicates")


if __name__ == "__main__":
    main()
