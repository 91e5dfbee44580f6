"""What a report finds: sentences for the reader, and departures from the linear Gaussian model."""

from __future__ import annotations

import numpy as np

from mcbrain.errors import InputError
from mcbrain.reporting.curves import law_of
from mcbrain.reporting.value_table import ValueRow
from mcbrain.reporting.words import count, model_words, plain
from mcbrain.results.view import Results
from mcbrain.typing import Floats
from mcbrain.worth.abstraction import LINEAR_GAUSSIAN
from mcbrain.worth.abstraction import departures as departures_of

__all__ = ["abstraction", "departures", "findings"]


def findings(results: Results, values: list[ValueRow]) -> list[str]:
    """What a reader should take home.

    Parameters
    ----------
    results : Results
        Of any engine.
    values : list of ValueRow
        The rows of the table of values.

    Returns
    -------
    list of str
        A sentence each, with the number of the row that it is taken from.
    """
    study, found = results.study, []
    gains, errors = (np.asarray(results.column(c), float) for c in ("gain", "gain_mcse"))
    gains = np.where(np.isfinite(errors), gains, np.nan)
    befs = results.method("befs")
    if befs is not None and study.baseline() is not None:
        so_far = " so far" if results.unreached.any() else ""
        with_brain = np.array(study.n_brain)[:, None] > 0
        for b, s in _extremes(np.where(with_brain, gains[:, :, :, befs, :], np.nan)):
            place = (*s[:3], befs, s[3])
            row = int(results.row(place))
            found.append(
                f"The {b} gain of BEFS{so_far} is {gains[place]:.3g} ± {2 * errors[place]:.2g} "
                f"at n_T = {study.n_task[s[1]]:,}, n_B = {study.n_brain[s[2]]:,}, "
                f"{plain(model_words(results, s[0]))}, under {study.shifts[s[3]].label} "
                f"(row {row})."
            )
    if several := results.one_of_several():
        found.append(several)
    found += _worth(values)
    if befs is not None and (sentence := _half_space(results)):
        found.append(sentence)
    return found or ["These results hold no estimator that uses brain data; see the table of rows."]


def _worth(values: list[ValueRow]) -> list[str]:
    """Where in the table of values brain data is worth most, and how often it hurts."""
    known, found = [r for r in values if np.isfinite(r.value)], []
    if known:
        best = max(known, key=lambda r: r.value)
        m, _, _, n_task, n_brain, _, interval, law, _, _, row, _ = best.cells
        found.append(
            f"Among the rows of the value table, brain data is worth most at n_T = {n_task}, "
            f"n_B = {n_brain}, m = {m}: {count(best.value)} task samples, 95 % interval "
            f"{interval}; the asymptotic law says {law} (row {row})."
        )
    hurt, unclear = (sum(x) for x in ((r.hurts for r in values), (r.unclear for r in values)))
    if hurt:
        found.append(
            f"In {hurt} of the {len(values)} rows of the value table brain data hurts: its 95 % "
            "interval is below 0, or BEFS is worse than predicting zero."
        )
    if unclear:
        found.append(
            f"In {unclear} of the {len(values)} rows of the value table the interval holds 0: "
            "these results cannot tell whether brain data helps there."
        )
    return found


def _half_space(results: Results) -> str:
    """Which shifts favour BEFS, of the model whose brain misses most: it has most to lose."""
    from mcbrain.worth.robustness import half_space

    study = results.study
    place = max(range(len(study.models)), key=lambda i: study.models[i].misalignment)
    model = study.models[place]
    tasks = [t for t in study.n_task if t > study.rank(model) + 7]
    brains = [b for b in study.n_brain if b >= study.rank(model)]
    if len(study.shifts) < 2 or not tasks or not brains or law_of(results, place) is None:
        return ""
    if model.input_dim < model.latent_dim + 2:
        # The half-space needs a direction outside the latents and u.
        return ""
    task, brain = tasks[len(tasks) // 3], brains[-1]
    beside = results.asked[place, study.n_task.index(task)]
    brain = next((n for n in reversed(brains) if beside[study.n_brain.index(n)]), brain)
    found = half_space(model, task, brain)
    return (
        f"By the laws for {plain(model_words(results, place))} at "
        f"n_T = {task:,}, n_B = {brain:,}, against tuned ridge: "
        f"{found.verdict()}"
    )


def _extremes(gains: Floats) -> list[tuple[str, tuple[int, ...]]]:
    """Places (model, n_task, n_brain, shift) of the largest and the smallest gain."""
    seen = np.where(np.isfinite(gains), gains, np.nan)
    if np.all(np.isnan(seen)):
        return []
    places = (np.nanargmax(seen), np.nanargmin(seen))
    shaped = [tuple(int(i) for i in np.unravel_index(p, seen.shape)) for p in places]
    return [("largest", shaped[0]), ("smallest", shaped[1])]


def abstraction(results: Results) -> list[list[str]]:
    """What departures from the linear Gaussian model do to gain and value.

    Parameters
    ----------
    results : Results
        Of the raw or the sufficient engine.

    Returns
    -------
    list of list of str
        A row for each model: what departs, n_task, n_brain, and the ratios of gain and of value to
        the laws of the Gaussian model. Empty where no model departs, no point is common to all
        models, or nothing can be said.
    """
    study = results.study
    if all(m.isotropic for m in study.models) or len(study.models) > 60:
        return []
    common = np.argwhere(results.asked.all(axis=0))
    if not common.size:
        return []
    brain = int(common[:, 1].max())
    task = int(common[common[:, 1] == brain, 0].min())
    try:
        found = departures_of(results, task, brain)
    except InputError:
        return []
    rows = []
    for one in found:
        cells = [one.words, f"{study.n_task[task]:,}", f"{study.n_brain[brain]:,}"]
        for ratio in (one.gain_ratio, one.value_ratio):
            cells.append(
                "–"
                if ratio is None
                else f"{float(ratio.value):.3f} ({float(ratio.low):.3f} to {float(ratio.high):.3f})"
            )
        rows.append(cells)
    return rows


def departures(results: Results) -> str:
    """How the study departs from the linear Gaussian model, in the keys of its file.

    Parameters
    ----------
    results : Results
        Of any engine.

    Returns
    -------
    str
        Empty where nothing departs.
    """
    return "; ".join(
        f"{name} = {', '.join(dict.fromkeys(str(getattr(m, name)) for m in results.study.models))}"
        for name, value in LINEAR_GAUSSIAN.items()
        if any(getattr(m, name) != value for m in results.study.models)
    )
