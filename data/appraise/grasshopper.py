"""A real example: two auditory receptor neurons of a grasshopper, recorded with two sounds.

    python data/appraise/grasshopper.py --out data/appraise

The recordings come inside `nitime` (BSD licence; extra `examples`) and are read from the installed
package. The first neuron plays the brain: its spikes while it heard a sound whose amplitude varied
at up to 200 Hz. The second plays the task: predict its spikes while it heard another such sound, of
up to 800 Hz. Does having recorded the first neuron help to learn what the second one responds to?
"""

from __future__ import annotations

import argparse
import base64
import html
import io
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from mcbrain.appraisal.appraising import appraise
from mcbrain.appraisal.arrays import Arrays
from mcbrain.appraisal.result import Appraisal
from mcbrain.errors import InputError
from mcbrain.typing import Floats

__all__ = ["appraise_grasshopper", "load_grasshopper"]

_SAMPLE = 50.0  # microseconds between samples of the stimulus files
_HISTORY = 30_000.0  # microseconds of sound before a response
_TOGETHER = 50_000.0  # microseconds of recording that are held out together
_PARTS = 5  # of a bin, counted separately in the brain recording


def load_grasshopper(bin_width: float = 2500.0) -> Arrays:
    """Sound and spikes as task and brain arrays.

    Parameters
    ----------
    bin_width : float
        Microseconds. The default is the finest at which the first sound, band-limited to 200 Hz,
        still varies in every bin.

    Returns
    -------
    Arrays
        A row for each bin. Inputs: sound level in dB in the bins of the last 30 ms, the present one
        last. y: spikes of the second neuron in the bin. R: spikes of the first neuron in each fifth
        of the bin.

    Raises
    ------
    InputError
        If nitime is not installed.
    """
    found = find_spec("nitime")
    if found is None or not found.submodule_search_locations:
        raise InputError("the recordings are part of nitime: pip install 'mcbrain[examples]'")
    folder = Path(next(iter(found.submodule_search_locations))) / "data"
    X_brain, R = _rows(folder, 1, bin_width, _PARTS)
    X, y = _rows(folder, 2, bin_width, 1)
    return Arrays(X, y[:, 0], X_brain, R)


def appraise_grasshopper(bin_width: float = 2500.0) -> Appraisal:
    """The appraisal of `load_grasshopper`, stretches of 50 ms held out together."""
    return appraise(*load_grasshopper(bin_width), block_length=int(_TOGETHER / bin_width))


def _rows(folder: Path, recording: int, bin_width: float, parts: int) -> tuple[Floats, Floats]:
    """Sound histories (n, bins of history) and spike counts (n, parts) of one recording."""
    sound = np.loadtxt(folder / f"grasshopper_stimulus{recording}.txt", usecols=1)
    spikes = np.loadtxt(folder / f"grasshopper_spike_times{recording}.txt")
    samples, lags = int(bin_width / _SAMPLE), int(_HISTORY / bin_width)
    bins = sound.size // samples
    level = 20 * np.log10(sound[: bins * samples].reshape(bins, samples).mean(axis=1))
    edges = np.arange(bins * parts + 1) * bin_width / parts
    counts = np.histogram(spikes, edges)[0].reshape(bins, parts)
    history = np.lib.stride_tricks.sliding_window_view(level, lags)
    return np.ascontiguousarray(history), counts[lags - 1 :].astype(np.float64)


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Grasshopper recordings appraised</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto;
padding: 0 1rem; color: #222; overflow-wrap: anywhere }} h1, h2 {{ line-height: 1.25 }}
.wide, pre {{ overflow-x: auto }} .wide img {{ width: 100%; min-width: 60rem; display: block }}
pre {{ background: #f6f6f6; padding: 1rem; font-size: 13px; overflow-wrap: normal }}</style>
<h1>What one neuron's recording is worth for predicting another</h1>
<p>Two auditory receptor neurons of a grasshopper, each recorded for 10 s with a sound of randomly
varying amplitude (recordings distributed with nitime). Inputs: the sound level during the last
30 ms. Brain data: spikes of the first neuron, whose sound varied at up to 200 Hz. Task: spikes of
the second neuron, whose sound varied at up to 800 Hz. Curves are the predictions of
the fitted model; points were measured on held-out stretches of 50 ms. Bars and bands are 95 %
intervals.</p>
{sections}
<p>Made by <code>python data/appraise/grasshopper.py</code>.</p></html>
"""


def _section(title: str, result: Appraisal) -> str:
    picture = io.BytesIO()
    result.figure().savefig(picture, format="png", dpi=110)
    encoded = base64.b64encode(picture.getvalue()).decode()
    return (
        f"<h2>{title}</h2>\n<p>{html.escape(result.verdict.paragraph)}</p>\n"
        f'<div class="wide" tabindex="0"><img alt="learning curves" '
        f'src="data:image/png;base64,{encoded}"></div>\n'
        f'<pre tabindex="0">{html.escape(result.summary().rsplit(chr(10), 1)[0])}</pre>'
    )


def main() -> None:
    """Write grasshopper.html and grasshopper.png."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path())
    out = parser.parse_args().out
    fitting, fine = appraise_grasshopper(), appraise_grasshopper(1000.0)
    sections = [
        _section("Bins of 2.5 ms, in which both sounds vary", fitting),
        _section("Bins of 1 ms, finer than the first sound varies", fine),
    ]
    (out / "grasshopper.html").write_text(_PAGE.format(sections="\n".join(sections)))
    fitting.figure().savefig(out / "grasshopper.png", dpi=110)
    print(fitting.summary(), fine.summary(), sep="\n\n")


if __name__ == "__main__":
    main()
