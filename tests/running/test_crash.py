"""Nothing finished is lost, nothing half-written is believed: kills, full disks, damaged files."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tomli_w

from mcbrain.errors import StoreError
from mcbrain.running.runner import run, warm_study
from mcbrain.store import blockstore
from mcbrain.store.blockstore import BlockStore
from tests.support.fuzzing import suites
from tests.support.small_study import TABLE, rows, small

needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0 or sys.platform != "linux",
    reason="only root can mount a small file system",
)
TINY = {
    "design": {"n_task": 40, "n_brain": [0, 60]},
    "precision": {"relative": 0.03, "max_replicates": 40_000},
}


def stored(out):
    """Key and index of every block on disk."""
    store = BlockStore(out / "blocks", read_only=True)
    return {(n, i) for n in store.names() for i in store.rows(n)["index"].to_pylist()}


def _run_logged(table, out, log):
    """In a child process: run, with the name of each block written down before it is computed."""
    from mcbrain.running import computing

    compute = computing.simulate_job

    def simulate(job):
        with log.open("a") as sink:
            for index in job.indices:
                sink.write(f"{job.problem.key.hex()} {job.problem.seed} {index}\n")
        return compute(job)

    computing.simulate_job = simulate
    blockstore._FLUSH_SECONDS = 0.02  # so that kills fall into writing too
    run(table, out, threads=2)


def _child(table, out, log):
    """A forked run: imports and compiled kernels are there already, so that kills come quickly."""
    number = os.fork()
    if not number:
        status = 1
        try:
            _run_logged(table, out, log)
            status = 0
        finally:
            os._exit(status)
    return number


def _logged(log):
    lines = log.read_text().split("\n")[:-1] if log.exists() else []
    return {
        ((bytes.fromhex(key), int(seed)), int(index)) for key, seed, index in map(str.split, lines)
    }


@suites(12, 120)
def test_a_run_killed_at_random_moments_resumes_to_the_same_bits_and_repeats_nothing(
    tmp_path, cases, repository
):
    """In a process of its own, since only one without threads may fork."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.running.test_crash", str(tmp_path), str(cases)],
        cwd=repository,
        capture_output=True,
        text=True,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stderr


def kill_often(folder, kills):
    """Kill `kills` runs, some of them in one folder after the other, and hold all to one result."""
    from mcbrain.running.runner import Reporter

    table, rng = small(**TINY), np.random.default_rng(5)
    warm_study(table, Reporter())
    whole = _child(table, folder / "whole", folder / "whole.log")
    begun = time.monotonic()
    os.waitpid(whole, 0)
    length = time.monotonic() - begun
    killed, lost, repeated, number = 0, 0, 0, 0
    while killed < kills:
        out, number = folder / f"run-{number}", number + 1
        finished = False
        while not finished:
            log = folder / "log"
            log.unlink(missing_ok=True)
            before = stored(out)
            child = _child(table, out, log)
            if killed < kills:
                time.sleep(float(rng.uniform(0.0, 0.6 * length)))
                os.kill(child, signal.SIGKILL)
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            assert status in (0, -signal.SIGKILL)
            finished = status == 0
            killed += not finished
            repeated += len(before & _logged(log))
            lost += len(before - stored(out))
        assert rows(out).equals(rows(folder / "whole"))
        assert stored(out) == stored(folder / "whole")
        assert not [p for p in out.rglob("*") if p.name.endswith((".tmp", ".draft"))]
    print(f"{killed} kills in {number} runs: {lost} blocks lost, {repeated} computed twice")
    assert (lost, repeated) == (0, 0)


def _command(path, out, *more):
    return [sys.executable, "-m", "mcbrain", "run", str(path), "--out", str(out), *more]


def _file(tmp_path, **changes):
    path = tmp_path / "study.toml"
    path.write_text(tomli_w.dumps({**TABLE, **changes}))
    return path


ENDINGS = [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGXCPU]


