"""Benchmarks are tested code: each runs once, tiny, and every peer computes the engine's risk."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

MISSING = """
import sys
sys.modules["joblib"] = None
from bench.ratios import ReplicateRate, row
from bench.sizes import PEER_CELLS
print(row(ReplicateRate(), "numpy_eigh", PEER_CELLS[0]))
"""

AS_IN_ASV = """
import sys
from bench.ratios import ReplicateRate
from bench.sizes import PEER_CELLS
sys.path[:] = [folder for folder in sys.path if folder not in ("", sys.argv[1])]
suite = ReplicateRate()
suite.setup("numpy_eigh", PEER_CELLS[0])
suite.teardown("numpy_eigh", PEER_CELLS[0])
"""


@pytest.fixture
def bench(repository, monkeypatch):
    """The checkout's own `bench`, importable; what it loads at tiny size stays in subprocesses."""
    monkeypatch.syspath_prepend(str(repository))


def python(repository, *arguments):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=repository,
        env=os.environ | {"MCBRAIN_BENCH": "tiny"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def found():
    """Every benchmark run once, tiny: name, parameters and what it returned."""
    done = python(Path(__file__).parents[2], "-W", "error", "-m", "bench.suites")
    assert done.returncode == 0, done.stderr
    return [line.split("\t") for line in done.stdout.splitlines()]


def test_every_benchmark_runs_once_at_a_tiny_size(found):
    suites = {line[0].rpartition(".")[0] for line in found}
    assert {name.partition(".")[0] for name in suites} == {
        *("engines", "kernels", "limit", "many", "memory", "own"),
        *("ratios", "startup", "store", "theory"),
    }
    tracked = [line for line in found if ".track_" in line[0] and line[-1] != "skipped"]
    values = [json.loads(line[-1].replace("'", '"'))["samples"] for line in tracked]
    assert len(tracked) > 40
    assert all(np.isfinite(value).all() and min(value) > 0 for value in values)


def test_the_peers_processes_find_suites_that_are_on_no_path(repository):
    """Airspeed velocity imports them by an importer of its own."""
    done = python(repository, "-c", AS_IN_ASV, str(repository))
    assert done.returncode == 0, done.stderr


def test_only_what_cannot_run_here_is_skipped(found):
    """1,024 threads, and a limit that is counted only where n_task >= d."""
    names = {(line[0], line[-2]) for line in found if line[-1] == "skipped"}
    assert ("engines.ThreadScaling.track_speedup", "1024") in names
    assert ("limit.Limit.track_share", "d=6, n_task=4") in names
    assert {name for name, _ in names} == {
        "engines.ThreadScaling.track_speedup",
        "limit.Limit.track_share",
    }


def test_a_missing_peer_is_reported_as_skipped(repository):
    done = python(repository, "-c", MISSING)
    assert done.returncode == 0, done.stderr
    assert "skipped: peer numpy_eigh" in done.stdout


@pytest.mark.parametrize("peer", ["numpy_eigh", "sklearn_ridge", "naive"])
def test_a_peer_computes_the_same_risk_as_the_engine(bench, peer):
    """18 outputs within 4.5 standard errors: false-alarm rate below 2e-4 a peer."""
    import importlib

    from bench.jobs import design_of, population_of, sampled_job
    from bench.sizes import Cell
    from mcbrain.engines import raw

    cell = Cell(8, 20, 30, ("ridge", "befs", "befs-oracle"), 6, 2, 6)
    job = sampled_job("raw", cell)
    blocks = raw.simulate(job.problem, job.queries, range(16))
    n = sum(b.replicates for b in blocks)
    mean = np.mean([b.mean for b in blocks], axis=0)
    variance = np.sum([b.m2 for b in blocks], axis=0) / n
    module = importlib.import_module(f"bench.peers.{peer}")
    rng, arguments = np.random.default_rng(5), (population_of(cell), design_of(cell))
    values = np.array([module.replicate(rng, *arguments).ravel() for _ in range(300)])
    error = np.sqrt(variance / n + values.var(axis=0) / len(values))
    scores = (mean - values.mean(axis=0)) / error
    assert scores.shape == (18,)
    assert np.max(np.abs(scores)) < 4.5


def test_the_peers_agree_on_one_data_set_under_a_shift(bench):
    """The same random numbers, so the same fits: exact risks to rounding, sampled ones nearly."""
    from bench.jobs import design_of, population_of
    from bench.peers import naive, numpy_eigh, sklearn_ridge
    from bench.sizes import Cell

    cell = Cell(8, 20, 30, ("befs",), 4, 2, 6)
    design, population = design_of(cell, (1.0, 4.0), test_points=0), population_of(cell)
    found = [
        peer.replicate(np.random.default_rng(3), population, design)
        for peer in (numpy_eigh, sklearn_ridge, naive)
    ]
    assert found[0].shape == (1, 4, 2)
    np.testing.assert_allclose(found[1], found[0], rtol=1e-8)
    np.testing.assert_allclose(found[2], found[0], rtol=1e-8)
    sampled = naive.replicate(
        np.random.default_rng(3), population, design._replace(test_points=100_000)
    )
    np.testing.assert_allclose(sampled, found[0], rtol=0.05)


def test_a_module_that_moved_is_found_where_it_was(bench, monkeypatch):
    """So that the newest suites measure older commits too."""
    import mcbrain.errors
    from bench import compat

    places = {"new.home": ("nowhere", "errors", "blas"), "errors.new": ("no.where",)}
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    compat.find_moved(places)
    assert importlib.import_module("mcbrain.new.home") is mcbrain.errors
    with pytest.raises(ModuleNotFoundError, match=r"errors\.new"):
        importlib.import_module("mcbrain.errors.new")


def test_every_module_has_its_newest_name_here(bench):
    from bench import compat

    for name in compat.OLDER:
        assert importlib.import_module(f"mcbrain.{name}").__name__ == f"mcbrain.{name}"
