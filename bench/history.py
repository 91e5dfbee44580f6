"""`python -m bench.history`: airspeed velocity's JSON results as one Arrow table.

Rows of an earlier table stay unless the same measurement is there anew, so that a history outlives
the results folder that it came from. A benchmark that failed is a row that says so, never a hole;
where that is so at the newest commit, the exit status is 1.
"""

from __future__ import annotations

import argparse
import ast
import itertools
import json
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from mcbrain.errors import InputError
from mcbrain.store.segments import write_table

__all__ = ["SCHEMA", "earlier", "history", "main", "merged"]

ROOT = Path(__file__).parent.parent

# Every column: name, type, meaning.
_COLUMNS: tuple[tuple[str, pa.DataType, str], ...] = (
    ("commit", pa.string(), "full hash"),
    ("date", pa.timestamp("ms", "UTC"), "of the commit"),
    ("machine", pa.string(), "name that `asv machine` gave it"),
    ("cpu", pa.string(), "its processor"),
    ("cores", pa.int32(), "its cores"),
    ("environment", pa.string(), "Python and requirements"),
    ("benchmark", pa.string(), "module.Suite.method"),
    ("parameters", pa.string(), "a JSON object, name to value"),
    ("version", pa.string(), "of the benchmark; values of two versions cannot be compared"),
    ("status", pa.string(), "ok, failed or skipped"),
    ("value", pa.float64(), "median of the rounds; null unless ok"),
    ("low", pa.float64(), "99 % interval of the value; null where there was one measurement"),
    ("high", pa.float64(), "99 % interval of the value"),
    ("unit", pa.string(), "of value, low and high"),
)
SCHEMA = pa.schema([pa.field(n, kind, metadata={"meaning": text}) for n, kind, text in _COLUMNS])
_IDENTITY = ("commit", "machine", "environment", "benchmark", "parameters", "version")


def history(results: Path) -> pa.Table:
    """Every measurement in a results folder of airspeed velocity, oldest commit first.

    Parameters
    ----------
    results : Path
        `results_dir` of asv.conf.json.

    Raises
    ------
    InputError
        Nothing there, or a file that is not what airspeed velocity writes.
    """
    known = _load(results / "benchmarks.json")
    rows: list[dict[str, Any]] = []
    for path in sorted(results.glob("*/*.json")):
        if path.name != "machine.json":
            try:
                rows += _rows(_load(path), known)
            except (KeyError, TypeError, ValueError) as error:
                raise InputError(f"{path}: not a result of airspeed velocity ({error})") from None
    if not rows:
        raise InputError(f"{results}: no results of airspeed velocity; run `asv run` first")
    return _sorted(pa.Table.from_pylist(rows, SCHEMA))


def _load(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; run `asv run` first") from None
    except ValueError as error:
        raise InputError(f"{path}: not JSON ({error})") from None
    return found


def _rows(run: dict[str, Any], known: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Rows of one commit in one environment on one machine."""
    place = {
        "commit": run["commit_hash"],
        "date": run["date"],
        "machine": run["params"]["machine"],
        "cpu": run["params"].get("cpu"),
        "cores": int(run["params"].get("num_cpu") or 0) or None,
        "environment": run["env_name"],
    }
    for name, cells in run["results"].items():
        columns = dict(zip(run["result_columns"], cells, strict=False))
        suite = known.get(name, {})
        points = list(itertools.product(*columns["params"]))
        values = columns["result"] or [None] * len(points)
        lows, highs = (columns.get(f"stats_ci_99_{side}") for side in "ab")
        for i, (point, value) in enumerate(zip(points, values, strict=True)):
            status = "failed" if value is None else "skipped" if math.isnan(value) else "ok"
            yield place | {
                "benchmark": name,
                "parameters": _named(suite.get("param_names", []), point),
                "version": str(columns["version"]),
                "status": status,
                "value": value if status == "ok" else None,
                "low": _finite(lows, i),
                "high": _finite(highs, i),
                "unit": suite.get("unit"),
            }


def _named(names: Sequence[str], point: Sequence[str]) -> str:
    """Parameters as a JSON object; airspeed velocity keeps them as Python literals."""
    labels = itertools.chain(names, map("parameter{}".format, itertools.count(len(names))))
    values = (ast.literal_eval(text) for text in point)
    return json.dumps(dict(zip(labels, values, strict=False)))


def _finite(values: Sequence[float | None] | None, i: int) -> float | None:
    """A bound, or None where there are too few measurements for one."""
    value = values[i] if values else None
    return value if value is not None and math.isfinite(value) else None


def _sorted(table: pa.Table) -> pa.Table:
    """Oldest commit first, then in the order of the suites: the sort of Arrow is stable."""
    names = ("date", "commit", "machine", "environment")
    return table.sort_by([(name, "ascending") for name in names])


def merged(old: pa.Table, new: pa.Table) -> pa.Table:
    """Rows of both, the new one where both have the same measurement."""
    fresh = set(zip(*(new[name].to_pylist() for name in _IDENTITY), strict=True))
    stays = [
        row not in fresh for row in zip(*(old[name].to_pylist() for name in _IDENTITY), strict=True)
    ]
    return _sorted(pa.concat_tables([old.filter(pa.array(stays, pa.bool_())), new]))


def earlier(path: Path) -> pa.Table:
    """The table that is to be extended; empty if there is none."""
    if not path.exists():
        return SCHEMA.empty_table()
    try:
        with pa.OSFile(str(path)) as source:
            table = pa.ipc.open_file(source).read_all()
    except pa.ArrowInvalid as error:
        raise InputError(f"{path}: not an Arrow file ({error})") from None
    if not table.schema.equals(SCHEMA):
        raise InputError(f"{path}: has other columns than a history; give another --out")
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.history", description=__doc__)
    parser.add_argument(
        "results", type=Path, nargs="?", default=ROOT / ".asv" / "results", help="asv's results_dir"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "data" / "benchmarks" / "history.arrow")
    asked = parser.parse_args(arguments)
    try:
        new = history(asked.results)
        table = merged(earlier(asked.out), new)
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        write_table(asked.out, table.to_batches(), SCHEMA)
    except (InputError, OSError) as error:
        print(f"history: {error}", file=sys.stderr)
        return 2
    print(f"{asked.out}: {table.num_rows} rows, {len(set(table['commit'].to_pylist()))} commits")
    rows = new.to_pylist()
    failed = [r for r in rows if r["date"] == rows[-1]["date"] and r["status"] == "failed"]
    for row in failed:
        print(f"failed: {row['benchmark']} {row['parameters']}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
