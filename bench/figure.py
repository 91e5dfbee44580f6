"""`python -m bench.figure`: throughput.png and .svg from the history of this repository."""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pyarrow as pa
from matplotlib.axes import Axes

from bench.history import ROOT
from bench.sizes import BRAIN, ENGINE_CELLS

__all__ = ["draw", "main"]

FOLDER = ROOT / "data" / "benchmarks"
_SAMPLED = ("d=20", "d=60", "d=200")
_RATES = tuple(f"engines.{suite}.track_rate" for suite in ("Sampled", "TaskStage", "BrainStage"))
_NAMED = 7  # commits whose names stand below the panel


def draw(table: pa.Table, folder: Path) -> None:
    """Two panels: replicates per second by dimension at the newest commit, and over commits.

    Parameters
    ----------
    table : Table
        Of `bench.history`.
    folder : Path
        Where throughput.png and throughput.svg go.
    """
    measured = [r for r in table.to_pylist() if r["status"] == "ok" and r["benchmark"] in _RATES]
    rows = [r | json.loads(r["parameters"]) for r in measured]
    figure, (now, before) = plt.subplots(1, 2, figsize=(9.0, 3.6), layout="constrained")
    _by_dimension(now, rows)
    _over_commits(before, rows)
    for suffix in ("png", "svg"):
        figure.savefig(folder / f"throughput.{suffix}", dpi=150)
    plt.close(figure)


def _by_dimension(axes: Axes, rows: list[dict[str, Any]]) -> None:
    """Replicates per second of one core, with 99 % intervals."""
    newest = max(r["date"] for r in rows)
    rows = [r for r in rows if r["date"] == newest]
    for engine in ("raw", "sufficient"):
        found = _of(rows, "engines.Sampled.track_rate", engine=engine)
        points = [(ENGINE_CELLS[r["cell"]].input_dim, r) for r in found if r["cell"] in _SAMPLED]
        _line(axes, points, f"{engine}: ridge and BEFS")
    task = [(r["input_dim"], r) for r in _of(rows, "engines.TaskStage.track_rate")]
    _line(axes, task, "spectral, task stage")
    brain = [
        (BRAIN[r["cell"]].input_dim, r)
        for r in _of(rows, "engines.BrainStage.track_rate")
        if "threshold" not in r["cell"]
    ]
    _line(axes, brain, "spectral, brain stage")
    axes.set(xscale="log", yscale="log", xlabel="input dimension d")
    axes.set_ylabel("replicates/s, one core")
    axes.set_title("20 penalties, newest commit", fontsize="medium")
    _legend(axes)


def _legend(axes: Axes) -> None:
    """Below the panel, where it hides nothing."""
    axes.legend(
        fontsize="small", frameon=False, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.16)
    )


def _over_commits(axes: Axes, rows: list[dict[str, Any]]) -> None:
    """Each engine over its own rate at the first commit that has one, commit by commit."""
    commits = {r["commit"]: r["date"] for r in rows}
    order = {commit: i for i, commit in enumerate(sorted(commits, key=lambda c: commits[c]))}
    for engine, cell in itertools.product(("raw", "sufficient"), _SAMPLED[::2]):
        found = _of(rows, "engines.Sampled.track_rate", engine=engine, cell=cell)
        _line(axes, _relative(found, order), f"{engine}, {cell}")
    found = _of(rows, "engines.TaskStage.track_rate", input_dim=200)
    _line(axes, _relative(found, order), "task stage, d=200")
    # As many names as have room, the newest among them.
    named = list(order)[:: -max(1, -(-len(order) // _NAMED))][::-1]
    axes.set(xlabel="commit", xticks=[order[commit] for commit in named])
    axes.set_ylabel("rate over that of the first commit")
    axes.set_xticklabels([commit[:7] for commit in named], fontsize="small")
    axes.set_title("history", fontsize="medium")
    _legend(axes)


def _relative(
    rows: list[dict[str, Any]], order: dict[str, int]
) -> list[tuple[int, dict[str, Any]]]:
    """Rows by the place of their commit, over the value of the first."""
    placed = sorted(((order[r["commit"]], r) for r in rows), key=lambda point: point[0])
    first = placed[0][1]["value"] if placed else 1.0
    bounds = ("value", "low", "high")
    return [
        (place, {name: None if r[name] is None else r[name] / first for name in bounds})
        for place, r in placed
    ]


def _of(rows: list[dict[str, Any]], benchmark: str, **parameters: Any) -> list[dict[str, Any]]:
    return [
        r
        for r in rows
        if r["benchmark"] == benchmark and all(r.get(k) == v for k, v in parameters.items())
    ]


def _line(axes: Axes, points: Sequence[tuple[float, dict[str, Any]]], label: str) -> None:
    """Values with their intervals, in order; nothing where nothing was measured."""
    if not points:
        return
    points = sorted(points, key=lambda point: point[0])
    values = [r["value"] for _, r in points]
    low = [0.0 if r["low"] is None else r["value"] - r["low"] for _, r in points]
    high = [0.0 if r["high"] is None else r["high"] - r["value"] for _, r in points]
    places = [x for x, _ in points]
    axes.errorbar(places, values, yerr=[low, high], marker="o", ms=4, lw=1.2, label=label)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m bench.figure", description=__doc__)
    parser.add_argument("history", type=Path, nargs="?", default=FOLDER / "history.arrow")
    parser.add_argument("--out", type=Path, default=FOLDER)
    asked = parser.parse_args(arguments)
    with pa.OSFile(str(asked.history)) as source:
        draw(pa.ipc.open_file(source).read_all(), asked.out)


if __name__ == "__main__":
    main()
