"""Designs that are no full grid, run: the rows of the grid bit by bit, from the same blocks."""

import json

import numpy as np
import pyarrow.compute as pc
import pytest

from mcbrain.results.view import Results
from mcbrain.running.computing import compute
from mcbrain.running.merging import merge
from mcbrain.running.replaying import replay
from mcbrain.running.runner import run
from mcbrain.worth.simulated import value_in_results
from tests.support.small_study import rows, study

GRID = {"n_task": [6, 40, 90], "n_brain": [0, 1, 60]}
SMALL = {
    "model__misalignment": [0.0, 0.2],
    "estimators": {"ols": 0.0, "ridge": ["optimal", 0.3], "befs": "optimal", "befs-oracle": 0.3},
    "shifts": {"id": {}, "brain-insensitive": {"factor": 4.0}},
    "precision": {"relative": 0.0, "max_replicates": 500},
}
DESIGNS = [
    {"points": [[90, 60], [6, 1], [40, 0], [40, 60]]},
    {**GRID, "where": "n_brain < n_task and 100 * misalignment < n_brain"},
    {"n_task": [90, 40], "n_brain": [0, "60 + n_task // 100"]},
]
ENGINES = {
    "raw": {"kind": "raw"},
    "sufficient": {"kind": "sufficient"},
    "spectral": {"kind": "spectral"},
    "task-problems": {"kind": "spectral", "law": False},
    "law": {"kind": "law"},
}


def asked(table):
    """The rows by what they are about; their numbers in the table and their times aside."""
    found = {}
    for row in table.drop_columns(["seconds", "point"]).to_pylist():
        names = ("misalignment", "n_task", "n_brain", "estimator", "penalty_rule", "shift")
        key = tuple(row[n] for n in names)
        found.setdefault(key, []).append(json.dumps(row))
    return found


