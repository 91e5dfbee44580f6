"""Replicates per second of each engine, what its options cost, and time to a standard error."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from threadpoolctl import threadpool_limits

from bench.cost import engine_cost
from bench.jobs import brain_job, replicates, sampled_job, task_job
from bench.measure import Rate, Samples, Work, paired_ratio, rate_of, samples
from bench.sizes import (
    BRAIN,
    ENGINE_CELLS,
    INPUTS,
    OPTION_CELL,
    PANEL,
    ROUNDS,
    RULE_CELLS,
    TASK_DIMENSIONS,
    THREAD_CELL,
    THREADS,
)
from mcbrain.running.cores import available_cores


class Sampled(Rate):
    """The engines that draw data, on one core: by dimension, samples, estimators and penalties."""

    params = (("raw", "sufficient"), tuple(ENGINE_CELLS))
    param_names = ("engine", "cell")
    unit = "replicates/s"

    def prepare(self, engine: str, cell: str) -> Work:
        return replicates(sampled_job(engine, ENGINE_CELLS[cell]))


class TaskStage(Rate):
    """The spectral engine's task stage on one core, ridge with 20 penalties."""

    params = TASK_DIMENSIONS
    param_names = ("input_dim",)
    unit = "replicates/s"

    def prepare(self, input_dim: int) -> Work:
        return replicates(task_job(input_dim))


class BrainStage(Rate):
    """The spectral engine's brain stage on one core."""

    params = tuple(BRAIN)
    param_names = ("cell",)
    unit = "replicates/s"

    def prepare(self, cell: str) -> Work:
        return replicates(brain_job(BRAIN[cell]))


class Options:
    """What an option of the raw engine costs against the plain case in the same run."""

    params = (*INPUTS, *RULE_CELLS)
    param_names = ("option",)
    version = "1"
    timeout = 600

    def setup(self, option: str) -> None:
        if option in RULE_CELLS:
            cell = RULE_CELLS[option]
            jobs = (
                sampled_job("raw", cell, rule="loo"),
                sampled_job("raw", cell._replace(penalties=1)),
            )
        else:
            jobs = (sampled_job("raw", OPTION_CELL, option), sampled_job("raw", OPTION_CELL))
        self.option, self.plain = (rate_of(replicates(job)) for job in jobs)
        self.option(), self.plain()

    def track_cost(self, option: str) -> Samples:
        """Input laws against Gaussian inputs; `loo` over 51 penalties against one fixed penalty."""
        return paired_ratio(self.plain, self.option)

    track_cost.unit = "times the time"  # type: ignore[attr-defined]


class ThreadScaling:
    """The raw engine on several threads against one: ideal is their number."""

    params = THREADS
    param_names = ("threads",)
    version = "1"
    timeout = 600

    def setup(self, threads: int) -> None:
        if threads > available_cores():
            raise NotImplementedError(f"this machine has {available_cores()} cores")
        self.work = replicates(sampled_job("raw", ENGINE_CELLS[THREAD_CELL]))
        self.work()

    def track_speedup(self, threads: int) -> Samples:
        """Replicates per second of all threads over those of one."""
        with threadpool_limits(1), ThreadPoolExecutor(threads) as pool:
            one = rate_of(self.work, time.perf_counter)
            return paired_ratio(lambda: sum(pool.map(lambda _: one(), range(threads))), one)

    track_speedup.unit = "times one thread"  # type: ignore[attr-defined]


class StandardError:
    """Core seconds to a standard error of 0.1 % at each of 20 penalties, law off."""

    params = (("raw", "sufficient", "spectral"), tuple(PANEL))
    param_names = ("engine", "cell")
    version = "1"
    timeout = 600

    def setup(self, engine: str, cell: str) -> None:
        engine_cost(PANEL[cell], engine)

    def track_seconds(self, engine: str, cell: str) -> Samples:
        """Scaled up from a fixed number of replicates."""
        costs = [engine_cost(PANEL[cell], engine).seconds for _ in range(ROUNDS // 2)]
        return samples(costs)

    track_seconds.unit = "core seconds"  # type: ignore[attr-defined]
