"""Numbers of every engine and law at tiny sizes: what a fault moves, and by how much.

`python -m tests.faults.probe kernels` prints those of the kernels as JSON, by name, of a few
replicates each, so that they can be had uncompiled; `python -m tests.faults.probe` those of all.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator
from typing import Any

import mcbrain as mb

Numbers = dict[str, float]

MODELS: dict[str, dict[str, Any]] = {
    "plain": {"input_dim": 7, "latent_dim": 2, "n_channels": 4, "misalignment": 0.3},
    "noisy": {
        "input_dim": 6, "latent_dim": 2, "n_channels": 3, "misalignment": 0.1, "task_noise": 1.3,
        "neural_noise": 0.7, "latent_gains": [1.5, 0.6], "signal_norm": 1.7,
    },
    "power law": {
        "input_dim": 7, "latent_dim": 2, "n_channels": 4, "misalignment": 0.3,
        "covariance": "powerlaw:1.0",
    },
}  # fmt: skip
ODD: dict[str, dict[str, Any]] = {
    "rademacher": {"inputs": "rademacher"},
    "student": {"inputs": "student:7"},
    "tanh": {"latents": "tanh"},
    "poisson": {"neural_law": "poisson", "baseline_rate": 20.0},
}
SIZES = [(5, 12), (30, 5), (30, 40)]
SHIFTS = [
    "id", "brain-insensitive:4", "missed-direction:9", "mean:2:brain", "concept:0.3:brain",
    "adversarial:0.5", "spectrum:1.0",
]  # fmt: skip
METHODS: dict[str, Any] = {
    "ols": 0.0, "ridge": 0.3, "befs": 0.3, "befs-oracle": 0.3, "projection": 0.0,
    "two-penalty:0.2": 0.3,
}  # fmt: skip
RULES = {"ridge": ["loo", "gcv"], "befs": ["loo", "gcv"]}
TUNED = {"ridge": "optimal", "befs": "optimal"}
COLUMNS = ("mean", "mcse", "sd", "gain", "gain_mcse", "p_better", "predicted", "median", "penalty")
REPLICATES = 2
"""Of each kernel, when it may run as plain Python."""


def of_kernels() -> Numbers:
    """The excess of a few replicates, by engine, estimator and shift."""
    found: Numbers = {}
    for name, fields in {**MODELS, **{k: MODELS["plain"] | v for k, v in ODD.items()}}.items():
        for n_task, n_brain in SIZES:
            for engine in ("raw",) if name in ODD else ("raw", "sufficient"):
                at = f"{name} {n_task} {n_brain} {engine}"
                asked = mb.Model(**fields), n_task, n_brain
                found.update(_drawn(at, engine, *asked, METHODS, _shifts(name)))
                if engine == "raw":
                    found.update(_drawn(f"{at} rules", engine, *asked, RULES, ["id"]))
    return found


def _shifts(name: str) -> list[str]:
    """Those that a model knows: an adversary needs isotropic Gaussian test inputs."""
    plain = name in ("plain", "noisy")
    return [shift for shift in SHIFTS if plain or not shift.startswith("adversarial")]


def _drawn(
    at: str, engine: str, model: Any, n_task: int, n_brain: int, methods: Any, shifts: Any
) -> Iterator[tuple[str, float]]:
    from mcbrain.asking.from_python import adhoc_study
    from mcbrain.engines import raw, sufficient
    from mcbrain.plan.penalties import Penalties
    from mcbrain.plan.subspaces import PilotSubspaces
    from mcbrain.results.point_rows import PointRows
    from mcbrain.store.memory import MemoryStore

    bench = {"raw": raw.bench, "sufficient": sufficient.bench}[engine]
    try:
        study = adhoc_study(model, n_task, n_brain, methods, shifts, seed=3, engine=engine)
        point, store = study.numbered(0), MemoryStore()
        penalties = Penalties(study, PilotSubspaces(study, store), store)
        plan = PointRows(study, engine, penalties)
        queries = tuple(q for q in plan.queries(point) if q is not None)
        excess, failures, chosen = bench(plan.problem(point), queries, REPLICATES).replicates(0)
    except Exception:  # a fault may raise anything; then numbers are missing, which is seen
        return
    for i, q in enumerate(queries):
        for r in range(REPLICATES):
            yield f"{at} {q.label} {r}", float(excess[r, i])
            yield f"{at} {q.label} {r} penalty", float(chosen[r, i])
            yield f"{at} {q.label} {r} failure", float(failures[r, i])


def of_all() -> Numbers:
    """The rows of engines and laws, values and budgets."""
    found: Numbers = {}
    for name, fields in MODELS.items():
        model = mb.Model(**fields)
        for n_task, n_brain in SIZES:
            at, sizes = f"{name} {n_task} {n_brain}", (model, n_task, n_brain)
            for methods in (METHODS, TUNED):
                asked = (*sizes, methods, _shifts(name))
                found.update(_rows(f"{at} predict", mb.predict, *asked))
                for engine in ("raw", "sufficient"):
                    found.update(_rows(f"{at} {engine}", _simulate, *asked, engine))
            spectral = {name: METHODS[name] for name in METHODS if name != "two-penalty:0.2"}
            asked = (*sizes, spectral, SHIFTS[:4])
            found.update(_rows(f"{at} spectral", _simulate, *asked, "spectral"))
            found.update(_rows(f"{at} rules", _simulate, *sizes, RULES, ["id"], "raw"))
        worth = _answer(mb.value, model, n_task=60, n_brain=100)
        found[f"{name} value"] = getattr(worth, "task_samples", math.nan)
        split = _answer(mb.allocate, model, budget=500, cost_task=1.0, cost_brain=2.0)
        found[f"{name} split"] = float(getattr(split, "n_task", math.nan))
    return found


def _simulate(
    model: Any, n_task: int, n_brain: int, methods: Any, shifts: Any, engine: str
) -> object:
    return mb.simulate(
        model, n_task, n_brain, methods, shifts, precision=0, max_replicates=1, seed=3, threads=1,
        engine=engine,
    )  # fmt: skip


def _rows(at: str, ask: Callable[..., Any], *arguments: object) -> Iterator[tuple[str, float]]:
    table = _answer(ask, *arguments)
    for i, row in enumerate(table.to_pylist() if table is not None else []):
        for column in COLUMNS:
            if isinstance(row.get(column), (int, float)):
                yield f"{at} row {i} {column}", float(row[column])


def _answer(ask: Callable[..., Any], *arguments: object, **named: object) -> Any:
    try:
        return ask(*arguments, **named)
    except Exception:  # a fault may raise anything; then a number is missing, which is seen
        return None


def moved(before: Numbers, after: Numbers) -> float:
    """The largest relative change of a number; infinite where one came, went or became NaN."""
    if before.keys() != after.keys():
        return math.inf
    worst = 0.0
    for name, old in before.items():
        new = after[name]
        if old != new and not (math.isnan(old) and math.isnan(new)):
            change = abs(new - old) / max(abs(old), 1e-12)
            worst = max(worst, math.inf if math.isnan(change) else change)
    return worst


if __name__ == "__main__":
    json.dump(of_kernels() if sys.argv[1:] == ["kernels"] else of_all(), sys.stdout)
