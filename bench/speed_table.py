"""`python -m bench.speed_table`: core seconds to a standard error of 0.1 %, spectral against naive.

Both sides are measured in this run, on one core: core seconds of a replicate times the replicates
that its measured standard deviation asks for (at least 64). The exact law of the task stage is off.
Every cell first checks that both sides estimate the same risk: |z| > 5 at any penalty stops it.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

import mcbrain as mb
from bench.panel import BEFS, GRID, GRID_SAMPLE, KERNELS, PENALTIES, TARGET, TASK, Cell
from bench.peers import naive
from bench.peers.numpy_eigh import Population
from mcbrain.blocks import Problem
from mcbrain.engines import brain, task, warm_up
from mcbrain.geometry import Geometry
from mcbrain.kernels.spectrum import task_block
from mcbrain.kernels.streams import open_stream
from mcbrain.plan.moments import brain_parameters, brain_statistics
from mcbrain.plan.task_stage import task_problem, task_statistics
from mcbrain.runner import run
from mcbrain.study import study_from_table

Array = NDArray[np.float64]

_FEWEST = 64
_NAIVE_REPLICATES = 24
_GRID_VALUES = np.geomspace(*PENALTIES["geometric"])


@dataclass(frozen=True)
class Cost:
    """Core seconds to the target, and the means (and errors) that prove both sides agree."""

    seconds: float
    mean: Array
    error: Array


def model_of(cell: Cell) -> mb.Model:
    """The model of a cell."""
    return mb.Model(
        input_dim=cell.input_dim,
        latent_dim=cell.latent_dim,
        n_channels=cell.n_channels,
        misalignment=cell.misalignment,
        task_noise=cell.task_noise,
    )


def needed(sd: Array, mean: Array) -> float:
    """Replicates to the target at the worst penalty."""
    return max(float(np.max((sd / mean / TARGET) ** 2)), _FEWEST)


def naive_cost(cell: Cell, factors: tuple[float, ...] = (1.0,), *, exact: bool = False) -> Cost:
    """The naive loop on a cell, all penalties and shifts at once."""
    model, rng = model_of(cell), np.random.default_rng(1)
    geometry = Geometry(model, 1)
    people = Population(
        geometry.brain.T, geometry.beta, geometry.channels, model.sigma_y, model.sigma_r
    )
    begun = time.process_time()
    values = np.array(
        [
            naive.replicate(
                rng,
                people,
                cell.estimator,
                cell.n_task,
                cell.n_brain,
                cell.latent_dim,
                _GRID_VALUES,
                factors,
                exact=exact,
            )
            for _ in range(_NAIVE_REPLICATES)
        ]
    )
    pace = (time.process_time() - begun) / _NAIVE_REPLICATES
    sd, mean = values.std(axis=0, ddof=1), values.mean(axis=0)
    return Cost(pace * needed(sd, mean), mean, sd / np.sqrt(_NAIVE_REPLICATES))


def spectral_cost(cell: Cell) -> Cost:
    """The spectral engine on a cell: its blocks' core seconds, scaled to the target."""
    begun = time.process_time()
    if cell.estimator != "befs":
        rank = 0 if cell.estimator == "ridge" else cell.latent_dim
        problem = task_problem(cell.n_task, rank, cell.input_dim, 1)
        task.simulate(problem, task_statistics(cell.n_task * _GRID_VALUES), [])
    pilot = time.process_time() - begun  # sets the control coefficients
    table = mb.simulate(
        model_of(cell),
        cell.n_task,
        cell.n_brain,
        {cell.estimator: PENALTIES},
        precision=0,
        max_replicates=2048,
        seed=2,
        engine="spectral",
        law=False,
        threads=1,
    )
    rows = {name: table[name].to_numpy() for name in ("mean", "mcse", "replicates", "seconds")}
    share = float(np.max((rows["mcse"] / rows["mean"] / TARGET) ** 2))
    share = max(share, _FEWEST / rows["replicates"][0])
    return Cost(pilot + share * rows["seconds"][0], rows["mean"], rows["mcse"])


def check(cell: Cell, ours: Cost, theirs: Cost) -> None:
    """Stop when the two sides do not estimate the same risk."""
    z = (ours.mean - theirs.mean[0]) / np.hypot(ours.error, theirs.error[0])
    if np.max(np.abs(z)) > 5:
        raise SystemExit(f"{cell}: the two sides differ by {np.max(np.abs(z)):.1f} standard errors")


