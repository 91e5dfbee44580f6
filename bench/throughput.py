"""Replicates per second of the raw engine, and as a ratio to the best NumPy in the same run."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from threadpoolctl import threadpool_limits

from bench.peers import numpy_eigh
from bench.sizes import RAW, ROUNDS, SECONDS, Size
from mcbrain.blocks import Problem, Query, Row, data_parameters
from mcbrain.engines import raw
from mcbrain.estimators import ESTIMATORS
from mcbrain.geometry import Geometry
from mcbrain.model import Model
from mcbrain.shifts import parse_shift
from mcbrain.workers import available_cores


def cell(size: Size) -> tuple[Problem, tuple[Query, ...], np.ndarray]:
    """The raw problem of a size, ridge and BEFS over a penalty grid, and that grid."""
    model = Model(
        input_dim=size.input_dim,
        latent_dim=size.latent_dim,
        n_channels=size.n_channels,
        misalignment=0.1,
        task_noise=0.7,
    )
    penalties = np.geomspace(1e-3, 10.0, size.penalties)
    rows = [
        Row(ESTIMATORS[name], "fixed", float(p), ESTIMATORS[name].eta, size.latent_dim, 0.0)
        for name in ("ridge", "befs")
        for p in penalties
    ]
    problem = Problem("raw", data_parameters(model, size.n_task, size.n_brain), seed=1)
    return problem, tuple(Query(row, parse_shift("id"), None) for row in rows), penalties


def peer_population(problem: Problem) -> numpy_eigh.Population:
    """The same population for the NumPy peer."""
    geometry = Geometry(problem.model, problem.seed)
    model = problem.model
    return numpy_eigh.Population(
        geometry.brain.T, geometry.beta, geometry.channels, model.sigma_y, model.sigma_r
    )


def engine_rate(size: Size, threads: int, seconds: float = SECONDS) -> float:
    """Replicates per second of the raw engine on some threads."""
    problem, queries, _ = cell(size)
    raw.simulate(problem, queries, [0])
    numbers = itertools.count()

    def one(_: int) -> int:
        done, until = 0, time.perf_counter() + seconds
        while time.perf_counter() < until:
            done += sum(b.replicates for b in raw.simulate(problem, queries, [next(numbers)] * 4))
        return done

    with threadpool_limits(1), ThreadPoolExecutor(threads) as pool:
        begun = time.perf_counter()
        total = sum(pool.map(one, range(threads)))
        return total / (time.perf_counter() - begun)


def peer_rate(size: Size, workers: int, seconds: float = SECONDS) -> float:
    """Replicates per second of the NumPy peer on some processes, one BLAS thread each."""
    from joblib import Parallel, delayed

    problem, _, penalties = cell(size)
    job = delayed(_peer_loop)
    arguments = (peer_population(problem), size, penalties, seconds)
    with Parallel(n_jobs=workers, backend="loky") as parallel:
        parallel(job(seed, *arguments[:3], 0.01) for seed in range(workers))
        begun = time.perf_counter()
        total = sum(parallel(job(seed, *arguments) for seed in range(workers)))
        return total / (time.perf_counter() - begun)


def _peer_loop(
    seed: int, population: numpy_eigh.Population, size: Size, penalties: np.ndarray, seconds: float
) -> int:
    rng = np.random.Generator(np.random.SFC64(seed))
    with threadpool_limits(1):
        done, until = 0, time.perf_counter() + seconds
        while time.perf_counter() < until:
            numpy_eigh.replicate(
                rng, population, size.n_task, size.n_brain, size.latent_dim, penalties
            )
            done += 1
    return done


def paired_ratio(first: Callable[[], float], second: Callable[[], float]) -> float:
    """Median ratio of two rates measured in turns."""
    return statistics.median(first() / second() for _ in range(ROUNDS))


class RawEngine:
    """Ridge and BEFS over a penalty grid, from whole data sets."""

    params = tuple(RAW)
    param_names = ("size",)
    timeout = 300
    version = "1"

    def setup(self, size: str) -> None:
        raw.warm_up()

    def track_replicates_per_second(self, size: str) -> float:
        return engine_rate(RAW[size], available_cores())

    track_replicates_per_second.unit = "replicates/s"  # type: ignore[attr-defined]

    def track_ratio_to_numpy(self, size: str) -> float:
        cores = available_cores()
        return paired_ratio(
            lambda: engine_rate(RAW[size], cores), lambda: peer_rate(RAW[size], cores)
        )

    track_ratio_to_numpy.unit = "times the rate of NumPy"  # type: ignore[attr-defined]

    def track_two_threads_over_one(self, size: str) -> float:
        return paired_ratio(lambda: engine_rate(RAW[size], 2), lambda: engine_rate(RAW[size], 1))

    track_two_threads_over_one.unit = "times the rate of one thread"  # type: ignore[attr-defined]


def main() -> None:
    """Print the throughput table: `python -m bench.throughput`."""
    from bench.streams import Streams

    print(f"normals: {Streams().track_normals_per_second():,.0f} per second,", end=" ")
    print(f"{Streams().track_ratio_to_numpy():.2f} times the rate of NumPy")
    suite = RawEngine()
    print(f"{'size':8s} {'replicates/s':>14s} {'x NumPy':>9s} {'2 threads':>10s}")
    for name in RAW:
        suite.setup(name)
        rate = suite.track_replicates_per_second(name)
        ratio = suite.track_ratio_to_numpy(name)
        threads = suite.track_two_threads_over_one(name)
        print(f"{name:8s} {rate:14,.0f} {ratio:9.2f} {threads:10.2f}")


if __name__ == "__main__":
    main()
