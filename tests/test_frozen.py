"""Every number is the one that was frozen, bit for bit, and so is the name of every block."""

import pytest

from tests.frozen import house, sums


@pytest.fixture(scope="module")
def now():
    return sums.compute(sums.configurations())


def test_block_sums_keys_and_labels_are_as_frozen(now, capsys):
    if not sums.frozen_here():
        with capsys.disabled():
            print("\nfrozen on another processor or with other libraries: ", end="")
            print(f"means are held to {sums.ELSEWHERE:g} of their value, bits are not compared")
    assert sums.differences(now) == {}, (
        "numbers moved; if that is meant: python -m tests.frozen, and commit what it changed"
    )


def test_every_kind_of_problem_is_frozen_often(now):
    kinds = [name.split(": ")[1].split()[0] for name in now.lines]
    for kind in ("raw", "sufficient", "brain", "task", "pilot-raw", "pilot-brain"):
        assert kinds.count(kind) >= 15, kind


def test_every_entry_of_the_programs_tables_is_frozen():
    studies = [case["study"] for case in sums.configurations()]
    used = {
        "inputs": {study["model"]["inputs"] for study in studies},
        "shift": {shift for study in studies for shift in study["shifts"]},
        "estimator": {name for study in studies for name in study["estimators"]},
        "rule": {str(rule) for study in studies for rule in study["estimators"].values()},
    }
    for option, entries in house.options().items():
        missing = sorted(set(entries) - used[option])
        assert not missing, (
            f"{option} {missing}: python -m tests.frozen adds configurations for them"
        )


def test_the_proof_sees_one_bit(now):
    name, line = next((n, x) for n, x in now.lines.items() if max(x.means) > 0.1)
    assert sums.Line.read(str(line)) == line
    last = line.means[-1]
    changed = sums.Line(
        name, line.digests, line.replicates, line.counts, (*line.means[:-1], last * (1 + 2**-52))
    )
    assert line.moved(changed, None).startswith("means by up to")
    assert line.moved(changed, sums.ELSEWHERE) == ""
    other = sums.Line(
        name, line.digests | {"better": "00000000"}, line.replicates, line.counts, line.means
    )
    assert line.moved(other, None) == "digest of better"
    fewer = sums.Line(
        name, line.digests, line.replicates, (line.counts[0] - 1, *line.counts[1:]), line.means
    )
    assert line.moved(fewer, sums.ELSEWHERE) == "1 counts"


def test_a_line_that_comes_or_goes_is_a_difference(now):
    names = list(now.lines)
    lines = {n: now.lines[n] for n in names[1:]} | {"another": now.lines[names[0]]}
    keys = now.keys | {names[1]: "0" * 32}
    found = sums.differences(sums.Numbers(lines, keys, {}))
    assert found[names[0]] == "gone"
    assert found["another"] == "new"
    assert f"key of {names[1]}" in found
    assert any(name.startswith("label ") for name in found)
