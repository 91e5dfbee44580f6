"""A dask cluster of real processes gives this machine's bits, whatever happens to its workers."""

import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from mcbrain.errors import InputError, UnfinishedError
from mcbrain.running.cluster import open_cluster
from mcbrain.running.runner import Reporter, run
from mcbrain.running.scheduler import other_versions, secured
from tests.support.clusters import cluster
from tests.support.small_study import rows, small, study

pytest.importorskip("distributed", reason="the optional extra 'cluster'")


class Notes(Reporter):
    """Keeps what a run says."""

    def __init__(self):
        self.notes, self.acts = [], {}

    def note(self, text):
        self.notes.append(text)
        for words in [w for w in self.acts if w in text]:
            self.acts.pop(words)()

    def once(self, words, act):
        """Call a function when something is said for the first time."""
        self.acts[words] = act


FEW = small(design={"n_task": 40, "n_brain": 60}, precision={"relative": 0.05})


def test_a_cluster_gives_the_bits_of_one_thread_and_resumes_its_blocks(tmp_path):
    """Its workers join when the run has begun to wait for them."""
    from distributed import Client

    few, said = FEW, Notes()
    run(few, tmp_path / "here", threads=1)
    with cluster(tmp_path, 0) as there:
        said.once("no worker has joined the cluster so far", lambda: there.join(2))
        first = run(few, tmp_path / "there", cluster=there.address, reporter=said)
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


def test_certificates_need_an_address_that_is_secured(tmp_path):
    assert secured("tcp://here:1", None, None, None) == "tcp://here:1"
    assert secured(None, None, None, None) is None
    with pytest.raises(InputError, match="add --cluster tls://HOST:PORT"):
        secured(None, "ca.pem", None, None)
    with pytest.raises(InputError, match=r"there is no certificate nowhere\.pem"):
        run(small(), tmp_path, cluster=secured("tls://here:1", "nowhere.pem", None, None))
    with pytest.raises(InputError, match="for addresses that begin with tls://"):
        run(small(), tmp_path, cluster=secured("tcp://here:1", "ca.pem", None, None))


def test_what_is_neither_an_address_nor_a_client_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"cluster = 3\.5: an address, a dask"):
        run(small(), tmp_path, cluster=3.5)


def test_workers_with_another_mcbrain_are_refused(tmp_path, monkeypatch):
    other = {"mcbrain": "another", "numpy": "1.0"}
    monkeypatch.setattr("mcbrain.running.cluster.libraries", lambda: other)
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


@pytest.mark.parametrize("given", ["an address", "a client", "an object"])
def test_whatever_a_cluster_is_given_as_its_workers_are_counted_again_and_again(given, monkeypatch):
    """Without a scheduler: the client's part is played here."""
    import distributed

    monkeypatch.setattr("mcbrain.running.cluster._LOOK_SECONDS", 0.01)
    monkeypatch.setattr(distributed, "Client", Played)
    monkeypatch.setattr("mcbrain.running.scheduler.socket.create_connection", Heard)
    cluster = {"an address": "tcp://here:1", "a client": Played()}.get(given, Queue())
    said = []
    with open_cluster(cluster, said.append) as pool:
        client = Played.latest
        assert pool.slots == 0 and pool.room > 0 and "waiting for the first" in said[0]
        for threads in ({"a": 1}, {"a": 1, "b": 1, "c": 1}, {"c": 1}, {}, {"d": 2}):
            client.threads = threads
            _until(lambda threads=threads: pool.slots == sum(threads.values()))
        assert pool.most == 3 and sorted(client.asked) == ["a", "b", "c", "d"]
    assert client.closed == (given != "a client")
    assert [s for s in said if "no worker is left" in s]
    assert sum("several threads" in s for s in said) == 1


class Heard:
    """A socket at whose other end somebody is."""

    def __init__(self, *_):
        self.address = _

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


class Queue:
    """What clusters of dask, such as those of dask-jobqueue, have in common."""

    scheduler_address, security, status, loop = "tcp://here:1", None, "running", None


