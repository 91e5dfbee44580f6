"""One fault on trial: what it moves, and which tests of the default suite see it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.faults.design import ROOMS, ROOT, Room
from tests.faults.operators import Fault
from tests.faults.probe import Numbers, moved

SECONDS = 600
"""Longest a step may take: a fault that makes an iteration endless is seen, too."""


@dataclass(frozen=True)
class Outcome:
    """What became of a fault.

    Attributes
    ----------
    room, name, kind : str
    line : int
    moved : float
        Largest relative change of a number of the probe; infinite where one is missing.
    caught_by : str
        The first test that fails, or "probe: an error" where no number came at all; empty where
        nothing sees it.
    """

    room: str
    name: str
    kind: str
    line: int
    moved: float
    caught_by: str


def trial(room_name: str, fault: Fault) -> Outcome:
    """Put a fault into a copy of the project and run the tests of its room against it."""
    room = ROOMS[room_name]
    with _copy(fault) as home:
        size = moved(_numbers(ROOT, room.uncompiled), _numbers(home, room.uncompiled, fresh=True))
        caught = next((test for test in _failures(home, room) if test), "")
    return Outcome(room_name, fault.name, fault.kind, fault.line, size, caught)


@contextmanager
def _copy(fault: Fault) -> Iterator[Path]:
    """The project with the fault: the package copied, the rest by links."""
    with TemporaryDirectory(prefix="mcbrain-fault-") as folder:
        home = Path(folder)
        shutil.copytree(ROOT / "mcbrain", home / "mcbrain", ignore=_caches)
        for other in ROOT.iterdir():
            if other.name != "mcbrain" and not other.name.startswith("."):
                (home / other.name).symlink_to(other)
        (home / "tests").unlink()
        shutil.copytree(ROOT / "tests", home / "tests", ignore=_caches)
        path = home / fault.module
        path.write_text(fault.into(path.read_text(encoding="utf-8")), encoding="utf-8")
        yield home


_caches = shutil.ignore_patterns("__pycache__")


@lru_cache(maxsize=2)
def _sound(uncompiled: bool) -> Numbers:
    return _probed(ROOT, uncompiled)


def _numbers(home: Path, uncompiled: bool, fresh: bool = False) -> Numbers:
    return _probed(home, uncompiled) if fresh else _sound(uncompiled)


def _probed(home: Path, uncompiled: bool) -> Numbers:
    """The numbers of the probe; none where it fails or does not end."""
    which = ("kernels",) if uncompiled else ()
    done = _run(home, uncompiled, "-W", "ignore", "-m", "tests.faults.probe", *which)
    if done is None or done.returncode:
        return {}
    numbers: Numbers = json.loads(done.stdout)
    return numbers


def _failures(home: Path, room: Room) -> Iterator[str]:
    """The first failing test of each step, or nothing."""
    for at, folder in enumerate(room.tests):
        uncompiled = room.uncompiled and at == 0
        chosen = ("-m", "kernels and not long") if uncompiled else ()
        command = ("-m", "pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider", *chosen)
        done = _run(home, uncompiled, *command, folder)
        yield "a test that does not end" if done is None else _first_failure(done)


def _first_failure(done: subprocess.CompletedProcess[str]) -> str:
    lines = done.stdout.splitlines()
    named = [line.split(" ", 1)[1] for line in lines if line.startswith(("FAILED ", "ERROR "))]
    if named:
        return named[0].split(" - ")[0]
    return "" if done.returncode in (0, 5) else "the tests cannot be collected"


def _run(home: Path, uncompiled: bool, *arguments: str) -> subprocess.CompletedProcess[str] | None:
    """Run Python in the copy; None where it takes too long."""
    extra = {"PYTHONPATH": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    if uncompiled:
        extra["NUMBA_DISABLE_JIT"] = "1"
    try:
        return subprocess.run(
            [sys.executable, *arguments], cwd=home, env=os.environ | extra, text=True,
            capture_output=True, check=False, timeout=SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return None


def as_line(outcome: Outcome) -> str:
    """An outcome as a line of JSON."""
    return json.dumps(asdict(outcome), allow_nan=True)
