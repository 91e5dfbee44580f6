"""An entry that somebody adds to a table of mcbrain works everywhere, or ends in a sentence.

Each test adds an entry to one table, as a newcomer would, and visits every home of its kind: none
may give it the numbers of another entry.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest

import mcbrain as mb
from mcbrain.asking import estimators
from mcbrain.asking.engines import ENGINE_NAMES, ENGINES
from mcbrain.asking.estimators import ESTIMATORS, Estimator, Method
from mcbrain.asking.penalty_rules import RULES, Rule, RuleKind
from mcbrain.asking.shift_text import parse_shift
from mcbrain.asking.studies import Point
from mcbrain.blocks.problem import Job, Problem, RawProblem, data_problem
from mcbrain.blocks.query import Encoding, Fit, Query
from mcbrain.certificate.law_checks import _FAMILIES
from mcbrain.engines import engine_for, simulate, warm_up
from mcbrain.errors import InputError
from mcbrain.kernels.random.draw import INPUT_CODES
from mcbrain.plan.moments import shift_coefficients, shift_drift
from mcbrain.plan.penalties import Penalties, pilots
from mcbrain.plan.subspaces import LawSubspaces
from mcbrain.plan.task_stage import task_statistics
from mcbrain.population import shifts
from mcbrain.population.distributions import (
    BASES,
    INPUTS,
    LATENTS,
    RECORDINGS,
    InputFamily,
    LatentFamily,
    RecordingFamily,
)
from mcbrain.population.geometry import Geometry
from mcbrain.population.model import MODEL_FIELDS, Model
from mcbrain.population.shift_laws import ShiftLaw
from mcbrain.population.shifts import SHIFTS, ShiftKind, law
from mcbrain.results.columns import PREDICTIONS, RESULT_COLUMNS, STATUSES
from mcbrain.results.opening import open_plan
from mcbrain.results.row_writers import words_of
from mcbrain.running.recipe import recipe
from mcbrain.running.replaying import rebuild
from mcbrain.theory import tails
from mcbrain.worth import scaling
from mcbrain.worth.abstraction import gaussian_twin
from mcbrain.worth.surface import Surface
from tests.support.small_study import TABLE, study

SIZES = {"input_dim": 9, "latent_dim": 3, "n_channels": 5, "misalignment": 0.2}
RIDGE = Fit(ESTIMATORS["ridge"], "fixed", 0.3, 1.0, 3, 0.0)


def model(**changes):
    return Model(**SIZES, **changes)


def problem(of, kind="raw"):
    return data_problem(kind, of, 12, 20, seed=1)


def draw(of, row=RIDGE, shift="id", kind="raw"):
    """A block of a problem, as an engine draws it."""
    asked = (Query(row, parse_shift(shift), None),)
    return simulate(Job(problem(of, kind), asked, (0,)))


def without_fit(of, **engine):
    """A study of a model, as a study file would ask for it."""
    settings = {name: getattr(of, name) for name in MODEL_FIELDS if getattr(of, name) is not None}
    settings.pop("snr_task", None), settings.pop("snr_brain", None)
    return study(model=settings, engine=engine or {"kind": "auto"})


def unhandled(what):
    return pytest.raises(NotImplementedError, match=f"{what}.*a fault of mcbrain")


# What data is drawn from --------------------------------------------------------------------


def test_an_input_distribution_is_drawn_by_its_line_or_not_at_all(monkeypatch):
    line = "rng.logistic(0.0, np.sqrt(3) / np.pi, (n, d))"
    monkeypatch.setitem(INPUTS, "logistic", InputFamily(line, "density", "4.2", ("logistic",)))
    of = model(inputs="logistic")
    with unhandled("input distribution 'logistic'"):
        draw(of)
    with unhandled("input distribution 'logistic'"):
        mb.simulate(of, 12, 20, {"ridge": 0.3}, precision=0, max_replicates=10, threads=1)
    for engine in ("sufficient", "spectral"):
        with pytest.raises(InputError, match="'logistic' are not Gaussian"):
            engine_for(without_fit(of, kind=engine))
    assert engine_for(without_fit(of))[0] == "raw"
    assert mb.predict(of, 12, 20, {"ridge": 0.3})["predicted"].to_pylist() == [None]
    asked = Point(0, of, 12, 20)
    data = vars(rebuild(replace(study(), seed=1), asked, problem(of), 0, 0))
    names = {}
    exec(recipe(problem(of), 0, 0), names)
    np.testing.assert_array_equal(data["X"], names["X"])
    other = vars(
        rebuild(replace(study(), seed=1), replace(asked, model=model()), problem(model()), 0, 0)
    )
    assert not np.array_equal(data["X"], other["X"])
    assert line in recipe(problem(of), 0, 0)


def test_an_input_distribution_with_a_parameter_has_a_range():
    assert INPUTS.keys() == INPUT_CODES.keys()
    for name, record in INPUTS.items():
        assert all(
            model(inputs=text).input_distribution.name == name for text in record.examples
        ), name
        assert record.examples, name
        assert bool(record.form) == ("{0}" in record.line), name
        assert not record.form or record.low < record.high, name
    with pytest.raises(InputError, match="logistic"):
        model(inputs="logistic")


def test_latents_are_drawn_by_their_line_or_not_at_all(monkeypatch):
    monkeypatch.setitem(LATENTS, "relu", LatentFamily("np.maximum({X} @ brain_map.T, 0.0)"))
    of = model(latents="relu")
    with unhandled("latents 'relu'"):
        draw(of)
    for engine in ("sufficient", "spectral"):
        with pytest.raises(InputError, match="'relu' are not linear"):
            engine_for(without_fit(of, kind=engine))
    names = {}
    exec(recipe(problem(of), 0, 0), names)
    data = vars(rebuild(replace(study(), seed=1), Point(0, of, 12, 20), problem(of), 0, 0))
    np.testing.assert_array_equal(data["R"], names["R"])
    assert "np.maximum" in recipe(problem(of), 0, 0)


def test_recordings_are_drawn_by_their_line_or_not_at_all(monkeypatch):
    line = "{rng}.binomial(9, 1 / (1 + np.exp(-np.log({rate!r}) - drive))).astype(np.float64)"
    family = RecordingFamily(line, twin_noise=lambda rate: (1.0 + rate) / (3.0 * rate**0.5))
    monkeypatch.setitem(RECORDINGS, "binomial", family)
    of = model(neural_law="binomial", baseline_rate=2.0)
    with unhandled("distribution of recordings 'binomial'"):
        draw(of)
    for engine in ("sufficient", "spectral"):
        with pytest.raises(InputError, match="recordings are not Gaussian"):
            engine_for(without_fit(of, kind=engine))
    names = {}
    exec(recipe(problem(of), 0, 0), names)
    data = vars(rebuild(replace(study(), seed=1), Point(0, of, 12, 20), problem(of), 0, 0))
    np.testing.assert_array_equal(data["R"], names["R"])
    assert data["R"].min() >= 0 and data["R"].max() <= 9
    assert gaussian_twin(of).sigma_r == pytest.approx(3.0 / (3.0 * 2.0**0.5))
    with pytest.raises(InputError, match="'binomial' has no recording noise"):
        model(neural_law="binomial", neural_noise=1.0)
    with pytest.raises(InputError, match="only neural_law = 'poisson' or 'binomial' has a rate"):
        model(baseline_rate=1.0)


def test_a_basis_that_the_geometry_does_not_know_is_refused(monkeypatch):
    monkeypatch.setattr("mcbrain.population.settling.BASES", (*BASES, "wavelet"))
    of = model(basis="wavelet")
    with unhandled("basis 'wavelet'"):
        draw(of)
    with unhandled("basis 'wavelet'"):
        _ = Geometry(of, 1).rotation
    with unhandled("basis 'wavelet'"):
        recipe(problem(of), 0, 0)


@pytest.mark.parametrize("covariance", ["banded:2", "powerlaws:1", "identity:1", "Identity"])
def test_a_covariance_without_a_spectrum_is_refused(covariance):
    with pytest.raises(InputError, match="covariance = "):
        model(covariance=covariance)


# Shifts -------------------------------------------------------------------------------------


def aligned(shift, g):
    """The shift brain-aligned under another name."""
    return ShiftLaw(1.0, g.brain * g.scale, np.full(len(g.brain), shift.value - 1.0), g.beta)


def turned(shift, g):
    return replace(aligned(shift, g), target=2.0 * g.beta)


def test_a_new_shift_is_one_record(monkeypatch):
    monkeypatch.setitem(SHIFTS, "brainy", ShiftKind(aligned, "dense", "as it says", "factor"))
    of = model()
    for engine in ("raw", "sufficient", "spectral", "law"):
        found = [
            mb.simulate(
                of, 30, 40, {"ridge": 0.3, "befs": 0.3}, [f"{kind}:4"],
                precision=0, max_replicates=200, threads=1, seed=5, engine=engine,
            )
            for kind in ("brainy", "brain-aligned")
        ]  # fmt: skip
        for column in ("mean", "predicted"):
            one, two = (t[column].to_pylist() for t in found)
            expected = [None if v is None else pytest.approx(v, rel=1e-9) for v in two]
            assert one == expected, (engine, column)
            assert one != [None, None] or column == "mean"


def test_a_shift_says_what_the_laws_must_know():
    with pytest.raises(TypeError, match="moment"):
        ShiftKind(aligned)


def test_a_shift_without_a_second_moment_is_simulated_and_has_no_law(monkeypatch):
    monkeypatch.setitem(SHIFTS, "brainy", ShiftKind(aligned, None, "as it says", "factor"))
    of, shift = model(), parse_shift("brainy:4")
    with pytest.raises(InputError, match="no second moment and no law"):
        shift_coefficients(shift, of, 1)
    with pytest.raises(InputError, match="not a second moment"):
        engine_for(study(shifts=["brainy:4"], engine={"kind": "spectral"}))
    assert engine_for(study(shifts=["brainy:4"], engine={"kind": "auto"}))[0] == "sufficient"
    assert mb.predict(of, 30, 40, {"befs": 0.3}, ["brainy:4"])["predicted"].to_pylist() == [None]
    table = mb.simulate(
        of, 30, 40, {"ridge": 0.3}, ["brainy:4"], precision=0, max_replicates=64, threads=1
    )
    assert table["prediction"].to_pylist() == ["none"]


def test_a_shift_that_moves_the_target_says_so(monkeypatch):
    silent = ShiftKind(turned, "dense", "as it says", "factor")
    of, shift = model(), shifts.Shift("twisted", 4.0)
    monkeypatch.setitem(SHIFTS, "twisted", silent)
    with unhandled("target that moves under the shift 'twisted'"):
        draw(of, shift="twisted:4")
    monkeypatch.setitem(SHIFTS, "twisted", replace(silent, moves_target=True))
    draw(of, shift="twisted:4")
    with unhandled("target that moves under the shift 'twisted:4'"):
        shift_drift(shift, of, 1)


def test_an_adversary_has_no_second_moment(monkeypatch):
    hidden = replace(SHIFTS["adversarial"], moment="dense")
    monkeypatch.setitem(SHIFTS, "adversarial", hidden)
    with unhandled("adversary of the shift 'adversarial'"):
        draw(model(), shift="adversarial:0.5")


@pytest.mark.parametrize("kind", ["mean", "concept"])
def test_a_direction_that_a_shift_does_not_know_is_refused(monkeypatch, kind):
    monkeypatch.setitem(SHIFTS, kind, replace(SHIFTS[kind], directions=("sideways",)))
    with unhandled("direction 'sideways'"):
        draw(model(), shift=f"{kind}:1:sideways")
    shift = parse_shift(f"{kind}:1:sideways")
    with pytest.raises(NotImplementedError, match="sideways"):
        shift_coefficients(shift, model(), 1)
        shift_drift(shift, model(), 1)


def every_shift():
    for kind, record in SHIFTS.items():
        if record.along and not record.directions:
            continue  # a file
        number = ["2"] if record.parameter else []
        for along in record.directions or ("",):
            yield ":".join([kind, *number, *([along] if along else [])])


@pytest.mark.parametrize("text", list(every_shift()))
def test_kernels_and_laws_know_the_same_shift(text):
    """Both homes of a record, its law and its moment, give one M and one target."""
    of, shift = model(task_loadings=(1.0, 0.5, -0.3)), parse_shift(text)
    g = Geometry(of, 4)
    found, drift = law(shift, g), shift_drift(shift, of, 4)
    frame = np.column_stack([g.brain.T, g.missed, g.orthogonal])
    known = np.zeros(of.input_dim) if drift is None else frame @ drift
    np.testing.assert_allclose(found.target - g.beta, known, atol=1e-12)
    if not shift.has_moment:
        assert found.budget > 0
        return
    moment = found.scale * np.eye(of.input_dim) + (found.probes.T * found.weights) @ found.probes
    coefficients = shift_coefficients(shift, of, 4)
    inside = frame.T @ moment @ frame
    k = of.latent_dim + 2
    expected = coefficients.identity * np.eye(k) + coefficients.frame[:k, :k]
    np.testing.assert_allclose(inside, expected, atol=1e-12)


# Estimators and penalty rules ---------------------------------------------------------------


def test_an_estimator_of_anothers_definition_is_refused(monkeypatch):
    monkeypatch.setitem(ESTIMATORS, "lasso", Estimator("lasso", "none", 1.0, "chosen"))
    with pytest.raises(ValueError, match="'ridge' and 'lasso' have one definition"):
        estimators.parse_estimator("lasso")
    with pytest.raises(ValueError, match="'ridge' and 'lasso' have one definition"):
        mb.predict(model(), 12, 20, {"lasso": 0.3})


def test_an_estimator_is_found_under_its_own_name(monkeypatch):
    monkeypatch.setitem(ESTIMATORS, "lasso", Estimator("Lasso", "none", 0.5, "chosen"))
    with pytest.raises(ValueError, match="'lasso' calls itself 'Lasso'"):
        estimators.parse_estimator("lasso")


@pytest.mark.parametrize(
    ("subspace", "eta", "penalty"),
    [("none", 0.5, "chosen"), ("estimated", 1.0, "chosen"), ("measured", 0.5, "infinite")],
)
def test_an_eta_without_effect_is_refused(monkeypatch, subspace, eta, penalty):
    monkeypatch.setitem(ESTIMATORS, "half", Estimator("half", subspace, eta, penalty))
    with pytest.raises(ValueError, match=f"'half' has .*eta = {eta}"):
        estimators.parse_estimator("half")


def test_an_eta_of_a_new_estimator_counts_in_every_number(monkeypatch):
    """Two laws against 640 replicates, |z| < 5 beside 2 % for the law: false alarm below 1e-5."""
    for name, subspace in {"befs-half": "estimated", "oracle-half": "measured"}.items():
        monkeypatch.setitem(ESTIMATORS, name, Estimator(name, subspace, 0.5, "chosen"))
    of = Model(input_dim=60, latent_dim=5, n_channels=40, misalignment=0.2)
    names = {"befs-half": 0.3, "two-penalty:0.5": 0.3, "oracle-half": 0.3}
    asking = {"precision": 0, "max_replicates": 640, "threads": 1, "seed": 1}
    rows = mb.simulate(of, 100, 400, names, **asking).to_pylist()
    assert {row["engine"] for row in rows} == {"sufficient"}
    assert {row["prediction"] for row in rows} == {"asymptotic"}
    for row in rows:
        assert abs(row["mean"] - row["predicted"]) < 5 * row["mcse"] + 0.02 * row["mean"], row
    for column in ("mean", "predicted"):
        assert rows[0][column] == rows[1][column]
    (told, spared) = mb.predict(of, 100, 400, {"oracle-half": 0.3, "befs-oracle": 0.3}).to_pylist()
    assert told["predicted"] == rows[2]["predicted"] != spared["predicted"]
    with pytest.raises(InputError, match="'oracle-half' penalises inside the subspace"):
        engine_for(study(estimators={"oracle-half": 0.3}, engine={"kind": "spectral"}))
    for name in ("befs-half", "oracle-half"):
        best = mb.simulate(of, 100, 400, {name: "optimal"}, **asking).to_pylist()[0]["penalty"]
        tried = {name: [best / 2, best, best * 2]}
        left, least, right = mb.predict(of, 100, 400, tried)["predicted"].to_pylist()
        assert least < min(left, right)


def test_a_subspace_that_nobody_estimates_is_refused():
    learned = Estimator("learned", "learned", 0.0, "chosen")
    with unhandled("subspace 'learned'"):
        draw(model(), replace(RIDGE, estimator=learned))
    with unhandled("subspace 'learned'"):
        LawSubspaces(study()).moments(learned, next(study().points()), Encoding(1, 0.0))


def test_a_penalty_that_an_estimator_cannot_have_is_refused():
    odd = Estimator("odd", "none", 1.0, "halved")
    with unhandled("penalty of an estimator 'halved'"):
        draw(model(), replace(RIDGE, estimator=odd))
    forced = [ESTIMATORS[name].in_force(0.3) for name in ("ols", "ridge", "projection")]
    assert forced == [0.0, 0.3, math.inf]


def test_a_penalty_rule_that_nobody_carries_out_is_refused(monkeypatch):
    """One that chooses on each replicate is in the kernels, or ends in a sentence."""
    monkeypatch.setitem(RULES, "aic", RuleKind("replicate"))
    (method,) = estimators.methods_from_table({"ridge": "aic"})
    assert method == Method(ESTIMATORS["ridge"], Rule("aic"))
    for engine in ("sufficient", "spectral"):
        with pytest.raises(InputError, match="'aic' chooses on whole data sets"):
            engine_for(study(estimators={"ridge": "aic"}, engine={"kind": engine}))
    with unhandled("penalty rule 'aic'"):
        mb.simulate(model(), 30, 40, {"ridge": "aic"}, precision=0, max_replicates=64, threads=1)
    with unhandled("penalty rule 'aic'"):
        draw(model(), replace(RIDGE, rule="aic", penalty=math.nan))
    assert mb.predict(model(), 30, 40, {"ridge": "aic"})["predicted"].to_pylist() == [None]


@pytest.mark.parametrize("kind", [RuleKind("guess"), RuleKind("risk", "some")])
def test_a_way_to_choose_that_nobody_knows_is_refused(monkeypatch, kind):
    monkeypatch.setitem(RULES, "aic", kind)
    asking = study(estimators={"ridge": "aic"})
    subspaces, point = LawSubspaces(asking), next(asking.points())
    (method,) = asking.methods
    with unhandled("penalty rule 'aic'"):
        Penalties(asking, subspaces).resolve(method, point, parse_shift("id"))
        list(pilots(asking, subspaces, [point]))
    with unhandled("penalty rule 'aic'"):
        mb.simulate(model(), 30, 40, {"ridge": "aic"}, precision=0, max_replicates=64, threads=1)


def test_a_rule_of_anothers_definition_is_refused(monkeypatch):
    monkeypatch.setitem(RULES, "best", RuleKind("risk", "id"))
    with pytest.raises(ValueError, match="'optimal' and 'best' have one definition"):
        mb.predict(model(), 12, 20, {"ridge": "best"})


def test_a_rule_of_no_table_is_refused():
    with unhandled("penalty rule 'aic'"):
        _ = Rule("aic").selects


def test_a_penalty_scale_that_nobody_knows_is_refused(tmp_path):
    asking = replace(study(engine={"kind": "spectral"}), penalty_scale="per-channel")
    fixed, point = Method(ESTIMATORS["ridge"], Rule("fixed", 0.3)), next(asking.points())
    with unhandled("penalty_scale 'per-channel'"):
        Penalties(asking, LawSubspaces(asking)).resolve(fixed, point, parse_shift("id"))


def test_a_scaling_law_that_nobody_fits_is_refused(monkeypatch):
    monkeypatch.setitem(scaling.FORMS, "exponential", "R = floor + scale e^-n")
    n = np.arange(20.0, 40.0)
    with unhandled("scaling law 'exponential'"):
        scaling.fit(n, 1.0 / n, 0.01 / n, "exponential", 9)
    with pytest.raises(KeyError, match="n_channels"):
        scaling.local_exponent(Surface(model()), 50, 50, "n_channels")


# Engines ------------------------------------------------------------------------------------


def test_an_engine_without_a_home_is_refused():
    asking = replace(study(), engine="quick")
    with unhandled("engine 'quick'"):
        engine_for(asking)
    with unhandled("engine 'quick'"):
        open_plan(asking, "quick", None)
    with unhandled("engine 'quick'"):
        warm_up("quick")


def test_what_an_engine_names_and_nobody_can_do_is_refused(monkeypatch):
    """Its plan, the kinds of problems that it draws: each ends in the place that forgot it."""
    quick = replace(ENGINES["raw"], name="quick", plan="guesses", draws=("quick",))
    monkeypatch.setitem(ENGINES, "quick", quick)
    asking = replace(study(), engine="quick")
    assert engine_for(asking) == ("quick", ENGINES["raw"].reason)
    with unhandled("plan 'guesses'.*mcbrain/results/opening.py"):
        open_plan(asking, "quick", None)
    with unhandled("kind of problem 'quick'.*mcbrain.engines"):
        warm_up("quick")


def test_every_engine_is_spelt_in_studies_and_results():
    assert (
        set(ENGINE_NAMES)
        == {"auto", *ENGINES}
        == {"auto", *words_of(RESULT_COLUMNS, study())["engine"]}
    )
    assert all(name == engine.name for name, engine in ENGINES.items())


@pytest.mark.parametrize("kind", ["quick", "pilot-raw", "brain", ""])
def test_a_kind_of_data_that_nobody_draws_is_refused(kind):
    with unhandled(f"kind of problem '{kind}'"):
        draw(model(), kind=kind)


def test_a_problem_without_a_simulator_is_refused():
    class Quick(Problem):
        kind, content, block_size, replicate_seconds = "quick", {}, 1, 1.0

    with unhandled("kind of problem 'quick'"):
        simulate(Job(Quick(seed=1), (), (0,)))


def test_a_statistic_of_another_kind_of_problem_is_refused():
    with unhandled("statistic 'sum_f 1.0'"):
        simulate(Job(problem(model()), task_statistics([1.0]), (0,)))


def test_a_model_has_a_new_field_without_another_key():
    """Away from its default it is another problem, with streams of its own."""

    @dataclass(frozen=True, kw_only=True)
    class Later(Model):
        n_subjects: int = 1

    settings = {name: getattr(problem(model()).model, name) for name in MODEL_FIELDS}
    settings = {name: value for name, value in settings.items() if not name.startswith("snr")}
    keys = [replace(problem(model()), model=Later(**settings, n_subjects=n)).key for n in (1, 2)]
    assert keys[0] == problem(model()).key != keys[1]


def test_however_a_model_is_spelt_its_problem_is_one():
    one = model(snr_task=4.0, latent_gains=2.0)
    other = model(task_noise=0.5, latent_gains=(2.0, 2.0, 2.0), task_loadings=(3.0, 3.0, 3.0))
    assert problem(one) == problem(other) and hash(problem(one)) == hash(problem(other))
    assert problem(one).key == problem(other).key != problem(model()).key
    assert replace(problem(one), n_brain=21).key != problem(one).key
    assert problem(one, "sufficient").key != problem(one).key
    assert RawProblem.of(one, 12, 20, 1, pilot=True).key != problem(one).key


# Statuses and predictions ------------------------------------------------------------------


def test_every_status_and_prediction_has_its_homes():
    assert set(tails.STATUSES) < set(STATUSES)
    assert set(_FAMILIES) == set(PREDICTIONS)
    assert TABLE["engine"]["kind"] in words_of(RESULT_COLUMNS, study())["engine"]
