"""Sides of a study: the models, choices and brain samples that share work, by hand."""

import numpy as np
import pytest

from mcbrain.asking.from_toml import study_from_table
from mcbrain.plan.sides import brain_problem, families, point_of, sides

TABLE = {
    "name": "sides",
    "seed": 5,
    "model": {
        "input_dim": 12,
        "latent_dim": 3,
        "n_channels": 8,
        "measured_latents": 2,
        "misalignment": [0.0, 0.2],
        "task_noise": [0.5, 1.0, 2.0],
        "signal_norm": 2.0,
        "latent_gains": [[1.5, 1.0, 0.7]],
    },
    "design": {"n_task": [6, 40, 90, 200], "n_brain": [0, 1, 60]},
    "estimators": {
        "ols": 0.0,
        "ridge": ["optimal", 0.3],
        "befs": 0.1,
        "befs-oracle": "optimal-shift",
        "projection": 0.0,
    },
    "engine": {"kind": "spectral"},
}


def _study(**sections):
    return study_from_table({**TABLE, **sections})


def _sides(study, family=0):
    return list(sides(study, families(study)[family]))


def test_a_family_is_the_models_that_differ_in_their_task_noise_alone():
    study = _study()
    found = families(study)
    assert [f.indices.tolist() for f in found] == [[0, 1, 2], [3, 4, 5]]
    assert [f.model.misalignment for f in found] == [0.0, 0.2]
    for family in found:
        assert family.model is study.models[family.indices[0]]
        np.testing.assert_allclose(family.task_noise, [0.25, 0.5, 1.0])  # over |beta| = 2


@pytest.mark.parametrize("key", ["snr_task", "task_noise"])
def test_noise_and_ratio_are_the_same_axis(key):
    model = {k: v for k, v in TABLE["model"].items() if k != "task_noise"}
    (family, _) = families(_study(model={**model, key: [4.0, 1.0]}))
    noise = [1.0 / np.sqrt(4.0), 1.0] if key == "snr_task" else [2.0, 0.5]
    np.testing.assert_allclose(family.task_noise, noise)
    assert family.indices.tolist() == [0, 1]


def test_every_model_is_in_one_family_whatever_the_order_of_the_axes():
    model = {**TABLE["model"], "neural_noise": [0.5, 1.0], "basis": ["haar", "axes"]}
    study = _study(model=model)
    places = np.concatenate([f.indices for f in families(study)])
    assert sorted(places.tolist()) == list(range(24)) and len(families(study)) == 8
    for family in families(study):
        for place, noise in zip(family.indices, family.task_noise, strict=True):
            assert study.models[place].task_noise / 2.0 == noise


def test_sides_by_hand():
    """No subspace: rank 0. Measured: the brain's own two. Estimated: by brain samples."""
    found = [
        (
            s.subspace,
            s.n_brain,
            s.rank,
            s.simulated,
            s.undefined,
            [c.estimator.name for c in s.methods],
        )
        for s in _sides(_study())
    ]
    assert found == [
        ("none", 0, 0, False, False, ["ols", "ridge", "ridge"]),
        ("estimated", 0, 0, False, False, ["befs", "projection"]),
        ("estimated", 1, 2, True, True, ["befs", "projection"]),
        ("estimated", 60, 2, True, False, ["befs", "projection"]),
        ("measured", 0, 2, False, False, ["befs-oracle"]),
    ]


def test_the_rank_that_is_asked_for_is_that_of_the_estimated_subspace_alone():
    found = {(s.subspace, s.n_brain): s for s in _sides(_study(encoding={"rank": 5}))}
    assert found["estimated", 60].rank == 5 and not found["estimated", 60].undefined
    assert found["estimated", 1].undefined and found["measured", 0].rank == 2
    # Just as many brain samples as directions are enough.
    design = {"n_task": [6], "n_brain": [4, 5]}
    few = {
        s.n_brain: s
        for s in _sides(_study(encoding={"rank": 5}, design=design, estimators={"befs": 0.1}))
    }
    assert few[4].undefined and not few[5].undefined


def test_every_choice_is_on_one_side_for_each_of_its_numbers_of_brain_samples():
    study = _study()
    for subspace, times in (("none", 1), ("measured", 1), ("estimated", 3)):
        mine = [c for c in study.methods if c.estimator.subspace == subspace]
        found = [c for s in _sides(study) if s.subspace == subspace for c in s.methods]
        assert found == mine * times


def test_a_penalty_by_shift_makes_its_side_one_by_shift():
    by_shift = {s.subspace: s.by_shift for s in _sides(_study())}
    assert by_shift == {"none": False, "estimated": False, "measured": True}


@pytest.mark.parametrize("family", [0, 1])
def test_the_point_of_a_side_is_that_of_the_study(family):
    study = _study()
    points = {p.index: p for p in study.points()}
    for side in _sides(study, family):
        for task in range(4):
            for noise in range(3):
                point = point_of(study, side, task, noise)
                assert point == points[point.index]
                assert point.n_brain == side.n_brain and point.n_task == study.n_task[task]
                assert point.model is study.models[3 * family + noise]


def test_a_brain_problem_is_that_of_the_brain_and_knows_nothing_of_the_task():
    one, other = (_sides(_study(), family)[3] for family in (0, 1))
    problem = brain_problem(_study(), one)
    assert problem.kind == "brain" and problem.seed == 5
    assert problem.n_brain == 60 and problem.rank == 2
    # The same recordings whatever is measured with them: misalignment and noise play no part.
    assert brain_problem(_study(), other).key == problem.key
    changed = {**TABLE["model"], "task_noise": 9.0, "signal_norm": 1.0}
    assert brain_problem(_study(), _sides(_study(model=changed))[3]).key == problem.key
    penalised = _study(encoding={"penalty": 0.1})
    assert brain_problem(penalised, _sides(penalised)[3]).key != problem.key
