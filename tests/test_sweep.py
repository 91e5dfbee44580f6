"""Rows of `mb.simulate` agree with plain NumPy over the whole option space."""

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from mcbrain.results.columns import PREDICTIONS, STATUSES
from tests.sweep import compare, record, truth
from tests.sweep.design import cells, counted
from tests.sweep.named import NAMED

SLICE = (5, 22, 29, 44, 47, 91, 129, 134, 152, 159, 167, 173)
OFTEN, CELLS, LARGE_CELLS = 8, 250, 25


def test_every_value_of_every_option_is_met_often_enough():
    number = counted(cells())
    assert len(cells()) >= CELLS
    assert number["d", "60 and more"] >= LARGE_CELLS
    assert {value: n for value, n in number.items() if n < OFTEN} == {}


@pytest.mark.parametrize("index", SLICE)
def test_a_cell_agrees_with_numpy(index):
    """False-alarm rate 1e-4 for all cells of the long sweep, so less here."""
    cell = cells()[index]
    assert record.disagreements(cell, record.run_cell(cell, share=0.06)) == []


@pytest.mark.parametrize(
    ("name", "penalty", "mean"),
    [
        ("OLS where X'X may be singular", None, 0.745),
        ("no noise, a task that moves", 0.0, 3.60),
        ("no noise, a task that moves", np.inf, 1.00),
        ("no weight outside the brain", 2.54, 0.466),
        ("two bands without a penalty, 2 samples", None, 0.988),
        ("two bands without a penalty, 3 samples", None, 0.999),
        ("two bands without a penalty, 4 samples", None, 1.022),
        ("an excess that is constant", None, 1.0),
        ("below the rank", None, 0.329),
        ("three inputs", 0.01, 0.1222),
    ],
)
def test_numpy_has_the_values_found_by_other_means(name, penalty, mean):
    """Ten scores below 4.5 standard errors; false-alarm rate 1e-4 in all."""
    cell = NAMED[name]
    found = truth.ask(cell, [{"penalty": penalty} for _ in cell.outputs])
    truth.simulate(cell, found, 200 if cell.model["input_dim"] == 40 else 3000)
    excess = found.of(0)
    rounding = 0.6 * 10.0 ** -(len(str(mean).partition(".")[2]))
    error = excess.std() / np.sqrt(excess.size)
    assert abs(excess.mean() - mean) < 4.5 * error + rounding


@pytest.mark.parametrize("rule", ["loo", "gcv"])
@pytest.mark.parametrize("n_task", [3, 6, 9, 20])
def test_numpy_chooses_what_refitting_chooses(n_task, rule):
    """Scores by leaving rows out one by one, or by the trace of the hat matrix; no shortcut."""
    rng = np.random.default_rng(n_task)
    d, r = 6, 2
    X, y = rng.standard_normal((5, n_task, d)), rng.standard_normal((5, n_task))
    A = np.linalg.qr(rng.standard_normal((5, d, r)))[0]
    for eta, B in ((1.0, None), (0.3, A), (0.0, A)):
        chosen = truth.chosen_penalty(X, y, B, eta, rule)
        for i in range(5):
            one = (X[i : i + 1], y[i : i + 1], None if B is None else B[i : i + 1], eta)
            mine = _score(*one, float(chosen[i]), rule)
            for penalty in (1e-3, 0.1, 1.0, 10.0, np.inf):
                # The candidates are an eighth of a decade apart, so another penalty may be better.
                assert mine <= _score(*one, penalty, rule) * 1.05


