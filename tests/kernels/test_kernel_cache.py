"""Machine code is kept between processes, never stale, and whatever fails only costs time."""

import ctypes
import json
import os
import pwd
import resource
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numba
import pytest

from mcbrain.engines import compiling
from mcbrain.engines.compiling import compile_pieces
from mcbrain.engines.pieces import Piece, every_piece
from mcbrain.kernels import cache, cache_folder, jit

ROOT = Path(__file__).parents[2]
NOBODY = 65534

PROGRAM = """
import json, resource
from mcbrain.kernels.cache import ACCOUNT
from mcbrain.kernels.random.seeds import open_stream
state = open_stream(1, (2,), 0, 0).state.tolist()
print(json.dumps({"state": state, "compiled": ACCOUNT.compiled, "unkept": ACCOUNT.unkept}))
"""

pytestmark = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled")


def process(folder, path=ROOT, **options):
    environment = os.environ | {"PYTHONPATH": str(path), "NUMBA_DISABLE_JIT": "0"}
    environment |= {"MCBRAIN_CACHE_DIR": str(folder)} | options.pop("env", {})
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment,
        cwd=path if path.is_dir() else path.parent,
        capture_output=True,
        text=True,
        **options,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def warm(tmp_path_factory):
    """A cache folder with one kernel's machine code, and what the process that filled it says."""
    folder = tmp_path_factory.mktemp("cache")
    folder.chmod(0o755)
    return folder, process(folder)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty cache folder of this process."""
    monkeypatch.setenv("MCBRAIN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "ACCOUNT", cache.Account())
    return tmp_path / "cache"


def double(x):
    """Compiles in no time, and counts as one of the package's kernels."""
    return x + x


double.__module__ = jit.__name__


def compiled_here():
    """Whether a kernel as new must be compiled; its number is checked."""
    fresh = jit.kernel(double)
    assert fresh(1.5) == 3.0
    return sum(fresh.stats.cache_misses.values()) == 1


def entry(folder):
    [found] = folder.rglob("*.nbc")
    return found


def test_a_second_process_compiles_nothing_and_gives_the_same_numbers(warm):
    folder, first = warm
    second = process(folder)
    assert (first["compiled"], second["compiled"]) == (1, 0)
    assert first["unkept"] == second["unkept"] == ""
    assert first["state"] == second["state"]


def test_a_copy_of_the_sources_elsewhere_shares_the_machine_code(warm, tmp_path):
    shutil.copytree(ROOT / "mcbrain", tmp_path / "mcbrain")
    assert process(warm[0], tmp_path)["compiled"] == 0


def test_sources_in_a_zip_file_share_the_machine_code_of_the_same_sources_elsewhere(warm, tmp_path):
    archive = tmp_path / "mcbrain.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for source in (ROOT / "mcbrain").rglob("*.py"):
            packed.write(source, source.relative_to(ROOT))
    assert process(warm[0], archive)["compiled"] == 0


def test_other_settings_of_the_compiler_have_machine_code_of_their_own(warm):
    """Not loaded, and not kept where the others would find it."""
    folder = warm[0]
    here = set(folder.iterdir())
    assert process(folder, env={"NUMBA_OPT": "0"})["compiled"] == 1
    [other] = set(folder.iterdir()) - here
    shutil.rmtree(other)


@pytest.mark.parametrize(
    "setting",
    ["OPT", "SLP_VECTORIZE", "LOOP_VECTORIZE", "CPU_NAME", "CPU_FEATURES", "DEBUGINFO_DEFAULT"],
)
def test_every_setting_that_decides_code_names_another_folder(monkeypatch, setting):
    before = cache_folder.cache_folder()
    monkeypatch.setattr(numba.config, setting, "another")
    assert cache_folder.cache_folder() != before


@pytest.mark.parametrize("setting", ["NUM_THREADS", "CACHE_DIR", "THREADING_LAYER"])
def test_settings_that_decide_no_code_share_a_folder(monkeypatch, setting):
    before = cache_folder.cache_folder()
    name = f"NUMBA_{setting}" if setting == "NUM_THREADS" else setting
    monkeypatch.setattr(numba.config, name, "another")
    assert cache_folder.cache_folder() == before


def test_the_folder_changes_with_any_source(monkeypatch):
    folders = set()
    for text in (b"x = 1", b"x = 2"):
        monkeypatch.setattr(cache_folder, "_sources", lambda text=text: [("helper.py", text)])
        cache_folder._state.cache_clear()
        folders.add(cache_folder.cache_folder())
    cache_folder._state.cache_clear()
    assert len(folders) == 2