@pytest.mark.parametrize(
    "engine",
    [
        pytest.param(name, marks=[pytest.mark.long] if name == "sufficient" else [])
        for name in ENGINES  # a plan of points is that of engine raw too
    ],
)
def test_rows_are_those_of_the_full_grid_bit_by_bit(engine):
    whole = asked(compute(study(**SMALL, design=GRID, engine=ENGINES[engine])).table)
    for design in DESIGNS:
        part = study(**SMALL, design=design, engine=ENGINES[engine])
        table = compute(part).table
        found = asked(table)
        assert not part.design.full and table.num_rows == part.n_rows
        points = {(p.model.misalignment, p.n_task, p.n_brain) for p in part.points()}
        assert {key[:3] for key in found} == points
        assert {key: whole[key] for key in found} == found
        index = np.repeat(np.arange(part.n_points), table.num_rows // part.n_points)
        assert table["point"].to_pylist() == index.tolist()


@pytest.mark.parametrize("law", [True, False])
def test_a_point_of_a_list_stops_as_if_it_were_alone(law):
    """With engine spectral too, whose problems serve many points: those asked for alone count."""
    changes = SMALL | {
        "engine": {"kind": "spectral", "law": law},
        "model__misalignment": 0.2,
        "precision": {"relative": 0.0005, "max_replicates": 200_000},
    }
    both = asked(compute(study(**changes, design={"points": [[400, 60], [40, 90]]})).table)
    grid = {"n_task": [40, 400], "n_brain": [60, 90]}
    whole = asked(compute(study(**changes, design=grid)).table)
    drawn = [
        json.loads(found[0.2, 400, 60, "befs", "optimal", "id"][0])["replicates"]
        for found in (both, whole)
    ]
    assert 0 < drawn[0] < drawn[1]  # the grid asks for (40, 60) too, which needs more
    for task, brain in ((400, 60), (40, 90)):
        alone = asked(compute(study(**changes, design={"n_task": task, "n_brain": brain})).table)
        assert alone.keys() <= both.keys()
        for key in alone:
            assert both[key] == alone[key]


def test_a_grid_and_a_list_in_one_folder_share_their_blocks(tmp_path):
    changes = {"model__misalignment": 0.2, "shifts": {"id": {}}}
    changes["precision"] = {"relative": 0.0, "max_replicates": 512}
    first = run(study(**changes, design={"n_task": [6, 40], "n_brain": [0, 60]}), tmp_path)
    points = [[40, 60], [6, 0], [90, 60]]
    second = run(study(**changes, design={"points": points}), tmp_path)
    assert second.computed > 0 and second.computed < first.computed
    found = rows(tmp_path)
    assert {*zip(*(found[n].to_pylist() for n in ("n_task", "n_brain")), strict=True)} == {
        tuple(point) for point in points
    }
    third = run(study(**changes, design={"n_task": [6, 40], "n_brain": [0, 60]}), tmp_path)
    assert third.computed == 0
    fourth = run(
        study(**changes, design={"n_task": [6, 40], "n_brain": [0, 60], "where": "n_brain < 60"}),
        tmp_path,
    )
    assert (fourth.computed, fourth.reused > 0) == (0, True)


@pytest.fixture(scope="module")
def listed(tmp_path_factory):
    """A list of points, run whole and in two parts."""
    home = tmp_path_factory.mktemp("listed")
    table = study(
        model__misalignment=[0.0, 0.2],
        design={"points": [[90, 60], [40, 60], [40, 0], [12, 8], [150, 60]]},
        estimators={"ridge": "optimal", "befs": "optimal"},
        precision={"relative": 0.0, "max_replicates": 512},
    )
    run(table, home / "whole")
    for part in (1, 2):
        run(table, home / f"s{part}", shard=f"{part}/2")
    return home


def test_shards_of_a_list_merge_into_the_whole(listed):
    assert not merge([listed / "s1", listed / "s2"], listed / "merged").missing
    assert rows(listed / "merged").equals(rows(listed / "whole"))


def test_a_replicate_of_a_list_is_replayed_by_the_number_of_its_point(listed):
    found = replay(listed / "whole", 8, 3)  # the fourth point of the second model
    assert found.data["X"].shape == (12, 12) and found.data["X_brain"].shape == (8, 12)


def test_the_view_of_a_list_is_nan_where_nothing_was_asked(listed):
    view = Results(listed / "whole")
    assert view.shape == (2, 4, 3, 2, 3) and view.study.n_task == (12, 40, 90, 150)
    assert view.asked.sum() == 10
    assert view.asked[1].tolist() == [
        [False, True, False],
        [True, False, True],
        [False, False, True],
        [False, False, True],
    ]
    table = view.table
    for name in ("mean", "replicates", "status", "point"):
        column = view.column(name)
        missing = column[~view.asked]
        assert all(x is None if name == "status" else np.isnan(x) for x in missing.ravel())
        for model, task, brain, method, shift in np.ndindex(view.shape):
            if view.asked[model, task, brain]:
                row = int(view.row((model, task, brain, method, shift)))
                want = table[name][row].as_py()
                got = column[model, task, brain, method, shift]
                assert got == want or (want is None and np.isnan(got))
                assert table["n_task"][row].as_py() == view.study.n_task[task]
                assert table["n_brain"][row].as_py() == view.study.n_brain[brain]
    assert not view.simulated[~view.asked].any() and not view.unreached[~view.asked].any()
    assert view.row((0, 0, 0, 1, 2)) < 0


def test_a_value_in_a_list_inverts_the_baseline_at_whatever_points_it_has(listed):
    """Ridge uses no brain data: its curve at n_brain = 8 rests on points of other brain data."""
    view = Results(listed / "whole")
    assert view.without_brain(0, 1).tolist() == [1, 0, 2, 2]
    found, _ = value_in_results(view, 0, 1, 2)
    assert found.low < found.value < found.high
    ridge = view.mean[0, [0, 1, 2, 3], [1, 2, 2, 2], 0, 0]
    befs = view.mean[0, 1, 2, 1, 0]
    assert (ridge[1] > befs) == (found.value > 0)
    with pytest.raises(Exception, match="n_task = 12 with n_brain = 60 is no point of the study"):
        value_in_results(view, 0, 0, 2)


def test_brain_moments_are_those_of_the_brain_samples_that_are_asked(listed):
    import pyarrow.feather as feather

    table = feather.read_table(listed / "whole" / "brain.arrow")
    assert set(pc.unique(table["n_brain"]).to_pylist()) == {8, 60}
