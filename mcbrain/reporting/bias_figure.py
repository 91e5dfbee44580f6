"""Figure: squared bias and variance beside the risk that they make up, over task samples."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from mcbrain.errors import InputError
from mcbrain.reporting.curves import most_brain
from mcbrain.reporting.style import COLOURS, figure, label_panels
from mcbrain.results.kept_replicates import output_name
from mcbrain.results.view import Results

__all__ = ["bias_figure"]

_PANELS = 4
# Column, its error, its words and how it is drawn.
_PARTS = (
    ("mean", "mcse", "excess risk", "o-"),
    ("bias2", "bias2_mcse", "squared bias", "s--"),
    ("variance", "variance_mcse", "variance", "^:"),
)


def bias_figure(results: Results) -> Figure:
    """Risk, squared bias and variance under the first shift over n_task, a panel for each method.

    Parameters
    ----------
    results : Results
        Of a study whose [output] asks for bias and variance.

    Returns
    -------
    matplotlib.figure.Figure
        The first four methods, of the first model.

    Raises
    ------
    InputError
        Fewer than three numbers of task samples, or results without bias and variance.
    """
    study = results.study
    if not study.output.bias_variance or "bias2" not in results.table.schema.names:
        raise InputError(
            "squared bias and variance are there where the study asks for them: "
            "bias_variance = true in [output]"
        )
    tasks = [t for t in range(len(study.n_task)) if results.asked[0, t].any()]
    brains = [most_brain(results, t) for t in tasks]
    if len(tasks) < 3:
        raise InputError("a curve over task samples needs at least three n_task")
    columns = {
        name: np.asarray(results.column(name), float) for part in _PARTS for name in part[:2]
    }
    known = np.isfinite(columns["bias2"][0, tasks, brains, :, 0]).any(axis=0)
    methods = np.flatnonzero(known)[:_PANELS].tolist()
    if not methods:
        raise InputError("squared bias and variance are known of isotropic Gaussian inputs alone")
    made, axes = figure(len(methods))
    x = np.array(study.n_task, float)[tasks]
    for ax, method in zip(axes[0], methods, strict=True):
        for (name, error, words, line), colour in zip(_PARTS, COLOURS, strict=False):
            y, e = (columns[c][0, tasks, brains, method, 0] for c in (name, error))
            there = np.isfinite(y) & (y > 0)  # an estimate of no bias may be below 0
            bars = 2.0 * np.nan_to_num(e[there])
            ax.errorbar(x[there], y[there], yerr=bars, fmt=line, color=colour, label=words)
        ax.axvline(study.models[0].input_dim, color="#999999", lw=0.9, zorder=0)
        ax.set(xscale="log", yscale="log", xlabel="task samples $n_T$")
        ax.set_title(output_name(study.methods[method]), loc="right")
    axes[0, 0].set_ylabel("excess risk and its parts")
    axes[0, 0].legend()
    label_panels(axes)
    return made
