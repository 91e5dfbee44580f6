"""A SLURM job array stands for the shards of a study."""

import os
import re
import subprocess
import sys

import pytest
import tomli_w

from mcbrain.errors import InputError
from mcbrain.plan.shards import slurm_shard
from tests.support.cut_study import TABLE, same


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, None),
        ({"ID": "2", "COUNT": "3"}, "2/3"),
        ({"ID": "2", "COUNT": "3", "MIN": "1", "STEP": "1"}, "2/3"),
        ({"ID": "0", "COUNT": "3", "MIN": "0"}, "1/3"),
        ({"ID": "9", "COUNT": "5", "MIN": "1", "STEP": "2"}, "5/5"),
        ({"ID": "1", "COUNT": "1", "MIN": "1"}, None),
        ({"ID": "4"}, None),
    ],
)
def test_a_job_array_stands_for_a_shard(variables, expected):
    found = slurm_shard({f"SLURM_ARRAY_TASK_{k}": v for k, v in variables.items()})
    assert (None if found is None else str(found)) == expected


@pytest.mark.parametrize(
    "variables",
    [
        {"ID": "0", "COUNT": "3"},
        {"ID": "9", "COUNT": "3", "MIN": "1"},
        {"ID": "2", "COUNT": "3", "MIN": "1", "STEP": "2"},
        {"ID": "x", "COUNT": "3"},
        {"ID": "7", "COUNT": "1", "MIN": "7"},
    ],
)
def test_a_job_array_with_gaps_or_of_one_later_task_is_refused(variables):
    with pytest.raises(InputError, match=r"SLURM_ARRAY_TASK_ID = .*say --shard (I|7)/N"):
        slurm_shard({f"SLURM_ARRAY_TASK_{k}": v for k, v in variables.items()})


def test_the_example_job_array_gives_the_whole_run(cut, tmp_path, repository, monkeypatch):
    """The shipped commands as real processes, with the variables that SLURM sets."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my-study.toml").write_text(tomli_w.dumps(TABLE))
    command = tmp_path / "bin" / "mcbrain"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m mcbrain "$@"\n')
    command.chmod(0o755)
    job = repository / "data" / "slurm" / "array.sbatch"
    sizes = re.search(r"--array=(\d+)-(\d+)", job.read_text())
    tasks = range(int(sizes[1]), int(sizes[2]) + 1)
    for task, lowest, count in [*((t, tasks[0], len(tasks)) for t in tasks), (2, 2, 1)]:
        array = {"ID": task, "COUNT": count, "MIN": lowest, "STEP": 1}  # the last one alone, again
        variables = {f"SLURM_ARRAY_TASK_{k}": str(v) for k, v in array.items()}
        variables |= {"SLURM_CPUS_PER_TASK": "1", "PYTHONPATH": str(repository)}
        variables["PATH"] = f"{command.parent}:{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", str(job), "my-study.toml"],
            env=os.environ | variables,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert f"shard {task}/3" in done.stderr
        assert ("computed 0" in done.stderr) == (count == 1)
    text = (job.parent / "README.md").read_text()
    line = re.search(r"^mcbrain (merge .*)$", text, re.MULTILINE)[1]
    done = subprocess.run(
        ["bash", "-c", f"{command} {line}"],
        env=os.environ | {"PYTHONPATH": str(repository)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "6 of 6 problems complete" in done.stderr
    assert same(tmp_path / "results" / "my-study", cut / "whole")
