"""Running cells, keeping what was found as it comes, and the tables of the whole."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from sweep import compare, truth
from sweep.design import Cell, counted
from sweep.shifts import custom_moment

Found = dict[str, Any]


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
            law=cell.law,
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
        rows = rows_of(cell, min(3 * count, 40_000))
    except Exception as error:  # a cell that cannot be run is a disagreement, and the sweep goes on
        return _result(cell, [], [_broken(error)], [time.perf_counter() - start, 0.0], 0)
    middle = time.perf_counter()
    asked = truth.ask(cell, rows)
    with np.errstate(all="ignore"):
        truth.simulate(cell, asked, count)
        checks = compare.compare(cell, rows, asked)
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


def pooled(some: list[Cell], results: list[Found]) -> dict[tuple[str, str], tuple[float, float]]:
    """For each value of each option: the pooled score of its cells, and the error it finds.

    Scores of a cell share its data, so their mean counts as one number of variance at most 1. The
    error is that relative error of every mean, the same in all cells, which is found with 99 %.
    """
    gathered: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for cell, found in zip(some, results, strict=True):
        scores = [c for c in found["checks"] if c["what"] == "mean" and math.isfinite(c["error"])]
        scores = [c for c in scores if c["error"] > 0]
        if not scores:
            continue
        z = float(np.mean([c["z"] for c in scores]))
        per_error = float(np.mean([(compare.BOUND + compare.POWER) / c["error"] for c in scores]))
        for value in dict.fromkeys(cell.values):
            gathered.setdefault(value, []).append((z, per_error))
    out = {}
    for value, pairs in gathered.items():
        z, slope = np.array(pairs).sum(axis=0) / np.sqrt(len(pairs))
        out[value] = (float(z), float((compare.BOUND + compare.POWER) / slope))
    return out


def summary(some: list[Cell], results: list[Found]) -> str:
    """The table of counts, and what the sweep can find."""
    cells, outcome = counted(some), pooled(some, results)
    words = Counter(w for found in results for w in set(found["statuses"]))
    kinds = Counter(w for found in results for w in set(found["kinds"]))
    checks = [c for found in results for c in found["checks"]]
    by_kind = Counter(c["what"] for c in checks)
    failed = Counter(c["what"] for c in checks if c["fails"])
    errors = np.array([c["error"] for c in checks if c["what"] in ("mean", "predicted")])
    errors = errors[np.isfinite(errors) & (errors > 1e-8)]
    lines = [f"{len(some)} cells, {sum(len(f['statuses']) for f in results)} rows, "
             f"{len(checks)} comparisons, {sum(failed.values())} disagreements, "
             f"{sum(sum(f['seconds']) for f in results):.0f} s of one core"]  # fmt: skip
    lines.append("| option | value | cells | pooled z | error found with 99 % |")
    for (option, value), number in sorted(cells.items()):
        z, error = outcome.get((option, value), (math.nan, math.nan))
        lines.append(f"| {option} | {value} | {number} | {z:.1f} | {100 * error:.2f} % |")
    lines.append("| word | | cells |")
    lines += [f"| status | {w} | {n} |" for w, n in sorted(words.items())]
    lines += [f"| prediction | {w} | {n} |" for w, n in sorted(kinds.items())]
    lines.append("| compared | number | disagree |")
    lines += [f"| {w} | {n} | {failed[w]} |" for w, n in sorted(by_kind.items())]
    if errors.size:
        quarter, half = np.quantile(errors, [0.25, 0.5])
        lines.append(f"smallest relative error of one mean found with 99 %: {errors.min():.2%}; "
                     f"a quarter of all below {quarter:.2%}, half below {half:.2%}")  # fmt: skip
    return "\n".join(lines)
