"""The engines against their peers in the same run: `python -m bench.ratios` prints the table.

Both sides take turns on the same cells and report the same outputs, so that a ratio survives a
noisy machine. A peer that is not installed is skipped.
"""

from __future__ import annotations

import importlib
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from bench.cost import disagreement, engine_cost, peer_cost
from bench.jobs import design_of, population_of, replicates, sampled_job
from bench.measure import Samples, paired_ratio, rate_of, samples
from bench.sizes import (
    COUNT,
    ENGINE_CELLS,
    PANEL,
    PEER_CELLS,
    REGRESSION,
    ROUNDS,
    SECONDS,
    Cell,
)
from mcbrain.blocks.problem import Job
from mcbrain.kernels.random.seeds import open_stream
from mcbrain.kernels.random.streams import fill_normal
from mcbrain.running.cores import available_cores
from mcbrain.running.workers import open_workers

PEERS = ("numpy_eigh", "sklearn_ridge", "naive")


def load_peer(name: str) -> ModuleType:
    """A peer and what runs it on all cores.

    Raises
    ------
    NotImplementedError
        It is not installed: airspeed velocity says skipped.
    """
    try:
        importlib.import_module("joblib")
        return importlib.import_module(f"bench.peers.{name}")
    except ImportError as error:
        raise NotImplementedError(f"peer {name}: {error}") from error


def peer_loop(peer: str, cell: Cell, seconds: float, seed: int) -> float:
    """Replicates per second of one process of a peer, one BLAS thread."""
    module, population, design = load_peer(peer), population_of(cell), design_of(cell)
    rng = np.random.Generator(np.random.SFC64(seed))
    with threadpool_limits(1):
        done, begun = 0, time.perf_counter()
        while done == 0 or time.perf_counter() - begun < seconds:
            module.replicate(rng, population, design)
            done += 1
        return done / (time.perf_counter() - begun)


class ReplicateRate:
    """The raw engine's replicates per second over a peer's, both on all cores.

    Ridge and BEFS at 20 penalties; the peer runs a process for each core with joblib.
    """

    params = (PEERS, PEER_CELLS)
    param_names = ("peer", "cell")
    version = "1"
    timeout = 900

    def setup(self, peer: str, cell: str) -> None:
        load_peer(peer)
        from joblib import Parallel, delayed

        # Processes inherit the path, on which airspeed velocity does not put the suites.
        sys.path.append(str(Path(__file__).parents[1]))
        self.cores = available_cores()
        self.job = sampled_job("raw", ENGINE_CELLS[cell])
        self.parallel = Parallel(n_jobs=self.cores, backend="loky")
        self.loop = partial(delayed(peer_loop), peer, ENGINE_CELLS[cell])
        self.theirs(0.01)  # starts the processes, which import what they need
        self.ours()

    def teardown(self, peer: str, cell: str) -> None:
        if hasattr(self, "parallel"):
            from joblib.externals.loky import get_reusable_executor

            get_reusable_executor().shutdown(wait=True)

    def ours(self) -> float:
        """Replicates per second of the engine, a thread for each core."""
        with open_workers(self.cores) as pool:
            return sum(pool.executor.map(_round, [self.job] * pool.slots))

    def theirs(self, seconds: float = SECONDS / ROUNDS) -> float:
        """Replicates per second of the peer, a process for each core."""
        return float(sum(self.parallel(self.loop(seconds, seed) for seed in range(self.cores))))

    def track_ratio(self, peer: str, cell: str) -> Samples:
        """How many times the replicates per second of the peer."""
        return paired_ratio(self.ours, self.theirs)

    track_ratio.unit = "times the peer's replicates/s"  # type: ignore[attr-defined]


def _round(job: Job) -> float:
    return rate_of(replicates(job), time.perf_counter)()


