"""How many cores this process may use: what the system, a container and a batch job allow it."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath

__all__ = ["available_cores"]

_OWN_GROUP = Path("/proc/self/cgroup")
_GROUPS = Path("/sys/fs/cgroup")
_ASKED = "SLURM_CPUS_PER_TASK"


def available_cores(environment: Mapping[str, str] = os.environ) -> int:
    """Cores that this process may use.

    Parameters
    ----------
    environment : mapping
        Environment variables; default those of this process.

    Returns
    -------
    int
        The least of these, as far as they are known, and at least 1: the cores to which the system
        has bound the process, or all of the machine's; the CPU quota of its container or service
        (`cpu.max` of its control group, version 2, rounded up); and `SLURM_CPUS_PER_TASK` of its
        batch job.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    limits = [len(affinity(0)) if affinity else os.cpu_count() or 1, *_quotas()]
    asked = environment.get(_ASKED, "")
    if asked.isdecimal():
        limits.append(int(asked))
    return max(1, min(limits))


def _quotas() -> Iterator[int]:
    """The CPU quotas of the control group of this process and of those around it."""
    # A line for each hierarchy; that of version 2 has the number 0 and no names.
    with suppress(OSError):
        for line in _OWN_GROUP.read_text().splitlines():
            if line.startswith("0::/"):
                path = PurePosixPath(line.removeprefix("0::/"))
                for group in (path, *path.parents):
                    yield from _quota(_GROUPS / group / "cpu.max")


def _quota(path: Path) -> Iterator[int]:
    """The quota in a file such as "150000 100000" (microseconds in a period) or "max 100000"."""
    with suppress(OSError, ValueError, ZeroDivisionError):
        share, period = path.read_text().split()
        if share != "max":
            yield math.ceil(int(share) / int(period))
