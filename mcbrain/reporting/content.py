"""The words and tables of a report; every number that is taken from a row says which row."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mcbrain.population.model import MODEL_FIELDS
from mcbrain.population.spelling import toml_value
from mcbrain.reporting.findings import abstraction, departures, findings
from mcbrain.reporting.fits import fit_rows
from mcbrain.reporting.shift_figures import residuals
from mcbrain.reporting.value_table import value_table
from mcbrain.reporting.words import signed
from mcbrain.results.drawn import drawn
from mcbrain.results.view import Results
from mcbrain.store.provenance import codes_of, last_run

__all__ = ["page"]

_ROWS = 120
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


def page(results: Results) -> dict[str, object]:
    """Everything that the template of the page needs, its figures aside.

    Parameters
    ----------
    results : Results
        Of any engine.

    Returns
    -------
    dict
        Words, tables of words and flags, by the names that the template uses.
    """
    study, record = results.study, results.provenance
    text = str(record.get("study_text", ""))
    aim = next((x.strip() for x in text.splitlines() if x.startswith("#")), "").lstrip("# ")
    worth = value_table(results)
    shown = _shown(results)
    fits = fit_rows(results)
    agreement = _agreement(results)
    return {
        "name": study.name,
        "aim": aim
        or "The study states no aim: a first line of its file that begins with # is shown here.",
        "sections": _sections(bool(worth.rows), bool(fits)),
        "incomplete": _incomplete(results),
        "facts": _facts(results),
        "findings": findings(results, worth.rows),
        "agreement": agreement,
        "values": [r.cells for r in worth.rows],
        "bounded": any(r.bounded for r in worth.rows),
        "values_shown": worth.shown,
        "baseline": worth.baseline,
        "fits": fits,
        "abstraction": abstraction(results),
        "departures": departures(results),
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


def _sections(worth: bool, fits: bool) -> list[tuple[str, str]]:
    """Anchors and titles of what the page holds."""
    return [
        ("findings", "Findings"),
        ("figures", "Figures"),
        ("agreement", "Law and simulation"),
        *([("value", "Value")] if worth else []),
        *([("fits", "Scaling laws")] if fits else []),
        ("asked", "What was asked"),
        ("run", "What was run"),
        ("rows", "Results"),
        ("again", "Make it again"),
    ]


def _facts(results: Results) -> list[tuple[str, str]]:
    """Names and values of the facts at the head of the page."""
    table, last = results.table, last_run(results.provenance)
    status = pc.value_counts(table["status"].cast(pa.string()))
    met = {str(x["values"]): int(x["counts"].as_py()) for x in status}
    drew = "brain replicates" if results.engine == "spectral" else "replicates"
    return [
        ("engine", results.engine),
        ("points", f"{results.study.n_points:,}"),
        ("rows", f"{table.num_rows:,}"),
        (f"{drew} behind the rows", f"{drawn(results, 'replicates'):,.0f}"),
        ("rows with status ok", f"{met.get('ok', 0):,}"),
        ("seed", str(results.study.seed)),
        ("stopped" if results.unreached.any() else "finished", str(last.get("ended", "unknown"))),
    ]


def _incomplete(results: Results) -> str:
    """How far the rows are, in a sentence; empty where every row reached its precision."""
    unmet, met = (int(results.among("status", word).sum()) for word in ("mcse_not_met", "ok"))
    if not unmet:
        return ""
    words = f"Incomplete: {met:,} of {met + unmet:,} rows reached their precision"
    if undone := int(results.unreached.sum()):
        return (
            f"{words}, and {undone:,} have no mean yet. What follows is of the rows that have one; "
            "the same command goes on where the run was stopped."
        )
    return f"{words}; the others end with a larger standard error (status mcse_not_met)."


def _agreement(results: Results) -> dict[str, object]:
    """Whether simulation and laws agree, in a sentence, and a row of a table for each estimator."""
    z, rows, same = residuals(results)
    if not z.size:
        words = "No row here is evidence for a law"
        if same:
            words += f": {same:,} rows were computed through the law they would be held against"
        return {"bad": False, "rows": [], "sentence": words + "."}
    names = results.column("estimator").ravel()[rows]
    rows = results.row(np.unravel_index(rows, results.shape))
    table = []
    for name in sorted(set(names)):
        mine = names == name
        worst = int(np.argmax(np.abs(z[mine])))
        table.append(
            [
                name,
                f"{int(mine.sum()):,}",
                signed(float(z[mine].mean()), ".2f"),
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


def _design(results: Results) -> list[tuple[str, str]]:
    """What was asked: fields of the model, samples, estimators and shifts, each with its values."""
    study = results.study
    rows = []
    for field in MODEL_FIELDS:
        values = list(dict.fromkeys(toml_value(getattr(m, field)) for m in study.models))
        if field in _SYMBOLS or len(values) > 1:
            rows.append((_SYMBOLS.get(field, field), _listed(values)))
    rows += _samples(study.design.table)
    methods = [method.label for method in study.methods]
    rows.append(("estimators (penalty)", _listed(methods)))
    rows.append(("shifts", _listed([s.label for s in study.shifts])))
    return rows


def _samples(design: Mapping[str, object]) -> list[tuple[str, str]]:
    """The numbers of samples that were asked for, as the study spells them."""
    names = {"n_task": "task samples n_T", "n_brain": "brain samples n_B"}
    names |= {"points": "points [n_T, n_B]", "where": "where"}
    return [
        (names[key], _listed([f"{v:,}" if isinstance(v, int) else str(v) for v in values]))
        for key, value in design.items()
        for values in [value if isinstance(value, list) else [value]]
    ]


def _listed(values: list[str], most: int = 24) -> str:
    """Values separated by commas; the first and the last where there are many."""
    if len(values) <= most:
        return ", ".join(values)
    return f"{', '.join(values[:6])}, …, {', '.join(values[-3:])} ({len(values):,} values)"


def _target(results: Results) -> str:
    """The precision that was asked for, in words."""
    precision = results.study.precision
    words = [
        f"{k} {v:g}" for k in ("relative", "absolute") if (v := getattr(precision, k)) is not None
    ]
    return (
        f"{' and '.join(words) or 'relative 0.01'}, at most {precision.max_replicates:,} replicates"
    )


def _run(results: Results) -> list[tuple[str, str]]:
    """What was run: engine, replicates, time, code and machine."""
    record = last_run(results.provenance)
    versions = record.get("versions", {})
    drew = "brain replicates" if results.engine == "spectral" else "replicates"
    return [
        ("engine", results.engine),
        (drew, f"{drawn(results, 'replicates'):,.0f}, pilots that set penalties not counted"),
        ("core seconds in blocks", f"{drawn(results, 'seconds'):,.1f}"),
        ("started, ended", f"{record.get('started', '?')}, {record.get('ended', '?')}"),
        ("code", "; ".join(code.name for code in codes_of(results.provenance))),
        ("machine", f"{record.get('processor', '?')}, {record.get('platform', '?')}"),
        ("versions", ", ".join(f"{k} {v}" for k, v in versions.items())),
        ("seed", str(results.study.seed)),
    ]


def _shown(results: Results) -> list[list[tuple[str, str]]]:
    """The rows that the page shows, spread over all: names and words of each cell."""
    table = results.table
    names = [*results.varied]
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


def _cell(value: object) -> str:
    """A value of a row in words."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return signed(value, ".4g")
    return f"{value:,}" if isinstance(value, int) else str(value)


def _command(results: Results) -> str:
    """The commands that make the results and the page again."""
    folder = results.folder.path
    return "\n".join(
        [
            "# the study as resolved, defaults written out",
            f"mcbrain run {folder / 'study.toml'} --out {folder.name}-again",
            f"mcbrain report {folder.name}-again",
            "",
            f"# this run: {last_run(results.provenance).get('command', 'unknown')}",
        ]
    )
