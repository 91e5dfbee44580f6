"""The table of values: what brain data is worth at some points of a study, simulated and by law."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcbrain.asking.estimators import Method
from mcbrain.errors import InputError
from mcbrain.reporting.curves import law_of, pick
from mcbrain.reporting.words import count, signed
from mcbrain.results.view import Results
from mcbrain.worth.inversion import samples_for
from mcbrain.worth.simulated import SimulatedValue, value_in_results
from mcbrain.worth.surface import Surface

__all__ = ["ValueRow", "ValueTable", "value_table"]

_ROWS = 24
Place = tuple[int, int, int, int, int]


@dataclass(frozen=True)
class ValueRow:
    """A point of the study and its value.

    Attributes
    ----------
    value, low, high : float
        v_T and its 95 % interval; NaN where the baseline's curve does not hold the risk of BEFS.
    hurts : bool
        Whether the interval is below 0, or BEFS is worse than predicting zero.
    bounded : bool
        Whether the cell of the value is a bound such as "> 120".
    cells : list of str
        m, sigma_y, sigma_r, n_T, n_B, v_T, interval, law, saved, rate, row, note.
    """

    value: float
    low: float
    high: float
    hurts: bool
    bounded: bool
    cells: list[str]

    @property
    def unclear(self) -> bool:
        """Whether the interval holds 0."""
        return self.low <= 0 <= self.high


@dataclass(frozen=True)
class ValueTable:
    """The table of values of a report.

    Attributes
    ----------
    rows : list of ValueRow
        In the order of the study's points.
    baseline : str
        The baseline in words; empty where there are no rows.
    shown : str
        Which points of the study the rows are, in a sentence.
    """

    rows: list[ValueRow]
    baseline: str
    shown: str


def value_table(results: Results) -> ValueTable:
    """The values at some points, spread evenly over the study.

    Parameters
    ----------
    results : Results
        Of any engine.

    Returns
    -------
    ValueTable
        About two dozen rows; none where the study has no value.
    """
    study, none = results.study, ValueTable([], "", "")
    befs, base = results.method("befs"), study.baseline()
    if befs is None or base is None or len(study.n_task) < 2 or study.shifts[0].label != "id":
        return none
    ranks = max(study.rank(m) for m in study.models)
    tasks = [t for t, n in enumerate(study.n_task) if n > ranks + 7]
    # With more task samples the baseline rarely reaches the risk of BEFS within the study.
    tasks = tasks[: max(1, 2 * len(tasks) // 3)]
    brains = [b for b, n in enumerate(study.n_brain) if n >= ranks]
    if not study.design.full:
        return _spread(results, befs, tasks, brains, base)
    models = pick(list(study.models), 4)
    per = max(1, _ROWS // max(1, len(models) * min(len(tasks), 3)))
    tasks = [tasks[t] for t in pick(tasks, 3)]
    brains = [brains[b] for b in pick(brains, min(per, 6))]
    places = [(i, t, b, befs, 0) for i in models for t in tasks for b in brains]
    try:
        rows = [_row(results, place, base.estimator.name) for place in places]
    except InputError:
        return none
    shown = (
        f"Of the study's points the table shows {len(models)} of {len(study.models):,} models, "
        f"{len(tasks)} of {len(study.n_task):,} n_T and {len(brains)} of {len(study.n_brain):,} "
        "n_B, spread evenly; the largest third of n_T is left out, where the baseline rarely "
        "reaches the risk of BEFS within the study."
    )
    return ValueTable(rows, _in_words(base), shown)


def _spread(
    results: Results, befs: int, tasks: list[int], brains: list[int], base: Method
) -> ValueTable:
    """The values at some points of a study that is no full grid, spread evenly over those asked."""
    usable = np.zeros(results.asked.shape, bool)
    usable[np.ix_(range(len(usable)), tasks, brains)] = True
    points = np.argwhere(results.asked & usable).tolist()
    places = [(i, t, b, befs, 0) for i, t, b in (points[p] for p in pick(points, _ROWS))]
    try:
        rows = [_row(results, place, base.estimator.name) for place in places]
    except InputError:
        return ValueTable([], "", "")
    shown = (
        f"The table shows {len(rows)} of the study's {results.study.n_points:,} points, spread "
        "evenly; the largest third of n_T is left out, where the baseline rarely reaches the risk "
        "of BEFS within the study."
    )
    return ValueTable(rows, _in_words(base), shown)


def _in_words(base: Method) -> str:
    """A baseline in words."""
    return "tuned ridge" if base.tuned else "OLS"


def _row(results: Results, place: Place, baseline: str) -> ValueRow:
    """The row of one point."""
    study = results.study
    i, t, b, _, _ = place
    model, n_task, n_brain = study.models[i], study.n_task[t], study.n_brain[b]
    found, note = value_in_results(results, i, t, b, baseline)
    v, low, high = float(found.value), float(found.low), float(found.high)
    risk, error = float(results.mean[place]), float(results.mcse[place])
    worse = not np.isfinite(v) and risk - 2.0 * error > model.signal_norm**2
    surface, known = law_of(results, i), bool(np.isfinite(v))
    cells = [
        f"{model.misalignment:g}",
        f"{model.sigma_y:g}",
        f"{model.sigma_r:g}",
        f"{n_task:,}",
        f"{n_brain:,}",
        _value(found),
        f"{count(low)} to {count(high)}" if known else "–",
        "–" if surface is None else _law(surface, n_task, n_brain, baseline),
        f"{signed(100 * v / (n_task + v), '.1f')} %" if known else "–",
        signed(v / n_brain, ".3f") if known else "–",
        str(int(results.row(place))),
        "" if found.bound else note,
    ]
    return ValueRow(v, low, high, high < 0 or worse, bool(found.bound), cells)


def _value(found: SimulatedValue) -> str:
    """A value, or its bound, in words."""
    return found.bound.replace("-", "−") or count(float(found.value))


def _law(surface: Surface, n_task: int, n_brain: int, baseline: str) -> str:
    """v_T by the asymptotic law of the brain stage, and its range when m_bar is off by 2 r.m.s."""
    missed = surface.missed_range(float(surface.m_bar(n_brain)))
    worth = samples_for(surface, surface.befs(n_task, missed), baseline) - n_task
    if not np.isfinite(worth[0]):
        return "–"
    return f"{count(worth[0])} ({count(worth[1])} to {count(worth[2])})"
