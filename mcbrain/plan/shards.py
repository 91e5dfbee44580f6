"""Shards: which problems of a study one process of an array owns.

A shard owns whole problems, so that it decides alone when each of them may stop. Which ones follows
from the study alone, whatever its precision: every process finds the same shares, and asking for
more precision later leaves each block in the shard where it began.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from mcbrain.blocks.problem import Problem
from mcbrain.blocks.series import FIRST_LOOK
from mcbrain.errors import InputError

__all__ = ["Shard", "owned", "parse_shard", "slurm_shard"]

# A problem is assumed to need so many replicates, or its first look where that is more. Only ratios
# of costs count, and outputs of equal relative precision need about as many: for 1 %, 4,096 to
# 8,192 in all points of the study `scaling-law`.
_REPLICATES = 8192
_MAX_SHARDS = 100_000


@dataclass(frozen=True)
class Shard:
    """One of the parts that a study is cut into.

    Attributes
    ----------
    number : int
        1 to `count`.
    count : int
        Number of the parts.
    """

    number: int
    count: int

    def __str__(self) -> str:
        """As `parse_shard` reads it, such as "2/3"."""
        return f"{self.number}/{self.count}"


def parse_shard(text: str) -> Shard:
    """Read a shard from text such as "2/3".

    Parameters
    ----------
    text : str
        Two whole numbers, I/N; spaces about them do not count.

    Returns
    -------
    Shard
        Part I of N.

    Raises
    ------
    InputError
        The text is not of the form I/N, N is not from 1 to 100,000, or I is not from 1 to N.
    """
    match = re.fullmatch(r"\s*(\d{1,9})\s*/\s*(\d{1,9})\s*", text)
    if not match:
        raise InputError(f"--shard {text}: the form is I/N, such as 2/3 for the second of three")
    number, count = int(match[1]), int(match[2])
    if not 1 <= count <= _MAX_SHARDS:
        raise InputError(f"--shard {text}: the number of shards is from 1 to {_MAX_SHARDS:,}")
    if not 1 <= number <= count:
        raise InputError(f"--shard {text}: I is from 1 to N = {count}")
    return Shard(number, count)


def slurm_shard(environment: Mapping[str, str]) -> Shard | None:
    """The shard that a task of a SLURM job array stands for.

    Parameters
    ----------
    environment : mapping of str to str
        The process's environment. SLURM_ARRAY_TASK_ID and SLURM_ARRAY_TASK_COUNT are read, and
        SLURM_ARRAY_TASK_MIN and SLURM_ARRAY_TASK_STEP, which are 1 where they are absent.

    Returns
    -------
    Shard or None
        None outside a job array, and for an array of one task whose number is 1 or 0.

    Raises
    ------
    InputError
        The variables contradict each other, as in an array over a list of numbers, or one task
        was submitted alone, which does not know of how many it is a part.
    """
    names = [f"SLURM_ARRAY_TASK_{n}" for n in ("ID", "COUNT", "MIN", "STEP")]
    if any(name not in environment for name in names[:2]):
        return None
    texts = [environment.get(name) or "1" for name in names]
    said = ", ".join(f"{n} = {environment[n]}" for n in names if n in environment)
    if not all(text.isdecimal() for text in texts):
        raise InputError(f"{said}: whole numbers are allowed; say --shard I/N")
    task, count, lowest, step = map(int, texts)
    if count <= 1 and task > 1:
        raise InputError(f"{said}: one task alone; say --shard {task}/N, N shards in all")
    if count <= 1:
        return None
    number, rest = divmod(task - lowest, max(step, 1))
    if rest or not 0 <= number < count:
        raise InputError(f"{said}: not an array without gaps; say --shard I/N")
    return parse_shard(f"{number + 1}/{count}")


def owned(problems: Collection[Problem], shard: Shard) -> set[Problem]:
    """The problems of a shard.

    The dearest problem comes first, and each goes to the shard with the least work so far.

    Parameters
    ----------
    problems : collection of Problem
        All problems of the study, in any order.
    shard : Shard
        The part that is asked for.

    Returns
    -------
    set of Problem
        Empty where there are more shards than problems and none is left for this one. The sets of
        all shards of one count are disjoint, and hold every problem.
    """
    loads = [(0, number) for number in range(1, shard.count + 1)]
    mine: set[Problem] = set()
    for problem in sorted(problems, key=lambda p: (-_cost(p), p.key)):
        load, number = heapq.heappop(loads)
        heapq.heappush(loads, (load + _cost(problem), number))
        if number == shard.number:
            mine.add(problem)
    return mine


def _cost(problem: Problem) -> int:
    """Estimated microseconds to three digits, a whole number.

    Sums of whole numbers are the same on any machine, so all shards find the same shares.
    """
    replicates = max(FIRST_LOOK * problem.block_size, _REPLICATES)
    return round(float(f"{1e6 * replicates * problem.replicate_seconds:.3g}"))