class Played:
    """A client whose workers come and go as it is told."""

    latest = None

    def __init__(self, to=None, **_):
        self.to, self.threads, self.asked, self.closed = to, {}, [], False
        self.asynchronous, self.status, self.scheduler = False, "running", Queue()
        self.scheduler.address = "tcp://here:1"
        Played.latest = self

    def get_executor(self, **_):
        return ThreadPoolExecutor(1)

    def get_versions(self):
        own = {"host": {"python": "3.12.1"}, "packages": {}}
        return {"client": own, "scheduler": own, "workers": {}}

    def nthreads(self):
        return dict(self.threads)

    def run(self, function, *, workers):
        self.asked += workers
        return {address: function() for address in workers}

    def close(self, timeout):
        self.closed = True


def _until(true):
    deadline = time.monotonic() + 120
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_other_versions_are_one_sentence():
    class Mixed(Played):
        def get_versions(self):
            own = {"host": {"python": "3.12.1"}, "packages": {"distributed": "2026.8.0"}}
            old = {"host": {"python": "3.12.4"}, "packages": {"distributed": "2025.1.0"}}
            return {"client": own, "scheduler": own, "workers": {"tcp://there:2": old}}

    said = other_versions(Mixed())
    assert said.startswith("the worker tcp://there:2 has distributed 2025.1.0, this machine has 20")
    assert other_versions(Played()) == ""


@pytest.mark.long
def test_a_cluster_may_grow_and_shrink_while_it_computes(tmp_path, monkeypatch):
    """One worker, then three more, two of them killed, and one more: the bits of one thread."""
    monkeypatch.setattr("mcbrain.running.cluster._JOB_SECONDS", 0.05)  # so that jobs are many
    table = study(precision={"relative": 0.002, "max_replicates": 120_000})
    run(table, tmp_path / "here", threads=1)
    out = tmp_path / "there"
    with cluster(tmp_path, 1) as there:

        def change():
            there.join(3)
            _until(lambda: len(there.done()) == 4 and min(there.done()) > 0)
            for victim in there.workers[1:3]:
                victim.kill()
            there.join(1)

        thread = _after_blocks(out, 1, change)
        run(table, out, cluster=there.address)
        thread.join()
        assert len(there.done()) == 3 and min(there.done()) > 0
    assert rows(out).equals(rows(tmp_path / "here"))


@pytest.mark.long
def test_an_adaptive_cluster_starts_from_no_worker(tmp_path):
    from distributed import LocalCluster

    run(FEW, tmp_path / "here", threads=1)
    local = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(n_workers=0, threads_per_worker=1, **local) as there:
        there.adapt(minimum=0, maximum=2)
        run(FEW, tmp_path / "there", cluster=there)
    assert rows(tmp_path / "there").equals(rows(tmp_path / "here"))


@pytest.mark.long
def test_a_worker_without_mcbrain_that_joins_is_one_sentence(tmp_path, capfd):
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "sitecustomize.py").write_text("import sys\nsys.modules['mcbrain'] = None\n")
    said = Notes()
    with cluster(tmp_path, 0) as there:
        said.once("no worker has joined", lambda: there.join(1, PYTHONPATH=str(bare)))
        with pytest.raises(InputError, match="mcbrain is not installed on a worker"):
            run(FEW, tmp_path / "there", cluster=there.address, reporter=said)
    assert capfd.readouterr().err == ""


def test_a_time_limit_ends_a_run_that_waits_for_its_first_worker(tmp_path):
    with cluster(tmp_path, 0) as there:
        outcome = run(FEW, tmp_path / "out", cluster=there.address, max_time=0.5)
    assert outcome.stopped and not outcome.computed
    assert rows(tmp_path / "out").num_rows == FEW.n_rows


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
        named = secured(there.address, str(own), str(own), str(key))
        assert run(few, tmp_path / "there", cluster=named).computed == 0
        odd = secured(there.address, str(key), str(own), str(key))  # a key is no authority
        with pytest.raises(InputError, match="certificates cannot be used"):
            run(few, tmp_path / "there", cluster=odd)
    assert rows(tmp_path / "there").equals(rows(tmp_path / "here"))
