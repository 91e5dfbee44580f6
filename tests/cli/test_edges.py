"""Edges of the command line and of results folders: spellings, limits, full disks, odd names."""

import inspect
import json
import os
import subprocess
import sys
import time
from contextlib import nullcontext
from typing import get_args

import pytest
from typer.testing import CliRunner

import mcbrain as mb
from mcbrain import engines
from mcbrain.cli.commands import app
from mcbrain.cli.numbers import whole_number
from mcbrain.engines.pieces import Piece
from mcbrain.kernels.cache import ACCOUNT
from mcbrain.results.tables import open_results, select
from mcbrain.running.runner import Reporter, run
from tests.support.small_study import small


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("30", 30),
        ("30.0", 30),
        ("1e3", 1000),
        ("-2.0", -2),
        ("1_000", 1000),
        ("10" * 20, int("10" * 20)),
    ],
)
def test_a_whole_number_has_many_spellings(text, number):
    assert whole_number(text) == number


@pytest.mark.parametrize("text", ["1.5", "nan", "inf", "1e999", "", "x", "0x10", "1e-3"])
def test_what_is_not_whole_is_none(text):
    assert whole_number(text) is None


def _options():
    """Each option of each command that is a whole number."""
    for command in app.registered_commands:
        for name, parameter in inspect.signature(command.callback).parameters.items():
            kind, *info = get_args(parameter.annotation) or (parameter.annotation,)
            if int in (kind, *get_args(kind)) and info:
                yield command.callback.__name__, name.replace("_", "-")


def test_every_option_that_is_a_whole_number_takes_each_spelling():
    found = list(_options())
    assert {("run", "seed"), ("show", "limit"), ("predict", "n-task"), ("appraise", "seed")} <= {
        *found
    }
    for command, option in found:
        refused = CliRunner().invoke(app, [command, f"--{option}", "1.5"], standalone_mode=False)
        assert "'1.5' is not a whole number" in str(refused.exception), (command, option)
    asked = ["predict", "--n-task", "4e1", "--n-brain", "30.0", "--input-dim", "2e1"]
    said = CliRunner().invoke(app, [*asked, "--latent-dim", "2.0", "--n-channels", "1e1"])
    assert said.exit_code == 0 and "    40       30  befs" in said.output


def test_a_condition_on_a_whole_number_takes_each_spelling(tmp_path):
    table = mb.predict(mb.Model(input_dim=12, latent_dim=3, n_channels=6), [30, 1000], 0)
    assert select(table, ["n_task=1e3"]).num_rows == 4 == select(table, ["n_task=30.0"]).num_rows
    with pytest.raises(mb.InputError, match=r"'30\.5' is not a whole number"):
        select(table, ["n_task=30.5"])


def test_the_time_limit_stops_the_compiler(tmp_path, monkeypatch):
    """The first kernel after the limit is not compiled, and the rows say that nothing is begun."""
    compiled = []

    def two_kernels(piece: Piece) -> None:
        for number in range(2):
            ACCOUNT.miss()
            compiled.append(number)
            time.sleep(0.2)

    monkeypatch.setattr("mcbrain.engines.raw.compile_piece", two_kernels)
    with pytest.raises(engines.OutOfTimeError):
        engines.warm_up("raw", deadline=time.monotonic() + 0.1)
    assert compiled == [0]
    outcome = run(small(), tmp_path, max_time=0.0)
    assert compiled == [0] and outcome.stopped and outcome.computed == 0
    rows = open_results(tmp_path)
    assert set(rows["status"].to_pylist()) == {"mcse_not_met"}
    assert set(rows["replicates"].to_pylist()) == {0}


def test_the_time_limit_holds_for_pilots_too(tmp_path):
    study = small(estimators={"ridge": "optimal", "befs": "optimal"}, engine={"kind": "raw"})
    outcome = run(study, tmp_path, max_time=0.0)
    assert outcome.stopped and outcome.computed == 0
    assert not any(problem.done for problem in mb.status(tmp_path).problems)


def test_status_counts_the_blocks_that_were_accepted(tmp_path, monkeypatch, capsys):
    from mcbrain.cli.status_command import status as print_status
    from mcbrain.store import identity

    study = small(design__n_task=[6])
    run(study, tmp_path)
    other = identity.Identity("0" * 16, "mcbrain 9")
    for module in (
        "mcbrain.store.blockstore",
        "mcbrain.running.standing",
        "mcbrain.results.writing",
    ):
        monkeypatch.setattr(f"{module}.code_identity", lambda: other)
    assert mb.status(tmp_path).other_code and not mb.status(tmp_path).reused
    run(study, tmp_path, reuse_other_code=True)
    standing = mb.status(tmp_path)
    assert not standing.other_code and standing.reused == tuple(standing.blocks)
    assert standing.complete == len(standing.problems)
    print_status(tmp_path, as_json=False)
    said = capsys.readouterr().out
    assert "does not use" not in said and "used with --reuse-other-code alone" in said


_FULL = """
import resource, sys
from mcbrain.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
sys.argv = ["mcbrain", *sys.argv[1:]]
main()
"""


@pytest.mark.parametrize("command", [("report",), ("export", "--format", "csv")])
def test_a_full_disk_leaves_no_part_of_a_file(tmp_path, command):
    """A limit on the size of files is what a full disk is, for one process."""
    run(small(design__n_task=list(range(20, 60)), engine__kind="law"), tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    name, *options = command
    ended = subprocess.run(
        [sys.executable, "-c", _FULL, name, str(tmp_path), *options],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 3, ended.stderr
    assert "cannot be written (File too large)" in ended.stderr and "Traceback" not in ended.stderr
    left = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for path in left.keys() - before.keys():
        end = {".png": b"IEND\xaeB`\x82", ".svg": b"</svg>\n"}[path.suffix]
        assert left[path].endswith(end), path  # a picture that was whole before the disk was full
    assert {path: left[path] for path in before} == before


def test_names_that_are_no_text_are_printed_as_their_bytes(tmp_path):
    """As `ls` prints them; a character that the encoding lacks is its escape."""
    code = (
        "import sys; from mcbrain.cli.streams import open_streams; open_streams();"
        "print('a\\udcff.toml é'); print('a\\udcff.toml é', file=sys.stderr)"
    )
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, env=environment, check=True
    )
    assert ended.stdout == ended.stderr == b"a\xff.toml \\xe9\n"


def test_a_first_run_has_rows_while_it_is_at_work(tmp_path, monkeypatch):
    """Whoever reads, or kills, finds rows of what is done; at the end they are as without."""
    monkeypatch.setattr("mcbrain.running.keeping._FIRST_ROWS", 0.0)
    monkeypatch.setattr("mcbrain.running.keeping._ROW_SECONDS", 0.0)
    seen = []

    class Watching(Reporter):
        def stage(self, name, problems):
            return nullcontext(lambda tally: seen.append((tmp_path / "a/results.arrow").exists()))

    run(small(), tmp_path / "a", reporter=Watching())
    assert not seen[0] and any(seen[1:2])
    monkeypatch.setattr("mcbrain.running.keeping._FIRST_ROWS", 1e9)
    run(small(), tmp_path / "b")
    first, second = (open_results(tmp_path / name) for name in "ab")
    assert first.drop_columns("seconds").equals(second.drop_columns("seconds"))
    runs = [len(json.loads((tmp_path / n / "provenance.json").read_text())["runs"]) for n in "ab"]
    assert runs == [1, 1]
