"""Every benchmark of every suite, as airspeed velocity would find them; without it."""

from __future__ import annotations

import importlib
import inspect
import itertools
import pkgutil
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import bench

_NAMES = re.compile(r"(track|time|peakmem)_")


class Benchmark(NamedTuple):
    """One method of a suite at one set of parameters."""

    suite: type
    method: str
    params: tuple[Any, ...]

    @property
    def name(self) -> str:
        """As in airspeed velocity's results."""
        module = self.suite.__module__.removeprefix("bench.")
        return f"{module}.{self.suite.__name__}.{self.method}"


def benchmarks() -> Iterator[Benchmark]:
    """All benchmarks, module by module."""
    for module in pkgutil.iter_modules(bench.__path__, "bench."):
        for _, suite in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if suite.__module__ == module.name and not inspect.isabstract(suite):
                for method in filter(_NAMES.match, dir(suite)):
                    for params in _combinations(suite):
                        yield Benchmark(suite, method, params)


def _combinations(suite: Any) -> Iterator[tuple[Any, ...]]:
    params = getattr(suite, "params", ())
    axes = params if params and isinstance(params[0], tuple) else [params] if params else []
    return itertools.product(*axes)


def run_once(benchmark: Benchmark) -> Any:
    """Set up, call, tear down; "skipped" where the suite says that it cannot run here."""
    one = benchmark.suite()
    try:
        getattr(one, "setup", lambda *_: None)(*benchmark.params)
    except NotImplementedError:
        return "skipped"
    try:
        return getattr(one, benchmark.method)(*benchmark.params)
    finally:
        getattr(one, "teardown", lambda *_: None)(*benchmark.params)


def main() -> None:
    """Run each benchmark once and print what it returns: `python -m bench.suites`."""
    for benchmark in benchmarks():
        print(benchmark.name, *benchmark.params, run_once(benchmark), sep="\t", flush=True)


if __name__ == "__main__":
    main()
