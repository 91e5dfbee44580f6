"""Benchmarks are tested code: each runs once, tiny, and its peer computes the same risk."""

import os
import subprocess
import sys

import numpy as np

PROGRAM = """
import inspect
from bench import memory, streams, throughput
for module in (throughput, memory, streams):
    for name, suite in inspect.getmembers(module, inspect.isclass):
        methods = [m for m in dir(suite) if m.startswith(("track_", "time_", "peakmem_"))]
        for method in methods:
            for parameter in getattr(suite, "params", [None]):
                one, given = suite(), [] if parameter is None else [parameter]
                if hasattr(one, "setup"):
                    one.setup(*given)
                value = getattr(one, method)(*given)
                print(name, method, parameter, value)
"""


def test_every_benchmark_runs_once_at_a_tiny_size(repository):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=repository,
        env=os.environ | {"MCBRAIN_BENCH": "tiny"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 3 + 3 + 2
    assert all(float(line.split()[-1]) > 0 for line in lines if "track_" in line)


def test_the_numpy_peer_computes_the_same_risk(repository):
    """Means within 4.5 standard errors over 12 outputs: false-alarm rate below 1e-4."""
    sys.path.insert(0, str(repository))
    from bench.peers import numpy_eigh
    from bench.sizes import Size
    from bench.throughput import cell, peer_population
    from mcbrain.engines import raw

    size = Size(8, 2, 6, 20, 30, 6)
    problem, queries, penalties = cell(size)
    blocks = raw.simulate(problem, queries, range(16))
    n = sum(b.replicates for b in blocks)
    mean = np.mean([b.mean for b in blocks], axis=0)
    variance = np.sum([b.m2 for b in blocks], axis=0) / n
    peer = numpy_eigh.run(5, 2000, peer_population(problem), 20, 30, 2, penalties)
    peer = peer.reshape(len(peer), -1)
    error = np.sqrt(variance / n + peer.var(axis=0) / len(peer))
    scores = (mean - peer.mean(axis=0)) / error
    assert scores.shape == (12,)
    assert np.max(np.abs(scores)) < 4.5
