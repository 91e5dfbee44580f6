"""Threads by default are no more than a container and a batch job allow."""

import os

import pytest

from mcbrain.running import cores
from mcbrain.running.cores import available_cores


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """A made-up tree of control groups on a machine of 16 cores; sets the quota of one of them."""
    own = tmp_path / "cgroup"
    own.write_text("12:cpuset:/elsewhere\n0::/slice/job/step\n")
    monkeypatch.setattr(cores, "_OWN_GROUP", own)
    monkeypatch.setattr(cores, "_GROUPS", tmp_path / "fs")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(16)), raising=False)

    def quota(group, text):
        path = tmp_path / "fs" / group / "cpu.max"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    return quota


def test_without_limits_all_cores_count(groups):
    assert available_cores({}) == 16
    groups("slice/job", "max 100000\n")
    assert available_cores({}) == 16


@pytest.mark.parametrize("group", ["", "slice", "slice/job", "slice/job/step"])
@pytest.mark.parametrize(
    ("quota", "count"), [("200000 100000", 2), ("150000 100000", 2), ("1000 100000", 1),
                         ("12800000 100000", 16), ("nonsense", 16), ("1 0", 16)]
)  # fmt: skip
def test_the_quota_of_any_group_around_the_process_counts_rounded_up(groups, group, quota, count):
    groups("slice/job/other", "100000 100000")
    groups(group, quota)
    assert available_cores({}) == count


@pytest.mark.parametrize(("asked", "count"), [("4", 4), ("0", 1), ("64", 16), ("", 16), ("x", 16)])
def test_a_batch_job_has_the_cores_that_it_asked_for(groups, asked, count):
    assert available_cores({"SLURM_CPUS_PER_TASK": asked}) == count


def test_a_machine_that_does_not_say_what_it_allows_has_all_its_cores(monkeypatch, tmp_path):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(cores, "_OWN_GROUP", tmp_path / "nothing")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert available_cores({}) == 1
