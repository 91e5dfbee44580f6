"""Running cells, keeping what was found as it comes, and the tables of the whole."""

from __future__ import annotations

import hashlib
import json
import math
import time
import warnings
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from tests.sweep import compare, truth
from tests.sweep.design import Cell, counted
from tests.sweep.shifts import custom_moment

Found = dict[str, Any]
NEARLY_CONSTANT = 2e-3  # an excess whose mean is so well known says little of what power there is


def rows_of(cell: Cell, count: int) -> list[Found]:
    """The rows of a cell by mcbrain."""
    import mcbrain as mb

    with TemporaryDirectory() as folder:
        path = Path(folder) / "moment.npy"
        np.save(path, custom_moment(cell.model["input_dim"]))
        shifts = [f"custom:{path}" if s == "custom" else s for s in cell.shifts]
        return mb.simulate(
            mb.Model(**cell.model),
            cell.n_task,
            cell.n_brain,
            cell.estimators,
            shifts,
            precision=cell.precision,
            max_replicates=count,
            seed=cell.index,
            engine=cell.engine,
            exact_task_stage=cell.law,
            threads=1,
            rank=cell.rank,
            encoding_penalty=cell.encoding_penalty,
            penalty_scale=cell.penalty_scale,
        ).to_pylist()


def run_cell(cell: Cell, share: float = 1.0) -> Found:
    """Simulate a cell on both sides and compare; `share` of the usual replicates."""
    start = time.perf_counter()
    count = max(400, int(share * truth.replicates(cell)))
    try:
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            rows = rows_of(cell, min(3 * count, 60_000))
    except Exception as error:  # a cell that cannot be run is a disagreement, and the sweep goes on
        return _result(cell, [], [_broken(error)], [time.perf_counter() - start, 0.0], 0)
    middle = time.perf_counter()
    asked = truth.ask(cell, rows)
    with np.errstate(all="ignore"):
        truth.simulate(cell, asked, count)
        checks = compare.compare(cell, rows, asked)
    said = {str(w.message) for w in heard}
    checks += [compare.Check("warning", "all", 2.0, text, "silence") for text in sorted(said)]
    seconds = [middle - start, time.perf_counter() - middle]
    return _result(cell, rows, checks, seconds, count)


def _broken(error: Exception) -> compare.Check:
    return compare.Check("run", "all", 2.0, f"{type(error).__name__}: {error}", "rows")


def _result(
    cell: Cell, rows: list[Found], checks: list[compare.Check], seconds: list[float], count: int
) -> Found:
    return {
        "cell": cell.index,
        "key": key(cell),
        "statuses": [row["status"] for row in rows],
        "kinds": [row["prediction"] for row in rows],
        "checks": [asdict(check) | {"fails": check.fails} for check in checks],
        "seconds": seconds,
        "replicates": count,
    }


