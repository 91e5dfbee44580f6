"""How every figure looks: colours that colour-blind readers tell apart, sizes legible in print."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
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
from matplotlib.typing import ColorType
from numpy.typing import NDArray

from mcbrain.store.atomic import replacing
from mcbrain.typing import Floats

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
    "same_limits",
    "save",
    "signed_log",
    "styled",
]

Panels = NDArray[np.object_]  # of matplotlib.axes.Axes, (rows, columns)

# Okabe & Ito (2008), without the yellow that print loses.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
_ENTRY_POINTS = 38.0  # width of a legend's entry beside its words: the mark and the spaces
DOT = 4.0  # size of a value that was not simulated
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

_LEGEND_POINTS = 7.8
_SETTINGS: dict[str, str | float | bool] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.titlesize": 9.5,
    "axes.labelsize": 9.0,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "legend.fontsize": _LEGEND_POINTS,
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
    """Draw with the settings of the house, whatever the reader's own are."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        # The stubs know each key by a literal of its own, which a table of settings has not.
        matplotlib.rcParams.update(cast("Any", _SETTINGS))
        yield


def figure(
    columns: int, rows: int = 1, height: float = 3.1, wide: float = 3.35
) -> tuple[Figure, Panels]:
    """An empty figure of panels.

    Parameters
    ----------
    columns, rows : int
        Numbers of panels across and down.
    height, wide : float
        Of a panel, in inches.

    Returns
    -------
    made : matplotlib.figure.Figure
        The figure.
    axes : array (rows, columns)
        Its panels.
    """
    made = Figure(figsize=(wide * columns, height * rows))
    axes = made.subplots(rows, columns, squeeze=False)
    return made, axes


def ramp(n: int) -> list[ColorType]:
    """Colours in order, dark to light, for curves along a quantity.

    Parameters
    ----------
    n : int
        How many.

    Returns
    -------
    list of tuple
        Red, green, blue and opacity, from 0 to 1.
    """
    shades = matplotlib.colormaps["viridis"](np.linspace(0.0, 0.82, n))
    return [tuple(shade) for shade in shades.tolist()]


def errorbars(
    ax: Axes,
    x: Floats,
    y: Floats,
    error: Floats,
    colour: ColorType,
    marker: str = "o",
    simulated: NDArray[np.bool_] | None = None,
) -> None:
    """Simulated points with bars of two standard errors, and dots where nothing was simulated.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The panel.
    x, y, error : (n,)
        Places, values and standard errors; values that are not finite are left out.
    colour : str or array
        Any colour of matplotlib's.
    marker : str
        Of simulated points.
    simulated : (n,), optional
        Which values were simulated; all by default.
    """
    good = np.isfinite(y)
    drawn = good if simulated is None else good & simulated
    barred_points(ax, x[drawn], y[drawn], 2.0 * np.nan_to_num(error[drawn]), colour, marker)
    dots(ax, x[good & ~drawn], y[good & ~drawn], colour)


def dots(ax: Axes, x: Floats, y: Floats, colour: ColorType) -> None:
    """Small dots for values that a law gave and nothing simulated.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The panel.
    x, y : (n,)
        Places and values.
    colour : str or array
        Any colour of matplotlib's.
    """
    ax.plot(x, y, ls="", marker=".", ms=DOT, color=colour, zorder=3)


