"""Where a command runs must not matter: its streams, encodings, backend, archive and NumPy."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import polars
import pytest
import typer

import mcbrain as mb
from mcbrain.appraisal.files import load
from mcbrain.asking.from_toml import load_study, study_from_table
from mcbrain.cli import _status, commands
from mcbrain.results.printing import print_results
from mcbrain.results.tables import export_results, open_results
from mcbrain.running.replaying import check_npz
from mcbrain.running.runner import run

ROOT = Path(__file__).parents[1]
STUDY = """
name = "laws"
[model]
input_dim = 12
latent_dim = 3
n_channels = 8
[design]
n_task = [20, 200]
n_brain = 60
[estimators]
ridge = "optimal"
befs = "optimal"
[engine]
kind = "law"
"""


@pytest.fixture(scope="module")
def laws(tmp_path_factory):
    """A folder of results that need no compiler, and the study in it."""
    folder = tmp_path_factory.mktemp("laws")
    (folder / "laws.toml").write_text(STUDY)
    run(folder / "laws.toml", folder / "results")
    return folder / "results"


def command(*words, redirect="", **environment):
    """A command in a shell, whose redirections it gets; its end, and what it said."""
    line = f'"$0" -m mcbrain "$@" {redirect}'
    return subprocess.run(
        ["bash", "-c", line, sys.executable, *map(str, words)],
        capture_output=True,
        text=True,
        env=os.environ | environment,
    )


def one_sentence(done, status):
    assert done.returncode == status
    assert done.stderr.startswith("mcbrain: ") and done.stderr.count("\n") == 1
    return done.stderr


# Streams ---------------------------------------------------------------------------------------


def test_with_every_stream_closed_a_command_does_its_work(laws, tmp_path):
    done = command("run", laws.parent / "laws.toml", "--out", tmp_path, redirect="<&- >&- 2>&-")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert open_results(tmp_path).equals(open_results(laws))


def test_a_mistake_has_its_status_where_nobody_can_read_the_sentence():
    assert command("show", "nowhere", redirect="2>&-").returncode == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_what_cannot_be_printed_for_want_of_space_is_an_unfinished_command():
    assert "No space left" in one_sentence(command("studies", redirect=">/dev/full"), 3)


def test_a_narrow_encoding_spells_what_it_does_not_know():
    said = one_sentence(command("show", "é/nowhere", PYTHONIOENCODING="ascii"), 2)
    assert r"\xe9/nowhere: no such file" in said


def test_a_file_that_ends_early_is_no_interruption(monkeypatch):
    """click takes any end of file for an answer that was never given."""
    app = typer.Typer()

    @app.command()
    def reads() -> None:
        raise EOFError("Ran out of input")

    monkeypatch.setattr(commands, "app", app)
    monkeypatch.setattr(sys, "argv", ["mcbrain", "--"])
    with pytest.raises(EOFError):
        _status()


# Terminals -------------------------------------------------------------------------------------


@pytest.mark.parametrize("terminal", ["dumb", "xterm", "unknown"])
def test_no_terminal_cuts_a_digit(laws, monkeypatch, capsys, terminal):
    monkeypatch.setenv("TERM", terminal)
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    print_results(laws, columns="all")
    said = capsys.readouterr().out
    assert "…" not in said and f"{open_results(laws)['predicted'][0].as_py():.5g}" in said


def test_colour_in_a_pipe_leaves_out_no_column(laws, monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "20")
    print_results(laws)
    assert "left out" not in capsys.readouterr().out


# Files of other programs -----------------------------------------------------------------------


@pytest.mark.parametrize("words", ["views", "strings"])
def test_results_that_polars_wrote_are_results(laws, tmp_path, words):
    frame = polars.read_ipc(laws / "results.arrow")
    if words == "strings":
        frame = frame.with_columns(polars.col("estimator").cast(polars.String))
    file = tmp_path / "polars.arrow"
    frame.write_ipc(file)
    columns = ["estimator", "n_task", "predicted"]
    assert open_results(file).select(columns).equals(open_results(laws).select(columns))
    print_results(file, where=["estimator=befs"])
    with pytest.raises(mb.InputError, match="did you mean 'befs'"):
        print_results(file, where=["estimator=bef"])
    for form in ("csv", "parquet"):
        assert export_results(file, form).stat().st_size > 0


def test_a_study_may_begin_with_a_mark_of_its_encoding(tmp_path):
    file = tmp_path / "marked.toml"
    file.write_bytes(b"\xef\xbb\xbf" + STUDY.replace("\n", "\r\n").encode())
    assert load_study(file).name == "laws"
    file.write_bytes(STUDY.encode("utf-16"))
    with pytest.raises(mb.InputError, match="save it as UTF-8"):
        load_study(file)


def test_names_of_files_may_hold_commas(tmp_path):
    rng = np.random.default_rng(0)
    places = [tmp_path / f"{name}, 1.npy" for name in ("X", "y", "X_brain", "R")]
    for place, shape in zip(places, [(30, 4), 30, (40, 4), (40, 3)], strict=True):
        np.save(place, rng.standard_normal(shape))
    y, X_brain, R = (np.load(place) for place in places[1:])
    np.savez(tmp_path / "both,here.npz", X=X_brain, R=R)
    found = load(f"{places[0]},{places[1]}", tmp_path / "both,here.npz")
    np.testing.assert_array_equal(found.y, y)
    np.testing.assert_array_equal(found.R, R)
    with pytest.raises(mb.InputError, match=r"Z\.npy: there is no such file"):
        load(f"{tmp_path / 'both,here.npz'},{tmp_path / 'Z.npy'}", places[2])


@pytest.mark.parametrize("name", ["a.csv", "a", "a.npz.gz"])
def test_arrays_are_kept_under_a_name_that_says_so(name):
    with pytest.raises(mb.InputError, match=rf"--save {name}: arrays are kept as \.npz"):
        check_npz(name)
    check_npz("a.NPZ")


@pytest.mark.parametrize("letter", ["a", "日"])
def test_a_study_of_the_longest_name_has_a_folder(letter, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = {"name": 200 * letter, "engine": {"kind": "law"}, "estimators": {"ols": 0.0}}
    table |= {"model": {"input_dim": 12, "latent_dim": 3, "n_channels": 8}}
    assert run(study_from_table(table | {"design": {"n_task": 30}})).rows == 1


# Python's surroundings -------------------------------------------------------------------------


def test_figures_do_not_depend_on_the_backend_that_a_notebook_hands_on():
    code = (
        "import os, mcbrain.reporting.style as s; "
        "s.figure(1)[0].savefig(os.devnull, format='png'); "
        "assert os.environ['MPLBACKEND'].startswith('module')"
    )
    environment = os.environ | {"MPLBACKEND": "module://no_such_package.backend_inline"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


def test_a_package_in_a_zip_file_finds_its_studies_and_its_page(tmp_path):
    archive = tmp_path / "mcbrain.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for source in (ROOT / "mcbrain").rglob("*.*"):
            packed.write(source, source.relative_to(ROOT))
        for study in (ROOT / "data/studies").glob("*.toml"):
            packed.write(study, f"mcbrain/asking/shipped/{study.name}")
    code = (
        "import mcbrain; assert '.zip' in mcbrain.__file__; "
        "assert mcbrain.load_study('first-look').name == 'first-look'; "
        "from jinja2 import PackageLoader; "
        "assert 'page.html.j2' in PackageLoader('mcbrain.reporting', '').list_templates()"
    )
    environment = os.environ | {"PYTHONPATH": str(archive)}
    subprocess.run([sys.executable, "-c", code], env=environment, cwd=tmp_path, check=True)


@pytest.fixture
def strict_numpy():
    """A caller who wants an exception wherever NumPy meets a number out of range."""
    with np.errstate(all="raise"):
        yield


def test_the_callers_error_state_is_for_the_callers_arithmetic(strict_numpy, laws):
    model = mb.Model(
        input_dim=12, latent_dim=3, n_channels=8, misalignment=0.1, task_loadings=[1e-200, 1, 1]
    )
    assert mb.predict(model, n_task=[5, 13, 1000], n_brain=[0, 20, 1000]).num_rows == 36
    assert mb.value(model, 60, 100).task_samples > 0
    assert mb.value(model, 60, 100, baseline="ols").task_samples > 0
    assert mb.allocate(model, budget=1000).n_task > 0
    asked = {"n_task": [20], "estimators": {"ridge": "optimal"}, "engine": "law"}
    assert mb.simulate(model, **asked, shifts=["id", "adversarial:0.5"]).num_rows == 2
    rng = np.random.default_rng(0)
    X_brain = rng.standard_normal((90, 12))
    R = X_brain[:, :3] @ rng.standard_normal((3, 8)) + rng.standard_normal((90, 8))
    encoder = mb.BrainEncoder().fit(X_brain, R)
    befs = mb.BEFSRegressor(subspace=encoder.subspace_, penalty="loo").fit(X_brain, R[:, 0])
    assert np.isfinite(befs.predict(X_brain)).all()
    assert set(np.geterr().values()) == {"raise"}