def key(cell: Cell) -> str:
    """What a kept result belongs to: the cell and the code on either side."""
    import mcbrain

    digest = hashlib.sha256(repr((cell, cell.index)).encode())
    for root in (Path(mcbrain.__file__).parent, Path(__file__).parent):
        for path in sorted(root.rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def run_cells(some: Iterable[Cell], folder: Path, jobs: int) -> list[Found]:
    """Run cells in processes of their own; those whose results a folder holds are not run again."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "sweep.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    kept = {found["key"]: found for found in map(_parsed, lines) if found}
    if lines:
        path.write_text("\n".join([*lines, ""]))  # a line that was cut short is closed
    some = list(some)
    missing = [cell for cell in some if key(cell) not in kept]
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool, path.open("a") as out:
        for found in pool.map(run_cell, missing):
            kept[found["key"]] = found
            print(json.dumps(found, default=float), file=out, flush=True)
    return [kept[key(cell)] for cell in some]


def _parsed(line: str) -> Found:
    """A line of the file; nothing for one that was cut short."""
    try:
        found: Found = json.loads(line)
    except ValueError:
        return {}
    return found


def disagreements(cell: Cell, found: Found) -> list[str]:
    """What a cell disagrees on, in words."""
    return [
        f"cell {cell.index}, row {c['output']}: {c['what']} is {c['got']}, NumPy has {c['wanted']} "
        f"(score {c['score']:.2f})"
        for c in found["checks"]
        if c["fails"]
    ]


Pooled = dict[tuple[str, str], tuple[float, float]]


def pooled(some: list[Cell], results: list[Found], what: str) -> Pooled:
    """For each value of each option: the pooled score of its rows, and the error it finds.

    Scores of a cell share its data, so their mean counts as one number of variance at most 1. The
    error is that relative error of every number, the same in all cells, which is found with 99 %.
    """
    reach = compare.BOUND + compare.POWER
    gathered: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for cell, found in zip(some, results, strict=True):
        scores = [c for c in found["checks"] if c["what"] == what and c["error"] > NEARLY_CONSTANT]
        for value in (*dict.fromkeys(cell.values), ("all", "cells")):
            if mine := [c for c in scores if _is_about(c["output"], value)]:
                z = float(np.mean([c["z"] for c in mine]))
                slope = float(np.mean([reach / c["error"] for c in mine]))
                gathered.setdefault(value, []).append((z, slope))
    out = {}
    for value, pairs in gathered.items():
        z, slope = np.array(pairs).sum(axis=0) / np.sqrt(len(pairs))
        out[value] = (float(z), reach / float(slope))
    return out


def _is_about(output: str, value: tuple[str, str]) -> bool:
    """Whether a row of a cell with this value has it itself: all do but for a row's own options."""
    _, method, shift = output.split(" ")
    name, _, rule = method.partition("=")
    own = {"estimator": name, "penalty": rule, "shift": shift}.get(value[0], value[1])
    return own == value[1] or (value[0] == "penalty" and own == str(_number(value[1])))


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def summary(some: list[Cell], results: list[Found]) -> str:
    """The table of counts, and what the sweep can find."""
    cells = counted(some) + Counter({("all", "cells"): len(some)})
    means, laws = pooled(some, results, "mean"), pooled(some, results, "predicted")
    checks = [c for found in results for c in found["checks"]]
    failed = Counter(c["what"] for c in checks if c["fails"])
    rows, seconds = (
        sum(len(f["statuses"]) for f in results),
        sum(sum(f["seconds"]) for f in results),
    )
    lines = [
        f"{len(some)} cells, {rows} rows, {len(checks)} comparisons, "
        f"{failed.total()} disagreements, {seconds:.0f} s of one core",
        "| option | value | cells | mean: pooled z | finds | law: pooled z | finds |",
        "|---|---|---|---|---|---|---|",
    ]
    for value, number in sorted(cells.items()):
        columns = [f"{z:.1f} | {error:.2%}" for z, error in _pair(means, laws, value)]
        lines.append(f"| {value[0]} | {value[1]} | {number} | {columns[0]} | {columns[1]} |")
    lines += ["", "| word | cells |", "|---|---|"]
    for name in ("statuses", "kinds"):
        words = Counter(word for found in results for word in dict.fromkeys(found[name]))
        lines += [f"| {name}: {word} | {number} |" for word, number in sorted(words.items())]
    lines += ["", "| compared | times | disagree |", "|---|---|---|"]
    for what, number in sorted(Counter(c["what"] for c in checks).items()):
        lines.append(f"| {what} | {number} | {failed[what]} |")
    for what in ("mean", "predicted"):
        errors = [c["error"] for c in checks if c["what"] == what and c["error"] > NEARLY_CONSTANT]
        if errors:
            least, quarter, half = np.quantile(errors, [0.0, 0.25, 0.5])
            lines.append(
                f"relative error of one {what} that is found with 99 %: {least:.2%} at best, "
                f"{quarter:.1%} or less in a quarter, {half:.1%} or less in half of them"
            )
    return "\n".join(lines)


def _pair(means: Pooled, laws: Pooled, value: tuple[str, str]) -> list[tuple[float, float]]:
    return [found.get(value, (math.nan, math.nan)) for found in (means, laws)]
