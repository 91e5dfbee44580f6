"""What runs the jobs of a study, and how many it runs at once: that may change as it goes."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass, field

__all__ = ["Pool"]


@dataclass
class Pool:
    """An executor, and how much work it should be given at a time.

    Attributes
    ----------
    executor : Executor
        Runs the jobs.
    slots : int
        Jobs that it can run at once now; 0 where a cluster has no worker yet, or has lost them all.
    job_seconds : float
        Of one core, for which a job should keep a slot busy.
    ahead : int
        Jobs that should be handed out for each slot: one that runs, and those that follow it.
    growing : bool
        Whether more slots may come, so that jobs for one more than there are should be waiting.
    most : int
        The most slots that there have been at once, for the record of a run.
    """

    executor: Executor
    slots: int
    job_seconds: float = 0.1
    ahead: int = 2
    growing: bool = False
    most: int = field(init=False)

    def __post_init__(self) -> None:
        """Begin to count."""
        self.most = self.slots

    def counted(self, slots: int) -> None:
        """Take note of how many slots there are now.

        Parameters
        ----------
        slots : int
            Jobs that can be run at once.
        """
        self.slots, self.most = slots, max(self.most, slots)

    @property
    def room(self) -> int:
        """How many jobs should be handed out at once."""
        return self.ahead * (self.slots + self.growing)
