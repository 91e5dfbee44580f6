"""An appraisal reads arrays safely, estimates without bias, measures fairly, judges rightly."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_allclose
from scipy import linalg, stats

from mcbrain.appraisal import appraise, load
from mcbrain.appraisal.arrays import check, prepare
from mcbrain.appraisal.coverage import SCENARIOS, Scenario, study
from mcbrain.appraisal.estimate import estimate
from mcbrain.appraisal.measure import _held_out, _stretches, measure
from mcbrain.appraisal.moments import Task, variances
from mcbrain.appraisal.parameters import Parameters, Shape
from mcbrain.appraisal.predict import best_penalty, risk, task_samples
from mcbrain.befs import BEFSRegressor
from mcbrain.errors import InputError

SMALL = Scenario(d=12, p=8, n_task=200, n_brain=150, gains=(2.0, 1.2))


def arrays_of(scenario=SMALL, seed=0):
    return scenario.draw(np.random.default_rng(seed))


def parameters(task_noise, signal, missed):
    zero = np.zeros(())
    values = (np.asarray(float(x)) for x in (task_noise, signal, missed))
    return Parameters(*values, zero, np.zeros(1), np.zeros(1), zero)


# Files


@pytest.fixture
def saved(tmp_path):
    X, y, X_brain, R, _ = arrays_of()
    return tmp_path, X, y, X_brain, R


def lists(array):
    return pa.FixedSizeListArray.from_arrays(pa.array(array.ravel()), array.shape[1])


def save(folder, kind, X, second, name):
    stem = f"{'task' if name == 'y' else 'brain'}"
    path = folder / f"{stem}.{kind.split('-')[0]}"
    if kind == "npz":
        np.savez(path, **{"X": X, name: second})
    elif kind == "npy":
        np.save(folder / f"{stem}_X.npy", X)
        np.save(folder / f"{stem}_{name}.npy", second)
        return f"{folder / stem}_X.npy,{folder / stem}_{name}.npy"
    elif kind.endswith("flat"):
        columns = {f"x{j}": X[:, j] for j in range(X.shape[1])}
        columns |= (
            {"y": second}
            if name == "y"
            else {f"r{j}": second[:, j] for j in range(second.shape[1])}
        )
        pq.write_table(pa.table(columns), path)
    else:
        table = pa.table({"X": lists(X), name: second if name == "y" else lists(second)})
        if kind == "parquet":
            pq.write_table(table, path)
        else:
            make = pa.ipc.new_stream if kind == "arrow-stream" else pa.ipc.new_file
            with make(str(path), table.schema) as writer:
                writer.write_table(table)
    return path


@pytest.mark.parametrize("kind", ["npz", "npy", "arrow", "arrow-stream", "parquet", "parquet-flat"])
def test_every_file_format_gives_the_arrays_back(saved, kind):
    folder, X, y, X_brain, R = saved
    loaded = load(save(folder, kind, X, y, "y"), save(folder, kind, X_brain, R, "R"))
    for got, expected in zip(loaded, (X, y, X_brain, R), strict=True):
        assert_allclose(got, expected, rtol=0, atol=0)


class Exploding:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was loaded",))


def test_pickles_are_never_loaded(saved):
    folder, X, y, X_brain, R = saved
    good = save(folder, "npz", X_brain, R, "R")
    bad = folder / "objects.npz"
    np.savez(bad, X=X, y=np.array([Exploding()] * y.size, dtype=object))
    with pytest.raises(InputError, match="never loaded"):
        load(bad, good)
    np.save(folder / "objects.npy", np.array([Exploding()], dtype=object))
    np.save(folder / "X.npy", X)
    with pytest.raises(InputError, match="never loaded"):
        load(f"{folder / 'X.npy'},{folder / 'objects.npy'}", good)
    bare = folder / "bare.npz"
    bare.write_bytes(pickle.dumps(Exploding()))
    with pytest.raises(InputError, match=r"bare\.npz"):
        load(bare, good)


def test_files_that_cannot_be_used_are_named_in_a_sentence(saved):
    folder, X, y, X_brain, R = saved
    good = save(folder, "npz", X_brain, R, "R")
    with pytest.raises(InputError, match="no such file"):
        load(folder / "absent.npz", good)
    np.savez(folder / "lacking.npz", X=X, labels=y)
    with pytest.raises(InputError, match=r"holds X, labels and lacks y"):
        load(folder / "lacking.npz", good)
    (folder / "text.csv").write_text("1,2")
    with pytest.raises(InputError, match=r"\.npz, \.arrow or \.parquet"):
        load(folder / "text.csv", good)
    for name in ("broken.arrow", "broken.parquet", "broken.npz"):
        (folder / name).write_bytes(b"not a table at all, whatever its name says")
        with pytest.raises(InputError, match=name):
            load(folder / name, good)
    pq.write_table(pa.table({"a": [1.0], "b": [2.0]}), folder / "names.parquet")
    with pytest.raises(InputError, match="it has a, b"):
        load(folder / "names.parquet", good)
    pq.write_table(pa.table({"X": [[1.0, 2.0], [3.0]], "y": [1.0, 2.0]}), folder / "ragged.parquet")
    with pytest.raises(InputError, match="differ in length"):
        load(folder / "ragged.parquet", good)
    pq.write_table(pa.table({"x1": ["a"], "y": [1.0]}), folder / "words.parquet")
    with pytest.raises(InputError, match="x1 holds string"):
        load(folder / "words.parquet", good)


# Arrays


def spoil(index, change):
    arrays = [np.array(a) for a in arrays_of()[:4]]
    arrays[index] = change(arrays[index])
    return arrays


def with_value(value, place):
    def change(array):
        array[place] = value
        return array

    return change


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        (spoil(0, lambda a: a[:, 0]), "X has shape"),
        (spoil(1, lambda a: a[:-1]), "one row for each sample"),
        (spoil(1, lambda a: np.stack([a, a], axis=1)), "y has shape"),
        (spoil(2, lambda a: a[:, 1:]), "share their inputs"),
        (spoil(0, with_value(np.nan, (3, 5))), r"nan at \[3, 5\] \(and 0 more\)"),
        (spoil(3, with_value(np.inf, (0, 0))), r"R holds inf"),
        (spoil(0, with_value(2.0, (slice(None), 4))), "does not vary in column 4"),
        (spoil(1, with_value(1.0, slice(None))), "y does not vary"),
        (spoil(3, with_value(0.0, (slice(None), [1, 2]))), "column 1, 2"),
        (spoil(1, lambda a: a.astype(object)), "holds object"),
        (spoil(1, lambda a: a.astype(str)), "real numbers"),
        (spoil(1, lambda a: a + 1j), "holds complex128"),
    ],
)
def test_a_fault_of_the_arrays_is_a_sentence_that_says_where(arrays, words):
    with pytest.raises(InputError, match=words):
        appraise(*arrays)


def test_too_few_rows_is_a_sentence_that_says_how_many_are_needed():
    X, y, X_brain, R, _ = arrays_of()
    with pytest.raises(InputError, match="29 rows: at least 30"):
        appraise(X[:29], y[:29], X_brain, R)
    with pytest.raises(InputError, match="21 rows: at least 22"):
        appraise(X, y, X_brain[:21], R[:21])
    with pytest.raises(InputError, match="at least 3 inputs"):
        appraise(X[:, :2], y, X_brain[:, :2], R)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"n_latents": 9}, "from 1 to 8|at most 8"),
        ({"cost_brain": 0.0}, "cost_brain"),
        ({"budget": -1.0}, "budget"),
        ({"block_length": 21}, "from 1 to 20"),
        ({"draws": 10}, "at least 100"),
    ],
)
def test_a_setting_that_cannot_be_used_is_a_sentence(settings, words):
    with pytest.raises(InputError, match=words):
        appraise(*arrays_of()[:4], **settings)


def test_prepared_inputs_are_white_and_channels_equally_noisy():
    """Whitening error of 2,000 rows is about 0.05; the tolerance is twice that."""
    scenario = Scenario(d=10, p=6, n_task=1000, n_brain=1000, decay=1.5)
    X, y, X_brain, R, _ = arrays_of(scenario)
    scale = np.array([1.0, 10.0, 0.1, 1.0, 5.0, 1.0])
    prepared = prepare(check(X * 7 + 3, y + 5, X_brain * 7 + 3, R * scale))
    for rows in (prepared.arrays.X, prepared.arrays.X_brain):
        assert_allclose(rows.T @ rows / 1000, np.eye(10), atol=0.2)
    fit = linalg.lstsq(prepared.arrays.X_brain, prepared.arrays.R)[0]
    noise = np.std(prepared.arrays.R - prepared.arrays.X_brain @ fit, axis=0)
    assert_allclose(noise, noise.mean(), rtol=1e-6)
    assert prepared.cautions == ()


def test_labels_or_channels_without_noise_are_refused_in_a_sentence():
    X, y, X_brain, R, _ = arrays_of()
    with pytest.raises(InputError, match="y is an exact linear function"):
        appraise(X, X[:, 0] - X[:, 1], X_brain, R)
    R = np.column_stack([R, X_brain[:, 2]])
    with pytest.raises(InputError, match="R is an exact linear function of the inputs in column 8"):
        appraise(X, y, X_brain, R)


def test_the_smallest_data_sets_that_are_accepted_can_be_appraised():
    result = appraise(*arrays_of(replace(SMALL, n_task=30, n_brain=22))[:4])
    assert result.verdict.answer == "cannot tell"


def test_inputs_that_differ_between_the_sets_or_repeat_give_a_caution():
    X, y, X_brain, R, _ = arrays_of()
    X_brain = X_brain * np.r_[5.0, np.ones(11)]
    assert "differ in covariance" in prepare(check(X, y, X_brain, R)).cautions[0]
    X, y, X_brain, R, _ = arrays_of(replace(SMALL, copies=2))
    assert "100 of 200 task inputs repeat" in prepare(check(X, y, X_brain, R)).cautions[-1]


# Estimates


def test_variance_estimates_are_unbiased_even_for_a_signal_of_zero():
    """4,000 draws each; four standard errors: a false alarm once in 8,000 runs."""
    rng = np.random.default_rng(1)
    spectrum = np.linspace(5.0, 90.0, 30)
    for outside in (0.0, 0.05):
        squares = (0.64 + spectrum * outside) * rng.chisquare(1, (4000, 30))
        rest = 0.64 * rng.chisquare(20, 4000)
        noise, found = variances(Task(spectrum, squares, rest, 20))
        for got, true in ((noise, 0.64), (found, outside)):
            assert abs(got.mean() - true) < 4 * got.std() / 4000**0.5
        assert outside > 0 or np.any(found < 0)


def test_intervals_hold_the_truth_of_one_large_data_set():
    """One fixed data set at level 99.99 %."""
    scenario = Scenario(n_task=3000, n_brain=3000)
    *arrays, beta = arrays_of(scenario, seed=2)
    prepared = prepare(check(*arrays))
    e = estimate(prepared, n_latents=None, draws=1000, seed=0)
    assert e.shape == Shape(2999, 2999, 40, 30, 3)
    weights = linalg.solve(prepared.whitener, beta)
    missed = 1 - np.sum((e.subspace.T @ weights) ** 2) / np.sum(weights**2)
    truths = {"task_noise": 0.8, "signal": 1.0, "missed": missed, "misalignment": 0.2}
    truths |= {"neural_noise": 1.0, "latent_gains": np.array([2.0, 1.5, 1.0])}
    for name, truth in truths.items():
        low, high = e.interval(name, 0.9999)
        assert np.all((low <= truth) & (truth <= high)), name
        assert np.all(high - low < 0.75 * np.maximum(np.abs(truth), 0.2)), name


def test_the_misalignment_is_corrected_for_what_the_estimated_subspace_misses():
    """60 data sets with aligned tasks; the mean is within four standard errors of zero."""
    scenario = Scenario(d=20, p=15, n_task=400, n_brain=60, gains=(1.5,), misalignment=0.0)
    found, missed = [], []
    for seed in range(60):
        prepared = prepare(check(*arrays_of(scenario, seed)[:4]))
        value = estimate(prepared, n_latents=1, draws=100, seed=0).value
        found.append(float(value.misalignment))
        missed.append(float(value.missed))
    error = 4 * np.std(found) / 60**0.5
    assert abs(np.mean(found)) < error < np.mean(missed)


# Predictions


@pytest.mark.parametrize("rank", [0, 3])
@pytest.mark.parametrize("n", [12, 60])
def test_predicted_risk_is_that_of_simulated_fits_with_an_intercept(rank, n):
    """800 simulated fits each; four standard errors."""
    rng = np.random.default_rng(n + rank)
    d, signal, missed = 20, 1.7, 0.3
    truth = parameters(0.6, signal, missed if rank else 1.0)
    m = missed if rank else 1.0
    beta = np.r_[np.full(3, ((1 - m) / 3) ** 0.5), m**0.5, np.zeros(16)] * signal**0.5
    penalty = float(best_penalty(truth, n, rank, m, d))
    model = BEFSRegressor(np.eye(d)[:, :rank] if rank else None, penalty)
    losses = []
    for _ in range(800):
        X = rng.standard_normal((n, d)) + 2.0
        model.fit(X, X @ beta + 0.6 * rng.standard_normal(n))
        error = model.coef_ - beta
        # New inputs have the same mean as the old ones, 2.
        losses.append(error @ error + (model.intercept_ + 2.0 * error.sum()) ** 2)
    expected = float(risk(truth, n, rank, m, d))
    assert abs(np.mean(losses) - expected) < 4 * np.std(losses) / 800**0.5


def test_value_is_where_ridge_reaches_the_risk_of_befs():
    truth, shape = parameters(0.8, 1.0, 0.1), Shape(199, 299, 30, 20, 3)
    v = float(task_samples(truth, shape, 200))
    reached = risk(truth, round(200 + v), 0, 1.0, 30)
    assert_allclose(reached, risk(truth, 200, 3, 0.1, 30), rtol=0.01)
    harmful = float(task_samples(parameters(0.8, 1.0, 1.0), shape, 200))
    assert -40 < harmful < 0


# Measurements


@pytest.mark.parametrize("penalty", [0.3, np.inf])
def test_held_out_errors_are_those_of_the_regressor(penalty):
    rng = np.random.default_rng(0)
    X, labels = rng.standard_normal((50, 6)), rng.standard_normal((50, 2))
    basis = linalg.qr(rng.standard_normal((6, 2)), mode="economic")[0]
    rows, held = np.arange(30), np.arange(30, 50)
    got = _held_out(X, labels, rows, held, [basis], np.array([0.2, penalty]))
    for k, model in enumerate((BEFSRegressor(None, 0.2), BEFSRegressor(basis, penalty))):
        model.fit(X[rows], labels[rows])
        assert_allclose(got[k], (labels[held] - model.predict(X[held])) ** 2, rtol=1e-8)


def test_rows_of_a_block_and_repeats_of_an_input_stay_together():
    X = np.arange(12.0).reshape(6, 2)
    assert _stretches(X, 2).tolist() == [0, 0, 1, 1, 2, 2]
    assert _stretches(X[[3, 1, 3, 0, 1, 5]], 1).tolist() == [0, 1, 0, 2, 1, 3]


def test_measured_gains_scatter_around_the_law_as_their_errors_say():
    """20 data sets; mean z within four standard errors, its mean square under the 99.9 % point."""
    z = []
    for seed in range(20):
        *arrays, beta = arrays_of(seed=seed)
        prepared = prepare(check(*arrays))
        e = estimate(prepared, n_latents=2, draws=100, seed=0)
        weights = linalg.solve(prepared.whitener, beta)
        missed = 1 - np.sum((e.subspace.T @ weights) ** 2) / np.sum(weights**2)
        truth = parameters(0.8, np.sum(weights**2), missed)
        cell = measure(prepared.arrays, e, block_length=1, seed=seed)[6]
        assert cell.n_brain == 150
        gain = risk(truth, cell.n_task, 0, 1.0, 12, cell.ridge_penalty) - risk(
            truth, cell.n_task, 2, missed, 12, cell.befs_penalty
        )
        z.append((cell.gain - float(gain)) / cell.gain_se)
    assert abs(np.mean(z)) < 4 / 20**0.5
    assert np.sum(np.square(z)) < stats.chi2.isf(0.001, 20)


# The whole


def test_an_appraisal_repeats_exactly_and_reports_everything():
    steps = []
    X, y, X_brain, R, _ = arrays_of()
    first = appraise(
        X, y, X_brain, R, seed=3, progress=lambda step, share: steps.append((step, share))
    )
    again = appraise(X, y, X_brain, R, seed=3)
    assert first.to_table().equals(again.to_table())
    assert first.summary() == again.summary()
    assert steps[0] == ("estimate", 0.0)
    assert steps[-1] == ("measure", 1.0)
    table = first.to_table()
    assert table.num_rows == len(first.comparisons)
    assert {"gain", "gain_se", "gain_predicted", "z"} <= set(table.column_names)
    assert "misalignment m" in first.summary()
    figure = first.figure()
    assert len(figure.axes) == 3
    assert figure.axes[0].get_xlabel() == "task rows in training"


def test_dearer_task_rows_make_brain_rows_the_better_purchase():
    arrays = arrays_of(replace(SMALL, n_brain=40, misalignment=0.0))[:4]
    cheap = appraise(*arrays, cost_task=1000.0, cost_brain=0.1, budget=2000.0).worth.purchase
    dear = appraise(*arrays, cost_task=1.0, cost_brain=1000.0, budget=2000.0).worth.purchase
    assert cheap.n_brain > 0
    assert cheap.risk_then < cheap.risk_task_only < cheap.risk_now
    assert (dear.n_task, dear.n_brain) == (2000, 0)
    assert cheap.confidence > dear.confidence


@pytest.mark.parametrize(
    ("scenario", "answer", "words"),
    [
        ("ordinary", "agree", "Prediction and measurement agree"),
        ("brain unrelated to the task", "agree", "Prediction and measurement agree"),
        ("few rows", "cannot tell", "cannot tell"),
        ("no response in the recordings", "cannot tell", "no response"),
        ("labels unrelated to the inputs", "cannot tell", "no clear dependence"),
        ("every task row eight times", "disagree", "525 of 600 task inputs repeat"),
    ],
)
def test_the_verdict_is_right(scenario, answer, words):
    result = appraise(*arrays_of(SCENARIOS[scenario], seed=11)[:4])
    assert result.verdict.answer == answer
    assert words in result.verdict.paragraph


@pytest.mark.long
@pytest.mark.parametrize("scenario", ["ordinary", "few rows"])
def test_intervals_cover_at_their_rate(scenario):
    """60 data sets; false alarm below 1 in 1,000 for each quantity if coverage is 92 % or more."""
    for row in study(scenario, 60, seed=99):
        if str(row["quantity"]).startswith("95 %"):
            assert row["share"] > 0.92 - 3.3 * (0.92 * 0.08 / 60) ** 0.5, row


def test_the_grasshopper_recordings_are_read_from_the_installed_package():
    pytest.importorskip("nitime")
    from mcbrain.appraisal.grasshopper import appraise_grasshopper, load_grasshopper

    arrays = load_grasshopper()
    assert arrays.X.shape == arrays.X_brain.shape == (3989, 12)
    assert arrays.R.shape == (3989, 5)
    assert 800 < arrays.y.sum() < 900
    result = appraise_grasshopper()
    assert result.verdict.answer == "agree"
    assert "differ in covariance" in result.verdict.paragraph
