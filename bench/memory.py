"""Peak memory: it must not depend on the number of samples; `empty` is the price of imports."""

from __future__ import annotations

from bench.sizes import TINY
from mcbrain.blocks import Problem, Query, Row, data_parameters
from mcbrain.engines import raw
from mcbrain.estimators import ESTIMATORS
from mcbrain.model import Model
from mcbrain.shifts import parse_shift

SAMPLES = [60, 120] if TINY else [1_000, 1_000_000]


class RawMemory:
    """One replicate of ridge and BEFS at d = 50."""

    params = (0, *SAMPLES)
    param_names = ("n_task",)
    version = "1"

    def peakmem_replicate(self, n_task: int) -> None:
        if n_task == 0:
            return
        model = Model(input_dim=50, latent_dim=5, n_channels=30, misalignment=0.1)
        row = Row(ESTIMATORS["befs"], "fixed", 0.1, 0.0, 5, 0.0)
        problem = Problem("raw", data_parameters(model, n_task, 200), seed=1)
        raw.simulate(problem, (Query(row, parse_shift("id"), None),), [0])
