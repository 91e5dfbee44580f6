"""Start-up, each piece apart, in fresh processes: import, help, cold compile, warm start."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

from bench.sizes import COLD, FIRST_ENGINE


def start(*arguments: str, **environment: str) -> None:
    """Run Python to its end.

    Raises
    ------
    subprocess.CalledProcessError
        It failed: that is an error, not a fast start.
    """
    subprocess.run(
        [sys.executable, *arguments],
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        check=True,
    )


class Start:
    """Seconds of a fresh process, the interpreter's own start included."""

    version = "1"
    timeout = 600
    rounds = 2
    repeat = 5
    number = 1
    warmup_time = 0

    def time_python(self) -> None:
        """The baseline."""
        start("-c", "pass")

    def time_import(self) -> None:
        """`import mcbrain`."""
        start("-c", "import mcbrain")

    def time_help(self) -> None:
        """`mcbrain --help`."""
        start("-m", "mcbrain", "--help")


class Kernels:
    """Seconds until an engine's kernels are ready, in a fresh process."""

    params = COLD
    param_names = ("engine",)
    version = "1"
    timeout = 900
    rounds = 1
    repeat = 1
    number = 1
    min_run_count = 1
    warmup_time = 0

    def setup(self, engine: str) -> None:
        self.program = f"from mcbrain.engines import warm_up; warm_up({engine!r})"
        start("-c", self.program)

    def time_cold_compile(self, engine: str) -> None:
        """Nothing is cached."""
        with tempfile.TemporaryDirectory() as folder:
            start("-c", self.program, MCBRAIN_CACHE_DIR=folder)

    def time_warm_start(self, engine: str) -> None:
        """The machine code of an earlier process is loaded."""
        start("-c", self.program)


class FirstStudy:
    """Seconds of `mcbrain run first-look`, which compiles the kernels that it runs on all cores."""

    version = "1"
    timeout = 900
    rounds = 1
    repeat = 1
    number = 1
    min_run_count = 1
    warmup_time = 0

    def time_cold_run(self) -> None:
        """Nothing is cached."""
        self.run(cold=True)

    def time_warm_run(self) -> None:
        """The machine code of an earlier process is loaded."""
        self.run(cold=False)

    def run(self, cold: bool) -> None:
        """Run the study in an empty folder."""
        with tempfile.TemporaryDirectory() as folder:
            places = {"MCBRAIN_CACHE_DIR": f"{folder}/cache"} if cold else {}
            study = ("first-look", "--engine", FIRST_ENGINE, "--out", f"{folder}/out")
            start("-m", "mcbrain", "run", *study, **places)
