"""One cache folder of compiled code for all test processes, and one BLAS thread."""

import os
import shutil
from pathlib import Path

import pytest

# Before anything imports NumPy: two BLAS threads would fight the test workers for the cores.
for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path_factory, monkeypatch, request):
    """Tests run where nothing is, so that a stray relative path shows."""
    if "repository" not in request.fixturenames:
        monkeypatch.chdir(tmp_path_factory.mktemp("cwd"))


@pytest.fixture
def repository():
    """Root of the checkout, for tests that read the project's own files."""
    return Path(__file__).parent.parent


@pytest.fixture(scope="session")
def small_results(tmp_path_factory):
    """Results of the whole small study, run on one thread; to read, not to spoil."""
    from mcbrain.running.runner import run
    from tests.support.small_study import study

    folder = tmp_path_factory.mktemp("small") / "results"
    run(study(), folder, threads=1)
    return folder


@pytest.fixture(scope="session")
def cut(tmp_path_factory):
    """A study on engine raw, whole and in three shards; to read, not to spoil."""
    from mcbrain.running.runner import run
    from tests.support.cut_study import study

    home = tmp_path_factory.mktemp("cut")
    run(study(), home / "whole")
    for number in (1, 2, 3):
        run(study(), home / f"s{number}", shard=f"{number}/3")
    return home


@pytest.fixture
def shards(cut, tmp_path):
    """A copy of the shards, to spoil."""
    for number in (1, 2, 3):
        shutil.copytree(cut / f"s{number}", tmp_path / f"s{number}")
    return [tmp_path / f"s{number}" for number in (1, 2, 3)]
