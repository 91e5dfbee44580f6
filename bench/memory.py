"""Peak memory: it must not depend on the number of samples; `empty` is the price of imports."""

from __future__ import annotations

from dataclasses import replace

import mcbrain as mb
from bench.jobs import sampled_job
from bench.sizes import ENGINE_CELLS, SAMPLES
from bench.startup import start
from mcbrain.engines import simulate, warm_up


def ready(*engines: str) -> None:
    """Load the machine code of some engines, the baseline too; compiled, if need be, elsewhere."""
    for engine in engines:
        start("-c", f"from mcbrain.engines import warm_up; warm_up({engine!r})")
        warm_up(engine)


class Replicate:
    """A block of ridge and BEFS by each engine that draws data, by the number of task samples."""

    params = (("empty", "raw", "sufficient"), SAMPLES)
    param_names = ("engine", "n_task")
    version = "2"
    timeout = 600

    def setup(self, engine: str, n_task: int) -> None:
        ready("raw", "sufficient")

    def peakmem_block(self, engine: str, n_task: int) -> None:
        """One block, or nothing."""
        if engine != "empty":
            cell = next(iter(ENGINE_CELLS.values()))._replace(n_task=n_task, penalties=1)
            simulate(replace(sampled_job(engine, cell), indices=(0,)))


class Study:
    """A whole study by the spectral engine, its law and its rows, against imports alone."""

    params = ("empty", "study")
    param_names = ("what",)
    version = "2"
    timeout = 600

    def setup(self, what: str) -> None:
        ready("spectral")

    def peakmem_study(self, what: str) -> None:
        """A grid of 600 rows, or nothing."""
        if what == "study":
            model = mb.Model(input_dim=60, latent_dim=5, n_channels=40, misalignment=0.1)
            mb.simulate(model, list(range(50, 350, 10)), [100, 200, 400, 800, 1600], precision=0.05)
