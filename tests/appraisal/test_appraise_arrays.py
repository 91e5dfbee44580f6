"""Arrays that cannot be appraised are refused in a sentence; the others are prepared."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose
from scipy import linalg

from mcbrain.appraisal import appraise
from mcbrain.appraisal.arrays import check, prepare
from mcbrain.errors import InputError
from tests.appraisal.coverage import Scenario
from tests.support.recordings import SMALL, arrays_of


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
        (spoil(0, with_value(1e200, (3, 5))), r"X holds 1e\+200 at \[3, 5\] .* at most 1e\+30"),
        (spoil(1, lambda a: 1e-40 * a), "y does not vary"),
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
        ({"budget": 1e300}, r"budget = 1e\+300: buys more than 1e\+12 samples at cost_task = 1;"),
        ({"block_length": 21}, "from 1 to 20"),
        ({"draws": 10}, "from 100 to"),
        ({"seed": "a"}, "seed = 'a': a whole number"),
        ({"seed": -1}, "seed = -1"),
        ({"draws": 200.5}, "draws = 200.5: a whole number"),
        ({"block_length": None}, "block_length = None"),
        ({"n_latents": "two"}, "n_latents = 'two'"),
        ({"cost_task": "1"}, "cost_task = '1'"),
        ({"budget": [1]}, r"budget = \[1\]"),
        ({"progress": "yes"}, "progress = 'yes'"),
    ],
)
def test_a_setting_that_cannot_be_used_is_a_sentence(settings, words):
    with pytest.raises(InputError, match=words):
        appraise(*arrays_of()[:4], **settings)


@pytest.mark.parametrize("unit", [1e-29, 1e28])
def test_an_appraisal_does_not_depend_on_the_unit_of_the_labels(unit):
    X, y, X_brain, R, _ = arrays_of()
    found, scaled = (appraise(X, y * by, X_brain, R, draws=100) for by in (1.0, unit))
    assert scaled.verdict.answer == found.verdict.answer
    zs, own = ([c.z for c in result.comparisons] for result in (scaled, found))
    assert_allclose(zs, own, rtol=1e-6)


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


def test_inputs_that_differ_between_the_sets_or_repeat_give_a_caution():
    X, y, X_brain, R, _ = arrays_of()
    X_brain = X_brain * np.r_[5.0, np.ones(11)]
    assert "differ in covariance" in prepare(check(X, y, X_brain, R)).cautions[0]
    X, y, X_brain, R, _ = arrays_of(replace(SMALL, copies=2))
    assert "100 of 200 task inputs repeat" in prepare(check(X, y, X_brain, R)).cautions[-1]


def frames(kind, X, X_brain, labels):
    """Two tables; the columns of the second are in reverse."""
    if kind == "pandas":
        pd = pytest.importorskip("pandas")
        return pd.DataFrame(X, columns=labels), pd.DataFrame(X_brain, columns=labels).iloc[:, ::-1]
    if kind == "polars":
        pl = pytest.importorskip("polars")
        return pl.DataFrame(X, schema=labels), pl.DataFrame(X_brain, schema=labels)[:, ::-1]
    task, brain = (pa.table(dict(zip(labels, a.T, strict=True))) for a in (X, X_brain))
    return task, brain.select(labels[::-1])


@pytest.mark.parametrize("kind", ["pandas", "polars", "arrow"])
def test_columns_of_frames_are_matched_by_name(kind):
    X, y, X_brain, R, _ = arrays_of()
    labels = [f"level {j}" for j in range(12)]
    task, brain = frames(kind, X, X_brain, labels)
    checked = check(task, y, brain, R)
    assert_allclose(checked.X, X, rtol=0, atol=0)
    assert_allclose(checked.X_brain, X_brain, rtol=0, atol=0)
    other = frames(kind, X, X_brain, ["level", *labels[1:]])[1]
    with pytest.raises(InputError, match=r"X lacks level; X_brain lacks level 0"):
        check(task, y, other, R)


def test_frames_without_names_are_matched_by_position_unless_both_have_numbers():
    pd = pytest.importorskip("pandas")
    X, y, X_brain, R, _ = arrays_of()
    plain, named = pd.DataFrame(X_brain), pd.DataFrame(X, columns=list("abcdefghijkl"))
    for task, brain in ((named, plain), (named, X_brain), (X, plain), (pd.DataFrame(X), plain)):
        assert_allclose(check(task, y, brain, R).X_brain, X_brain, rtol=0, atol=0)
    checked = check(pd.DataFrame(X), y, plain[plain.columns[::-1]], R)
    assert_allclose(checked.X_brain, X_brain, rtol=0, atol=0)
    twice = pd.DataFrame(X_brain, columns=list("aacdefghijkl"))
    with pytest.raises(InputError, match="X_brain has more than one column called a"):
        check(named, y, twice, R)


def test_names_on_one_side_alone_are_said_to_match_nothing():
    X, y, X_brain, R, _ = arrays_of()
    named = pa.table(dict(zip("abcdefghijkl", X.T, strict=True)))
    said = "Caution: the task inputs have names and the brain inputs have none, so their columns"
    assert said in appraise(named, y, X_brain, R, draws=100).verdict.paragraph
    named = pa.table(dict(zip("abcdefghijkl", X_brain.T, strict=True)))
    said = "Caution: the brain inputs have names and the task inputs have none, so their columns"
    assert said in appraise(X, y, named, R, draws=100).verdict.paragraph
    assert "Caution" not in appraise(X, y, X_brain, R, draws=100).verdict.paragraph


def appraised(X, X_brain, y=None, R=None):
    """An appraisal of the small recordings with other inputs; any warning is an error."""
    _, labels, _, recordings, _ = arrays_of()
    y, R = labels if y is None else y, recordings if R is None else R
    return appraise(X, y, X_brain, R, draws=100)


def test_inputs_that_are_combinations_of_others_count_once():
    X, _, X_brain, _, _ = arrays_of()
    plain = appraised(X, X_brain)

    def more(rows):
        return np.column_stack([rows, rows[:, 0], rows[:, 1] - 3 * rows[:, 2]])

    found = appraised(more(X), more(X_brain))
    assert found.whitener.shape == (14, 12)
    assert found.estimates.shape == plain.estimates.shape
    assert "Caution: 2 of the 14 inputs are linear combinations of the others, so that 12" in (
        found.verdict.paragraph
    )
    # Copies weigh on the scale of the inputs, by which their covariance is shrunk.
    for name in ("task_noise", "signal", "missed", "neural_noise"):
        value, own = (getattr(a.estimates.value, name) for a in (found, plain))
        assert_allclose(value, own, rtol=0.05)
    reductions, own = ([c.held_out.reduction for c in a.comparisons] for a in (found, plain))
    assert_allclose(reductions, own, atol=0.02)


def test_one_hot_inputs_are_appraised_with_a_caution():
    X, _, X_brain, _, _ = arrays_of()
    rng = np.random.default_rng(4)
    kinds = [np.eye(4)[rng.integers(0, 4, len(rows))] for rows in (X, X_brain)]
    both = [np.column_stack([rows, kind]) for rows, kind in zip((X, X_brain), kinds, strict=True)]
    paragraph = appraised(*both).verdict.paragraph
    assert "1 of the 16 inputs is a linear combination of the others" in paragraph
    alone = [np.eye(8)[rng.integers(0, 8, len(rows))] for rows in (X, X_brain)]
    assert appraised(*alone).verdict.answer == "cannot tell"


@pytest.mark.parametrize(("side", "name"), [(0, "task"), (1, "brain")])
def test_a_direction_in_which_one_side_does_not_vary_is_a_caution(side, name):
    rng = np.random.default_rng(5)
    inputs = [arrays_of()[0], arrays_of()[2]]
    for j, rows in enumerate(inputs):
        more = rows[:, 0] if j == side else rng.standard_normal(len(rows))
        inputs[j] = np.column_stack([rows, more])
    paragraph = appraised(*inputs).verdict.paragraph
    assert f"the {name} inputs do not vary along 1 direction in which the others vary" in paragraph
    assert len(paragraph) < 1500


@pytest.mark.parametrize("kind", ["pandas", "pyarrow-backed", "polars", "arrow", "arrays of arrow"])
def test_columns_of_numbers_of_any_type_are_used(kind):
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    X, y, X_brain, R, _ = arrays_of()
    X, X_brain = np.round(4 * X), np.round(4 * X_brain)
    y = np.round(y, 2)

    def table(rows):
        frame = pd.DataFrame(rows, columns=[f"x{j}" for j in range(rows.shape[1])])
        frame["x0"] = frame["x0"].astype("Int64")
        frame["x1"] = frame["x1"] > 0
        frame["x2"] = (frame["x2"] > 0).astype("boolean")
        frame["x3"] = frame["x3"].astype("Float32")
        frame["x4"] = [Decimal(int(value)) for value in frame["x4"]]
        frame["x5"] = frame["x5"].astype("category")
        return frame

    expected = [rows.copy() for rows in (X, X_brain)]
    for rows in expected:
        rows[:, 1:3] = rows[:, 1:3] > 0
    labels = pd.Series([Decimal(f"{value:.2f}") for value in y])
    task, brain = table(X), table(X_brain)
    if kind == "pyarrow-backed":
        task, brain = (
            f.drop(columns="x4").convert_dtypes(dtype_backend="pyarrow") for f in (task, brain)
        )
        expected = [np.delete(rows, 4, axis=1) for rows in expected]
    if kind == "polars":
        task, brain = (pl.from_pandas(f.astype({"x5": float})) for f in (task, brain))
        labels = pl.Series(labels.to_list())
    if kind.endswith("arrow") and kind != "pyarrow-backed":
        task, brain = (pa.Table.from_pandas(f) for f in (task, brain))
        labels = pa.array(labels.to_list())
        assert any(pa.types.is_dictionary(t) for t in task.schema.types) and any(
            pa.types.is_decimal(t) for t in task.schema.types
        )
    checked = check(task, labels, brain, R)
    assert_allclose(checked.X, expected[0], rtol=0, atol=0)
    assert_allclose(checked.X_brain, expected[1], rtol=0, atol=0)
    assert_allclose(checked.y, y, rtol=4e-16, atol=0)  # decimals are rounded by Arrow


def test_missing_numbers_and_columns_of_anything_else_are_sentences():
    pd = pytest.importorskip("pandas")
    X, y, X_brain, R, _ = arrays_of()
    names = [f"x{j}" for j in range(12)]
    task, brain = (pd.DataFrame(rows, columns=names) for rows in (X, X_brain))
    with pytest.raises(InputError, match=r"X holds nan at \[3, 2\] \(and 0 more\)"):
        check(
            task.astype("Float64").mask(np.outer(np.arange(200) == 3, np.arange(12) == 2)),
            y,
            brain,
            R,
        )
    for spoiled in ("a", 1j, None.__class__):
        column = pd.Series([spoiled] * len(task), dtype=object)
        with pytest.raises(
            InputError, match="X, column x4 holds object: it must hold real numbers"
        ):
            check(task.assign(x4=column), y, brain, R)
    with pytest.raises(InputError, match="X, column x4 holds datetime64"):
        check(task.assign(x4=pd.Timestamp("2026-01-01")), y, brain, R)
    with pytest.raises(InputError, match=r"R is masked at \[2, 1\] \(and 0 more\)"):
        masked = np.ma.array(R, mask=False)
        masked[2, 1] = np.ma.masked
        check(X, y, X_brain, masked)
    assert_allclose(check(X, y, X_brain, np.ma.array(R)).R, R)