def _score(X, y, A, eta, penalty, rule):
    n = X.shape[1]
    if rule == "gcv":
        fitted = [truth.fit(X, e[None], A, eta, max(penalty, 1e-9)) for e in (*np.eye(n), y[0])]
        hat = np.array([X[0] @ b[0] for b in fitted[:n]]).T
        error = y[0] - X[0] @ fitted[n][0]
        return n * error @ error / max(n - np.trace(hat), 1e-300) ** 2
    total = 0.0
    for i in range(n):
        keep = np.arange(n) != i
        # The penalty's sum over rows is what is held fixed.
        b = truth.fit(X[:, keep], y[:, keep], A, eta, penalty * n / (n - 1))
        total += float(y[0, i] - X[0, i] @ b[0]) ** 2
    return total


SPOILT = {
    "median": lambda value: 3 * value,
    "q95": lambda value: value / 3,
    "p_better": lambda value: 1 - value,
    "mcse": lambda value: 1.01 * value,
    "status": lambda value: "undefined",
    "prediction": lambda value: "none",
}


def test_a_wrong_number_is_found():
    """A score's number is off by twice the error that its check finds; others are quite wrong."""
    cell = cells()[91]
    rows = record.rows_of(cell, 2000)
    found = truth.ask(cell, rows)
    truth.simulate(cell, found, 2000)
    good = compare.compare(cell, rows, found)
    assert not any(check.fails for check in good)

    def finds(place, name, value, what):
        changed = [*rows[:place], rows[place] | {name: value}, *rows[place + 1 :]]
        checks = compare.compare(cell, changed, found)
        return any(c.fails and c.what == what and c.output == label for c in checks)

    scores = [c for c in good if c.what in ("mean", "predicted", "gain") and c.error > 1e-7]
    assert {"mean", "predicted", "gain"} == {c.what for c in scores}
    for check in scores[::3]:
        label, place = check.output, int(check.output.split()[0])
        assert finds(place, check.what, check.got * (1 + 2 * check.error), check.what), check
    for name, spoil in SPOILT.items():
        what = "kind" if name == "prediction" else name
        check = next(c for c in good if c.what == what)
        label, place = check.output, int(check.output.split()[0])
        assert finds(place, name, spoil(rows[place][name]), what), check


@pytest.mark.long
def test_the_sweep(tmp_path):
    """False-alarm rate 1e-4 in all; results are kept in the folder MCBRAIN_SWEEP_DIR, if it is set.

    The pooled scores of the option values are among the comparisons that share the rate.
    """
    some = [*cells(), *NAMED.values()]
    folder = Path(os.environ.get("MCBRAIN_SWEEP_DIR", tmp_path))
    results = record.run_cells(some, folder, jobs=2)
    print("\n" + record.summary(some, results))
    told = [text for c, f in zip(some, results, strict=True) for text in record.disagreements(c, f)]
    print("\n".join(told))
    pooled = {what: record.pooled(some, results, what) for what in ("mean", "predicted")}
    scores = {(what, *v): z for what, found in pooled.items() for v, (z, _) in found.items()}
    comparisons = sum(len(f["checks"]) for f in results) + len(scores)
    assert comparisons <= compare.TESTS
    assert told == []
    assert {value: z for value, z in scores.items() if abs(z) > compare.BOUND} == {}
    seen = Counter(word for f in results for word in (*f["statuses"], *f["kinds"]))
    assert {*STATUSES, *PREDICTIONS} - set(seen) == set()


@pytest.mark.long
def test_a_sweep_goes_on_from_what_is_kept(tmp_path):
    some = [cells()[61], cells()[129]]
    first = record.run_cells(some, tmp_path, jobs=2)
    path = tmp_path / "sweep.jsonl"
    lines = path.read_text().splitlines()
    path.write_text(lines[0] + "\n" + lines[1][:50])  # as after a kill in the middle of a line
    again = record.run_cells(some, tmp_path, jobs=1)
    numbers = [[c["z"] for c in f["checks"]] for f in first]
    assert [[c["z"] for c in f["checks"]] for f in again] == numbers
    kept = path.read_text().splitlines()
    assert kept[0] == lines[0]
    assert record.run_cells(some, tmp_path, jobs=1) == again
    assert path.read_text().splitlines() == kept
