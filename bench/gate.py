"""`python -m bench.gate BASE HEAD`: is HEAD slower than BASE? Exit status 1 only if it really is.

Both commits run at the same time, each in a process of its own with its own source tree and its own
compiled kernels, and take turns on a small panel of benchmarks: a noisy machine slows both sides of
a ratio. A benchmark is flagged when the median of its ratios is above the factor that is asked for;
what is flagged is run again in new processes, twice as long, and is a slowdown only if the whole
confidence interval then lies above the factor.

The interval is that of the median, from order statistics, so that it assumes nothing about the
noise. Times are those of the process on its core: the panel has no threads and waits for nothing.
Exit status 0: no slowdown; 1: a slowdown; 2: something could not be compared.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["CASES", "Case", "Comparison", "Gate", "GateError", "main", "median_interval"]

ROOT = Path(__file__).parent.parent
FACTOR = 1.3
"""Nothing below this ratio is called a slowdown."""
CONFIDENCE = 0.999
LAUNCHES, TURNS = 3, 5
"""Processes of each side in a run, since equal code in two processes can differ by 15 % throughout,
and turns of each: 15 ratios are the fewest whose interval leaves the two extremes out. The second
run takes twice as many turns; of its 30 ratios, 25 must be above the factor."""
SECONDS = 0.05
"""How long a turn lasts, at least."""


@dataclass(frozen=True)
class Case:
    """One benchmark of the panel: a suite of `bench` and its parameters."""

    suite: str
    params: tuple[Any, ...] = ()

    def __str__(self) -> str:
        return f"{self.suite}({', '.join(map(str, self.params))})"


CASES = (
    Case("engines.Sampled", ("raw", "d=20")),
    Case("engines.Sampled", ("raw", "d=60")),
    Case("engines.Sampled", ("raw", "d=60, n_task=30")),
    Case("engines.Sampled", ("sufficient", "d=60")),
    Case("engines.TaskStage", (200,)),
    Case("engines.BrainStage", ("d=200",)),
    Case("kernels.RandomNumbers", ("normal",)),
    Case("kernels.RandomNumbers", ("chi_square",)),
    Case("kernels.Kernels", ("tridiagonalise",)),
    Case("kernels.Kernels", ("leading_eigenvectors",)),
    Case("kernels.Kernels", ("recur",)),
    Case("theory.TaskLaws", ("exact",)),
    Case("theory.Predict"),
    Case("store.Resumed"),
)


class GateError(Exception):
    """Something could not be compared; the text says what and why."""


@dataclass(frozen=True)
class Comparison:
    """Time of HEAD over time of BASE: median and confidence interval."""

    case: Case
    ratio: float
    low: float
    high: float


def median_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Confidence interval of the median from order statistics, free of any law of the noise.

    Raises
    ------
    ValueError
        Too few values for that confidence.
    """
    n, ordered = len(values), sorted(values)
    outside, tail = -1, 0.0
    for k in range(n // 2):
        tail += math.comb(n, k) / 2.0**n
        if 2.0 * tail > 1.0 - confidence:
            break
        outside = k
    if outside < 0:
        raise ValueError(f"{n} values are too few for a {confidence:.1%} interval of the median")
    return ordered[outside], ordered[n - 1 - outside]


class Side:
    """One commit at work: a process that measures what it is told, when it is told."""

    def __init__(self, tree: Path, cache: Path, suites: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "bench.gate_worker"],
            env=os.environ
            | {
                "PYTHONPATH": os.pathsep.join([str(suites), str(tree)]),
                "MCBRAIN_CACHE_DIR": str(cache),
                "OPENBLAS_NUM_THREADS": "1",
                "OMP_NUM_THREADS": "1",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, case: Case, seconds: float) -> None:
        """Have a case measured."""
        assert self.process.stdin is not None
        question = {"suite": case.suite, "params": case.params, "seconds": seconds}
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        """Seconds of one unit of work of what was asked last, or an error in words."""
        assert self.process.stdout is not None
        answer = self.process.stdout.readline()
        if not answer:
            return {"error": f"the process died with status {self.process.wait()}"}
        found: dict[str, Any] = json.loads(answer)
        return found

    def close(self) -> None:
        """End the process."""
        self.process.communicate()


class Gate:
    """Two commits side by side.

    Parameters
    ----------
    repository : Path
    base, head : str
        Commits, branches or tags.
    factor : float
    folder : Path, optional
        Where source trees and compiled kernels are kept, by commit; default .asv/gate.
    """

    def __init__(
        self,
        repository: Path,
        base: str,
        head: str,
        factor: float = FACTOR,
        folder: Path | None = None,
    ) -> None:
        self.repository, self.factor = repository, factor
        self.folder = folder or repository / ".asv" / "gate"
        self.commits = [self._commit(name) for name in (base, head)]
        self.trees = [self._tree(commit) for commit in self.commits]

    def _git(self, *arguments: str) -> bytes:
        done = subprocess.run(
            ["git", "-C", str(self.repository), *arguments], capture_output=True, check=False
        )
        if done.returncode:
            raise GateError(f"git {' '.join(arguments)}: {done.stderr.decode().strip()}")
        return done.stdout

    def _commit(self, name: str) -> str:
        return self._git("rev-parse", "--verify", f"{name}^{{commit}}").decode().strip()

    def _tree(self, commit: str) -> Path:
        """The package's source at a commit, extracted once."""
        tree = self.folder / commit / "tree"
        if not tree.exists():
            aside = tree.with_name(f"tree-{os.getpid()}")
            packed = self._git("archive", "--format=tar", commit, "mcbrain")
            with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
                archive.extractall(aside, filter="data")
            aside.replace(tree)
        return tree

    @contextmanager
    def sides(self) -> Iterator[list[Side]]:
        """New processes of both commits, on this checkout's benchmarks."""
        with ExitStack() as stack:
            suites = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
            shutil.copytree(Path(__file__).parent, suites / "bench")
            sides = []
            for tree in self.trees:
                sides.append(Side(tree, tree.with_name("cache"), suites))
                stack.callback(sides[-1].close)
            yield sides

    def run(self, cases: Sequence[Case], turns: int = TURNS) -> list[Comparison]:
        """Compare some cases, the two commits taking turns.

        Raises
        ------
        GateError
            A case fails on HEAD, or nothing is left to compare.
        """
        ratios: dict[Case, list[float]] = {case: [] for case in cases}
        for _ in range(LAUNCHES):
            with self.sides() as sides:
                ready = [case for case in ratios if self._ready(case, sides)]
                ratios = {case: ratios[case] for case in ready}
                for turn in range(turns):
                    for case, values in ratios.items():
                        order = (0, 1) if turn % 2 else (1, 0)
                        found = {i: self._measure(sides[i], case) for i in order}
                        values.append(found[1] / found[0])
        if not ratios:
            raise GateError("nothing could be compared")
        return [
            Comparison(case, statistics.median(values), *median_interval(values))
            for case, values in ratios.items()
        ]

    def _ready(self, case: Case, sides: Sequence[Side]) -> bool:
        """Compile and warm a case up on both sides at once; False when BASE does not have it."""
        for side in sides:
            side.ask(case, 0.0)
        base, head = (side.answer() for side in sides)
        if "error" in head:
            raise GateError(f"{case} fails on {self.commits[1][:8]}: {head['error']}")
        if "error" in base:
            print(f"{case}: not compared, it fails on {self.commits[0][:8]}: {base['error']}")
            return False
        return True

    def _measure(self, side: Side, case: Case) -> float:
        side.ask(case, SECONDS)
        answer = side.answer()
        if "error" in answer:
            raise GateError(f"{case} failed after it had run: {answer['error']}")
        return float(answer["seconds_per_unit"])

    def slowdowns(self, cases: Sequence[Case] = CASES) -> list[Comparison]:
        """What is flagged, and then slower with confidence in processes of its own."""
        first = self.run(cases)
        report(first)
        flagged = [c.case for c in first if c.ratio > self.factor]
        if not flagged:
            return []
        print(f"\nflagged, run again: {', '.join(map(str, flagged))}\n", flush=True)
        second = self.run(flagged, 2 * TURNS)
        report(second)
        return [c for c in second if c.low > self.factor]


def report(comparisons: Sequence[Comparison]) -> None:
    """Print the ratios, the slowest first."""
    print(f"{'time of HEAD over BASE':44s} {'median':>7s}  {CONFIDENCE:.1%} interval")
    for c in sorted(comparisons, key=lambda c: -c.ratio):
        print(f"{c.case!s:44s} {c.ratio:7.3f}  {c.low:.3f} to {c.high:.3f}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.gate", description=__doc__)
    parser.add_argument("base", help="commit to compare with")
    parser.add_argument("head", help="commit that may be slower")
    parser.add_argument("--factor", type=float, default=FACTOR, help="default %(default)s")
    parser.add_argument("--repository", type=Path, default=ROOT, help="default: this checkout")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    asked = parser.parse_args(arguments)
    cases = [case for case in CASES if asked.only in str(case)]
    try:
        if not cases:
            raise GateError(f"--only {asked.only}: no case has that in its name")
        slow = Gate(asked.repository, asked.base, asked.head, asked.factor).slowdowns(cases)
    except GateError as error:
        print(f"gate: {error}", file=sys.stderr)
        return 2
    for c in slow:
        print(f"\n{c.case} is {c.ratio:.2f} times slower, {c.low:.2f} at least")
    if not slow:
        print(f"\nno slowdown by a factor of {asked.factor} or more")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
