"""Figure: the ratio of two outputs on the same data, a panel for each shift."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from mcbrain.errors import InputError
from mcbrain.reporting.style import figure, label_panels, ramp, styled
from mcbrain.results.comparisons import Comparison
from mcbrain.store.atomic import replacing

__all__ = ["comparison_figure", "save_comparison"]

_FORMS = (".png", ".svg", ".pdf")
_PANELS, _CURVES = 4, 6  # at most


def comparison_figure(found: Comparison) -> Figure:
    """Mean excess risk of one output over that of another, with bars of two paired errors.

    Parameters
    ----------
    found : Comparison

    Returns
    -------
    matplotlib.figure.Figure
        Over n_task, or over n_brain where there is one n_task; a curve for each setting of the
        rest, the first six of them.

    Raises
    ------
    InputError
        No ratio is known.
    """
    rows = [row for row in found.table.to_pylist() if row["ratio"] is not None]
    if not rows:
        raise InputError(
            f"{found.a} over {found.b}: no ratio is known, so there is nothing to draw"
        )
    across = "n_task" if len({row["n_task"] for row in rows}) > 1 else "n_brain"
    others = [n for n in found.table.schema.names[1:] if n not in (across, "shift")]
    others = [n for n in others[: others.index("replicates")] if len({r[n] for r in rows}) > 1]
    shifts = list(dict.fromkeys(row["shift"] for row in rows))[:_PANELS]
    made, axes = figure(len(shifts))
    for ax, shift in zip(axes[0], shifts, strict=True):
        curves: dict[str, list[dict[str, Any]]] = {}
        for row in (row for row in rows if row["shift"] == shift):
            curves.setdefault(", ".join(f"{n} = {row[n]}" for n in others), []).append(row)
        few = list(curves.items())[:_CURVES]
        for (label, points), colour in zip(few, ramp(len(few)), strict=True):
            x, ratio, error = (
                np.array([p[n] for p in points], float) for n in (across, "ratio", "ratio_mcse")
            )
            bars = 2.0 * np.nan_to_num(error)
            ax.errorbar(x, ratio, yerr=bars, fmt="o-", color=colour, mfc="white", label=label)
        ax.axhline(1.0, color="#999999", lw=0.9, zorder=0)
        ax.set_xscale("symlog" if across == "n_brain" else "log")
        ax.set(xlabel=across, title=f"shift {shift}")
    axes[0, 0].set_ylabel(f"{found.a} over {found.b}")
    if others:
        axes[0, 0].legend()
    label_panels(axes)
    return made


def save_comparison(found: Comparison, path: Path) -> None:
    """Draw a comparison to a file.

    Parameters
    ----------
    found : Comparison
    path : Path
        Its ending says in which form.

    Raises
    ------
    InputError
        An ending of another form, or nothing to draw.
    UnfinishedError
        Disk full, folder not writable.
    """
    if path.suffix.lower() not in _FORMS:
        raise InputError(f"--plot {path}: a name that ends with {', '.join(_FORMS)} is allowed")
    with styled():
        made = comparison_figure(found)
        with replacing(path) as sink:
            made.savefig(sink, format=path.suffix.lower().removeprefix("."))
