"""`python -m bench.page`: what airspeed velocity's page is made of, from the history.

A fresh clone has no results of its own; `data/benchmarks/history.arrow` has those of every commit
that was measured. They are laid into airspeed velocity's folder, whose own files stay as they are,
so that `asv publish` finds both.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from bench.history import ROOT, earlier
from mcbrain.errors import InputError

__all__ = ["lay_out", "main"]

# What airspeed velocity calls a benchmark by the first part of its method's name.
_KINDS = {"track": "track", "time": "time", "peakmem": "peakmemory"}
_COLUMNS = ("result", "params", "version", "stats_ci_99_a", "stats_ci_99_b")
# Versions of its three kinds of files.
_MACHINE, _BENCHMARKS, _RESULTS = 1, 2, 2

Row = Mapping[str, Any]


def lay_out(table: pa.Table, results: Path) -> int:
    """Write the files of airspeed velocity's results folder that are not there.

    Parameters
    ----------
    table : Table
        A history, of columns `bench.history.SCHEMA`.
    results : Path
        `results_dir` of asv.conf.json; made if it is missing.

    Returns
    -------
    int
        Number of commits whose results were written.

    Raises
    ------
    InputError
        `benchmarks.json` is there and not JSON.
    """
    rows = table.to_pylist()
    benchmarks = results / "benchmarks.json"
    try:
        own = json.loads(benchmarks.read_text()) if benchmarks.exists() else {}
    except ValueError as error:
        raise InputError(f"{benchmarks}: not JSON ({error})") from None
    known = {name: _benchmark(some) for name, some in _by(rows, "benchmark").items()}
    _write(benchmarks, {**known, **own, "version": _BENCHMARKS})
    written = 0
    for (machine, commit, environment), some in _by(
        rows, "machine", "commit", "environment"
    ).items():
        folder = results / machine
        if not (folder / "machine.json").exists():
            _write(folder / "machine.json", {**_machine(some[0]), "version": _MACHINE})
        path = folder / f"{commit[:8]}-{environment}.json"
        if not path.exists():
            _write(path, _run(some))
            written += 1
    return written


def _by(rows: Iterable[Row], *names: str) -> dict[Any, list[Row]]:
    """Rows by some of their columns, in the order found."""
    found: dict[Any, list[Row]] = {}
    for row in rows:
        key = row[names[0]] if len(names) == 1 else tuple(row[name] for name in names)
        found.setdefault(key, []).append(row)
    return found


def _write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1))


def _machine(row: Row) -> dict[str, str]:
    """What is known of a machine, as texts."""
    return {
        "machine": row["machine"],
        "cpu": row["cpu"] or "",
        "num_cpu": str(row["cores"] or ""),
        "arch": "",
        "os": "",
        "ram": "",
    }


def _benchmark(rows: Sequence[Row]) -> dict[str, Any]:
    """A benchmark as it was at the newest commit that has it."""
    last = rows[-1]
    some = [row for row in rows if row["commit"] == last["commit"]]
    return {
        "name": last["benchmark"],
        "pretty_name": last["benchmark"],
        "type": _KINDS[last["benchmark"].rpartition(".")[2].partition("_")[0]],
        "unit": last["unit"] or "unit",
        "version": last["version"],
        "param_names": list(json.loads(last["parameters"])),
        "params": _axes(some),
        "code": "",
    }


def _axes(rows: Sequence[Row]) -> list[list[str]]:
    """The values of each parameter, as Python literals, in the order found."""
    points = [_literals(row) for row in rows]
    return [list(dict.fromkeys(values)) for values in zip(*points, strict=True)]


def _literals(row: Row) -> tuple[str, ...]:
    return tuple(repr(value) for value in json.loads(row["parameters"]).values())


def _run(rows: Sequence[Row]) -> dict[str, Any]:
    """The results of one commit in one environment on one machine."""
    first = rows[0]
    python = re.search(r"py(\d+\.\d+)", first["environment"])
    version = python[1] if python else ""
    return {
        "commit_hash": first["commit"],
        "date": int(first["date"].timestamp() * 1000),
        "env_name": first["environment"],
        "env_vars": {},
        "params": {**_machine(first), "python": version},
        "python": version,
        "requirements": {},
        "result_columns": list(_COLUMNS),
        "results": {name: _cells(some) for name, some in _by(rows, "benchmark").items()},
        "durations": {},
        "version": _RESULTS,
    }


def _cells(rows: Sequence[Row]) -> list[Any]:
    """The columns of a benchmark: one value for each point of its parameters."""
    newest = [row for row in rows if row["version"] == rows[-1]["version"]]
    axes = _axes(newest)
    found = {_literals(row): row for row in newest}
    points = [found.get(point, {"status": "failed"}) for point in itertools.product(*axes)]
    values = [float("nan") if p["status"] == "skipped" else p.get("value") for p in points]
    lows, highs = ([p.get(side) for p in points] for side in ("low", "high"))
    return [values, axes, newest[-1]["version"], lows, highs]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.page", description=__doc__)
    history = ROOT / "data" / "benchmarks" / "history.arrow"
    parser.add_argument("history", type=Path, nargs="?", default=history)
    results = ROOT / ".asv" / "results"
    parser.add_argument("--out", type=Path, default=results, help="asv's results_dir")
    asked = parser.parse_args(arguments)
    try:
        table = earlier(asked.history)
        if not table.num_rows:
            raise InputError(f"{asked.history}: no history there")
        written = lay_out(table, asked.out)
    except (InputError, OSError) as error:
        print(f"page: {error}", file=sys.stderr)
        return 2
    print(f"{asked.out}: results of {written} commits; `asv publish` makes the page")
    return 0


if __name__ == "__main__":
    sys.exit(main())
