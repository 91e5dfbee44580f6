"""Which faults are tried: a seeded sample of each room, whatever the code looks like today."""

from __future__ import annotations

import ast
import random
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tests.faults.operators import Fault, faults_of

ROOT = Path(__file__).parents[2]
SEED = 20260

KERNELS = ("tests/kernels",)
RISKS = ("tests/theory", "tests/results", "tests/worth", "tests/plan")


@dataclass(frozen=True)
class Room:
    """A package whose faults are tried.

    Attributes
    ----------
    count : int
        Faults that are drawn.
    tests : tuple of str
        Folders and files of the default suite that are run against each, the likeliest first.
    uncompiled : bool
        Whether the first of them run as plain Python, so that no fault has to be compiled.
    """

    count: int
    tests: tuple[str, ...]
    uncompiled: bool = False


ROOMS = {
    "kernels": Room(90, KERNELS, uncompiled=True),
    "theory": Room(60, (*RISKS, "tests/certificate", "tests/appraisal")),
    "plan": Room(30, ("tests/plan", "tests/results", "tests/running", "tests/worth")),
    "results": Room(20, ("tests/results", "tests/running", "tests/cli")),
    "population": Room(15, ("tests/population", "tests/kernels", *RISKS)),
    "blocks": Room(10, ("tests/blocks", "tests/store", "tests/results", "tests/running")),
    "engines": Room(10, ("tests/engines", "tests/kernels", "tests/results", "tests/running")),
    "worth": Room(15, ("tests/worth", "tests/cli", "tests/reporting")),
}
"""Rooms in which a wrong number can be made; 250 faults in all."""


def sample() -> list[tuple[str, Fault]]:
    """The faults of the trial, each with its room; the same for the same sources."""
    return [(name, fault) for name, room in ROOMS.items() for fault in _of_room(name, room.count)]


def _of_room(name: str, count: int) -> list[Fault]:
    """A sample of a room's faults, spread over its modules and kinds of fault."""
    found: list[tuple[Fault, str]] = []
    for path in sorted((ROOT / "mcbrain" / name).rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        module = path.relative_to(ROOT).as_posix()
        found += [(fault, source) for fault in faults_of(module, source)]
    random.Random(f"{SEED} {name}").shuffle(found)
    # One fault of each module in turn, so that a long module does not take them all.
    turns: Counter[str] = Counter()
    keyed = []
    for fault, source in found:
        turns[fault.module] += 1
        keyed.append((turns[fault.module], fault, source))
    in_turn = sorted(keyed, key=lambda entry: entry[0])
    return list(islice((fault for _, fault, source in in_turn if _parses(fault, source)), count))


def _parses(fault: Fault, source: str) -> bool:
    try:
        ast.parse(fault.into(source))
    except SyntaxError:
        return False
    return True
