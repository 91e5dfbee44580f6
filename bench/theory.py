"""Cells per second of the laws: no random numbers, no compiled code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import mcbrain as mb
from bench.measure import Rate, Work
from bench.sizes import LAW_GRID, POWER_LAW_GRID
from mcbrain.asking.from_python import adhoc_study
from mcbrain.results.opening import open_plan
from mcbrain.store.memory import MemoryStore
from mcbrain.theory.marchenko_pastur import asymptotic_task_moments
from mcbrain.theory.wishart import task_moments


class TaskLaws(Rate):
    """Moments of the task stage on a grid of task samples and penalties, d = 200."""

    params = ("exact", "asymptotic")
    param_names = ("law",)
    unit = "cells/s"

    def prepare(self, law: str) -> Work:
        laws: dict[str, Callable[..., Any]] = {
            "exact": task_moments,
            "asymptotic": asymptotic_task_moments,
        }
        n_task, n_penalties, _ = LAW_GRID
        samples = np.linspace(50, 5000, n_task).astype(int)[:, None]
        penalties = np.geomspace(1e-3, 10.0, n_penalties)

        def work() -> float:
            laws[law](samples, 5, 200, penalties)
            return float(n_task * n_penalties)

        return work


class Predict(Rate):
    """Rows of `mcbrain.predict`, tables and penalty rules included."""

    unit = "cells/s"

    def prepare(self) -> Work:
        model = mb.Model(input_dim=60, latent_dim=5, n_channels=40, misalignment=0.1)
        n_task, _, n_brain = LAW_GRID
        tasks = [int(n) for n in np.linspace(50, 5000, n_task // 4 + 1)]
        brains = [int(n) for n in np.linspace(100, 5000, n_brain)]

        def work() -> float:
            table = mb.predict(model, tasks, brains, shifts=["id", "brain-insensitive:4"])
            return float(table.num_rows)

        return work


class PowerLaw(Rate):
    """Rows of engine spectral under a power law, imagined recordings included, d = 200."""

    unit = "rows/s"

    def prepare(self) -> Work:
        d, n_task, n_brain = POWER_LAW_GRID
        model = mb.Model(
            input_dim=d, latent_dim=5, n_channels=120, covariance="powerlaw:1", misalignment=0.1
        )
        study = adhoc_study(
            model,
            [int(n) for n in np.geomspace(20, 20_000, n_task)],
            [int(n) for n in np.geomspace(250, 50_000, n_brain)],
            {"ridge": "optimal", "befs": "optimal"},
            ["id", "brain-insensitive:4", "missed-direction:9"],
            seed=0,
            precision={"relative": 0.0, "max_replicates": 16},
            engine="spectral",
        )

        def work() -> float:
            store = MemoryStore()
            batches = open_plan(study, "spectral", store).rows(store)
            return float(sum(batch.num_rows for batch in batches))

        return work
