"""Where the statistics of a problem stop: at looks, by their own precision or as one."""

from dataclasses import dataclass

import numpy as np
import pytest

from mcbrain.asking.studies import Precision
from mcbrain.blocks.series import FIRST_LOOK, Series
from mcbrain.plan.stopping import Stop, Stopping, precise_enough


@dataclass(frozen=True)
class Named:
    id: int

    @property
    def label(self):
        return str(self.id)


class Stored:
    """Blocks of statistics 0, 1, ...: so many of each."""

    def __init__(self, *blocks):
        self.blocks = blocks

    def alike(self, ids):
        return len({self.blocks[i] for i in ids}) == 1

    def series(self, ids):
        n = min(self.blocks[i] for i in ids)
        values = np.ones((len(ids), n))
        return Series(np.full(n, 8), 8.0 * values, values, values, values, np.zeros(n))


ONE, TWO = Named(0), Named(1)
LAST = 4 * FIRST_LOOK + 7


def from_blocks(*needed):
    """A judge by whom each statistic is precise enough with so many blocks."""
    return lambda series, asked: np.array([series.n_blocks >= needed[one.id] for one in asked])


def test_each_statistic_stops_at_its_own_first_look():
    stopping = Stopping(LAST, from_blocks(FIRST_LOOK + 1, LAST - 1))
    assert stopping.looks == [FIRST_LOOK, 2 * FIRST_LOOK, 4 * FIRST_LOOK, LAST]
    found = stopping.stops((ONE, TWO), Stored(LAST, LAST))
    assert found == {ONE: Stop(2 * FIRST_LOOK, True), TWO: Stop(LAST, True)}


def test_statistics_that_stop_as_one_wait_for_the_last():
    stopping = Stopping(LAST, from_blocks(1, FIRST_LOOK + 1), together=True)
    found = stopping.stops((ONE, TWO), Stored(LAST, LAST + 9))
    assert set(found.values()) == {Stop(2 * FIRST_LOOK, True)}


def test_blocks_beyond_the_stop_change_nothing():
    stopping = Stopping(LAST, from_blocks(70))
    stops = [stopping.stops((ONE,), Stored(n))[ONE] for n in (128, 200, LAST, LAST + 50)]
    assert stops == [Stop(128, True)] * 4


def test_what_never_meets_its_target_stops_with_the_last_block():
    stopping = Stopping(LAST, from_blocks(10 * LAST))
    assert stopping.stops((ONE,), Stored(LAST + 50)) == {ONE: Stop(LAST, False)}


@pytest.mark.parametrize("together", [True, False])
def test_a_run_that_was_cut_leaves_what_there_is(together):
    """Between looks one statistic may be precise enough; those that stop as one are not asked."""
    stopping = Stopping(LAST, from_blocks(65, 65), together)
    assert stopping.stops((ONE,), Stored(0)) == {ONE: Stop(0, False)}
    assert stopping.stops((ONE,), Stored(60)) == {ONE: Stop(60, False)}
    assert stopping.stops((ONE,), Stored(100)) == {ONE: Stop(100, not together)}


@pytest.mark.parametrize("together", [True, False])
def test_a_fixed_count_is_met_by_every_block_and_by_no_fewer(together):
    stopping = Stopping(LAST, None, together)
    for there, stop in ((LAST, Stop(LAST, True)), (LAST - 1, Stop(LAST - 1, False))):
        assert stopping.stops((ONE, TWO), Stored(there, there)) == {ONE: stop, TWO: stop}


def test_a_target_of_zero_asks_for_a_fixed_count():
    assert Precision(relative=0.0).fixed_count and Precision(absolute=0).fixed_count
    assert not Precision().fixed_count and not Precision(relative=0.1, absolute=0.2).fixed_count
    assert not precise_enough(Precision(relative=0), np.ones(2), np.zeros(2)).any()


def test_every_target_that_is_given_must_be_met():
    mean, error = np.array([10.0, 1.0, np.nan]), np.array([0.5, 0.05, 0.0])
    assert precise_enough(Precision(relative=0.05), mean, error).tolist() == [True, True, False]
    both = Precision(relative=0.05, absolute=0.1)
    assert precise_enough(both, mean, error).tolist() == [False, True, False]
