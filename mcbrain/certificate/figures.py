"""Figures of the certificate, as PNG data that a page can hold."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mcbrain.certificate.approximations import ErrorMap
from mcbrain.certificate.scores import Score, family_bound
from mcbrain.drawing import load_matplotlib
from mcbrain.typing import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["error_map", "predicted_error", "qq_plot", "scores_by_dimension"]

_BLUE, _ORANGE, _GREY = "#1f5fa8", "#c8561b", "#777777"


def qq_plot(scores: Sequence[Score], families: Sequence[str], alarm: float) -> str:
    """Ordered z-scores of each family against normal quantiles, with its family-wise bound.

    Parameters
    ----------
    scores : sequence of Score
        Scores of all families.
    families : sequence of str
        One panel each.
    alarm : float
        False-alarm rate of the bound within a family.

    Returns
    -------
    str
        A PNG as a data address.
    """
    from scipy.special import ndtri

    figure, axes = _figure(3.2 * len(families), 3.4, len(families))
    for axis, family in zip(axes, families, strict=True):
        z = np.sort([s.z for s in scores if s.family == family and s.z is not None])
        quantiles = ndtri((np.arange(z.size) + 0.5) / max(z.size, 1))
        bound = family_bound(z.size, alarm)
        edge = max(4.0, bound)
        axis.plot([-edge, edge], [-edge, edge], color=_GREY, lw=0.8)
        for sign in (-1, 1):
            axis.axhline(sign * bound, color=_ORANGE, lw=0.8, ls="--")
        inside = np.abs(z) <= 1.5 * edge
        axis.plot(quantiles[inside], z[inside], ".", color=_BLUE, ms=3)
        outside = int((~inside).sum())
        axis.set_title(f"{family}\n{z.size} z-scores" + f", {outside} off the plot" * bool(outside))
        axis.set_xlabel("normal quantile")
    axes[0].set_ylabel("z-score")
    return _png(figure)


def scores_by_dimension(scores: Sequence[Score]) -> str:
    """z-scores of the laws over the dimension and over samples for each dimension.

    Parameters
    ----------
    scores : sequence of Score
        Those of laws are shown.

    Returns
    -------
    str
        A PNG as a data address.
    """
    shown = [s for s in scores if s.z is not None and s.family.endswith("laws")]
    d = np.array([s.input_dim for s in shown], float)
    z = np.clip([s.z or 0.0 for s in shown], -8.0, 8.0)
    figure, axes = _figure(11.0, 3.2, 3)
    panels: list[tuple[str, Floats]] = [
        ("d", d),
        ("n_T / d", np.array([s.n_task for s in shown]) / d),
        ("n_B / d", np.maximum([s.n_brain for s in shown], 1.0) / d),
    ]
    for axis, (label, x) in zip(axes, panels, strict=True):
        axis.plot(x, z, ".", color=_BLUE, ms=2.5, alpha=0.6)
        axis.axhline(0.0, color=_GREY, lw=0.8)
        _log_axis(axis, label)
    axes[0].set_ylabel("z-score (clipped at 8)")
    return _png(figure)


def error_map(one: ErrorMap) -> str:
    """Relative error in percent, a coloured number for each dimension and ratio of samples.

    Parameters
    ----------
    one : ErrorMap
        The map to draw.

    Returns
    -------
    str
        A PNG as a data address.
    """
    load_matplotlib()
    from matplotlib.colors import SymLogNorm

    figure, (axis,) = _figure(1.6 + 0.78 * len(one.ratios), 1.5 + 0.36 * len(one.dims), 1)
    percent = 100.0 * one.error
    norm = SymLogNorm(0.1, vmin=-100.0, vmax=100.0)
    axis.imshow(percent, cmap="RdBu_r", norm=norm, aspect="auto")
    for i, j in np.ndindex(percent.shape):
        strong = np.isfinite(percent[i, j]) and abs(percent[i, j]) > 8.0
        axis.text(
            j,
            i,
            _spelled(float(percent[i, j])),
            ha="center",
            va="center",
            fontsize=8,
            color="white" if strong else "black",
        )
    axis.set_xticks(range(len(one.ratios)), [f"{r:g}" for r in one.ratios])
    axis.set_yticks(range(len(one.dims)), [str(d) for d in one.dims])
    axis.set_xlabel(one.samples)
    axis.set_ylabel("d")
    axis.set_title(f"{one.section}  {one.title}: error in %")
    return _png(figure)


def predicted_error(scores: Sequence[Score]) -> str:
    """Relative error of the whole risk by laws 5b and 5e, as `mcbrain predict` gives it.

    Parameters
    ----------
    scores : sequence of Score
        Those with an asymptotic prediction are shown.

    Returns
    -------
    str
        A PNG as a data address.
    """
    figure, axes = _figure(8.0, 3.4, 2)
    for law, two_bands, colour in (("5b", False, _BLUE), ("5e", True, _ORANGE)):
        shown = [
            s
            for s in scores
            if s.asymptotic is not None and s.mean and (s.excluded != "") == two_bands
        ]
        error = 100 * np.array([(s.asymptotic or 0.0) / (s.mean or 1.0) - 1.0 for s in shown])
        noise = 100 * np.array([(s.mcse or 0.0) / (s.mean or 1.0) for s in shown])
        d = np.array([s.input_dim for s in shown], float)
        n_brain = np.array([s.n_brain for s in shown], float)
        for axis, x in zip(axes, (d, n_brain / d), strict=True):
            axis.errorbar(
                x, error, noise, fmt=".", color=colour, ms=3, lw=0.5, label=law, alpha=0.6
            )
    for axis, label in zip(axes, ("d", "n_B / d"), strict=True):
        axis.axhline(0.0, color=_GREY, lw=0.8)
        _log_axis(axis, label)
        axis.set_yscale("symlog", linthresh=1.0)
    axes[0].set_ylabel("risk by law, error in %")
    axes[0].legend(fontsize=8)
    return _png(figure)


def _log_axis(axis: Axes, label: str) -> None:
    """A logarithmic axis with plain numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_xscale("log")
    axis.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set_xlabel(label)


def _spelled(percent: float) -> str:
    """A percentage in at most four characters; a dash where there is none."""
    if not np.isfinite(percent):
        return "–"
    if abs(percent) >= 10.0:
        return f"{percent:.0f}"
    return f"{percent:.0e}" if abs(percent) < 0.01 else f"{percent:.2g}"


def _figure(width: float, height: float, columns: int) -> tuple[Figure, Sequence[Axes]]:
    """A figure of panels side by side, in inches, and its axes."""
    load_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = [figure.add_subplot(1, columns, i + 1) for i in range(columns)]
    for axis in axes:
        axis.tick_params(labelsize=8)
        axis.title.set_fontsize(9)
    return figure, axes


def _png(figure: Figure) -> str:
    """The figure as a data address."""
    sink = io.BytesIO()
    figure.savefig(sink, format="png", dpi=120, metadata={"Software": None})
    return "data:image/png;base64," + base64.b64encode(sink.getvalue()).decode()
