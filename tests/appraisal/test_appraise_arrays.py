"""Arrays that cannot be appraised are refused in a sentence; the others are prepared."""

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose

from mcbrain.appraisal import appraise
from mcbrain.appraisal.arrays import check, complete
from mcbrain.errors import InputError
from tests.support.recordings import arrays_of


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
        (spoil(0, with_value(np.nan, slice(175))), "only 25 task rows miss no value: at least 30"),
        (spoil(3, with_value(np.nan, slice(None))), "only 0 brain rows miss no value"),
        (spoil(0, with_value(1e200, (3, 5))), r"X holds 1e\+200 at \[3, 5\] .* at most 1e\+30"),
        (spoil(1, lambda a: 1e-40 * a), "y does not vary"),
        (spoil(1, with_value(1.0, slice(None))), "y does not vary"),
        (spoil(3, with_value(0.0, slice(None))), "no channel has values in all rows and varies"),
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
    with pytest.raises(InputError, match="19 rows: at least 20"):
        appraise(X, y, X_brain[:19], R[:19])
    with pytest.raises(InputError, match="at least 3 inputs"):
        appraise(X[:, :2], y, X_brain[:, :2], R)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"n_latents": 9}, "from 1 to 8|at most 8"),
        ({"groups": [1, 2]}, r"groups has shape \(2,\): it must have one value a row, \(200,\)"),
        ({"groups_brain": np.arange(150) % 3}, "groups_brain has 3 different values"),
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


def test_labels_or_channels_without_noise_are_refused_in_a_sentence():
    X, y, X_brain, R, _ = arrays_of()
    with pytest.raises(InputError, match="y is an exact linear function"):
        appraise(X, X[:, 0] - X[:, 1], X_brain, R)
    R = np.column_stack([R, X_brain[:, 2]])
    with pytest.raises(InputError, match="R is an exact linear function of the inputs in column 8"):
        appraise(X, y, X_brain, R)


def test_what_is_missing_masked_or_constant_is_left_out_and_said():
    X, y, X_brain, R, _ = arrays_of()
    X[3, 5], y[4], X_brain[:, 2], X[:, 2], R[9] = np.nan, np.nan, 1.0, 1.0, np.nan
    found = complete(check(X, y, X_brain, np.ma.array(R, mask=False)))
    assert found.said == (
        "2 of 200 task rows miss values and were left out",
        "1 of 150 brain rows miss values and were left out",
        "1 of 12 inputs do not vary and were left out",
    )
    assert 9 not in found.brain
    assert {3, 4} & set(found.task) == set()
    masked = np.ma.array(arrays_of()[3], mask=False)
    masked[2, 1] = np.ma.masked
    said = appraise(*arrays_of()[:3], masked, draws=100).verdict.paragraph
    assert "Caution: 1 of 8 channels miss values or do not vary and were left out" in said


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
    assert "matched by position" not in appraise(X, y, X_brain, R, draws=100).verdict.paragraph


def appraised(X, X_brain, y=None, R=None):
    """An appraisal of the small recordings with other inputs; any warning is an error."""
    _, labels, _, recordings, _ = arrays_of()
    y, R = labels if y is None else y, recordings if R is None else R
    return appraise(X, y, X_brain, R, draws=100)


def test_inputs_that_are_combinations_of_others_change_little():
    X, _, X_brain, _, _ = arrays_of()
    plain = appraised(X, X_brain)

    def more(rows):
        return np.column_stack([rows, rows[:, 0], rows[:, 1] - 3 * rows[:, 2]])

    found = appraised(more(X), more(X_brain))
    assert found.estimates.shape.d == 14
    assert found.verdict.answer == plain.verdict.answer
    for name in ("task_noise", "neural_noise"):
        value, own = (getattr(a.estimates.value, name) for a in (found, plain))
        assert_allclose(value, own, rtol=0.05)


def test_one_hot_inputs_are_appraised():
    X, _, X_brain, _, _ = arrays_of()
    rng = np.random.default_rng(4)
    kinds = [np.eye(4)[rng.integers(0, 4, len(rows))] for rows in (X, X_brain)]
    both = [np.column_stack([rows, kind]) for rows, kind in zip((X, X_brain), kinds, strict=True)]
    assert appraised(*both).estimates.shape.d == 16
    alone = [np.eye(8)[rng.integers(0, 8, len(rows))] for rows in (X, X_brain)]
    assert appraised(*alone).verdict.answer == "cannot tell"


@pytest.mark.parametrize(("side", "name"), [(0, "task"), (1, "brain")])
def test_an_input_that_does_not_vary_on_one_side_is_a_caution(side, name):
    inputs = [np.array(arrays_of()[0]), np.array(arrays_of()[2])]
    inputs[side][:, 4] = 2.0
    paragraph = appraised(*inputs).verdict.paragraph
    assert f"1 input does not vary in the {name} rows" in paragraph


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
    holes = task.astype("Float64").mask(np.outer(np.arange(200) == 3, np.arange(12) == 2))
    assert 3 not in complete(check(holes, y, brain, R)).task
    for spoiled in ("a", 1j, None.__class__):
        column = pd.Series([spoiled] * len(task), dtype=object)
        with pytest.raises(
            InputError, match="X, column x4 holds object: it must hold real numbers"
        ):
            check(task.assign(x4=column), y, brain, R)
    with pytest.raises(InputError, match="X, column x4 holds datetime64"):
        check(task.assign(x4=pd.Timestamp("2026-01-01")), y, brain, R)
