"""Random small studies from end to end: rows that are numbers or marked, or one sentence."""

import math

from hypothesis import given
from hypothesis import strategies as st

from mcbrain.asking.from_toml import study_from_table
from mcbrain.results.tables import open_results
from mcbrain.running.runner import run
from tests.support.fuzzing import one_sentence_at_most, seeded, suites

SIZES = st.lists(st.integers(1, 6), min_size=1, max_size=2, unique=True)
NUMBERS = st.sampled_from([0.0, 1e-12, 0.1, 1.0, 1e12, -0.5])
RULES = st.one_of(NUMBERS, st.sampled_from(["optimal", "optimal-shift"]))
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
                "inputs": st.sampled_from(["gaussian", "student:5", "sparse:0.5", "laplace"]),
                "covariance": st.sampled_from(["identity", "powerlaw:1.0"]),
                "latents": st.sampled_from(["linear", "tanh"]),
                "neural_law": st.sampled_from(["gaussian", "poisson"]),
            },
        ),
        "design": st.fixed_dictionaries({"n_task": SIZES, "n_brain": SIZES | st.just([0])}),
        "estimators": st.dictionaries(
            st.sampled_from(["ridge", "befs", "befs-oracle", "two-penalty:0.1"]), RULES, min_size=1
        ),
        "shifts": st.lists(
            st.sampled_from(["id", "scale:2", "brain-insensitive:4", "mean:2:brain"]),
            min_size=1,
            max_size=2,
            unique=True,
        ),
        "precision": st.just({"relative": 0.5, "max_replicates": 1}),
        "engine": st.fixed_dictionaries(
            {"kind": st.sampled_from(["auto", "raw", "sufficient", "spectral", "law"])}
        ),
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
