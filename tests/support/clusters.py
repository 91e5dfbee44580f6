"""A real dask cluster for tests: a scheduler and workers, processes of this machine's loopback."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass

START_SECONDS = 60


@dataclass
class Cluster:
    """Address of the scheduler, and the processes."""

    address: str
    scheduler: subprocess.Popen
    workers: list[subprocess.Popen]


@contextmanager
def cluster(folder, n_workers=2, options=()):
    """A scheduler on a free port and workers of one thread each; all are killed at the end."""
    file = folder / "scheduler.json"
    local = ["--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0"]
    common = ["--scheduler-file", str(file), *local, *options]
    started = [_start(folder, "scheduler", "--port", "0", *common)]
    one = ["--nthreads", "1", "--no-nanny", "--local-directory", str(folder)]
    try:
        deadline = time.monotonic() + START_SECONDS
        while not (address := _address(file)):
            assert time.monotonic() < deadline and started[0].poll() is None
            time.sleep(0.05)
        started += [_start(folder, "worker", *one, *common) for _ in range(n_workers)]
        yield Cluster(address, started[0], started[1:])
    finally:
        for process in started:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
            process.wait()


def _address(file):
    """The scheduler's address once its file is whole."""
    try:
        return json.loads(file.read_text())["address"]
    except (OSError, ValueError):
        return None


def _start(folder, role, *options):
    with (folder / f"{role}.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.dask_{role}", *options],
            stdout=log,
            stderr=log,
            cwd=folder,
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
        )
