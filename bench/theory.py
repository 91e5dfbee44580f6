"""Cells per second of the laws: no random numbers, no compiled code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import mcbrain as mb
from bench.measure import Rate, Work
from bench.sizes import LAW_GRID
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
