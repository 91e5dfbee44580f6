"""Where results come from: the study, the code behind the rows, and a history of the runs.

A record is a function of what is in the folder: a run that changes nothing adds nothing to it, so
that equal results are equal files.
"""

from __future__ import annotations

import hashlib
import json
import platform
import sys
import time
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from uuid import uuid4

from mcbrain.store.identity import LIBRARIES, UNKNOWN, Identity, code_identity

__all__ = [
    "codes_of",
    "content_hash",
    "history",
    "last_run",
    "machine_change",
    "metadata",
    "other_code",
    "run_entry",
    "united",
    "versions",
]

_PACKAGES = ("mcbrain", "numpy", "scipy", "numba", "llvmlite", "pyarrow")

# What a record of mcbrain 0.1 said of its only run.
_FORMER = ("command", "started", "ended", "threads", "versions", "platform", "processor", "merged")


def run_entry(started: float, threads: int, blocks: int, replicates: int) -> dict[str, object]:
    """What one run adds to the history: versions, machine, times, and what it computed.

    Parameters
    ----------
    started : float
        When it began, in seconds since the epoch.
    threads : int
        Blocks that ran at once.
    blocks, replicates : int
        Computed in this run.

    Returns
    -------
    dict of str to object
        What JSON can hold. The run ends now; times are in UTC, to the second.
    """
    return {
        # Two shards may begin and end in the same second with as many blocks.
        "id": uuid4().hex,
        "command": " ".join(["mcbrain", *sys.argv[1:]]).encode(errors="replace").decode(),
        "started": _utc(started),
        "ended": _utc(time.time()),
        "threads": threads,
        "blocks": blocks,
        "replicates": replicates,
        "code": code_identity().text,
        "versions": versions() | {"python": platform.python_version()},
        "platform": platform.platform(),
        "processor": _processor(),
    }


def versions() -> dict[str, str]:
    """The versions of what computes here.

    Returns
    -------
    dict of str to str
        Of mcbrain and the libraries under it; "not installed" where there is none.
    """
    return {name: _version(name) for name in _PACKAGES}


def history(record: Mapping[str, object]) -> list[dict[str, object]]:
    """The runs of a record; a record of mcbrain 0.1 knew one.

    Parameters
    ----------
    record : mapping
        A record of provenance as `provenance.json` has it, of this version or an older one.

    Returns
    -------
    list of dict
        Entries as `run_entry` makes them, the first run first; empty where it knows none.
    """
    runs = record.get("runs")
    if isinstance(runs, list):
        return [dict(run) for run in runs if isinstance(run, Mapping)]
    former = {name: record[name] for name in _FORMER if name in record}
    return [former] if former else []


# Any: texts, numbers and tables, as a file of JSON has them.
def last_run(record: Mapping[str, object]) -> dict[str, Any]:
    """The latest run of a record.

    Parameters
    ----------
    record : mapping
        A record of provenance as `provenance.json` has it, of this version or an older one.

    Returns
    -------
    dict
        Its entry, as `run_entry` makes it; empty where the record knows no run.
    """
    return next(reversed(history(record)), {})


def united(records: Iterable[Mapping[str, object]]) -> list[dict[str, object]]:
    """The runs of several records, each once, in the order of their beginnings.

    Parameters
    ----------
    records : iterable of mapping
        Records of the folders that are merged.

    Returns
    -------
    list of dict
        Entries as `run_entry` makes them. Runs that began in the same second stay in the order of
        the records.
    """
    runs: list[dict[str, object]] = []
    for record in records:
        runs += [run for run in history(record) if run not in runs]
    return sorted(runs, key=lambda run: str(run.get("started", "")))


def codes_of(record: Mapping[str, object]) -> list[Identity]:
    """The code that computed the blocks behind the rows of a record.

    Parameters
    ----------
    record : mapping
        A record of provenance as `provenance.json` has it, of this version or an older one.

    Returns
    -------
    list of Identity
        The code that counts first comes first; `UNKNOWN` alone where the record does not say.
    """
    codes = record.get("code")
    if isinstance(codes, list):
        return [Identity.parse(str(code)) for code in codes]
    return [UNKNOWN]


def other_code(unused: Mapping[Identity, int]) -> str:
    """How many blocks other code computed, and which code.

    Parameters
    ----------
    unused : mapping of Identity to int
        Number of blocks of each code (`BlockStore.unused`).

    Returns
    -------
    str
        A clause such as "1,200 of mcbrain 0.1.0 (code 0123abcd), numba 0.68".
    """
    return "; ".join(f"{number:,} of {code.name}" for code, number in unused.items())


def machine_change(record: Mapping[str, object]) -> str:
    """What has changed since the latest run that could move last bits.

    That is no ground to refuse the blocks of before.

    Parameters
    ----------
    record : mapping
        A record of provenance as `provenance.json` has it, of this version or an older one.

    Returns
    -------
    str
        Which libraries and processor the blocks of before were computed with, as a sentence without
        its full stop. Empty where nothing has changed, or where the latest run was of other code.
    """
    before = last_run(record)
    if before.get("code") != code_identity().text:
        return ""  # their blocks are another code's, which is said elsewhere
    here = {name: _version(name) for name in (*LIBRARIES, "llvmlite")} | {"processor": _processor()}
    known = before.get("versions")
    there = dict(known) if isinstance(known, Mapping) else {}
    there["processor"] = before.get("processor")
    moved = [f"{name} {there.get(name)}" for name, now in here.items() if there.get(name) != now]
    if not moved:
        return ""
    return f"the blocks of before were computed with {', '.join(moved)}: last bits may differ"


def metadata(record: Mapping[str, object]) -> dict[str, str]:
    """A record as the metadata of an Arrow schema.

    Parameters
    ----------
    record : mapping
        A record of provenance as `provenance.json` has it, of this version or an older one.

    Returns
    -------
    dict of str to str
        Under "mcbrain.provenance": the record as JSON with sorted keys.
    """
    return {"mcbrain.provenance": json.dumps(record, sort_keys=True)}


def content_hash(text: str) -> str:
    """SHA-256 of a text.

    Parameters
    ----------
    text : str
        Hashed as UTF-8.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    return hashlib.sha256(text.encode()).hexdigest()


@lru_cache(maxsize=16)
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    """Name of the processor as Linux tells it, or its kind on other systems."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _utc(seconds: float) -> str:
    """Seconds since the epoch as a date and time in UTC, such as 2026-05-16T09:30:00Z."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
