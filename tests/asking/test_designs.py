"""Designs that are no full grid: their points, axes and spelling, and a sentence for mistakes."""

import pickle
import tomllib

import numpy as np
import pytest
import tomli_w

import mcbrain as mb
from mcbrain.asking.from_python import adhoc_study
from mcbrain.asking.from_toml import study_from_table

MODEL = {"input_dim": 10, "latent_dim": 3, "n_channels": 8}
GRID = {"n_task": [20, 40, 90], "n_brain": [0, 30, 100]}


def study(design, **model):
    return study_from_table(
        {
            "name": "test",
            "model": {**MODEL, **model},
            "design": design,
            "estimators": {"ridge": "optimal", "befs": "optimal"},
        }
    )


def pairs(found):
    return [(p.n_task, p.n_brain) for p in found.points()]


def test_a_list_is_asked_in_its_order_on_axes_in_theirs():
    found = study({"points": [[60, 200], [30, 50], [60, 50]]}, misalignment=[0.0, 0.5])
    assert pairs(found) == [(60, 200), (30, 50), (60, 50)] * 2
    assert found.n_task == (30, 60) and found.n_brain == (50, 200)
    points = list(found.points())
    assert [p.index for p in points] == list(range(6)) and found.n_points == 6
    assert [found.numbered(i) for i in range(6)] == points
    assert [found.point(model, pair) for model in range(2) for pair in range(3)] == points
    assert found.n_rows == 6 * 2
    numbers = found.design.numbers()
    assert numbers.tolist() == [[[1, -1], [2, 0]], [[4, -1], [5, 3]]]


def test_brain_samples_may_follow_from_task_samples():
    found = study({"n_task": [20, 40], "n_brain": "2 * n_task"})
    assert pairs(found) == [(20, 40), (40, 80)]
    found = study({"n_task": [40, 20], "n_brain": [0, "2 * n_task", 80]})
    assert pairs(found) == [(40, 0), (40, 80), (20, 0), (20, 40), (20, 80)]  # (40, 80) once
    assert found.n_brain == (0, 40, 80)
    assert pairs(study({"n_task": 30, "n_brain": "0.1 * n_task"})) == [(30, 3)]


@pytest.mark.parametrize("text", ["n_brain <= n_task", "n_brain == 0 or n_task >= 2 * n_brain"])
def test_a_condition_is_the_filtered_grid(text):
    found, grid = study({**GRID, "where": text}), study(GRID)
    holds = [eval(text, {"n_task": t, "n_brain": b}) for t, b in pairs(grid)]
    assert 0 < sum(holds) < 9
    assert pairs(found) == [pair for pair, ok in zip(pairs(grid), holds, strict=True) if ok]


def test_a_condition_may_use_the_models_numbers_and_leave_a_model_without_points():
    model = {"misalignment": [0.0, 0.29, 0.5]}
    found = study(
        {**GRID, "where": "100 * misalignment >= 29 and n_brain < 200 * misalignment"}, **model
    )
    assert [m.misalignment for m in found.models] == [0.29, 0.5]
    own = [[(p.n_task, p.n_brain) for p in found.points() if p.model is m] for m in found.models]
    assert own == [[(t, b) for t in (20, 40, 90) for b in (0, 30)]] * 2
    assert found.n_brain == (0, 30)  # 100 is asked of no model


def test_a_condition_filters_lists_too():
    found = study({"points": [[60, 200], [30, 50]], "where": "n_brain < 100"})
    assert pairs(found) == [(30, 50)] and found.n_task == (30,)


@pytest.mark.parametrize(
    "design",
    [{**GRID, "where": "n_brain >= 0"}, {"points": [[20, 0], [20, 30], [40, 0], [40, 30]]}],
)
def test_a_design_that_is_the_full_grid_is_known_as_one(design):
    assert study(design).design.full
    assert not study({"points": [[20, 30], [20, 0]]}).design.full  # another order


@pytest.mark.parametrize(
    "design",
    [
        {"points": [[60, 200], [30, 50]]},
        {"n_task": [20, 40], "n_brain": "2 * n_task"},
        {"n_task": [20, 40], "n_brain": [0, "2 * n_task"], "where": "n_brain != 40"},
        {**GRID, "where": "n_brain <= 10 * n_task and input_dim == 10"},
    ],
)
def test_the_resolved_study_spells_its_design_as_it_was_asked(design):
    found = study(design)
    assert found.table["design"] == design
    again = study_from_table(tomllib.loads(tomli_w.dumps(found.table)))
    assert again.table == found.table and list(again.points()) == list(found.points())
    sent = pickle.loads(pickle.dumps(found))  # to workers
    assert list(sent.points()) == list(found.points())


