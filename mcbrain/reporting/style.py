"""How every figure looks: colours that colour-blind readers tell apart, sizes legible in print."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.textpath import TextPath
from matplotlib.ticker import (
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    NullLocator,
    SymmetricalLogLocator,
)
from matplotlib.transforms import ScaledTranslation
from numpy.typing import NDArray

from mcbrain.store.atomic import replacing

__all__ = [
    "COLOURS",
    "DOT",
    "MARKERS",
    "barred_points",
    "dots",
    "errorbars",
    "figure",
    "label_panels",
    "legend_below",
    "legend_under",
    "plain_ticks",
    "ramp",
    "save",
    "signed_log",
    "styled",
]

# Okabe & Ito (2008), without the yellow that print loses.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
_ENTRY_POINTS = 38.0  # that an entry of a legend is wider than its words
DOT = 4.0  # size of a value that was not simulated
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

_SETTINGS: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.titlesize": 9.5,
    "axes.labelsize": 9.0,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "legend.fontsize": 7.8,
    "legend.frameon": True,  # white, so that curves do not run through words
    "legend.facecolor": "white",
    "legend.edgecolor": "none",
    "legend.framealpha": 0.85,
    "lines.linewidth": 1.5,
    "lines.markersize": 4.2,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "figure.constrained_layout.use": True,
    "svg.hashsalt": "mcbrain",
    "svg.fonttype": "path",
    "savefig.dpi": 200,
}


@contextmanager
def styled() -> Iterator[None]:
    """Draw with the house settings, whatever the reader's own."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(cast("Any", _SETTINGS))
        yield


def figure(columns: int, rows: int = 1, height: float = 3.1, wide: float = 3.35) -> tuple[Any, Any]:
    """A figure of panels, and its axes as an array (rows, columns)."""
    made = Figure(figsize=(wide * columns, height * rows))
    axes = made.subplots(rows, columns, squeeze=False)
    return made, axes


def ramp(n: int) -> list[Any]:
    """n ordered colours, dark to light, for curves along a quantity."""
    shades = matplotlib.colormaps["viridis"](np.linspace(0.0, 0.82, n))
    return list(shades)


def errorbars(
    ax: Axes,
    x: NDArray[Any],
    y: NDArray[Any],
    error: NDArray[Any],
    colour: Any,
    marker: str = "o",
    simulated: NDArray[np.bool_] | None = None,
) -> None:
    """Simulated points with bars of two standard errors; dots where nothing was simulated."""
    good = np.isfinite(y)
    drawn = good if simulated is None else good & simulated
    barred_points(ax, x[drawn], y[drawn], 2.0 * np.nan_to_num(error[drawn]), colour, marker)
    dots(ax, x[good & ~drawn], y[good & ~drawn], colour)


def dots(ax: Axes, x: NDArray[Any], y: NDArray[Any], colour: Any) -> None:
    """Values that a law gave and nobody simulated."""
    ax.plot(x, y, ls="", marker=".", ms=DOT, color=colour, zorder=3)


def barred_points(
    ax: Axes, x: NDArray[Any], y: NDArray[Any], bars: NDArray[Any], colour: Any, marker: str = "o"
) -> None:
    """Points with bars of given lengths: one for both ends, (n,), or one for each, (2, n)."""
    ax.errorbar(
        x,
        y,
        yerr=bars,
        fmt=marker,
        color=colour,
        mfc="white",
        mew=1.0,
        elinewidth=1.0,
        capsize=1.8,
        zorder=3,
    )


def plain_ticks(ax: Axes, which: str = "both") -> None:
    """Plain numbers on log axes of fewer than two decades, where powers of 10 are too few."""
    for name, axis in (("x", ax.xaxis), ("y", ax.yaxis)):
        low, high = axis.get_view_interval()
        if which not in (name, "both") or axis.get_scale() != "log" or high > 100 * low:
            continue
        if high < 3 * low:
            axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
            axis.set_minor_locator(NullLocator())
        else:
            subs = (1, 1.5, 2, 3, 4, 5, 7) if high < 12 * low else (1, 2, 5)
            axis.set_major_locator(LogLocator(10, subs=subs))
        axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
        axis.set_minor_formatter(NullFormatter())


def signed_log(ax: Axes) -> None:
    """A y axis that is linear about 0 and logarithmic far from it, without a kink between."""
    if np.abs(ax.get_ylim()).max() < 30:
        return
    ax.set_yscale("asinh", linear_width=3.0)
    ax.autoscale_view(scalex=False)  # margins of the new scale
    ax.yaxis.set_major_locator(SymmetricalLogLocator(base=10, linthresh=10))
    ax.yaxis.set_minor_locator(SymmetricalLogLocator(base=10, linthresh=10, subs=range(2, 10)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,.0f}".replace("-", "−")))
    ax.yaxis.set_minor_formatter(NullFormatter())


def legend_below(made: Figure, handles: list[Any], title: str = "") -> None:
    """One legend for all panels, below them, where it hides nothing."""
    words = max(_points_wide(handle.get_label()) for handle in handles)
    columns = max(1, int(72 * made.get_size_inches()[0] / (words + _ENTRY_POINTS)))
    rows = math.ceil(len(handles) / columns)
    made.legend(
        handles=handles,
        loc="outside lower center",
        ncols=math.ceil(len(handles) / rows),
        title=title or None,
        title_fontsize=_SETTINGS["legend.fontsize"],
    )


def _points_wide(words: str) -> float:
    """Width of words in a legend, formulas typeset."""
    drawn = TextPath((0, 0), words, size=_SETTINGS["legend.fontsize"])
    return float(drawn.get_extents().width)


def legend_under(ax: Axes, handles: list[Any], columns: int = 2) -> None:
    """The legend of one panel, under its x label, where it hides nothing."""
    down = ScaledTranslation(0, -36 / 72, ax.figure.dpi_scale_trans)
    ax.legend(
        handles=handles,
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        bbox_transform=ax.transAxes + down,
        borderaxespad=0.0,
        ncols=columns,
    )


def label_panels(axes: NDArray[Any]) -> None:
    """a, b, c in the corners, where there is more than one panel; and ticks that can be read."""
    for ax in axes.ravel():
        plain_ticks(ax)
    shown = [ax for ax in axes.ravel() if ax.get_visible()]
    for letter, ax in zip("abcdefghijkl", shown if len(shown) > 1 else [], strict=False):
        ax.set_title(letter, loc="left", fontweight="bold")


def save(made: Figure, folder: Path, stem: str) -> tuple[Path, Path]:
    """Write PNG and SVG without dates, so that equal figures are equal files."""
    png, svg = folder / f"{stem}.png", folder / f"{stem}.svg"
    with replacing(png) as sink:
        made.savefig(sink, format="png", metadata={"Software": None})
    with replacing(svg) as sink:
        made.savefig(sink, format="svg", metadata={"Date": None})
    return png, svg