class StandardErrorTime:
    """Core seconds of a peer over those of an engine, both to a standard error of 0.1 %."""

    params = (("raw", "spectral"), PEERS, tuple(PANEL))
    param_names = ("engine", "peer", "cell")
    version = "1"
    timeout = 900

    def setup(self, engine: str, peer: str, cell: str) -> None:
        self.peer = load_peer(peer)
        engine_cost(PANEL[cell], engine)

    def track_ratio(self, engine: str, peer: str, cell: str) -> Samples:
        """How many times the time of the engine; stops if the two sides disagree."""
        found = []
        for _ in range(max(ROUNDS // 4, 1)):
            ours, theirs = engine_cost(PANEL[cell], engine), peer_cost(PANEL[cell], self.peer)
            if disagreement(ours, theirs) > 6:
                raise AssertionError(f"{engine} and {peer} differ in the risk on {cell}")
            found.append(theirs.seconds / ours.seconds)
        return samples(found)

    track_ratio.unit = "times the time to a standard error"  # type: ignore[attr-defined]


class Regressor:
    """`BEFSRegressor(penalty="loo")` and `RidgeCV` of scikit-learn, same data and penalties."""

    version = "1"
    timeout = 1200

    def setup(self) -> None:
        from sklearn.linear_model import RidgeCV

        from mcbrain import BEFSRegressor

        rows, features, count = REGRESSION
        rng = np.random.default_rng(1)
        X = rng.standard_normal((rows, features))
        y = X @ rng.standard_normal(features) + rng.standard_normal(rows)
        penalties = np.geomspace(1e-2, 1e4, count)
        ours = BEFSRegressor(penalty="loo", penalty_scale="sum", penalties=penalties)
        theirs = RidgeCV(alphas=penalties)
        self.ours, self.theirs = (partial(_seconds, model.fit, X, y) for model in (ours, theirs))

    def track_ratio(self) -> Samples:
        """How many times the time of the regressor RidgeCV takes."""
        with threadpool_limits(1):
            return samples([self.theirs() / self.ours() for _ in range(max(ROUNDS // 4, 1))])

    track_ratio.unit = "times the time"  # type: ignore[attr-defined]


def _seconds(function: Callable[..., Any], *arguments: Any) -> float:
    begun = time.process_time()
    function(*arguments)
    return time.process_time() - begun


class Normals:
    """Normals per second of the engines' stream over NumPy's generator on the same bits."""

    version = "1"

    def setup(self) -> None:
        self.out = np.empty(COUNT)
        self.stream, self.rng = open_stream(1, (2, 3, 4, 5), 0, 0), np.random.SFC64(1)
        fill_normal(self.stream, self.out)

    def track_ratio(self) -> Samples:
        """How many times the normals per second of NumPy."""
        rng = np.random.Generator(self.rng)
        return paired_ratio(
            lambda: 1.0 / _seconds(fill_normal, self.stream, self.out),
            lambda: 1.0 / _seconds(rng.standard_normal, None, np.float64, self.out),
        )

    track_ratio.unit = "times the rate of NumPy"  # type: ignore[attr-defined]


def row(suite: Any, *params: str) -> str:
    """One row of the peer table, or why there is none."""
    name = f"| {type(suite).__name__} | {', '.join(params) or '-'} |"
    try:
        suite.setup(*params)
    except NotImplementedError as reason:
        return f"{name} skipped: {reason} | |"
    found = suite.track_ratio(*params)["samples"]
    if hasattr(suite, "teardown"):
        suite.teardown(*params)
    return f"{name} {statistics.median(found):,.3g} | {min(found):,.3g} to {max(found):,.3g} |"


def main() -> None:
    """Print the peer table."""
    print("| ratio | of | median | range |\n|---|---|---|---|")
    print(row(Normals()), flush=True)
    for cell in PEER_CELLS:
        for peer in PEERS:
            print(row(ReplicateRate(), peer, cell), flush=True)
    for cell in PANEL:
        for engine in ("raw", "spectral"):
            for peer in PEERS:
                print(row(StandardErrorTime(), engine, peer, cell), flush=True)
    print(row(Regressor()), flush=True)


if __name__ == "__main__":
    main()
