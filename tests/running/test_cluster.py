"""A dask cluster of real processes gives this machine's bits, whatever happens to its workers."""

import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest

from mcbrain.errors import InputError, UnfinishedError
from mcbrain.running.runner import Reporter, run
from tests.support.clusters import cluster
from tests.support.small_study import rows, small, study

pytest.importorskip("distributed", reason="the optional extra 'cluster'")


class Notes(Reporter):
    """Keeps what a run says."""

    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


def test_a_cluster_gives_the_bits_of_one_thread_and_resumes_its_blocks(tmp_path):
    from distributed import Client

    few = small(design={"n_task": 40, "n_brain": 60}, precision={"relative": 0.05})
    run(few, tmp_path / "here", threads=1)
    with cluster(tmp_path) as there:
        first = run(few, tmp_path / "there", cluster=there.address)
        with Client(there.address, set_as_default=False) as client:
            second = run(few, tmp_path / "there", cluster=client)
            assert client.status == "running"  # a user's own client stays open
    assert first.computed > 0 and second.computed == 0
    assert rows(tmp_path / "there").equals(rows(tmp_path / "here"))


@pytest.mark.parametrize(
    "address", ["127.0.0.1:1", "1", "127.0.0.1:99999999", "no.where.invalid:8786"]
)
def test_where_no_scheduler_answers_the_run_says_so_and_writes_nothing(tmp_path, address):
    with pytest.raises(InputError, match=f"--cluster {address}: no scheduler answers"):
        run(small(), tmp_path / "out", cluster=address)
    assert not list((tmp_path / "out").glob("*.arrow"))


@pytest.mark.parametrize("address", ["nowhere", "", "tcp://", "pigeon://127.0.0.1:1", "a b:1"])
def test_what_is_no_address_is_refused(tmp_path, address):
    with pytest.raises(InputError, match="the form is tcp://HOST:PORT"):
        run(small(), tmp_path / "out", cluster=address)


def test_what_is_neither_an_address_nor_a_client_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"cluster = 3\.5: an address or"):
        run(small(), tmp_path, cluster=3.5)


def test_workers_with_another_mcbrain_are_refused(tmp_path, monkeypatch):
    other = {"mcbrain": "another", "numpy": "1.0"}
    monkeypatch.setattr("mcbrain.running.cluster._libraries", lambda: other)
    with cluster(tmp_path, 1) as there, pytest.raises(InputError, match=r"has mcbrain .* same"):
        run(small(), tmp_path / "out", cluster=there.address)


def _after_blocks(out, count, act):
    """Call `act` from a thread once the folder has some segments; the thread."""

    def watch():
        deadline = time.monotonic() + 120
        while len(list(out.glob("blocks/*.arrow"))) < count and time.monotonic() < deadline:
            time.sleep(0.02)
        act()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


@pytest.mark.long
def test_a_worker_killed_in_mid_run_costs_nothing_but_time(tmp_path):
    table = study(precision={"relative": 0.005, "max_replicates": 40_000})
    run(table, tmp_path / "here", threads=2)
    with cluster(tmp_path) as there:
        victim = there.workers[0]
        thread = _after_blocks(tmp_path / "there", 1, lambda: victim.send_signal(signal.SIGKILL))
        outcome = run(table, tmp_path / "there", cluster=there.address)
        thread.join()
        assert victim.wait(10) == -signal.SIGKILL
    again = run(table, tmp_path / "here", threads=1)
    assert again.computed == 0 and outcome.computed == again.reused
    assert rows(tmp_path / "there").equals(rows(tmp_path / "here"))


@pytest.mark.long
def test_a_lost_scheduler_is_one_sentence_and_the_run_goes_on_here(tmp_path, capfd):
    table = study(precision={"relative": 0.005, "max_replicates": 40_000})
    with cluster(tmp_path) as there:
        thread = _after_blocks(
            tmp_path / "out", 1, lambda: there.scheduler.send_signal(signal.SIGKILL)
        )
        with pytest.raises(UnfinishedError, match="was lost: its scheduler"):
            run(table, tmp_path / "out", cluster=there.address)
        thread.join()
    assert capfd.readouterr().err == ""
    assert rows(tmp_path / "out").num_rows == table.n_rows  # of what had arrived
    assert run(table, tmp_path / "out").reused > 0
    run(table, tmp_path / "here")
    assert rows(tmp_path / "out").equals(rows(tmp_path / "here"))


@pytest.mark.long
def test_a_run_without_any_worker_left_says_so_and_gives_up(tmp_path, monkeypatch):
    monkeypatch.setattr("mcbrain.running.cluster._LOOK_SECONDS", 0.5)
    monkeypatch.setattr("mcbrain.running.cluster._ALONE_SECONDS", 2.0)
    table, said = study(precision={"relative": 0.002, "max_replicates": 400_000}), Notes()
    with cluster(tmp_path, 1) as there:
        _after_blocks(tmp_path / "out", 1, there.workers[0].kill)
        with pytest.raises(UnfinishedError, match="all of its workers are gone; every block"):
            run(table, tmp_path / "out", cluster=there.address, reporter=said)
    assert any("no worker is left" in note for note in said.notes)


@pytest.mark.long
def test_ctrl_c_of_a_cluster_run_ends_with_130_and_keeps_what_arrived(tmp_path):
    import tomli_w

    table = study(precision={"relative": 0.002, "max_replicates": 400_000})
    (tmp_path / "s.toml").write_text(tomli_w.dumps(table.table))
    with cluster(tmp_path) as there:
        command = [sys.executable, "-m", "mcbrain", "run", str(tmp_path / "s.toml"), "--out"]
        process = subprocess.Popen(
            [
                *command,
                str(tmp_path / "out"),
                "--cluster",
                there.address.rpartition(":")[2],
            ],  # a port of this machine
            stderr=subprocess.PIPE,
            text=True,
        )
        _after_blocks(tmp_path / "out", 2, lambda: process.send_signal(signal.SIGINT)).join()
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert "Traceback" not in said and "everything finished is kept" in said
    assert list((tmp_path / "out").glob("blocks/*.arrow"))


@pytest.mark.long
def test_a_secured_cluster_gives_the_bits_of_one_thread(tmp_path):
    """Certificates come from dask's configuration, as its environment variables set it."""
    if not (openssl := shutil.which("openssl")):
        pytest.skip("certificates are made by openssl")
    import dask

    key, own = tmp_path / "key.pem", tmp_path / "own.pem"
    made = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
    subprocess.run([*made, "-keyout", key, "-out", own], check=True, capture_output=True)
    options = ["--protocol", "tls"]
    for name, file in (("ca-file", own), ("cert", own), ("key", key)):
        options += [f"--tls-{name}", str(file)]
    names = {"ca-file": own, "client.cert": own, "client.key": key}
    settings = {f"distributed.comm.tls.{name}": str(file) for name, file in names.items()}
    few = small(design={"n_task": 40, "n_brain": 60}, precision={"relative": 0.05})
    run(few, tmp_path / "here", threads=1)
    with cluster(tmp_path, 1, options) as there:
        assert there.address.startswith("tls://")
        with pytest.raises(InputError, match="certificates are needed"):
            run(few, tmp_path / "there", cluster=there.address)
        with dask.config.set(settings):
            run(few, tmp_path / "there", cluster=there.address)
    assert rows(tmp_path / "there").equals(rows(tmp_path / "here"))
