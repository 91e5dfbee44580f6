"""The words and tables of a report; every number of a result names its row."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mcbrain.errors import InputError
from mcbrain.model import MODEL_FIELDS, toml_value
from mcbrain.report.curves import law_of, pick
from mcbrain.report.fits import fit_rows
from mcbrain.report.shift_figures import residuals
from mcbrain.worth.measured import value_in_results
from mcbrain.worth.results_view import Results

__all__ = ["page"]

_ROWS = 120
_VALUES = 24
_SYMBOLS = {
    "input_dim": "input dimension d",
    "latent_dim": "latents k",
    "n_channels": "channels p",
    "misalignment": "misalignment m",
    "task_noise": "task noise σ_y",
    "neural_noise": "neural noise σ_r",
    "latent_gains": "latent gains D",
    "measured_latents": "measured latents k_m",
}


def page(results: Results) -> dict[str, Any]:
    """Everything that the template needs but the figures."""
    study, record = results.study, results.provenance
    text = str(record.get("study_text", ""))
    aim = next((x.strip() for x in text.splitlines() if x.startswith("#")), "").lstrip("# ")
    values, baseline = _values(results)
    shown = _shown(results)
    sections = [
        ("findings", "Findings"),
        ("figures", "Figures"),
        ("agreement", "Law and simulation"),
    ]
    sections += [("value", "Value")] if values else []
    fits = fit_rows(results)
    sections += [("fits", "Scaling laws")] if fits else []
    sections += [("asked", "What was asked"), ("run", "What was run"), ("rows", "Results")]
    agreement = _agreement(results)
    return {
        "name": study.name,
        "aim": aim
        or "The study states no aim: a first line `# ...` in its file would be shown here.",
        "sections": [*sections, ("again", "Make it again")],
        "facts": _facts(results),
        "findings": _findings(results, values),
        "agreement": agreement,
        "values": values,
        "baseline": baseline,
        "fits": fits,
        "abstraction": _abstraction(results),
        "departures": _departures(results),
        "design": _design(results),
        "target": _target(results),
        "run": _run(results),
        "folder": str(results.folder.path),
        "total": f"{results.table.num_rows:,}",
        "shown": f"{len(shown):,}",
        "columns": [n for n, _ in shown[0]] if shown else [],
        "rows": shown,
        "words": ("estimator", "shift", "status", "prediction", "penalty_rule"),
        "command": _command(results),
        "study_text": text,
        "sha": record.get("study_sha256", ""),
    }


def _facts(results: Results) -> list[tuple[str, str]]:
    table, record = results.table, results.provenance
    replicates = results.column("replicates")
    per_point = replicates.max(axis=(3, 4)).sum()
    status = pc.value_counts(table["status"].cast(pa.string()))
    met = {str(x["values"]): int(x["counts"].as_py()) for x in status}
    return [
        ("engine", results.engine),
        ("points", f"{results.study.n_points:,}"),
        ("rows", f"{table.num_rows:,}"),
        ("replicates", f"{int(per_point):,}"),
        ("rows with status ok", f"{met.get('ok', 0):,}"),
        ("seed", str(results.study.seed)),
        ("finished", str(record.get("ended", "unknown"))),
    ]


def _findings(results: Results, values: list[list[str]]) -> list[str]:
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


def _agreement(results: Results) -> dict[str, Any]:
    z, rows, same = residuals(results)
    if not z.size:
        words = "No row here is evidence for a law"
        if same:
            words += f": {same:,} rows were computed through the law they would be held against"
        return {"bad": False, "rows": [], "sentence": words + "."}
    names = results.column("estimator").ravel()[rows]
    table = []
    for name in sorted(set(names)):
        mine = names == name
        worst = int(np.argmax(np.abs(z[mine])))
        table.append(
            [
                name,
                f"{int(mine.sum()):,}",
                _signed(float(z[mine].mean()), ".2f"),
                f"{z[mine].std():.2f}",
                f"{100 * np.mean(np.abs(z[mine]) > 2):.1f} %",
                f"{np.abs(z[mine]).max():.2f}",
                str(int(rows[mine][worst])),
            ]
        )
    largest = float(np.abs(z).max())
    # Bonferroni over the rows: how often independent rows would reach this by chance.
    chance = min(1.0, math.erfc(largest / math.sqrt(2.0)) * z.size)
    bad = chance < 0.01
    verdict = "disagree" if bad else "agree"
    return {
        "bad": bad,
        "rows": table,
        "sentence": (
            f"Simulation and law {verdict}: over {z.size:,} rows the largest difference is "
            f"{largest:.2f} standard errors (row {int(rows[np.argmax(np.abs(z))])}), which that "
            f"many rows reach by chance with probability {chance:.2g} at most; "
            f"{100 * np.mean(np.abs(z) > 2):.1f} % of rows are beyond 2 (4.6 % expected). "
            "Rows of one point share their data, so neighbours move together."
        ),
    }


def _values(results: Results) -> tuple[list[list[str]], str]:
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
        f"{_signed(100 * v / (n_task + v), '.1f')} %" if known else "–",
        _signed(v / n_brain, ".3f") if known else "–",
        str(int(np.ravel_multi_index(place, results.shape))),
        note,
    ]


def _count(value: float) -> str:
    return _signed(value, ",.1f") if np.isfinite(value) else "–"


def _signed(value: float, form: str) -> str:
    return format(value, form).replace("-", "−")


def _abstraction(results: Results) -> list[list[str]]:
    """Departures from the Gaussian model, and what they do to gain and value."""
    from mcbrain.worth.abstraction import departures

    study = results.study
    if all(m.isotropic for m in study.models) or len(study.models) > 60:
        return []
    task, brain = 0, len(study.n_brain) - 1
    try:
        found = departures(results, task, brain)
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


def _departures(results: Results) -> str:
    model = results.study.models[0]
    usual = {"inputs": "gaussian", "covariance": "identity", "latents": "linear"}
    usual["neural_law"] = "gaussian"
    found = [
        f"{name} = {', '.join(dict.fromkeys(str(getattr(m, name)) for m in results.study.models))}"
        for name, value in usual.items()
        if any(getattr(m, name) != value for m in results.study.models)
    ]
    return "; ".join(found) if model else ""


def _design(results: Results) -> list[tuple[str, str]]:
    study = results.study
    rows = []
    for field in MODEL_FIELDS:
        values = list(dict.fromkeys(toml_value(getattr(m, field)) for m in study.models))
        if field in _SYMBOLS or len(values) > 1:
            rows.append((_SYMBOLS.get(field, field), _listed(values)))
    rows.append(("task samples n_T", _listed([f"{n:,}" for n in study.n_task])))
    rows.append(("brain samples n_B", _listed([f"{n:,}" for n in study.n_brain])))
    choices = [
        f"{c.estimator.name} ({c.rule.kind if c.rule.kind != 'fixed' else f'{c.rule.value:g}'})"
        for c in study.choices
    ]
    rows.append(("estimators (penalty)", _listed(choices)))
    rows.append(("shifts", _listed([s.label for s in study.shifts])))
    return rows


def _listed(values: list[str], most: int = 24) -> str:
    if len(values) <= most:
        return ", ".join(values)
    return f"{', '.join(values[:6])}, …, {', '.join(values[-3:])} ({len(values):,} values)"


def _target(results: Results) -> str:
    precision = results.study.precision
    words = [
        f"{k} {v:g}" for k in ("relative", "absolute") if (v := getattr(precision, k)) is not None
    ]
    return (
        f"{' and '.join(words) or 'relative 0.01'}, at most {precision.max_replicates:,} replicates"
    )


def _run(results: Results) -> list[tuple[str, str]]:
    record = results.provenance
    # Rows of a point share their data, so a point's seconds count once.
    seconds = np.nan_to_num(results.column("seconds")).max(axis=(3, 4)).sum()
    versions = record.get("versions", {})
    return [
        ("engine", results.engine),
        ("core seconds in blocks", f"{seconds:,.1f}"),
        ("started, ended", f"{record.get('started', '?')}, {record.get('ended', '?')}"),
        ("machine", f"{record.get('processor', '?')}, {record.get('platform', '?')}"),
        ("versions", ", ".join(f"{k} {v}" for k, v in versions.items())),
        ("seed", str(results.study.seed)),
    ]


def _shown(results: Results) -> list[list[tuple[str, str]]]:
    table = results.table
    fields = [n for n in MODEL_FIELDS if n in table.schema.names]
    varied = [n for n in fields if len({getattr(m, n) for m in results.study.models}) > 1]
    names = [n for n in varied if n not in ("snr_task", "snr_brain")]
    names += ["n_task", "n_brain", "estimator", "penalty", "shift", "mean", "mcse", "predicted"]
    names += ["prediction", "gain", "replicates", "status"]
    size = table.num_rows
    take = np.arange(size)
    if size > _ROWS:
        take = np.unique(np.linspace(0, size - 1, _ROWS).round().astype(int))
    part = table.select(names).take(pa.array(take)).to_pylist()
    return [
        [("row", str(i)), *((n, _cell(r[n])) for n in names)]
        for i, r in zip(take.tolist(), part, strict=True)
    ]


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return _signed(value, ".4g")
    return f"{value:,}" if isinstance(value, int) else str(value)


def _command(results: Results) -> str:
    folder = results.folder.path
    return "\n".join(
        [
            "# the study as resolved, defaults written out",
            f"mcbrain run {folder / 'study.toml'} --out {folder.name}-again",
            f"mcbrain report {folder.name}-again",
            "",
            f"# this run: {results.provenance.get('command', 'unknown')}",
        ]
    )