def barred_points(
    ax: Axes, x: Floats, y: Floats, bars: Floats, colour: ColorType, marker: str = "o"
) -> None:
    """Points with bars of given lengths.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The panel.
    x, y : (n,)
        Places and values.
    bars : (n,) or (2, n)
        Lengths of the bars: one for both ends, or one for each end.
    colour : str or array
        Any colour of matplotlib's.
    marker : str
        Of the points.
    """
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
    """Put plain numbers on logarithmic axes so short that powers of 10 would be too few.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The panel.
    which : str
        "x", "y" or "both".
    """
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
    """Make the y axis linear about 0 and logarithmic far from it, without a kink between.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The panel, which is left alone where its values are small.
    """
    if np.abs(ax.get_ylim()).max() < 30:
        return
    ax.set_yscale("asinh", linear_width=3.0)
    # The margins must be those of the new scale.
    ax.autoscale_view(scalex=False)
    ax.yaxis.set_major_locator(SymmetricalLogLocator(base=10, linthresh=10))
    ax.yaxis.set_minor_locator(SymmetricalLogLocator(base=10, linthresh=10, subs=range(2, 10)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,.0f}".replace("-", "−")))
    ax.yaxis.set_minor_formatter(NullFormatter())


def legend_below(made: Figure, handles: list[Line2D], title: str = "") -> None:
    """Put one legend for all panels below them, where it hides nothing.

    Parameters
    ----------
    made : matplotlib.figure.Figure
        The figure.
    handles : list of Line2D
        Entries with their labels.
    title : str
        A line above the entries.
    """
    words = max(_points_wide(str(handle.get_label())) for handle in handles)
    columns = max(1, int(72 * made.get_size_inches()[0] / (words + _ENTRY_POINTS)))
    rows = math.ceil(len(handles) / columns)
    made.legend(
        handles=handles,
        loc="outside lower center",
        ncols=math.ceil(len(handles) / rows),
        title=title or None,
        title_fontsize=_LEGEND_POINTS,
    )


def _points_wide(words: str) -> float:
    """Width of words in a legend, formulas typeset."""
    drawn = TextPath((0, 0), words, size=_LEGEND_POINTS)
    return float(drawn.get_extents().width)


def legend_under(ax: Axes, handles: list[Line2D], columns: int = 2) -> None:
    """Put the legend of one panel under its x label, where it hides nothing.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The panel.
    handles : list of Line2D
        Entries with their labels.
    columns : int
        How many entries stand side by side.
    """
    down = ScaledTranslation(0, -36 / 72, ax.figure.dpi_scale_trans)
    ax.legend(
        handles=handles,
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        bbox_transform=ax.transAxes + down,
        borderaxespad=0.0,
        ncols=columns,
    )


def label_panels(axes: Panels) -> None:
    """Mark several panels as a, b, c, and give every panel ticks that can be read.

    Parameters
    ----------
    axes : array of matplotlib.axes.Axes
        The panels of a figure.
    """
    for ax in axes.ravel():
        plain_ticks(ax)
    shown = [ax for ax in axes.ravel() if ax.get_visible()]
    for letter, ax in zip("abcdefghijkl", shown if len(shown) > 1 else [], strict=False):
        ax.set_title(letter, loc="left", fontweight="bold")


def same_limits(panels: Sequence[Axes], which: str) -> None:
    """Give one axis of several panels the same limits, so that they can be compared.

    Parameters
    ----------
    panels : sequence of matplotlib.axes.Axes
        Side by side.
    which : str
        "x" or "y".
    """
    limits = [panel.get_xlim() if which == "x" else panel.get_ylim() for panel in panels]
    ends = min(low for low, _ in limits), max(high for _, high in limits)
    for panel in panels:
        panel.set(**{f"{which}lim": ends})


def save(made: Figure, folder: Path, stem: str) -> tuple[Path, Path]:
    """Write a figure as PNG and SVG without dates, so that equal figures are equal files.

    Parameters
    ----------
    made : matplotlib.figure.Figure
        The figure.
    folder : Path
        Where the files go.
    stem : str
        Their name, without its ending.

    Returns
    -------
    tuple of Path
        The PNG and the SVG.
    """
    png, svg = folder / f"{stem}.png", folder / f"{stem}.svg"
    with replacing(png) as sink:
        made.savefig(sink, format="png", metadata={"Software": None})
    with replacing(svg) as sink:
        made.savefig(sink, format="svg", metadata={"Date": None})
    return png, svg
