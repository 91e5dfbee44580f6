"""Hostile and clumsy study files: a valid study, or one sentence."""

import tomllib

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from mcbrain.asking.engines import ENGINE_NAMES
from mcbrain.asking.estimators import ESTIMATORS
from mcbrain.asking.from_toml import load_study, study_from_table
from mcbrain.asking.penalty_rules import RULES
from mcbrain.engines.automatic import engine_for
from mcbrain.errors import InputError
from mcbrain.population.distributions import BASES, LATENTS, RECORDINGS
from mcbrain.population.model import MODEL_FIELDS
from mcbrain.population.shifts import SHIFTS
from tests.support.fuzzing import one_sentence_at_most, seeded, suites

BASE = """name = "test"
seed = 3
[model]
input_dim = [10, 12]
latent_dim = 3
n_channels = 8
misalignment = [0.0, 0.2]
latent_gains = [[2.0, 1.0, 0.5], 1.0]
task_loadings = [[1.0, -0.5, 0.0]]
snr_task = 2.0
inputs = "student:5"
covariance = "powerlaw:1.0"
[design]
n_task = { geometric = [5, 500, 4] }
n_brain = [0, 30]
[encoding]
rank = 2
penalty = 0.1
[estimators]
ols = 0.0
ridge = ["optimal", 0.3]
befs = { geometric = [0.1, 10.0, 3] }
"two-penalty:0.1" = "loo"
penalty_scale = "sum"
[shifts]
id = {}
brain-insensitive = { factor = [2.0, 4.0] }
mean = { size = 2.0, along = "brain" }
concept = { angle = 0.3, toward = "brain" }
[precision]
relative = 0.01
max_replicates = 1000
[engine]
kind = "auto"
exact_task_stage = true
"""
TOKENS = (
    "0", "-1", "1e400", "-0.0", "nan", "inf", "-inf", "1e-320", "9" * 400,
    "0x" + "f" * 5000, "0x7fffffffffffffff",
    "9223372036854775808", "true", '""', '"\\u0000"', "[]", "{}", "[[]]", "[[[]]]", "1979-05-27",
    "07:32:00", '"optimal"', '"custom"', '"../../etc/passwd"', "\n[model]\n", "\n[[model]]\n",
    "\n", "=", ",", "]", "}", '"', "'''", "#", "\x00", "\ud7ff", "é", "a.b.c = 1\n",
    "{ geometric = [1e-300, 1e300, 100000] }", "{ linear = [0, 1e9, 99999] }", "[" * 300,
    '"student:4"', '"sparse:0"', '"powerlaw:99"', '"poisson"', '"custom:/dev/zero"',
)  # fmt: skip
EDITS = st.lists(
    st.tuples(st.integers(0, len(BASE)), st.integers(0, 12), st.sampled_from(TOKENS)),
    min_size=1,
    max_size=4,
)


@suites(150, 35_000)
def test_an_edited_study_file_is_a_study_or_a_sentence(cases, tmp_path):
    path = tmp_path / "study.toml"

    @seeded(cases)
    @given(EDITS)
    def check(edits):
        text = BASE
        for place, gone, token in edits:
            text = text[:place] + token + text[place + gone :]
        path.write_text(text, encoding="utf-8")
        with one_sentence_at_most():
            study = load_study(path)
            engine_for(study)
            again = study_from_table(tomllib.loads(tomli_w.dumps(study.table)), tmp_path)
            assert again.table == study.table

    check()
    assert [p.name for p in tmp_path.iterdir()] == ["study.toml"]


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 60),
    st.integers(-(10**400), 10**400),
    st.floats(),
    st.sampled_from([*RULES, *ESTIMATORS, *BASES, *LATENTS, *RECORDINGS, *SHIFTS, *ENGINE_NAMES]),
    st.sampled_from(["student:5", "sparse:0.4", "powerlaw:1", "mean:2:brain", ""]),
    st.sampled_from(["2 * n_task", "n_brain <= n_task", "n_task / 4", "misalignment < 0.1"]),
    st.text(max_size=6),
    st.dates(),
    st.binary(max_size=3),
)
KEYS = st.sampled_from(
    ["factor", "size", "along", "toward", "angle", "geometric", "linear", "rank", "kind", "x", ""]
)
VALUES = st.recursive(
    LEAVES,
    lambda v: st.one_of(st.lists(v, max_size=4), st.dictionaries(KEYS, v, max_size=3)),
    max_leaves=6,
)
PATHS = [
    *[("model", k) for k in MODEL_FIELDS],
    ("design", "points"),
    ("design", "where"),
    *[(s, k) for s in ("design", "encoding", "estimators") for k in tomllib.loads(BASE)[s]],
    *[("shifts", k) for k in SHIFTS],
    *[("precision", k) for k in ("relative", "absolute", "max_replicates")],
    *[("engine", k) for k in ("kind", "law")],
    *[(k,) for k in ("name", "seed", "model", "design", "shifts", "estimators", "engine", "extra")],
]


@suites(150, 30_000)
def test_any_value_at_any_key_is_a_study_or_a_sentence(cases):
    @seeded(cases)
    @given(st.lists(st.tuples(st.sampled_from(PATHS), VALUES), min_size=1, max_size=3))
    def check(changes):
        table = tomllib.loads(BASE)
        for path, value in changes:
            place = table
            for section in path[:-1]:
                place = place[section] if isinstance(place.get(section), dict) else {}
            place[path[-1]] = value
        with one_sentence_at_most():
            engine_for(study_from_table(table))

    check()


TOKENS = "n_task n_brain n_channels inputs 0 1 2.5 9e99 ( ) + - * / // ** < <= == != and or not "
TOKENS += "min( max( , , if is in lambda : [ ] . ' % ~ @ := \0 \n é"


@suites(150, 30_000)
def test_any_words_are_an_expression_or_a_sentence(cases):
    @seeded(cases)
    @given(st.lists(st.sampled_from(TOKENS.split(" ")), max_size=12), st.sampled_from("bw"))
    def check(words, key):
        table = tomllib.loads(BASE)
        table["design"] |= {"n_brain" if key == "b" else "where": " ".join(words)}
        with one_sentence_at_most():
            engine_for(study_from_table(table))

    check()


@pytest.mark.parametrize(
    "text",
    [
        BASE.replace('"optimal", 0.3', ", ".join(["{ linear = [1, 2, 100000] }"] * 200)),
        BASE.replace("[10, 12]", str(list(range(10, 10_010)))).replace(
            "[0.0, 0.2]", str([i / 5000 for i in range(5000)])
        ),
        "name = " + "[" * 100_000,
        "a." * 50_000 + "b = 1",
        'x = "' + "y" * 20_000_000 + '"',
    ],
    ids=["20 million penalties", "50 million models", "nesting", "dotted keys", "20 MB"],
)
def test_a_study_that_asks_for_too_much_is_refused_before_it_takes_memory(tmp_path, text):
    (tmp_path / "large.toml").write_text(text)
    with one_sentence_at_most():
        load_study(tmp_path / "large.toml")
        pytest.fail("it was accepted")


def test_an_endless_file_is_refused():
    with pytest.raises(InputError, match="at most"):
        load_study("/dev/zero")
