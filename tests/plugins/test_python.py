"""Plug-ins that are not compiled: in processes, exact where linear, else on test draws."""

import numpy as np
import pytest

from mcbrain.blocks.problem import RawProblem
from mcbrain.engines.own_python import Request, python_block
from mcbrain.errors import InputError
from mcbrain.plan.penalties import Penalties
from mcbrain.plan.subspaces import PilotSubspaces
from mcbrain.population.shifts import Shift
from mcbrain.results.failures import failures
from mcbrain.results.point_rows import PointRows
from mcbrain.results.tables import open_results
from mcbrain.running.computing import compute
from mcbrain.running.data_sets import block_data_sets
from mcbrain.running.runner import run
from mcbrain.store.memory import MemoryStore
from tests.support.clusters import cluster
from tests.support.own_plugins import PYTHON, study, write

SHIFTS = ["id", "brain-insensitive:4", "mean:2:brain", "spectrum:1.0", "concept:0.3:orthogonal"]

OBJECTS = """
class Linear:
    def __init__(self, beta, intercept):
        self.beta, self.intercept = beta, intercept

    def predict(self, X):
        return X @ self.beta + self.intercept


class Fitted(Linear):
    @property
    def coef_(self):
        return self.beta

    @property
    def intercept_(self):
        return self.intercept


@mb.estimator(parameters={"b": 0.0}, compiled=False)
def exact(data, parameters):
    return Fitted(python_ridge(data, python_parameters), parameters.b)


@mb.estimator(parameters={"b": 0.0}, compiled=False)
def drawn(data, parameters):
    return Linear(python_ridge(data, python_parameters), parameters.b)


@mb.estimator(parameters={"alpha": 0.1}, compiled=False, cost=0.02)
def costly(data, parameters):
    return python_ridge(data, parameters)


class python_parameters:
    alpha = 0.1
"""

BAD = """
@mb.estimator(parameters={"limit": 0.0}, compiled=False)
def sometimes(data, parameters):
    if data.y[0] > parameters.limit:
        raise ValueError("the first label is too large")
    return np.zeros(data.X.shape[1])

@mb.estimator(compiled=False)
def short(data, parameters):
    return np.zeros(3)

@mb.estimator(compiled=False)
def writes(data, parameters):
    data.X[0] = 0.0
"""


def by_name(table):
    found = {}
    for row in table.to_pylist():
        found.setdefault((row["estimator"], row["parameters"]), []).append(row)
    return found


def test_what_only_predicts_is_judged_by_draws_and_an_intercept_exactly(tmp_path):
    """Risks by draws against exact ones within 5 standard errors: false alarm below 1e-5.

    Given a fit, x'delta + b of a test input x is normal with mean m and variance s^2; its square
    has the mean R = s^2 + m^2, the excess risk, and the variance 2 (R^2 - m^4) <= 2 R^2. So the
    mean of N replicates of 1,000 inputs each is normal about that of their R, with a standard error
    of at most sqrt(2 sum R^2 / 1,000) / N, known from the exact row. Each of the two comparisons a
    shift fails by chance with probability 6e-7 at most, however they depend on each other.
    """
    assert 2 * len(SHIFTS) * 5.8e-7 < 1e-5
    write(tmp_path, PYTHON, OBJECTS)
    asked = {"exact": {"b": [0.0, 0.4]}, "drawn": {"b": [0.0, 0.4]}, "ridge": 0.1}
    asked |= {"python_ridge": {}}
    found = by_name(compute(study(tmp_path, asked, shifts=SHIFTS), threads=2).table)
    plain = found["python_ridge", "{ alpha = 0.1 }"]
    for own, row in zip(plain, found["ridge", None], strict=True):
        for name in ("mean", "mcse", "sd", "median", "p_better"):
            np.testing.assert_allclose(own[name] or 0, row[name] or 0, rtol=1e-10)
    for exact, row in zip(found["exact", "{ b = 0.0 }"], plain, strict=True):
        assert exact["mean"] == pytest.approx(row["mean"], rel=1e-12)
    for b in ("{ b = 0.0 }", "{ b = 0.4 }"):
        for exact, drawn in zip(found["exact", b], found["drawn", b], strict=True):
            squares = exact["mean"] ** 2 + exact["sd"] ** 2  # of R, on average
            error = np.sqrt(2 * squares / 1000 / exact["replicates"])
            assert drawn["replicates"] == exact["replicates"]
            assert abs(drawn["mean"] - exact["mean"]) < 5 * error, (exact["shift"], b)
    shifted, plain = found["exact", "{ b = 0.4 }"], found["exact", "{ b = 0.0 }"]
    for more, less, shift in zip(shifted, plain, SHIFTS, strict=True):
        if not shift.startswith("mean"):
            assert more["mean"] - less["mean"] == pytest.approx(0.16, rel=1e-9)


