"""A real dask cluster for tests: a scheduler and workers, processes of this machine's loopback."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 60


@dataclass
class Cluster:
    """Address of the scheduler, and the processes."""

    address: str
    scheduler: subprocess.Popen
    workers: list[subprocess.Popen]
    folder: Path
    options: list[str]

    def join(self, count, **environment):
        """Let more workers of one thread join."""
        one = ["--nthreads", "1", "--no-nanny", "--local-directory", str(self.folder)]
        for _ in range(count):
            started = _start(self.folder, "worker", *one, *self.options, **environment)
            self.workers.append(started)

    def done(self):
        """Tasks that each worker that is there has done."""
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            asked = client.run(lambda dask_worker: dask_worker.state.executed_count)
        return sorted(asked.values())


@contextmanager
def cluster(folder, n_workers=2, options=()):
    """A scheduler on a free port and workers of one thread each; all are killed at the end."""
    file = folder / "scheduler.json"
    local = ["--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0"]
    common = ["--scheduler-file", str(file), *local, *options]
    scheduler = _start(folder, "scheduler", "--port", "0", *common)
    there = Cluster("", scheduler, [], folder, common)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not (address := _address(file)):
            assert time.monotonic() < deadline and scheduler.poll() is None
            time.sleep(0.05)
        there.address = address
        there.join(n_workers)
        yield there
    finally:
        for process in (scheduler, *there.workers):
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
            process.wait()


def _address(file):
    """The scheduler's address once its file is whole."""
    try:
        return json.loads(file.read_text())["address"]
    except (OSError, ValueError):
        return None


def _start(folder, role, *options, **environment):
    with (folder / f"{role}.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.dask_{role}", *options],
            stdout=log,
            stderr=log,
            cwd=folder,
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"} | environment,
        )
