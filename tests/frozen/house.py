"""What the frozen numbers need of mcbrain, and all that they touch of it.

A configuration is a study of one point, as a study file holds it. This module turns it into its
problems, their statistics and one block of sums each. When the modules of mcbrain move, this file
changes and nothing else in the proof does.
"""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Block:
    """One block of one problem: its names, and its sums as plain arrays.

    Attributes
    ----------
    kind, key : str
        Kind of the problem, and its key in hexadecimal.
    labels : list of str
        Each statistic's name by content.
    ids : list of int
        Each statistic's 64-bit name.
    replicates : int
    parts : dict of str to ndarray
        "count", "mean", "m2", "better" of each statistic; "bin_sizes", "bins", "bin_counts" of the
        histograms; "failures", rows of replicate, statistic and reason.
    """

    kind: str
    key: str
    labels: list[str]
    ids: list[int]
    replicates: int
    parts: dict[str, np.ndarray]


def blocks(table: dict[str, Any], index: int, only_pilots: bool = False) -> list[Block]:
    """One block of each problem of a study, pilots first.

    Parameters
    ----------
    table : dict
        A study of one point; its engine is named.
    index : int
        Which block of each problem.
    only_pilots : bool
        Leave out the problems whose penalties the pilots set: a pilot of whole replicates is 64
        blocks long, where the proof needs one.
    """
    from mcbrain.asking.from_toml import study_from_table
    from mcbrain.blocks.problem import Job
    from mcbrain.engines import simulate
    from mcbrain.plan.plans import pilots_of
    from mcbrain.plan.subspaces import PILOT_BLOCKS
    from mcbrain.results.opening import open_plan
    from mcbrain.store.blockstore import BlockStore

    study = study_from_table(table)
    tuned = any(method.rule.kind.startswith("optimal") for method in study.methods)
    found = []
    with TemporaryDirectory() as folder:
        store = BlockStore(Path(folder))
        plan = open_plan(study, study.engine, store)
        problems = plan.problems()
        for problem, statistics in pilots_of(plan, problems):
            sums = simulate(Job(problem, statistics, (index,)))[0]
            found.append(_block(problem, statistics, sums))
            if tuned and not only_pilots:
                ids = tuple(s.id for s in statistics)
                for sums in simulate(Job(problem, statistics, tuple(range(PILOT_BLOCKS)))):
                    store.add(problem, ids, sums)
        # In the order of the plan, by which blocks are named, and not in that of a run.
        for problem, users in () if only_pilots else problems.items():
            for work in plan.works(problem, users):
                sums = simulate(Job(work.problem, work.queries, (index,)))[0]
                found.append(_block(work.problem, work.queries, sums))
    return found


def _block(problem: Any, statistics: Any, sums: Any) -> Block:
    names = ("count", "mean", "m2", "better", "bin_sizes", "bins", "bin_counts", "failures")
    return Block(
        kind=problem.kind,
        key=problem.key.hex(),
        labels=[s.label for s in statistics],
        ids=[s.id for s in statistics],
        replicates=sums.replicates,
        parts={name: getattr(sums, name) for name in names},
    )


def accepts(table: dict[str, Any]) -> bool:
    """Whether a study is valid, its engine is exact for it, and its point has every row."""
    from mcbrain.asking.from_toml import study_from_table
    from mcbrain.engines import engine_for
    from mcbrain.errors import InputError

    try:
        study = study_from_table(table)
        engine_for(study)
    except InputError:
        return False
    point = next(study.points())
    return not any(study.undefined(method, point) for method in study.methods)


def options() -> dict[str, list[str]]:
    """The entries of the program's own tables, each spelt as a study would."""
    from mcbrain.asking.estimators import ESTIMATORS
    from mcbrain.asking.penalty_rules import rules_by
    from mcbrain.population.distributions import INPUTS

    return {
        "inputs": [_spelt(name, record) for name, record in INPUTS.items()],
        "shift": _shifts(),
        "estimator": [*ESTIMATORS, "two-penalty:0.1"],
        "rule": [*rules_by("risk"), *rules_by("replicate")],
    }


def distributions() -> dict[str, list[str]]:
    """How latents and recordings may be drawn."""
    from mcbrain.population.distributions import LATENTS, RECORDINGS

    return {"latents": list(LATENTS), "neural_law": list(RECORDINGS)}


def _spelt(name: str, record: Any) -> str:
    """An input distribution with a parameter inside its range, if it has one."""
    if not record.form:
        return name
    return f"{name}:{record.low + min(1.0, (record.high - record.low) / 2):g}"


def _shifts() -> list[str]:
    from mcbrain.population.shifts import SHIFTS

    found = []
    for kind, spec in SHIFTS.items():
        number = [f"{min(2.5, spec.high):g}"] if spec.parameter else []
        for along in spec.directions or (["moment.npy"] if spec.along else [""]):
            found.append(":".join([kind, *number, *([along] if along else [])]))
    return found


def environment() -> dict[str, str]:
    """What the last bits of a sum depend on."""
    import llvmlite
    import numba
    import scipy.linalg  # loads a copy of OpenBLAS of its own
    from llvmlite.binding import get_host_cpu_name
    from threadpoolctl import threadpool_info

    blas = sorted(
        f"{b['internal_api']} {b['version']} {b.get('architecture', '')}"
        for b in threadpool_info()
        if b["user_api"] == "blas"
    )
    return {
        "processor": os.environ.get("NUMBA_CPU_NAME") or str(get_host_cpu_name()),
        "system": f"{platform.system()} {platform.machine()} {' '.join(platform.libc_ver())}",
        "numba": f"{numba.__version__}, llvmlite {llvmlite.__version__}",
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "blas": ", ".join(blas),
    }