def test_a_costly_plugin_sees_the_first_replicates_of_each_block(tmp_path):
    """Cost 0.02: 12 of each block of 256, and its gain is over ridge on the same 12."""
    write(tmp_path, PYTHON, OBJECTS)
    asked = {"ols": 0.0, "costly": {}, "python_ridge": {}}
    table = compute(study(tmp_path, asked), threads=1).table
    found = {row["estimator"]: row for row in table.to_pylist()}
    blocks = found["ols"]["replicates"] // 256
    assert found["costly"]["replicates"] == 12 * blocks and found["costly"]["failed"] == 0
    few = compute(
        study(tmp_path, asked, precision={"max_replicates": 12}), threads=1
    ).table.to_pylist()
    assert few[1]["replicates"] == 12
    assert 0 < found["costly"]["p_better"] <= 1 and found["costly"]["gain"] > 1
    assert found["costly"]["mean"] != found["python_ridge"]["mean"]


def test_classes_of_scikit_learn_are_estimators_by_name(tmp_path):
    write(tmp_path, PYTHON)
    same = {"alpha": [2.0, 8.0], "fit_intercept": False}  # n_task times 0.1 and 0.4
    asked = {"ridge": [0.1, 0.4], "sklearn:Ridge": same}
    asked |= {"sklearn:KernelRidge": {"kernel": "linear", "alpha": 2.0}}
    found = compute(study(tmp_path, asked), threads=1).table.to_pylist()
    assert found[2]["parameters"] == "{ alpha = 2.0, fit_intercept = false }"
    assert [found[2]["mean"], found[3]["mean"]] == pytest.approx(
        [found[0]["mean"], found[1]["mean"]], rel=1e-10
    )
    assert found[4]["mean"] == pytest.approx(found[0]["mean"], rel=0.02)  # by test draws
    with pytest.raises(InputError, match="did you mean 'KernelRidge'"):
        study(tmp_path, {"sklearn:KernelRige": {}})


def test_failures_of_python_have_their_line(tmp_path):
    write(tmp_path, BAD)
    run(study(tmp_path, {"ridge": 0.1, "sometimes": {"limit": 1.0}}), tmp_path / "out", threads=1)
    table = open_results(tmp_path / "out").to_pylist()
    assert table[0]["failed"] == 0 < table[1]["failed"] < table[1]["replicates"] / 2
    reasons = {row["reason"] for row in failures(tmp_path / "out").to_pylist()}
    line = 'error at mine.py, line 8: raise ValueError("the first label is too large")'
    assert reasons == {line}
    for name, said in {
        "short": r"estimator 'short' failed on each of .* ValueError: coefficients have the shape",
        "writes": r"mine.py, line 17: estimator 'writes' failed on each of .* read-only",
    }.items():
        with pytest.raises(InputError, match=said):
            compute(study(tmp_path, {name: {}}), threads=1)


def test_an_adversary_needs_coefficients(tmp_path):
    write(tmp_path, PYTHON, OBJECTS)
    for name in ("drawn", "exact"):
        with pytest.raises(InputError, match="its risk is known of coefficients alone"):
            asked = study(tmp_path, {name: {"b": 0.1}}, shifts=["adversarial:0.5"])
            compute(asked, threads=1)


def test_workers_of_a_cluster_run_python_themselves_with_the_same_bits(tmp_path):
    pytest.importorskip("distributed", reason="the optional extra 'cluster'")
    write(tmp_path, PYTHON)
    asked = study(tmp_path, {"ridge": 0.1, "python_ridge": {}})
    run(asked, tmp_path / "here", threads=1)
    with cluster(tmp_path, 2) as there:
        run(asked, tmp_path / "there", cluster=there.address)
        assert sum(there.done()) > 0
    one, two = (open_results(tmp_path / name) for name in ("here", "there"))
    assert one.drop_columns(["seconds"]).equals(two.drop_columns(["seconds"]))


@pytest.mark.kernels
@pytest.mark.parametrize("n_brain", [0, 30])
def test_a_block_of_python_fits_is_judged_by_the_kernels(tmp_path, n_brain):
    write(tmp_path, PYTHON)
    asked = study(tmp_path, {"python_ridge": {}}, design={"n_task": 12, "n_brain": n_brain})
    point, store = asked.numbered(0), MemoryStore()
    plan = PointRows(asked, "raw", Penalties(asked, PilotSubspaces(asked, store), store))
    fits = tuple(dict.fromkeys(q.fit for q in plan.queries(point) if q is not None))
    problem = RawProblem.of(point.model, point.n_task, point.n_brain, asked.seed)
    answer = python_block(Request(problem, fits, (Shift("id"),), 3), 0)
    data = block_data_sets(point.model, problem, 0, 3, fits[0].encoding)
    for at, one in enumerate(data):
        G = one.X.T @ one.X + 12 * 0.1 * np.eye(one.beta.size)
        missed = np.linalg.solve(G, one.X.T @ one.y) - one.beta
        assert answer.excess[at, 0, 0] == pytest.approx(missed @ missed, rel=1e-9)
    assert not answer.codes.any()
