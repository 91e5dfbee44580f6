"""What a report finds: its sentences, the values of brain data, and departures from the model."""

from __future__ import annotations

from typing import Any

import numpy as np

from mcbrain.errors import InputError
from mcbrain.report.curves import law_of, pick
from mcbrain.report.words import USUAL
from mcbrain.worth.measured import value_in_results
from mcbrain.worth.results_view import Results

__all__ = ["abstraction", "departures", "findings", "signed", "values"]

_VALUES = 24


def findings(results: Results, values: list[list[str]]) -> list[str]:
    """What a reader should take home, a sentence each, naming its row."""
    study, found = results.study, []
    gains = np.asarray(results.column("gain"), float)
    befs = results.choice("befs")
    if befs is not None and study.baseline() is not None:
        with_brain = np.array(study.n_brain)[:, None] > 0
        for b, s in _extremes(np.where(with_brain, gains[:, :, :, befs, :], np.nan)):
            place = (*s[:3], befs, s[3])
            row = int(np.ravel_multi_index(place, results.shape))
            error = np.asarray(results.column("gain_mcse"), float)[place]
            found.append(
                f"The {b} gain of BEFS is {gains[place]:.3g} ± {2 * error:.2g} at n_T = "
                f"{study.n_task[s[1]]:,}, n_B = {study.n_brain[s[2]]:,}, "
                f"m = {study.models[s[0]].misalignment:g}, under {study.shifts[s[3]].label} "
                f"(row {row})."
            )
    good = [r for r in values if r[5] != "–"]
    if good:
        best = max(good, key=lambda r: float(r[5].replace(",", "").replace("−", "-")))
        found.append(
            f"Among the cells of the value table, brain data is worth most at n_T = {best[3]}, "
            f"n_B = {best[4]}, m = {best[0]}: {best[5]} task samples, 95 % interval {best[6]}; "
            f"the law says {best[7]} (row {best[10]})."
        )
    hurt = [r for r in good if r[5].startswith("−")]
    if hurt:
        found.append(f"In {len(hurt)} of {len(good)} cells of the value table brain data hurts.")
    if befs is not None and (sentence := _half_space(results)):
        found.append(sentence)
    unmet = int((results.column("status") == "mcse_not_met").sum())
    if unmet:
        found.append(
            f"{unmet:,} rows did not reach the precision that was asked for (mcse_not_met)."
        )
    return found or ["These results hold no estimator that uses brain data; see the table of rows."]


def _half_space(results: Results) -> str:
    from mcbrain.worth.robustness import half_space

    study, model = results.study, results.study.models[0]
    tasks = [t for t in study.n_task if t > study.rank(model) + 7]
    brains = [b for b in study.n_brain if b >= study.rank(model)]
    if len(study.shifts) < 2 or not tasks or not brains or law_of(results, 0) is None:
        return ""
    found = half_space(model, tasks[len(tasks) // 3], brains[-1])
    return (
        f"By the laws at n_T = {tasks[len(tasks) // 3]:,}, n_B = {brains[-1]:,}, "
        f"against tuned ridge: {found.verdict()}"
    )


def _extremes(gains: Any) -> list[tuple[str, tuple[int, ...]]]:
    """Places (model, n_task, n_brain, shift) of the largest and the smallest gain."""
    seen = np.where(np.isfinite(gains), gains, np.nan)
    if np.all(np.isnan(seen)):
        return []
    places = (np.nanargmax(seen), np.nanargmin(seen))
    shaped = [tuple(int(i) for i in np.unravel_index(p, seen.shape)) for p in places]
    return [("largest", shaped[0]), ("smallest", shaped[1])]


def values(results: Results) -> tuple[list[list[str]], str]:
    """Rows of the table of values, and the words for their baseline."""
    study = results.study
    befs, base = results.choice("befs"), study.baseline()
    if befs is None or base is None or len(study.n_task) < 2:
        return [], ""
    name, s = base.estimator.name, 0
    if study.shifts[s].label != "id":
        return [], ""
    ranks = max(study.rank(m) for m in study.models)
    tasks = [t for t, n in enumerate(study.n_task) if n > ranks + 7]
    tasks = tasks[: max(1, 2 * len(tasks) // 3)]  # beyond them the baseline is rarely reached
    brains = [b for b, n in enumerate(study.n_brain) if n >= ranks]
    models = pick(list(study.models), 4)
    per = max(1, _VALUES // max(1, len(models) * min(len(tasks), 3)))
    chosen = [
        (i, tasks[t], brains[b])
        for i in models
        for t in pick(tasks, 3)
        for b in pick(brains, min(per, 6))
    ]
    rows = []
    for i, t, b in chosen:
        try:
            rows.append(_value_row(results, (i, t, b, befs, s), name))
        except InputError:
            return [], ""
    return rows, "tuned ridge" if base.tuned else "OLS"


def _value_row(results: Results, place: tuple[int, int, int, int, int], baseline: str) -> list[str]:
    study = results.study
    i, t, b, _, _ = place
    model, n_task, n_brain = study.models[i], study.n_task[t], study.n_brain[b]
    found, note = value_in_results(results, i, t, b, baseline)
    v, law = float(found.value), "–"
    surface = law_of(results, i)
    if surface is not None:
        law = _count(float(surface.samples_for(surface.risk(n_task, n_brain), baseline)) - n_task)
    known = np.isfinite(v)
    return [
        f"{model.misalignment:g}",
        f"{model.sigma_y:g}",
        f"{model.sigma_r:g}",
        f"{n_task:,}",
        f"{n_brain:,}",
        _count(v),
        f"{_count(float(found.low))} to {_count(float(found.high))}" if known else "–",
        law,
        f"{signed(100 * v / (n_task + v), '.1f')} %" if known else "–",
        signed(v / n_brain, ".3f") if known else "–",
        str(int(np.ravel_multi_index(place, results.shape))),
        note,
    ]


def _count(value: float) -> str:
    return signed(value, ",.1f") if np.isfinite(value) else "–"


def signed(value: float, form: str) -> str:
    """A number with a true minus sign."""
    return format(value, form).replace("-", "−")


def abstraction(results: Results) -> list[list[str]]:
    """Departures from the Gaussian model, and what they do to gain and value."""
    from mcbrain.worth.abstraction import departures as measured_departures

    study = results.study
    if all(m.isotropic for m in study.models) or len(study.models) > 60:
        return []
    task, brain = 0, len(study.n_brain) - 1
    try:
        found = measured_departures(results, task, brain)
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
    """How the study departs from the linear Gaussian model, in its own keys."""
    return "; ".join(
        f"{name} = {', '.join(dict.fromkeys(str(getattr(m, name)) for m in results.study.models))}"
        for name, value in USUAL.items()
        if any(getattr(m, name) != value for m in results.study.models)
    )
