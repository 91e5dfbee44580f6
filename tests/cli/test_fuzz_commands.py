"""Clumsy command lines: done, or one sentence on standard error and status 2; never a traceback."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcbrain.cli import _status
from mcbrain.running.runner import run
from tests.support.fuzzing import one_sentence_at_most, seeded, suites
from tests.support.small_study import small

COMMANDS = ("run", "studies", "show", "predict", "value", "budget", "replay", "export", "merge")
MODEL = ("--input-dim", "--latent-dim", "--n-channels", "--misalignment", "--task-noise")
MODEL += ("--snr-task", "--neural-noise", "--snr-brain", "--latent-gains", "--task-loadings")
OPTIONS = {
    "run": ("--engine", "--precision", "--threads", "--seed", "--max-time", "--shard"),
    "show": ("--columns", "--where", "--limit"),
    "predict": ("--n-task", "--n-brain", "--estimator", "--shift", "--rank", *MODEL),
    "value": ("--n-task", "--n-brain", "--baseline", *MODEL),
    "budget": ("--budget", "--cost-task", "--cost-brain", "--max-repeats", *MODEL),
    "replay": ("--point", "--replicate"),
    "export": ("--format",),
    "merge": (),  # without a place to write to
    "studies": (),
}
WORDS = (
    "", "-", "--", "0", "1", "-1", "2", "3.5", "1e12", "1e-12", "1e400", "nan", "inf", "9" * 30,
    "law", "raw", "befs", "befs=optimal", "ridge=-1", "estimator=befs", "n_task>=x", "mean<1",
    "id", "scale:2", "mean:2:brain", "custom:/etc/passwd", "spectrum:nan", "all", "status,mean",
    "csv", "parquet", "1/2", "0/0", "90s", "2h", "1,0.5", "[1,2", "é", "none.toml",
    "../..", "results", "results/results.arrow", "study.toml", "x" * 300,
)  # fmt: skip
ARGUMENTS = st.lists(
    st.tuples(st.integers(0, 20), st.sampled_from(WORDS), st.booleans()), max_size=5
)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A finished run of a small study."""
    folder = tmp_path_factory.mktemp("results") / "results"
    run(small(design={"n_task": 40, "n_brain": 60}, precision={"relative": 0.1}), folder)
    return folder


@suites(120, 3_000)
def test_any_command_line_is_done_or_refused_in_a_line(cases, results, monkeypatch, capsys):
    monkeypatch.chdir(results.parent)
    seen = set()

    @seeded(cases)
    @given(st.sampled_from(COMMANDS), ARGUMENTS)
    def check(command, arguments):
        line = [command] + (
            [] if command in ("studies", "value", "predict", "budget") else ["results"]
        )
        for place, word, named in arguments:
            names = OPTIONS[command]
            line += [names[place % len(names)], word] if named and names else [word]
        if command in ("predict", "value", "budget"):
            line += ["--input-dim", "12", "--latent-dim", "3", "--n-channels", "8"]
        monkeypatch.setattr(sys, "argv", ["mcbrain", *line])
        with one_sentence_at_most():
            status = _status()
        seen.add(status)
        said = capsys.readouterr().err
        assert status in (0, 1, 2)
        assert "Traceback" not in said
        if status == 2:
            assert said.count("\n") == 1 and said.startswith("mcbrain: ")

    check()
    assert seen >= {0, 2}
    kept = {"results", "results.csv", "results.parquet"}
    assert {p.name for p in results.parent.iterdir()} <= kept
