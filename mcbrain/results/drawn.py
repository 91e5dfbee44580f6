"""How much was simulated behind the rows of a study: rows share data sets, which count once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mcbrain.asking.engines import engine_of
from mcbrain.blocks.problem import BrainProblem, Problem, data_problem
from mcbrain.results.view import Results
from mcbrain.typing import Floats

__all__ = ["drawn"]


def drawn(results: Results, column: str) -> float:
    """Sum of a column over the problems behind the rows, each with its row of the most.

    Parameters
    ----------
    results : Results
    column : str
        "replicates" or "seconds". Engine `spectral` counts brain problems; what its task problems
        took is part of the row with the most.

    Returns
    -------
    float
        0 where nothing is drawn.
    """
    if not engine_of(results.engine).draws:
        return 0.0
    values = np.nan_to_num(np.asarray(results.column(column), float)).max(axis=(3, 4))
    most: dict[Problem, float] = {}
    for problem, value in _problems(results, values):
        most[problem] = max(most.get(problem, 0.0), float(value))
    return sum(most.values())


def _problems(results: Results, values: Floats) -> Iterator[tuple[Problem, float]]:
    """Each problem with the most of a point (model, n_task, n_brain) that it serves, repeatedly."""
    study = results.study
    for i, model in enumerate(study.models):
        for b, n_brain in enumerate(study.n_brain):
            tasks = np.flatnonzero(results.asked[i, :, b])
            if results.engine == "spectral":
                for encoder in study.encoders:
                    rank, penalty = encoder.rank_of(model), encoder.rule.value
                    brain = BrainProblem.of(model, n_brain, rank, penalty, study.seed)
                    yield brain, values[i, tasks, b].max(initial=0.0)
                continue
            for t in tasks.tolist():
                n_task = study.n_task[t]
                problem = data_problem(results.engine, model, n_task, n_brain, study.seed)
                yield problem, values[i, t, b]
