"""Sums of one block that were made in parts are those that are made at once."""

import dataclasses

import numpy as np
import pytest

from mcbrain.asking.estimators import ESTIMATORS
from mcbrain.asking.shift_text import parse_shift
from mcbrain.blocks.joined import joined
from mcbrain.blocks.problem import RawProblem
from mcbrain.blocks.query import Fit, Query
from mcbrain.blocks.sums import SUMS
from mcbrain.engines import raw
from mcbrain.engines.bridge import by_encoding
from mcbrain.engines.sampled import compute
from mcbrain.population.model import Model


def _fit(name, penalty=0.1, rank=2, encoding=0.0):
    return Fit(ESTIMATORS[name], "fixed", penalty, ESTIMATORS[name].eta, rank, encoding)


RIDGE = _fit("ridge")


def _queries(fits):
    shifts = [parse_shift("id"), parse_shift("scale:2")]
    return tuple(Query(fit, shift, RIDGE) for fit in fits for shift in shifts)


@pytest.mark.parametrize(("inputs", "n_task"), [("gaussian", 6), ("sparse:0.05", 3)])
def test_parts_are_the_whole(inputs, n_task):
    """Every sum, histogram, atom and failure; sparse inputs share values and lose replicates."""
    model = Model(input_dim=5, latent_dim=2, n_channels=4, task_noise=0.3, inputs=inputs)
    problem = RawProblem.of(model, n_task, 7, seed=3)
    queries = _queries([_fit("befs"), RIDGE, _fit("projection", 0.0), _fit("ols", 0.0)])
    size = problem.block_size
    (whole,) = compute(raw.bench(problem, queries, size), [1])
    places = [(1, 4, 5, 7), (6, 0, 3, 2)]
    parts = [
        compute(raw.bench(problem, tuple(queries[i] for i in at), size), [1])[0] for at in places
    ]
    found = joined(parts, places)
    assert inputs == "gaussian" or (whole.atoms.size and whole.failures.size)
    for name in SUMS:
        if name != "seconds":
            np.testing.assert_array_equal(getattr(found, name), getattr(whole, name), err_msg=name)
    assert found.seconds == sum(part.seconds for part in parts)


def test_queries_of_one_encoder_go_together():
    fits = [
        RIDGE,
        _fit("befs"),
        _fit("befs", encoding=0.3),
        _fit("projection"),
        _fit("befs", rank=3),
    ]
    assert by_encoding(_queries(fits)) == [(0, 1, 2, 3, 6, 7), (4, 5), (8, 9)]
    assert by_encoding(_queries([RIDGE])) == [(0, 1)]


def test_a_baseline_of_another_encoder_is_refused():
    query = Query(_fit("befs"), parse_shift("id"), _fit("befs", encoding=0.3))
    with pytest.raises(NotImplementedError, match="baseline with an encoder of its own"):
        by_encoding([query])
    two = [
        dataclasses.replace(query, baseline=None),
        dataclasses.replace(query, fit=query.baseline),
    ]
    problem = RawProblem.of(Model(input_dim=5, latent_dim=2, n_channels=4), 6, 7, seed=3)
    with pytest.raises(NotImplementedError, match="second encoder in one kernel"):
        raw.bench(problem, tuple(two), 1)
