"""Seeded faults are what they say, and one is seen; `python -m tests.faults` tries them all."""

import ast

import pytest

from tests.faults.design import ROOMS, sample
from tests.faults.operators import faults_of
from tests.faults.probe import moved
from tests.faults.trial import trial

SOURCE = '''"""A mean, and a choice."""

def mean(total: float, n: int, x: list[float]) -> float:
    if n < 2:
        raise ValueError(f"{n + 1}")
    return -total / (n - 1) + x[0] ** 2 if total > 0 and n > 1 else power(total, n)
'''


def test_each_fault_is_one_edit_that_still_parses():
    found = list(faults_of("m.py", SOURCE))
    kinds = {fault.kind for fault in found}
    assert kinds >= {
        "n for n - 1", "a term is dropped", "a sign is turned", "a factor is off by 0.2 %",
        "a factor is its inverse", "a square is forgotten", "a sign is forgotten",
        "an edge belongs to the other side", "the neighbour's entry", "the other branch",
        "two arguments are swapped", "and for or",
    }  # fmt: skip
    for fault in found:
        changed = fault.into(SOURCE)
        assert changed != SOURCE
        assert changed.replace(fault.after, fault.before, 1) == SOURCE
        ast.parse(changed)


def test_errors_and_annotations_have_no_faults():
    assert all("raise" not in SOURCE.splitlines()[f.line - 1] for f in faults_of("m.py", SOURCE))


def test_the_sample_is_the_same_each_time_and_meets_every_room():
    first, again = sample(), sample()
    assert first == again
    assert len({fault.name for _, fault in first}) == len(first) >= 200
    assert {room for room, _ in first} == set(ROOMS)


def test_what_moves_is_the_largest_change():
    assert moved({"a": 2.0, "b": float("nan")}, {"a": 2.01, "b": float("nan")}) == pytest.approx(
        0.005
    )
    assert moved({"a": 1.0}, {}) == float("inf")
    assert moved({"a": 1.0}, {"a": float("nan")}) == float("inf")


@pytest.mark.long
def test_a_fault_of_a_kernel_is_seen(repository):
    module = "mcbrain/kernels/task/risk.py"
    source = (repository / module).read_text(encoding="utf-8")
    fault = next(
        f for f in faults_of(module, source) if f.kind == "a square is forgotten" and f.line > 100
    )
    found = trial("kernels", fault)
    assert found.moved > 0.002
    assert found.caught_by.startswith("tests/kernels/")