def compare(cells: tuple[Cell, ...], *, exact: bool = False) -> list[float]:
    """Ratios of a list of cells, printed as they come."""
    ratios = []
    for cell in cells:
        ours, theirs = spectral_cost(cell), naive_cost(cell, exact=exact)
        check(cell, ours, theirs)
        ratios.append(theirs.seconds / ours.seconds)
        where = f"d={cell.input_dim} n_T={cell.n_task} n_B={cell.n_brain} m={cell.misalignment}"
        print(
            f"| {cell.estimator} {where} | {theirs.seconds:,.0f} s | {ours.seconds:.2g} s "
            f"| {ratios[-1]:,.0f} |",
            flush=True,
        )
    return ratios


def grid_ratio() -> None:
    """The fixed BEFS grid as a whole study, run for real on one thread."""
    study = study_from_table(GRID)
    with tempfile.TemporaryDirectory() as folder:
        begun, wall = time.process_time(), time.perf_counter()
        outcome = run(study, folder, threads=1)
        ours, wall = time.process_time() - begun, time.perf_counter() - wall
    if outcome.unmet:
        raise SystemExit(f"{outcome.unmet} outputs of the grid are above their target")
    costs = [
        naive_cost(Cell("befs", 200, n_task, n_brain, 0.05), (1.0, 4.0)).seconds
        for n_task, n_brain in GRID_SAMPLE
    ]
    theirs = statistics.mean(costs) * study.n_points
    print(
        f"| BEFS, {study.n_points} cells x 20 penalties x 2 shifts, whole study | {theirs:,.0f} s "
        f"| {ours:.2g} s ({wall:.2g} s of wall time) | {theirs / ours:,.0f} |",
        flush=True,
    )


def pace(engine: Any, problem: Problem, asked: tuple[Any, ...], blocks: int) -> float:
    """Microseconds of one core for a replicate, the least of three rounds."""
    engine.simulate(problem, asked, [0])
    rounds = []
    for start in (1, 1 + blocks, 1 + 2 * blocks):
        sums = engine.simulate(problem, asked, range(start, start + blocks))
        rounds.append(sum(s.seconds for s in sums) / sum(s.replicates for s in sums))
    return 1e6 * min(rounds)


def kernel_pace(problem: Problem, replicates: int = 2000) -> float:
    """Microseconds of one core for a task replicate in the kernel, the least of three rounds."""
    ridges = problem["n_prime"] * _GRID_VALUES
    out, controls = np.empty((replicates, 4, ridges.size)), np.empty((replicates, 2))
    rounds = []
    for index in range(3):
        stream = open_stream(1, problem.words, index, 0)
        begun = time.thread_time()
        task_block(stream, problem["n_prime"], problem["q"], ridges, out, controls)
        rounds.append((time.thread_time() - begun) / replicates)
    return 1e6 * min(rounds)


def replicate_times() -> None:
    """Time of one replicate of either stage."""
    for d in KERNELS["task"]:
        problem = task_problem(5 * d // 2, 0, d, 1)
        asked = task_statistics(5 * d // 2 * _GRID_VALUES)
        alone, whole = kernel_pace(problem), pace(task, problem, asked, 64)
        print(
            f"| task replicate, d={d}, 20 penalties | {alone:.1f} us ({whole:.1f} us with its "
            "share of streams, controls and sums) |"
        )
    for n_brain, d, p, k in KERNELS["brain"]:
        model = mb.Model(input_dim=d, latent_dim=k, n_channels=p)
        problem = Problem("brain", brain_parameters(model, n_brain, k, 0.0), 1)
        time_of = pace(brain, problem, brain_statistics(k), 8)
        print(f"| brain replicate, n_B={n_brain}, d={d}, p={p}, k={k} | {time_of:.0f} us |")


def main() -> None:
    """Measure and print the tables."""
    warm_up("spectral")
    print("| replicate | one core |\n|---|---|")
    replicate_times()
    print("\n| cell | naive | spectral | ratio |\n|---|---|---|---|")
    task_ratios = compare(TASK)
    befs_ratios = compare(BEFS)
    exact_ratios = compare(TASK[3:4] + BEFS[2:3], exact=True)
    grid_ratio()
    print(f"\nmedian ratio, task stage: {statistics.median(task_ratios):,.0f}")
    print(f"median ratio, BEFS: {statistics.median(befs_ratios):,.0f}")
    print(f"against naive fits with the exact risk: {[round(r) for r in exact_ratios]}")


if __name__ == "__main__":
    with threadpool_limits(1):  # one core for each side
        main()