@pytest.mark.long
@pytest.mark.parametrize("number", ENDINGS)
def test_an_interrupted_run_says_so_ends_with_its_status_and_keeps_blocks(tmp_path, number):
    path = _file(tmp_path, precision={"relative": 0.001, "max_replicates": 400_000})
    for attempt in range(5):
        process = subprocess.Popen(
            _command(path, tmp_path / "out"),
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        before = len(list(tmp_path.glob("out/blocks/*.arrow")))
        while len(list(tmp_path.glob("out/blocks/*.arrow"))) <= before and process.poll() is None:
            time.sleep(0.02)
        time.sleep(0.1 * attempt)
        kept = stored(tmp_path / "out")
        process.send_signal(number)
        said = process.communicate(timeout=120)[1]
        assert process.returncode == 128 + number
        assert said.endswith("interrupted; everything finished is kept, run again to resume\n")
        assert kept <= stored(tmp_path / "out")


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 100 kB; a function that changes its mount options."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(disk)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a tmpfs: {mounted.stderr.decode().strip()}")
    yield disk, lambda o: subprocess.run(["mount", "-o", f"remount,{o}", str(disk)], check=True)
    subprocess.run(["umount", "-l", str(disk)], check=True)


@needs_root
def test_a_full_disk_is_one_sentence_and_the_run_goes_on_when_there_is_space(small_disk, tmp_path):
    disk, remount = small_disk
    few = small(design__n_task=[6, 40])
    path = _file(tmp_path, **few.table)
    done = subprocess.run(_command(path, disk / "out"), capture_output=True, text=True)
    assert done.returncode == 3
    last = done.stderr.splitlines()[-1]
    assert last.startswith("mcbrain: ") and "No space left on device" in last
    assert "Traceback" not in done.stderr
    assert not list(disk.rglob("*.tmp"))
    kept = stored(disk / "out")
    remount("size=50m")
    outcome = run(few, disk / "out")
    assert outcome.reused == len(kept)
    run(few, tmp_path / "whole")
    assert rows(disk / "out").equals(rows(tmp_path / "whole"))


@needs_root
def test_a_read_only_folder_can_be_shown_and_refuses_a_run_in_a_sentence(small_disk, tmp_path):
    disk, remount = small_disk
    remount("size=50m")
    few = small(design={"n_task": 40, "n_brain": 60}, precision={"relative": 0.1})
    run(few, disk / "out")
    remount("ro")
    with pytest.raises(StoreError, match="cannot be written"):
        run(few, disk / "out")
    with pytest.raises(StoreError, match="cannot be written"):
        run(few, disk / "new" / "out")
    shown = [sys.executable, "-m", "mcbrain", "show", str(disk / "out")]
    assert subprocess.run(shown, capture_output=True).returncode == 0


def test_of_two_runs_on_one_folder_at_once_one_is_refused(tmp_path):
    path = _file(tmp_path, precision={"relative": 0.001, "max_replicates": 4_000_000})
    first = subprocess.Popen(_command(path, tmp_path / "out"), stderr=subprocess.DEVNULL)
    try:
        while not (tmp_path / "out" / ".lock").exists() and first.poll() is None:
            time.sleep(0.02)
        time.sleep(0.2)
        done = subprocess.run(_command(path, tmp_path / "out"), capture_output=True, text=True)
    finally:
        first.kill()
        first.wait()
    assert done.returncode == 2
    assert "another run is writing here" in done.stderr.splitlines()[-1]


@suites(6, 200)
def test_damaged_segments_are_set_aside_and_computed_again_to_the_same_bits(tmp_path, cases):
    few = small(design={"n_task": 40, "n_brain": 60}, precision={"relative": 0.1})
    out, rng, said = tmp_path / "out", np.random.default_rng(3), []
    run(few, out)
    expected, blocks = rows(out), stored(out)
    for case in range(cases):
        path = next((out / "blocks").glob("*.arrow"))
        data = bytearray(path.read_bytes())
        if case % 3:
            data[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
        else:
            del data[int(rng.integers(len(data))) :]
        path.write_bytes(data)
        store = BlockStore(out / "blocks", read_only=True)
        said += store.notes
        run(few, out)
        assert rows(out).equals(expected) and stored(out) == blocks
        for aside in (out / "blocks").glob("*.damaged-*"):
            aside.unlink()
    print(f"{cases} damages, {len(said)} with blocks lost and said so")
    assert len(said) >= cases // 3


if __name__ == "__main__":
    kill_often(Path(sys.argv[1]), int(sys.argv[2]))