def spoilt(content):
    """What may become of a file's bytes: nothing, half, something else, one flipped bit."""
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 1
    return {
        "emptied": b"",
        "cut": content[: len(content) // 2],
        "no longer ours": b"\x80\x04N.",
        "one bit": bytes(flipped),
    }


@pytest.mark.parametrize("damage", ["emptied", "cut", "no longer ours", "one bit"])
def test_a_damaged_entry_is_compiled_and_written_again(place, damage):
    assert compiled_here()
    whole = entry(place).read_bytes()
    entry(place).write_bytes(spoilt(whole)[damage])
    assert compiled_here()
    assert not compiled_here()
    assert cache.ACCOUNT.unkept == ""


def test_a_folder_where_an_entry_should_be_only_costs_compiling(place):
    assert compiled_here()
    name = entry(place)
    name.unlink()
    name.mkdir()
    assert compiled_here()
    assert "Is a directory" in cache.ACCOUNT.unkept


def test_a_place_that_is_no_folder_only_costs_compiling(place):
    place.write_text("a file")
    assert compiled_here()
    assert str(place) in cache.ACCOUNT.unkept


def test_a_full_disk_only_costs_compiling(place):
    """A limit on the size of files stands for the disk: writing fails in its midst."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        assert compiled_here()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "File too large" in cache.ACCOUNT.unkept
    assert not [path for path in place.rglob("*") if path.is_file()]
    assert compiled_here()


def as_anyone():
    """In a child, before its program: permissions hold for root as for anyone."""
    drop, override, search = 24, 1, 2  # PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    for capability in (override, search):
        ctypes.CDLL(None).prctl(drop, capability)


def test_a_folder_that_was_filled_and_cannot_be_written_is_used(warm):
    folder = warm[0]
    [inside] = [path for path in folder.iterdir() if path.is_dir()]
    for place in (folder, inside):
        place.chmod(0o555)
    try:
        done = process(folder, preexec_fn=as_anyone)
        other = process(folder, preexec_fn=as_anyone, env={"NUMBA_OPT": "0"})
    finally:
        for place in (folder, inside):
            place.chmod(0o755)
    assert (done["compiled"], done["unkept"]) == (0, "")
    assert other["compiled"] == 1 and other["unkept"].startswith(f"{folder}")
    assert other["unkept"].endswith("Permission denied")


def test_a_user_without_a_name_and_without_a_home_only_compiles(place, monkeypatch):
    def nobody(uid):
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    for name in ("MCBRAIN_CACHE_DIR", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    assert compiled_here()
    assert "no home folder" in cache.ACCOUNT.unkept


@pytest.mark.parametrize("part", ["root", "folder", "file"])
def test_what_others_may_write_is_not_run(place, part):
    assert compiled_here()
    found = entry(place)
    {"root": place, "folder": found.parent, "file": found}[part].chmod(0o777)
    assert compiled_here()
    if part == "file":
        assert not compiled_here()  # written again, by the user alone
    else:
        assert compiled_here()
        assert "others may write in" in cache.ACCOUNT.unkept


def test_what_another_user_owns_is_not_run(place):
    if os.geteuid():
        pytest.skip("only root may give files away")
    assert compiled_here()
    os.chown(entry(place).parent, NOBODY, NOBODY)
    assert compiled_here()
    assert "belongs to another user" in cache.ACCOUNT.unkept


PIECES = (Piece("tiny", "task", "many"), Piece("tiny", "task", "few"))


@pytest.fixture
def tiny(place, monkeypatch):
    """An engine whose pieces compile in no time, and how many processes were started for them."""
    engine = type("engine", (), {"compile_piece": staticmethod(lambda piece: compiled_here())})
    monkeypatch.setattr(compiling, "import_module", lambda name: engine)
    started = []

    def useless(piece):
        started.append(piece)
        return subprocess.Popen([sys.executable, "-c", "raise SystemExit(1)"])

    monkeypatch.setattr(compiling, "_helper", useless)
    return started


def test_what_is_said_of_compiling_is_true(place, tiny):
    """Announced before, told after whether it is kept, and silent where it was there."""
    told = []
    compile_pieces(PIECES, told.append)
    assert [line.split(",")[-1] for line in told] == [" once", " kept for later runs"]
    compile_pieces(PIECES, told.append)
    assert len(told) == 2
    entry(place).parent.chmod(0o777)
    compile_pieces(PIECES, told.append, cores=2)
    assert told[2].startswith("compiling") and "could not be kept because others may" in told[3]
    assert not tiny  # what is compiled elsewhere could not be loaded


def test_what_other_processes_leave_is_compiled_here(place, tiny):
    shown = []
    compile_pieces(PIECES, show=lambda done, left: shown.append((done, left)), cores=2)
    assert tuple(tiny) == PIECES
    assert shown[-1][0] == 2 and min(left for _, left in shown) >= 0.0
    assert cache.ACCOUNT.compiled == 1
    assert entry(place).exists()


def test_processes_are_ended_where_the_wait_for_them_is(place, tiny, monkeypatch):
    processes = []

    def slow(piece):
        command = [sys.executable, "-c", "import time; time.sleep(600)"]
        processes.append(subprocess.Popen(command))
        return processes[-1]

    def stop(done, left):
        raise KeyboardInterrupt

    monkeypatch.setattr(compiling, "_helper", slow)
    with pytest.raises(KeyboardInterrupt):
        compile_pieces(PIECES, show=stop, cores=2)
    assert [process.returncode for process in processes] == [-signal.SIGTERM] * 2


@pytest.mark.long
def test_pieces_compiled_side_by_side_are_loaded(place):
    pieces = every_piece("spectral")[1:]
    assert len(pieces) == 2
    compile_pieces(pieces, cores=2)
    assert (cache.ACCOUNT.missed, cache.ACCOUNT.compiled) == (1, 0)


def test_no_kernel_of_another_package_is_kept(place):
    @jit.kernel
    def triple(x):
        return 3.0 * x

    assert triple(2.0) == 6.0
    assert not place.exists()


@pytest.mark.long
@pytest.mark.parametrize("seconds", [5, 8, 11])
def test_a_signal_while_kernels_compile_ends_the_command(tmp_path, seconds):
    """Within the compiler's callbacks an interruption is lost, so that it is raised again."""
    command = [sys.executable, "-m", "mcbrain", "run", "first-look", "--out", "out"]
    environment = os.environ | {"MCBRAIN_CACHE_DIR": str(tmp_path / "empty")}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        time.sleep(seconds)
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 143
    assert "Traceback" not in said and "ignored" not in said
