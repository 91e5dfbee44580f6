"""`python -m bench.speed_table`: core seconds to a standard error of 0.1 %, spectral against naive.

Both sides are measured in this run, on one core; the exact law of the task stage is off. Every cell
first checks that both sides estimate the same risk: |z| > 5 at any penalty stops it.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from bench.cost import disagreement, engine_cost, peer_cost
from bench.jobs import brain_job, grid, task_job
from bench.peers import naive
from bench.sizes import BRAIN, GRID, GRID_SAMPLE, PANEL_BEFS, PANEL_TASK, TASK_DIMENSIONS, Cell
from mcbrain.asking.from_toml import study_from_table
from mcbrain.blocks.problem import Job, TaskProblem
from mcbrain.engines import simulate, warm_up
from mcbrain.kernels.random.seeds import open_stream
from mcbrain.kernels.task.spectrum import task_block
from mcbrain.running.runner import run


def compare(cells: tuple[Cell, ...], *, test_points: int = 1000) -> list[float]:
    """Ratios of a list of cells, printed as they come."""
    ratios = []
    for cell in cells:
        ours = engine_cost(cell, "spectral")
        theirs = peer_cost(cell, naive, test_points=test_points)
        if (z := disagreement(ours, theirs)) > 5:
            raise SystemExit(f"{cell}: the two sides differ by {z:.1f} standard errors")
        ratios.append(theirs.seconds / ours.seconds)
        where = f"d={cell.input_dim} n_T={cell.n_task} n_B={cell.n_brain} m={cell.misalignment}"
        print(
            f"| {cell.estimators[0]} {where} | {theirs.seconds:,.0f} s | {ours.seconds:.2g} s "
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
        peer_cost(
            Cell(200, n_task, n_brain, ("befs",), misalignment=0.05), naive, (1.0, 4.0)
        ).seconds
        for n_task, n_brain in GRID_SAMPLE
    ]
    theirs = statistics.mean(costs) * study.n_points
    print(
        f"| BEFS, {study.n_points} cells x 20 penalties x 2 shifts, whole study | {theirs:,.0f} s "
        f"| {ours:.2g} s ({wall:.2g} s of wall time) | {theirs / ours:,.0f} |",
        flush=True,
    )


def pace(job: Job) -> float:
    """Microseconds of one core for a replicate, the least of three rounds."""
    simulate(job)
    rounds = []
    for _ in range(3):
        sums = simulate(job)
        rounds.append(sum(s.seconds for s in sums) / sum(s.replicates for s in sums))
    return 1e6 * min(rounds)


def kernel_pace(problem: TaskProblem, ridges: Any, replicates: int = 2000) -> float:
    """Microseconds of one core for a task replicate in the kernel, the least of three rounds."""
    out, controls = np.empty((replicates, 4, ridges.size)), np.empty((replicates, 2))
    rounds = []
    for index in range(3):
        stream = open_stream(1, problem.words, index, 0)
        begun = time.thread_time()
        task_block(stream, problem.n_prime, problem.q, ridges, out, controls)
        rounds.append((time.thread_time() - begun) / replicates)
    return 1e6 * min(rounds)


def replicate_times() -> None:
    """Time of one replicate of either stage."""
    for d in TASK_DIMENSIONS:
        job = task_job(d)
        assert isinstance(job.problem, TaskProblem)
        alone, whole = kernel_pace(job.problem, 5 * d // 2 * grid(20)), pace(job)
        print(
            f"| task replicate, d={d}, 20 penalties | {alone:.1f} us ({whole:.1f} us with its "
            "share of streams, controls and sums) |"
        )
    for name, cell in BRAIN.items():
        where = f"{name}: n_B={cell.n_brain}, p={cell.n_channels}, k={cell.latent_dim}"
        print(f"| brain replicate, {where} | {pace(brain_job(cell)):.0f} us |")


def main() -> None:
    """Measure and print the tables."""
    warm_up("spectral")
    print("| replicate | one core |\n|---|---|")
    replicate_times()
    print("\n| cell | naive | spectral | ratio |\n|---|---|---|---|")
    task_ratios = compare(PANEL_TASK)
    befs_ratios = compare(PANEL_BEFS)
    exact_ratios = compare(PANEL_TASK[3:4] + PANEL_BEFS[2:3], test_points=0)
    grid_ratio()
    print(f"\nmedian ratio, task stage: {statistics.median(task_ratios):,.0f}")
    print(f"median ratio, BEFS: {statistics.median(befs_ratios):,.0f}")
    print(f"against naive fits with the exact risk: {[round(r) for r in exact_ratios]}")


if __name__ == "__main__":
    with threadpool_limits(1):  # one core for each side
        main()
