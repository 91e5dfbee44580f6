"""How much work a stage still has, from what was done and what each problem is seen to need."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from mcbrain.blocks.problem import Problem
from mcbrain.blocks.series import FIRST_LOOK

__all__ = ["Forecast"]

_NEIGHBOURS = 8  # judged last, for which a problem to come is taken


class Forecast:
    """The blocks that every problem of a stage has and needs, and what a block of it costs.

    A problem that was not judged yet is taken to need as many replicates as the last ones that
    were, on average: outputs of equal relative precision need about as many, neighbours in a grid
    more nearly so, while what a replicate costs differs by orders of magnitude. A block costs what
    the problem's latest ones did, since fewer outputs are asked for at each look; before, what is
    expected of its dimensions.

    Parameters
    ----------
    problems : collection of Problem
        Every problem of the stage, in the order in which they are begun.
    """

    def __init__(self, problems: Collection[Problem] = ()) -> None:
        self._place = {problem: i for i, problem in enumerate(problems)}
        self._size = np.array([p.block_size for p in self._place], float)
        self._expected = self._size * [p.replicate_seconds for p in self._place]
        self._latest = np.full(len(self._place), np.nan)
        self._have = np.zeros(len(self._place))
        self._need = np.full(len(self._place), np.nan)
        self._done = self._done_expected = 0.0

    def judged(self, problem: Problem, have: int, need: int | None) -> None:
        """A problem has so many blocks, and by its precision so far needs so many in all."""
        place = self._place[problem]
        self._have[place] = have
        self._need[place] = np.nan if need is None else need

    def computed(self, problem: Problem, blocks: int, seconds: float) -> None:
        """So many blocks that a problem needs were computed, in seconds of one core."""
        place = self._place[problem]
        self._have[place] += blocks
        self._latest[place] = seconds / blocks
        self._done += seconds
        self._done_expected += blocks * self._expected[place]

    def left(self) -> float | None:
        """Work that is left, as a multiple of the work done; None before anything can be said."""
        judged = np.isfinite(self._need)
        if not judged.any() or self._done == 0.0:
            return None
        typical = float(np.mean((self._need * self._size)[judged][-_NEIGHBOURS:]))
        guess = np.maximum(np.ceil(typical / self._size), FIRST_LOOK)
        rest = np.maximum(np.where(judged, self._need, guess) - self._have, 0.0)
        expected = self._expected * (self._done / self._done_expected)
        cost = np.where(np.isfinite(self._latest), self._latest, expected)
        return float(rest @ cost) / self._done
