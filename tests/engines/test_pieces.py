"""A study compiles the kernels that it runs: no others, and none later."""

import json
import subprocess
import sys

import numba
import pytest

from mcbrain.asking.from_toml import load_study
from mcbrain.blocks.problem import Problem
from mcbrain.engines import engine_for
from mcbrain.engines.pieces import Piece, every_piece, pieces_of
from mcbrain.plan.plans import pilots_of
from mcbrain.results.opening import open_plan
from mcbrain.store.blockstore import BlockStore

REDUCED = Piece("brain", "brain")
TASKS = {Piece("raw", "task", "many"), Piece("raw", "task", "few")}


def pieces(study, folder, engine=None):
    plan = open_plan(study, engine or engine_for(study)[0], BlockStore(folder))
    problems = plan.problems()
    return pieces_of(study, [*problems, *(pilot for pilot, _ in pilots_of(plan, problems))])


def test_the_first_study_needs_four_pieces(tmp_path):
    found = pieces(load_study("first-look"), tmp_path)
    assert set(found) == TASKS | {Piece("raw", "brain", "many"), REDUCED}
    assert found[0].stage == "task" and found[-1] == REDUCED  # the longest first


def test_the_spectral_engine_needs_one_piece_and_with_a_penalty_another(tmp_path):
    study = load_study("first-look").with_options(engine="spectral")
    assert pieces(study, tmp_path) == (REDUCED,)
    assert set(pieces(study.with_options(exact_task_stage=False), tmp_path)) == {
        REDUCED,
        Piece("task", "task"),
    }


STUDY = """
import json, sys
from mcbrain.asking.from_toml import load_study
from mcbrain.asking.studies import Precision
from mcbrain.engines import compiling
from mcbrain.kernels import cache
from mcbrain.running.runner import run

few = Precision(relative=0.0, max_replicates=64)
study = load_study("first-look").with_options(engine=sys.argv[1], precision=few)
looked = []
load = cache.KernelCache.load_overload
cache.KernelCache.load_overload = lambda self, *a: looked.append(self._name) or load(self, *a)
compile_pieces = compiling.compile_pieces

def first(*arguments, **named):
    seconds = compile_pieces(*arguments, **named)
    looked.clear()
    return seconds

compiling.compile_pieces = first
run(study, sys.argv[2], threads=1)
print(json.dumps(looked))
"""


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled")
@pytest.mark.parametrize("engine", ["raw", "sufficient", "spectral"])
def test_a_run_needs_no_kernel_beside_its_pieces(tmp_path, engine):
    done = subprocess.run(
        [sys.executable, "-c", STUDY, engine, str(tmp_path / "out")],
        check=True,
        capture_output=True,
        text=True,
    )
    assert json.loads(done.stdout.splitlines()[-1]) == []


@pytest.mark.parametrize("name", ["beyond-gaussian", "penalty-rules", "scaling-law", "shifts"])
def test_every_piece_of_a_study_is_one_of_its_engine_or_of_its_pilots(tmp_path, name):
    study = load_study(name)
    engine = engine_for(study)[0]
    assert set(pieces(study, tmp_path)) <= {*every_piece(engine, True), *every_piece("raw")}


def test_signs_need_what_solves_singular_data(tmp_path):
    found = pieces(load_study("beyond-gaussian"), tmp_path)
    assert Piece("raw", "again") in found


def test_a_problem_that_nobody_knows_is_refused():
    class Quick(Problem):
        kind, content, block_size, replicate_seconds = "quick", {}, 1, 1.0

    with pytest.raises(NotImplementedError, match="kind of problem 'quick'"):
        pieces_of(load_study("first-look"), [Quick(seed=0)])
