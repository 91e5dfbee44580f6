"""Share of the time that workers spend on blocks, when cells differ 100 times in cost.

`python -m tests.support.busy` runs one study on two threads and on a cluster of two workers.
"""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from mcbrain.asking.from_toml import study_from_table
from mcbrain.running.runner import Reporter, run
from mcbrain.store.blockstore import BlockStore

STUDY = {
    "name": "uneven",
    "seed": 1,
    "model": {"input_dim": 20, "latent_dim": 3, "n_channels": 10, "misalignment": 0.1},
    "design": {"n_task": [25, 50, 100, 250, 500, 1000, 2500, 5000], "n_brain": [20, 4000]},
    "estimators": {"ridge": 0.1, "befs": 0.1},
    "precision": {"relative": 0.0, "max_replicates": 6000},
    "engine": {"kind": "raw"},
}
FIRST = {"precision": {"relative": 0.0, "max_replicates": 1}}


class Clock(Reporter):
    """When blocks began to be computed: compiling and connecting come before."""

    def stage(self, name, problems):
        self.begun = time.monotonic()
        return super().stage(name, problems)


def busy(out: Path, slots: int, **where) -> str:
    """Run the study; the share of its workers' time that is in blocks, and the spread of costs."""
    clock = Clock()
    run(study_from_table(STUDY), out, reporter=clock, **where)
    wall = time.monotonic() - clock.begun
    store = BlockStore(out / "blocks", read_only=True)
    costs, total = [], 0.0
    for name in store.names():
        rows = store.rows(name)
        seconds = rows["seconds"].to_numpy()
        costs.append(seconds.sum() / rows["replicates"].to_numpy().sum())
        total += seconds.sum()
    spread = np.max(costs) / np.min(costs)
    share = total / (slots * wall)
    return f"{share:.1%} of {wall:.1f} s, costs of cells differ {spread:.0f} times"


def main() -> None:
    """Threads, then a cluster."""
    from tests.support.clusters import cluster

    with TemporaryDirectory() as folder, cluster(Path(folder)) as there:
        where = {"cluster": there.address}
        run(study_from_table(STUDY | FIRST), Path(folder) / "first", **where)  # loads the kernels
        print("two workers of a cluster:", busy(Path(folder) / "cluster", 2, **where), flush=True)
        for process in there.workers:
            process.kill()
        print("two threads:", busy(Path(folder) / "threads", 2, threads=2), flush=True)


if __name__ == "__main__":
    main()
