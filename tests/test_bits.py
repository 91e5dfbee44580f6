"""Stored numbers are what they were: the sums of 200 blocks, bit for bit where they were frozen.

A number that changes on purpose is frozen again by `python -m tests.bits`; the lines of
`bits.jsonl` that change then say which configurations moved, and the commit says why.
"""

import pytest

from tests.bits import differences, found, frozen, here

PLACE, LINES = frozen()
SLICES = 8


@pytest.mark.parametrize("part", range(SLICES))
def test_blocks_hold_what_they_held(part):
    changed = {
        line["name"]: words
        for line in LINES[part::SLICES]
        if (words := differences(line, here() == PLACE))
    }
    assert not changed


def test_a_changed_number_is_seen():
    line = dict(LINES[0])
    line["mean"] = [repr(1.001 * float(v)) for v in line["mean"]]
    assert differences(line, same_place=False)
    line = LINES[0] | {"sums": ["0"]}
    assert differences(line, same_place=True) == ["sums changed"]
    assert not differences(line, same_place=False)


def test_every_option_is_among_them():
    text = repr([line["what"] for line in LINES])
    options = ["student", "rademacher", "uniform", "laplace", "sparse", "axes", "haar", "powerlaw",
               "tanh", "poisson", "loo", "gcv", "two-penalty", "adversarial", "concept:0.3:brain",
               "concept:0.4:orthogonal", "spectrum", "'pilot-brain'", "'task'", "'sufficient'",
               "-0.01"]  # fmt: skip
    assert not [option for option in options if text.count(option) < 2]
    assert len(LINES) >= 200
    assert len({key for line in LINES for key in line["key"]}) > 150


def test_a_block_does_not_depend_on_what_was_computed_before():
    assert found(LINES[3]["what"]) == found(LINES[3]["what"])
