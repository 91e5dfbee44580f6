"""Labels that are signs, data that are given, the error rate, and coefficients that are kept."""

import numpy as np
import pytest

from mcbrain.kernels.random.roles import open_streams
from mcbrain.kernels.replicate import raw
from mcbrain.kernels.replicate.workspace import make_outcome, make_workspace
from mcbrain.kernels.types import GIVEN, Setting, Sizes
from tests.support.kernel_inputs import KEY, compare, make_population, make_rows, make_shifts
from tests.twins import streams as twin_streams
from tests.twins.draw import draw_inputs, draw_labels, draw_recordings

SIZES = [(20, 9, 0.0), (4, 9, 0.0), (9, 30, 4.0)]  # n_task, n_brain, encoding penalty; d = 6


@pytest.mark.parametrize(("n_task", "n_brain", "encoding"), SIZES)
def test_signs_and_their_risks_are_those_of_the_twin(n_task, n_brain, encoding):
    rng = np.random.default_rng(1)
    population = make_population(rng, 6, 2, 4, labels=1)
    rows = make_rows(n_task, (0, 1, 2), (0.1, 1.0))
    sizes = Sizes(n_task, n_brain, 2, 2, encoding)
    outcome = compare(population, sizes, rows, make_shifts(rng, population), rtol=1e-8)
    rates = outcome.excess[:, :, 6:]
    assert np.all((rates > 0) & (rates < 1))


def _run(setting, outcome):
    work = make_workspace(setting)
    raw.raw_block(setting, open_streams(5, KEY, 7), work, outcome)
    return outcome


@pytest.mark.parametrize("scale", [1.0, 1.5])
@pytest.mark.parametrize("n_task", [20, 4])
def test_coefficients_that_are_kept_have_the_risk_that_is_recorded(n_task, scale):
    """Also where the risk is computed in the coordinates of the tridiagonal form (scale 1)."""
    rng = np.random.default_rng(2)
    population = make_population(rng, 6, 2, 4, scale=np.full(6, scale))
    shifts = make_shifts(rng, population)
    shifts = shifts._replace(
        scale=np.ones(1), weights=np.zeros((1, 0)), probes=np.zeros((0, 6)),
        target=np.zeros(1, np.int64), adversary=np.zeros(1), measure=np.zeros(1, np.int64),
    )  # fmt: skip
    setting = Setting(
        population, Sizes(n_task, 9, 2, 2, 0.0), make_rows(n_task, (0, 1, 2), (0.1, 1.0)), shifts
    )
    plain = _run(setting, make_outcome(setting, 3))
    kept = _run(setting, make_outcome(setting, 3, coefs=True))
    np.testing.assert_array_equal(kept.excess, plain.excess)
    assert plain.coefs.shape[0] == 0
    delta = scale * (kept.coefs - population.beta)
    np.testing.assert_allclose(np.sum(delta**2, axis=-1), kept.excess[:, :, 0], rtol=1e-9)


@pytest.mark.parametrize(("n_task", "n_brain", "encoding"), SIZES)
def test_what_is_given_is_what_is_solved(n_task, n_brain, encoding):
    """The same data, drawn by the kernel or laid down by NumPy: a replicate after another."""
    rng, count = np.random.default_rng(3), 3
    population = make_population(rng, 6, 2, 4)
    setting = Setting(
        population, Sizes(n_task, n_brain, 2, 2, encoding),
        make_rows(n_task, (0, 1, 2), (0.1, 1.0)), make_shifts(rng, population),
    )  # fmt: skip
    drawn = _run(setting, make_outcome(setting, count))
    rngs = [twin_streams.open_stream(5, KEY, 7, role) for role in range(6)]
    X, y, X_brain, R = [], [], [], []
    for _ in range(count):
        X.append(draw_inputs(population, rngs[0], rngs[4], n_task))
        y.append(draw_labels(population, rngs[1], X[-1]))
        X_brain.append(draw_inputs(population, rngs[2], rngs[5], n_brain))
        R.append(draw_recordings(population, rngs[3], X_brain[-1]))
    laid = {"law": GIVEN, "labels": GIVEN, "neural_law": GIVEN}
    task = population._replace(rows=np.concatenate(X), outcomes=np.concatenate(y)[:, None], **laid)
    brain = population._replace(rows=np.concatenate(X_brain), outcomes=np.concatenate(R), **laid)
    streams, work = open_streams(0, KEY, 0), make_workspace(setting)
    for stage in (streams.task, streams.brain):
        for stream in stage:
            stream.state[0] = 0
    given = make_outcome(setting, count)
    raw.brain_stage(setting._replace(population=brain), streams.brain, work.brain, given)
    raw.task_stage(setting._replace(population=task), streams.task, work.task, given)
    np.testing.assert_allclose(given.excess, drawn.excess, rtol=1e-9)
    assert streams.task.inputs.state[0] == streams.task.noise.state[0] == count * n_task


def test_codes_that_nobody_knows_give_no_number():
    rng = np.random.default_rng(4)
    population = make_population(rng, 6, 2, 4, labels=7)
    shifts = make_shifts(rng, population)
    setting = Setting(population, Sizes(9, 0, 0, 2, 0.0), make_rows(9, (0,), (0.1,)), shifts)
    assert np.isnan(_run(setting, make_outcome(setting, 2)).excess).all()
    odd = shifts._replace(measure=np.full(shifts.measure.size, 7))
    setting = setting._replace(population=population._replace(labels=0), shifts=odd)
    assert np.isnan(_run(setting, make_outcome(setting, 2)).excess).all()
