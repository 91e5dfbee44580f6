"""How benchmarks measure: warmed up, in rounds, each round a sample of its own.

Airspeed velocity takes the samples of a `track_` benchmark as it takes those of its own timers, and
gives their median and its confidence interval.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any

from bench.sizes import ROUNDS, SECONDS

__all__ = [
    "Clock",
    "Rate",
    "Samples",
    "Work",
    "paired_ratio",
    "rate",
    "rate_of",
    "rates",
    "samples",
]

Work = Callable[[], float]
"""Does a fixed piece of work and returns how many units of it there were."""

Clock = Callable[[], float]
"""Seconds: of this process where it works on one core alone, so that what other programs do to the
machine is not measured; `time.perf_counter` where it has threads or waits for a disk."""

Samples = dict[str, Any]
"""What airspeed velocity takes for repeated measurements."""


def samples(values: list[float]) -> Samples:
    """Repeated measurements of one quantity."""
    return {"samples": values, "number": 1}


def rate(work: Work, seconds: float, clock: Clock = time.process_time) -> float:
    """Units of work per second, over at least that many seconds."""
    done, begun = 0.0, clock()
    while True:
        done += work()
        elapsed = clock() - begun
        if elapsed >= seconds:
            return done / elapsed


def rate_of(work: Work, clock: Clock = time.process_time) -> Callable[[], float]:
    """A measurement of a rate that lasts one round."""
    return partial(rate, work, SECONDS / ROUNDS, clock)


def rates(work: Work, clock: Clock = time.process_time) -> Samples:
    """Units of work per second, round by round."""
    return samples([rate_of(work, clock)() for _ in range(ROUNDS)])


def paired_ratio(first: Callable[[], float], second: Callable[[], float]) -> Samples:
    """Ratios of two quantities that are measured in turns, so that both see the same machine."""
    return samples([first() / second() for _ in range(ROUNDS)])


class Rate(ABC):
    """A suite that repeats one piece of work: its rate, and the seconds that one piece takes.

    A subclass gives `params`, `param_names`, `unit` and `prepare`. The rate is what a reader wants;
    the seconds are what `asv compare` wants, which reads every growth as a loss.
    """

    unit = "units/s"
    version = "1"
    timeout = 600
    rounds = 2
    repeat = (2, 8, 1.0)
    number = 1
    warmup_time = 0
    timer: Clock = staticmethod(time.process_time)

    @abstractmethod
    def prepare(self, *params: Any) -> Work:
        """The work of one set of parameters, its data made.

        Raises
        ------
        NotImplementedError
            What it needs is not on this machine: airspeed velocity says skipped.
        """

    def setup(self, *params: Any) -> None:
        """Prepare, and work once: whatever has to be compiled is compiled."""
        self.work = self.prepare(*params)
        self.work()

    def track_rate(self, *params: Any) -> Samples:
        """Units of work per second."""
        return rates(self.work, self.timer)

    def time_work(self, *params: Any) -> None:
        """Seconds of one piece of work."""
        self.work()
