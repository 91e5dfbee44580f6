"""How much work a stage still has, from what was done and what each problem is seen to need."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np

from mcbrain.blocks.problem import Problem
from mcbrain.blocks.series import FIRST_LOOK
from mcbrain.typing import Floats

__all__ = ["Forecast"]


class Forecast:
    """The blocks that every problem of a stage has and needs, and what a block of it costs.

    A problem that was not judged yet is assumed to need as many replicates as the mean of those
    that were, each weighed by what a replicate of it costs. That is fair, since a run begins its
    problems in an order in which the first ones are spread over all
    (`mcbrain.plan.plans.all_works`). No problem needs less than its first look, nor more than it
    has at most. A block is assumed to cost what the problem's latest ones did, since fewer outputs
    are asked for at each look; before there are any, the time that its dimensions let expect,
    scaled by how the blocks of other problems compare with theirs.

    Parameters
    ----------
    problems : collection of Problem, optional
        Every problem of the stage; default none.
    most : callable, optional
        Problem -> the blocks that it has at most.

    Attributes
    ----------
    done : float
        Seconds of one core that were computed.
    blind : bool
        Whether no problem has been judged at a look so far.
    """

    def __init__(
        self, problems: Collection[Problem] = (), most: Callable[[Problem], int] = lambda p: 0
    ) -> None:
        self._place = {problem: i for i, problem in enumerate(problems)}

        def each(number: Callable[[Problem], float]) -> Floats:
            return np.fromiter(map(number, self._place), float, len(self._place))

        self._most, self._size = each(most), each(lambda p: p.block_size)
        self._expected = self._size * each(lambda p: p.replicate_seconds)
        self._latest, self._need = (np.full(len(self._place), np.nan) for _ in range(2))
        self._have = np.zeros(len(self._place))
        self.done = self._done_expected = 0.0
        self.blind = True

    def judged(self, problem: Problem, have: int, need: int | None) -> None:
        """Take note of what a problem has, and of what it was seen to need at a look.

        Parameters
        ----------
        problem : Problem
            One of the stage's.
        have : int
            Blocks of it that are there.
        need : int or None
            Blocks that it needs in all, by its precision so far; None before its first look.
        """
        self._have[self._place[problem]] = have
        self.expected(problem, need)
        self.blind &= need is None

    def expected(self, problem: Problem, need: int | None) -> None:
        """Take note of what a problem is likely to need.

        Parameters
        ----------
        problem : Problem
            One of the stage's.
        need : int or None
            Blocks that it is likely to need in all; None where nobody knows.
        """
        self._need[self._place[problem]] = np.nan if need is None else need

    def computed(self, problem: Problem, blocks: int, seconds: float) -> None:
        """Take note of blocks that were computed because a problem needs them.

        Parameters
        ----------
        problem : Problem
            One of the stage's.
        blocks : int
            How many there are, one at least.
        seconds : float
            Seconds of one core that all of them took.
        """
        place = self._place[problem]
        self._have[place] += blocks
        self._latest[place] = seconds / blocks
        self.done += seconds
        self._done_expected += blocks * self._expected[place]

    def left(self) -> float | None:
        """Estimate the work that is left.

        Returns
        -------
        float or None
            Seconds of one core. None before any block was computed, and before any problem has been
            seen to need a number of blocks, unless all have so few that they need them all.
        """
        guess = self._guess()
        if guess is None or self.done == 0.0:
            return None
        rest = np.maximum(np.where(np.isnan(self._need), guess, self._need) - self._have, 0.0)
        expected = self._expected * (self.done / self._done_expected)
        cost = np.where(np.isnan(self._latest), expected, self._latest)
        return float(rest @ cost)

    def _guess(self) -> Floats | None:
        """The blocks that each problem is assumed to need before anybody has seen what it needs."""
        least = np.minimum(self._most, FIRST_LOOK)
        judged = ~np.isnan(self._need)
        if not judged.any():
            return least if (self._most <= FIRST_LOOK).all() else None
        cost = self._expected[judged] / self._size[judged]
        typical = float((self._need * self._size)[judged] @ cost / cost.sum())
        return np.clip(np.ceil(typical / self._size), least, self._most)
