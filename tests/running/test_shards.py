"""Shards: whole problems, balanced, each with its own folder."""

import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from mcbrain.blocks.sums import BlockSums
from mcbrain.engines import engine_for
from mcbrain.errors import InputError
from mcbrain.plan.shards import Shard, _cost, owned, parse_shard
from mcbrain.results.opening import open_plan
from mcbrain.results.tables import open_results
from mcbrain.running import computing
from mcbrain.running.computing import compute_blocks
from mcbrain.running.outcome import Computed, Reporter
from mcbrain.running.pool import Pool
from mcbrain.running.runner import run
from mcbrain.store.blockstore import BlockStore
from mcbrain.store.memory import MemoryStore
from tests.support.cut_study import KINDS, same, study


@pytest.mark.parametrize("text", ["3/2", "0/2", "a", "1", "1/0", "2/3/4", "-1/3", "1.5/2", "1/ x"])
def test_a_shard_that_does_not_exist_is_refused_in_words(text):
    with pytest.raises(InputError, match=f"^--shard {re.escape(text)}: "):
        parse_shard(text)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [2, 3, 7, 50])
def test_shards_share_all_problems_and_none_has_much_more_than_its_part(tmp_path, kind, count):
    table = study(**KINDS[kind])
    plan = open_plan(table, engine_for(table)[0], BlockStore(tmp_path))
    problems = plan.problems()
    shares = [owned(problems, Shard(number, count)) for number in range(1, count + 1)]
    assert sum(map(len, shares)) == len(problems)
    assert set().union(*shares) == set(problems)
    loads = [sum(map(_cost, share)) for share in shares]
    # Dearest first, each to the least loaded: no load exceeds the mean by more than one problem.
    assert max(loads) <= np.mean(loads) + max(map(_cost, problems))


def test_a_shard_keeps_its_problems_when_precision_is_added(tmp_path):
    store = BlockStore(tmp_path)
    tables = [study(precision={"relative": r}) for r in (0.1, 0.001)]
    shares = [owned(open_plan(t, "raw", store).problems(), Shard(2, 3)) for t in tables]
    assert shares[0] == shares[1]


def test_shards_one_after_the_other_in_one_folder_leave_nothing_to_do(cut, tmp_path):
    for number in (1, 2, 3):
        run(study(), tmp_path / "m", shard=f"{number}/3")
    assert run(study(), tmp_path / "m").computed == 0
    assert same(tmp_path / "m", cut / "whole")


def test_a_fresh_shard_moves_what_was_there_aside(shards, tmp_path):
    outcome = run(study(), shards[0], shard="1/3", fresh=True)
    assert outcome.reused == 0 and outcome.computed > 0
    assert len(list(tmp_path.glob("s1.before-*"))) == 1


def test_a_shard_is_not_put_where_whole_results_are(cut):
    with pytest.raises(InputError, match="holds results of the whole study"):
        run(study(), cut / "whole", shard="1/2")
    with pytest.raises(InputError, match="engine 'law' simulates nothing"):
        run(study(engine={"kind": "law"}), cut / "law", shard="1/2")
    assert not (cut / "law").exists()


def test_a_shards_folder_says_what_it_is(cut):
    with pytest.raises(InputError, match=r"holds the blocks of shard 2/3.*mcbrain merge"):
        open_results(cut / "s2")


class Listed(ThreadPoolExecutor):
    """Threads that remember the jobs in the order in which they were handed out."""

    def __init__(self, threads):
        super().__init__(threads)
        self.jobs = []

    def submit(self, fn, job):
        self.jobs.append(job)
        return super().submit(fn, job)


def _made_up(job):
    """Blocks that are not drawn."""
    ones = np.ones(len(job.queries), np.int64)
    mean = 0.1 * ones
    return [
        BlockSums(i, 4, 4 * ones, mean, mean, ones, cross=mean, seconds=0.01) for i in job.indices
    ]


@pytest.mark.parametrize("shard", [None, Shard(1, 2), Shard(2, 2)])
@pytest.mark.parametrize("kind", ["threads", "cluster"])
def test_first_looks_are_handed_out_before_any_second_one(shard, kind, monkeypatch):
    """To the threads of this machine, and to a cluster, where many more jobs are out at once."""
    monkeypatch.setattr(computing, "simulate_job", _made_up)
    asked = study(
        design={"n_task": list(range(20, 60)), "n_brain": 0},
        estimators={"ridge": 0.1},
        precision={"relative": 0.0, "max_replicates": 512 * 200},
    )
    store = MemoryStore()
    plan = open_plan(asked, "raw", store)
    with Listed(2) as executor:
        more = {"job_seconds": 1.0, "ahead": 10, "growing": True} if kind == "cluster" else {}
        pool = Pool(executor, 2, **more)
        found = Computed()
        compute_blocks(plan, store, found, Reporter(), pool, lambda: None, shard=shard)
    mine = plan.problems() if shard is None else owned(plan.problems(), shard)
    assert {job.problem for job in executor.jobs} == set(mine) and found.owned == len(mine)
    second = [job.indices[0] >= 64 for job in executor.jobs]
    assert second == sorted(second) and 0 < sum(second) < len(second)