@pytest.mark.parametrize(
    ("design", "words"),
    [
        ({"points": []}, "[design] points = []: an empty list asks for nothing"),
        ({"points": 5}, "[design] points = 5: a list of pairs [n_task, n_brain] is allowed"),
        ({"points": [30, 50]}, "[design] points[0] = 30: a pair [n_task, n_brain] is allowed"),
        ({"points": [[1, 2, 3]]}, "[design] points[0] = [1, 2, 3]: a pair"),
        ({"points": [[9, 5], [0, 5]]}, "points[1] = [0, 5]: n_task = 0: a whole number from 1"),
        ({"points": [[9, -1]]}, "[9, -1]: n_brain = -1: a whole number from 0"),
        ({"points": [[9, 2.5]]}, "n_brain = 2.5: a whole number"),
        ({"points": [[9, 5], [9, 5.0]]}, "[design] points: [9, 5] is listed twice"),
        ({"points": [[9, 5]], "n_task": 9}, "[design] n_task beside points: either points"),
        ({"points": [[9, 5]], "n_brain": 9}, "[design] n_brain beside points: either points"),
        ({"n_brain": "2 * n_task"}, "[design] n_task is missing"),
        ({"n_task": 9, "n_brain": "2 * n_tsk"}, "'n_tsk' is no name here; did you mean 'n_task'"),
        ({"n_task": 9, "n_brain": "n_brain"}, "'n_brain' is no name here"),
        ({"n_task": 9, "n_brain": "n_task / 2"}, "is 4.5 at n_task = 9; a whole number from 0"),
        ({"n_task": 9, "n_brain": "n_task - 10"}, "is -1 at n_task = 9; a whole number"),
        ({"n_task": 9, "n_brain": "10**12"}, "is 1e+12 at n_task = 9; a whole number"),
        ({"n_task": 9, "n_brain": "(n_task ** 64) ** 40"}, "is 1e+300 at n_task = 9; a whole"),
        ({"n_task": 9, "n_brain": ["n_task", "n_task"]}, "'n_task' is listed twice"),
        ({"n_task": 9, "n_brain": ["n_task", {}]}, "[design] n_brain = {}: a whole number"),
        ({"n_task": 9, "where": "n_brain > 0"}, "'n_brain > 0': no point of the design meets it"),
        ({"n_task": 9, "where": 3}, "[design] where = 3: a condition in text is allowed"),
        ({"n_task": 9, "where": "n_brain < input_dmi"}, "did you mean 'input_dim'"),
        ({"n_task": 9, "where": "inputs < 3"}, "inputs = 'gaussian' is no number of the model"),
        ({"n_task": 9, "where": "1 / n_brain > 0"}, "divides by 0 at n_brain = 0"),
        ({"n_task": 9, "wher": "n_brain > 0"}, "[design] wher: unknown key; did you mean 'where'"),
    ],
)
def test_mistakes_are_refused_in_a_sentence(design, words):
    with pytest.raises(mb.InputError) as error:
        study(design)
    assert words in str(error.value) and "\n" not in str(error.value)


def test_more_points_than_a_study_may_have_are_refused_before_they_take_memory():
    many = {"linear": [1, 100_000, 100_000]}
    with pytest.raises(mb.InputError, match="asks for 10,000,000,000 points of each model"):
        study({"n_task": many, "n_brain": many})


def test_python_asks_in_the_same_words():
    asked = {"estimators": None, "shifts": ["id"], "seed": 1}
    found = adhoc_study(
        mb.Model(**MODEL), None, None, points=np.array([[60, 200], [30, 50]]), **asked
    )
    assert pairs(found) == [(60, 200), (30, 50)]
    found = adhoc_study(mb.Model(**MODEL), (20, 40), "2 * n_task", where="n_task > 20", **asked)
    assert pairs(found) == [(40, 80)]


def test_predict_takes_points_and_refuses_in_the_words_of_a_call():
    model = mb.Model(**MODEL)
    table = mb.predict(model, points=[(60, 200), (30, 50)], estimators={"ridge": 0.1})
    grid = mb.predict(model, [30, 60], [50, 200], estimators={"ridge": 0.1})
    assert table["n_brain"].to_pylist() == [200, 50]
    assert table["predicted"].to_pylist() == [grid["predicted"][i].as_py() for i in (3, 0)]
    with pytest.raises(mb.InputError, match=r"^n_task is missing"):
        mb.predict(model)
    with pytest.raises(mb.InputError, match=r"^points\[0\] = 3: a pair"):
        mb.predict(model, points=[3, 4])
