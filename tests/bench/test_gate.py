"""The gate between two commits: what it refuses, and when it alarms."""

import subprocess
from math import comb

import numpy as np
import pytest

KERNEL = """
    s = load(stream)
    for i in range(out.size):
        s, out[i] = next_chi_square(s, stream, dof[i])
"""


@pytest.fixture
def gate(repository, monkeypatch):
    """The module, of this checkout."""
    monkeypatch.syspath_prepend(str(repository))
    from bench import gate

    return gate


@pytest.fixture
def clone(repository, tmp_path):
    """A repository of this checkout's package alone, and how to commit to it."""
    folder = tmp_path / "clone"

    def commit(message):
        who = ("-c", "user.name=test", "-c", "user.email=test@example.org")
        git(folder, "add", "--all")
        git(folder, *who, "commit", "-q", "--allow-empty", "-m", message)
        return git(folder, "rev-parse", "HEAD").strip()

    folder.mkdir()
    git(folder, "init", "-q")
    for path in sorted((repository / "mcbrain").rglob("*.py")):
        copy = folder / path.relative_to(repository)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    return folder, commit


def git(folder, *arguments):
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout


def edit(path, old, new):
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def test_the_interval_of_a_median_covers_it(gate):
    """15 values at 99.9 %: it misses with probability 2 * (1 + 15) / 2**15."""
    low, high = gate.median_interval(range(15), 0.999)
    assert (low, high) == (1, 13)
    assert 2 * (comb(15, 0) + comb(15, 1)) / 2**15 < 0.001
    values = np.random.default_rng(1).standard_cauchy((20_000, 15))
    found = np.array([gate.median_interval(row, 0.95) for row in values])
    missed = np.mean((found[:, 0] > 0) | (found[:, 1] < 0))
    exact = 2 * sum(comb(15, j) for j in range(4)) / 2**15  # 0.0352
    assert abs(missed - exact) < 5 * np.sqrt(exact / 20_000)  # fails by chance less than 1e-6


def test_too_few_values_have_no_interval(gate):
    with pytest.raises(ValueError, match="10 values are too few"):
        gate.median_interval(range(10), 0.999)


def test_an_unknown_commit_cannot_be_compared(gate, clone, capsys):
    folder, commit = clone
    commit("first")
    assert gate.main(["HEAD", "no-such-commit", "--repository", str(folder)]) == 2
    assert "no-such-commit" in capsys.readouterr().err
    assert gate.main(["HEAD", "HEAD", "--only", "no such case"]) == 2


def test_a_benchmark_that_fails_on_head_is_an_error_and_on_base_is_left_out(gate, clone, capsys):
    folder, commit = clone
    good = commit("good")
    per_sample = 'per_sample = _non_negative("penalty", penalty)'
    edit(folder / "mcbrain/theory/wishart.py", per_sample, "per_sample = None / penalty")
    bad = commit("bad")
    asked = ["--repository", str(folder), "--only", "theory.TaskLaws"]
    assert gate.main([good, bad, *asked]) == 2
    assert f"fails on {bad[:8]}" in capsys.readouterr().err
    kept, lost = gate.Case("store.Resumed"), gate.Case("theory.TaskLaws", ("exact",))
    found = gate.Gate(folder, bad, good).run([lost, kept])
    assert [one.case for one in found] == [kept]
    assert f"{lost}: not compared, it fails on {bad[:8]}" in capsys.readouterr().out
    assert gate.main([bad, good, *asked]) == 2
    assert "nothing could be compared" in capsys.readouterr().err


@pytest.mark.long
def test_a_kernel_that_takes_twice_as_long_is_caught_and_nothing_else(gate, clone, capsys):
    folder, commit = clone
    base = commit("base")
    edit(folder / "mcbrain/kernels/random/streams.py", KERNEL, 2 * KERNEL)
    slow = commit("draw twice and keep the second")
    assert gate.main([base, slow, "--repository", str(folder)]) == 1
    verdict = [line for line in capsys.readouterr().out.splitlines() if "times slower" in line]
    assert len(verdict) == 1
    assert verdict[0].startswith("kernels.RandomNumbers(chi_square)")


@pytest.mark.long
def test_ten_runs_of_identical_code_raise_no_alarm(gate, clone):
    """Two trees and two caches of the same code.

    An alarm by chance needs 8 of 15 ratios above 1.3, and then 25 of 30 in new processes.
    """
    folder, commit = clone
    base, same = commit("base"), commit("the same")
    asked = ["--repository", str(folder)]
    assert [gate.main([base, same, *asked]) for _ in range(10)] == [0] * 10
