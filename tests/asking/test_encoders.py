"""The section [encoding]: ranks and rules of the encoder, each a row, and mistakes in sentences."""

import re

import numpy as np
import pytest

import mcbrain as mb
from mcbrain.asking.encoders import PLAIN, Encoder, encoders_from_table
from mcbrain.asking.from_toml import study_from_table
from mcbrain.asking.penalty_rules import FIXED, Rule
from mcbrain.engines import engine_for
from mcbrain.errors import InputError

TABLE = {
    "name": "encoders",
    "model": {"input_dim": 8, "latent_dim": 2, "n_channels": 6, "task_noise": 0.5},
    "design": {"n_task": [20], "n_brain": [0, 30]},
    "estimators": {"ridge": "optimal", "befs": [0.1, "optimal"]},
}
MODEL = mb.Model(**TABLE["model"])


def _study(encoding, **changes):
    return study_from_table({**TABLE, **changes, "encoding": encoding})


def test_every_rank_and_rule_is_a_row_of_what_estimates_a_subspace():
    study = _study({"rank": [2, 3], "penalty": [0.3, "loo", {"geometric": [0.1, 10, 2]}]})
    befs = [m.encoder for m in study.methods if m.estimator.name == "befs"]
    rules = [Rule(FIXED, 0.3), Rule("loo"), Rule(FIXED, 0.1), Rule(FIXED, 10.0)]
    assert befs == 2 * [Encoder(rank, rule) for rank in (2, 3) for rule in rules]
    assert [m.encoder for m in study.methods if m.estimator.name == "ridge"] == [PLAIN]
    assert study.rank(MODEL) == 3
    assert study.table["encoding"]["rank"] == [2, 3]


def test_without_a_section_it_is_least_squares():
    assert encoders_from_table({}) == (PLAIN,) == _study({}).encoders
    assert _study({}).table["encoding"] == {"penalty": 0.0}
    assert _study({"penalty": 1}).table["encoding"] == {"penalty": 1.0}
    assert PLAIN.words == "" and Encoder(3, Rule("loo")).words == "rank 3, encoder loo"


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ({"penalty": "optimum"}, "[encoding] penalty = 'optimum': a number, a list or a rule; did"),
        ({"penalty": "optimal-shift"}, "[encoding] penalty = 'optimal-shift': a number, a list or"),
        ({"penalty": -0.1}, "[encoding] penalty = -0.1: a number >= 0 is allowed"),
        ({"penalty": [0.1, -2]}, "[encoding] penalty = -2: a number >= 0 is allowed"),
        ({"penalty": float("nan")}, "[encoding] penalty = nan: a finite penalty is allowed"),
        ({"penalty": 10**400}, "a finite penalty is allowed"),
        ({"penalty": True}, "[encoding] penalty = True: a number, a list, a rule or {geometric"),
        ({"penalty": []}, "[encoding] penalty = []: an empty list asks for no encoder"),
        ({"penalty": {"geometric": [0, 1, 3]}}, "a geometric grid starts above 0"),
        ({"penalty": [[0.1]]}, "[encoding] penalty = [0.1]: a number, a list, a rule"),
        ({"penalty": [0.1, 0.1]}, "[encoding]: the same rank and penalty are listed twice"),
        ({"rank": [2, "two"]}, "[encoding] rank = 'two': a whole number from 1"),
        ({"rank": 0}, "[encoding] rank = 0: a whole number from 1"),
        ({"rank": [2, 9]}, "[encoding] rank = 9: allowed is 1 to min(input_dim, n_channels) = 6"),
        ({"penalti": 0.1}, "[encoding] penalti: unknown key; did you mean 'penalty'"),
    ],
)
def test_mistakes_are_sentences(encoding, words):
    with pytest.raises(InputError, match=re.escape(words)) as caught:
        _study(encoding)
    assert "\n" not in str(caught.value)


def test_keywords_name_themselves():
    with pytest.raises(InputError, match=r"^encoding_penalty = 'lou': a number, a list or a rule"):
        mb.predict(MODEL, 20, 30, encoding_penalty="lou")
    with pytest.raises(InputError, match="one number each is allowed, since a data set has one"):
        mb.replicates(MODEL, 5, 30, count=1, encoding_penalty="loo")
    with pytest.raises(InputError, match="one number each is allowed"):
        mb.replicates(MODEL, 5, 30, count=1, rank=[1, 2])
    table = mb.predict(MODEL, 20, 30, {"befs": 0.1}, encoding_penalty=np.array([0.0, 0.5]))
    assert table["encoding_penalty"].to_pylist() == [0.0, 0.5]


@pytest.mark.parametrize(
    ("penalty", "engine"),
    [([0.0, 0.3], "spectral"), ("optimal", "sufficient"), ("gcv", "sufficient"), ("loo", "raw")],
)
def test_the_fastest_engine_that_is_exact_is_chosen(penalty, engine):
    assert engine_for(_study({"penalty": penalty}))[0] == engine


@pytest.mark.parametrize(
    ("penalty", "engine", "words"),
    [
        ("loo", "sufficient", "the encoder's rule 'loo' looks at single recordings; use raw"),
        ("gcv", "spectral", "the encoder's penalty 'gcv' is no number; use sufficient"),
        ("optimal", "spectral", "the encoder's penalty 'optimal' is no number; use sufficient"),
    ],
)
def test_an_engine_that_cannot_says_why(penalty, engine, words):
    with pytest.raises(InputError, match=re.escape(words)):
        engine_for(_study({"penalty": penalty}, engine={"kind": engine}))
