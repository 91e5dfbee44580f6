"""Random small studies from end to end: rows that are numbers or marked, or one sentence."""

import math

from hypothesis import given
from hypothesis import strategies as st

from mcbrain.asking import estimators
from mcbrain.asking.engines import AUTOMATIC, ENGINE_NAMES
from mcbrain.asking.from_toml import study_from_table
from mcbrain.asking.penalty_rules import rules_by
from mcbrain.population import distributions, shifts
from mcbrain.results.tables import open_results
from mcbrain.running.runner import run
from tests.support.fuzzing import one_sentence_at_most, seeded, suites

SIZES = st.lists(st.integers(1, 6), min_size=1, max_size=2, unique=True)
NUMBERS = st.sampled_from([0.0, 1e-12, 0.1, 1.0, 1e12, -0.5])
RULES = st.one_of(NUMBERS, st.sampled_from([*rules_by("risk"), *rules_by("replicate")]))
INPUTS = [text for family in distributions.INPUTS.values() for text in family.examples]
ESTIMATORS = [*(n for n, e in estimators.ESTIMATORS.items() if e.penalised), "two-penalty:0.1"]
# Of what a shift's number means, a value that every model takes.
STRENGTHS = {"factor": 4, "size": 2, "exponent": 1, "angle": 0.5, "budget": 0.5}
SHIFTS = [
    ":".join([name, *([str(STRENGTHS[kind.parameter])] if kind.parameter else []), *toward])
    for name, kind in shifts.SHIFTS.items()
    if not kind.along or kind.directions
    for toward in [[direction] for direction in kind.directions] or [[]]
]
# Most studies leave the engine open, since each engine refuses many of them.
ENGINES = [*ENGINE_NAMES, *[AUTOMATIC] * 2 * len(ENGINE_NAMES)]
STUDIES = st.fixed_dictionaries(
    {
        "name": st.just("random"),
        "seed": st.integers(0, 2**63 - 1),
        "model": st.fixed_dictionaries(
            {
                "input_dim": st.integers(1, 5),
                "latent_dim": st.integers(1, 3),
                "n_channels": st.integers(1, 4),
            },
            optional={
                "misalignment": st.sampled_from([0.0, 0.3, 1.0]),
                "task_noise": NUMBERS,
                "neural_noise": NUMBERS,
                "latent_gains": NUMBERS,
                "inputs": st.sampled_from(INPUTS),
                "covariance": st.sampled_from(["identity", "powerlaw:1.0"]),
                "latents": st.sampled_from(list(distributions.LATENTS)),
                "neural_law": st.sampled_from(list(distributions.RECORDINGS)),
            },
        ),
        "design": st.fixed_dictionaries({"n_task": SIZES, "n_brain": SIZES | st.just([0])}),
        "estimators": st.dictionaries(st.sampled_from(ESTIMATORS), RULES, min_size=1),
        "shifts": st.lists(st.sampled_from(SHIFTS), min_size=1, max_size=2, unique=True),
        "precision": st.just({"relative": 0.5, "max_replicates": 1}),
        "engine": st.fixed_dictionaries({"kind": st.sampled_from(ENGINES)}),
    }
)


@suites(15, 400)
def test_a_random_study_runs_to_marked_rows_or_is_refused(cases, tmp_path):
    done = []

    @seeded(cases)
    @given(STUDIES)
    def check(table):
        out = tmp_path / str(len(done))
        with one_sentence_at_most():
            run(study_from_table(table), out, threads=1)
            for row in open_results(out).to_pylist():
                for name in ("mean", "mcse", "gain", "predicted"):
                    assert row[name] is None or math.isfinite(row[name]), (name, row)
            done.append(out)

    check()
    assert len(done) > cases / 5
    assert {p.name for p in tmp_path.iterdir()} <= {str(i) for i in range(len(done) + 1)}
