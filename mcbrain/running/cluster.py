"""Blocks as tasks of a dask.distributed cluster, with the numbers of this machine.

Start a scheduler and workers of one thread each; all listen on this machine alone here, since
whoever reaches them can run code on them::

    export OPENBLAS_NUM_THREADS=1 LOCAL="--host 127.0.0.1 --dashboard-address 127.0.0.1:0"
    dask scheduler --port 8786 $LOCAL
    dask worker tcp://127.0.0.1:8786 --nworkers 4 --nthreads 1 $LOCAL
    mcbrain run STUDY --cluster tcp://127.0.0.1:8786
"""

from __future__ import annotations

import hashlib
import logging
import platform
import re
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError, Executor, Future
from contextlib import contextmanager
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from threading import Event, Thread
from typing import Any, ParamSpec, Protocol, TypeVar, cast

from mcbrain.blas import one_blas_thread_for_good
from mcbrain.errors import InputError, UnfinishedError
from mcbrain.store.identity import code_identity

__all__ = ["ClusterExecutor", "open_cluster"]

P = ParamSpec("P")
T = TypeVar("T")

_PATIENCE = 20.0  # seconds that the scheduler has to answer, and a first worker to join
_RETRIES = 3  # of a block whose worker died, before its run gives up
_LOOK_SECONDS = 5.0  # between two looks at whether any worker is left
_ALONE_SECONDS = 300.0  # without any worker, before the run gives up
_ADDRESS = re.compile(r"(?:(?:tcp|tls|wss?)://)?(?P<host>\[[^\]]+\]|[^:/\s]+):(?P<port>\d+)")
_NOISY = ("distributed", "tornado", "asyncio")  # who logs tracebacks of lost connections
_LIBRARIES = ("numpy", "scipy", "numba", "llvmlite")


class _Scheduler(Protocol):
    """What is asked of a client's scheduler."""

    @property
    def address(self) -> str: ...


class _Client(Protocol):
    """What is asked of a `dask.distributed.Client`, whose own methods have no types."""

    @property
    def asynchronous(self) -> bool: ...
    @property
    def status(self) -> str: ...
    @property
    def scheduler(self) -> _Scheduler: ...
    def get_executor(self, *, pure: bool, retries: int) -> Executor: ...
    def nthreads(self) -> Mapping[str, int]: ...
    def run(self, function: Callable[[], T]) -> Mapping[str, T]: ...
    def wait_for_workers(self, n_workers: int, timeout: float) -> None: ...
    def close(self, timeout: float) -> None: ...


class ClusterExecutor(Executor):
    """Submits to a client; each task checks its worker's libraries and holds BLAS to one thread.

    Parameters
    ----------
    client : dask.distributed.Client
        A client whose scheduler answers; whoever opened it closes it.
    """

    def __init__(self, client: _Client) -> None:
        self._executor = client.get_executor(pure=False, retries=_RETRIES)
        self._libraries = _libraries()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run fn(*args, **kwargs) on a worker; a lost worker's tasks run again on another.

        Parameters
        ----------
        fn : callable
            What to run. A function of mcbrain travels by name: the worker calls its own.
        *args : object
            Arguments of `fn`, which travel pickled.
        **kwargs : object
            Its keyword arguments.

        Returns
        -------
        Future
            Of the value of `fn`. Its `result` raises InputError where the worker's libraries,
            sources or compiler settings are not those of this machine.
        """
        return self._executor.submit(_alike, self._libraries, fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no further task.

        Parameters
        ----------
        wait : bool
            Whether to return only when every submitted task has ended; otherwise those that have
            not ended are cancelled.
        cancel_futures : bool
            Has no effect: dask's executor cancels exactly where it does not wait.
        """
        self._executor.shutdown(wait=wait)


def _alike(
    libraries: Mapping[str, str], fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
) -> T:
    """On a worker: call a function where it gives the numbers that the caller's machine would."""
    for name, wanted in libraries.items():
        found = _libraries()[name]
        if found != wanted:
            raise InputError(
                f"--cluster: a worker on {platform.node()} has {name} {found}, this machine has "
                f"{wanted}; numbers would differ, so all workers need the same"
            )
    _one_blas_thread()
    return fn(*args, **kwargs)


@lru_cache(maxsize=1)
def _libraries() -> dict[str, str]:
    """What decides the bits of a block: versions, and a hash of mcbrain's own sources."""
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    # The code's identity counts too: of a package in an archive there are no files to hash.
    own = {"mcbrain": digest.hexdigest()[:12], "code": code_identity().digest}
    own["compiler settings (NUMBA_...)"] = _settings()
    return own | {name: version(name) for name in _LIBRARIES}


def _settings() -> str:
    """A hash of what the compiler is told, which decides last bits too."""
    from mcbrain.kernels.cache_folder import deciding_settings

    return hashlib.sha256(repr(sorted(deciding_settings().items())).encode()).hexdigest()[:12]


def _processor() -> str:
    """Type of this machine's processor, as the compiler names it."""
    from llvmlite.binding import get_host_cpu_name

    return str(get_host_cpu_name())


@lru_cache(maxsize=1)
def _one_blas_thread() -> None:
    """Hold BLAS to one thread for good, since a second one would change last bits.

    A worker's process serves nothing else, so nobody needs the others back.
    """
    one_blas_thread_for_good()


@contextmanager
def open_cluster(
    cluster: object, note: Callable[[str], None] = lambda sentence: None
) -> Iterator[tuple[Executor, int]]:
    """An executor on a cluster, and its number of threads.

    While it is open, what dask, tornado and asyncio log about lost connections is kept out of
    sight, and a run whose last worker has left is ended after some minutes.

    Parameters
    ----------
    cluster : str or dask.distributed.Client
        Address of a scheduler (a number alone is a port of this machine), or a client, which
        stays open.
    note : callable, optional
        Called with a sentence where workers are slower than they could be or have other
        processors, and where none is left.

    Yields
    ------
    executor : Executor
        Runs its tasks on the workers.
    slots : int
        Threads of all workers that have joined so far.

    Raises
    ------
    InputError
        The `cluster` extra is not installed, `cluster` is neither an address nor a client that can
        be waited for, no scheduler or worker answers, the certificates of a secured scheduler are
        missing, or mcbrain is not installed on a worker.
    UnfinishedError
        The scheduler or all workers were lost, or the workers of one block died again and again;
        blocks that had arrived are kept.
    """
    try:
        from distributed import Client
        from distributed.scheduler import KilledWorker
    except ImportError:
        raise InputError(
            "running on a cluster needs the extra 'cluster': pip install 'mcbrain[cluster]'"
        ) from None
    owned = not isinstance(cluster, Client)
    over = Event()
    with _quiet():
        connect = cast("Callable[..., _Client]", Client)
        client = _connect(connect, cluster) if owned else cast("_Client", cluster)
        try:
            slots = _slots(client, note)
            executor = ClusterExecutor(client)
            Thread(target=_watch, args=(client, executor, note, over), daemon=True).start()
            yield executor, slots
        except KilledWorker as error:
            why = f"a block's worker died {_RETRIES + 1} times ({error.task})"
            raise _lost(client, why) from None
        except CancelledError:
            raise _lost(client, "its scheduler or all of its workers are gone") from None
        finally:
            over.set()
            if owned:
                client.close(timeout=2)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what libraries log of lost connections out of sight; what matters is raised."""
    names = [n for n in logging.root.manager.loggerDict if n.split(".")[0] in _NOISY]
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _watch(client: _Client, executor: Executor, note: Callable[[str], None], over: Event) -> None:
    """Say when no worker is left, and cancel every task when none has joined for minutes."""
    alone = 0.0
    while not over.wait(_LOOK_SECONDS) and client.status == "running":
        if client.nthreads():
            alone = 0.0
            continue
        if not alone:
            note(f"no worker is left; waiting {_ALONE_SECONDS:.0f} s for one to join")
        alone += _LOOK_SECONDS
        if alone >= _ALONE_SECONDS:
            executor.shutdown(wait=False)
            return


def _connect(connect: Callable[..., _Client], cluster: object) -> _Client:
    """A client of the scheduler at an address, once something is seen to listen there."""
    if not isinstance(cluster, str):
        raise InputError(f"cluster = {cluster!r}: an address or a dask.distributed.Client")
    address = f"tcp://127.0.0.1:{cluster}" if cluster.isdigit() else cluster
    found = _ADDRESS.fullmatch(address)
    if not found:
        raise InputError(f"--cluster {cluster}: the form is tcp://HOST:PORT, or a port alone")
    secured = _certificates(address, cluster)
    try:
        host, port = found["host"].strip("[]"), int(found["port"])
        with socket.create_connection((host, port), _PATIENCE) as heard:
            if secured is not None:
                secured.wrap_socket(heard, server_hostname=host).close()
        return connect(address, timeout=_PATIENCE, set_as_default=False)
    except (OSError, OverflowError, ValueError, TypeError, ImportError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"--cluster {cluster}: no scheduler answers there ({reason})") from None


def _certificates(address: str, cluster: str) -> ssl.SSLContext | None:
    """The certificates that dask's configuration names for a secured address; None without TLS."""
    if not address.startswith(("tls:", "wss:")):
        return None
    from distributed import security

    settings: Any = security  # Any: dask's own functions have no types
    try:
        found = settings.Security().get_connection_args("client")
        context: ssl.SSLContext | None = found["ssl_context"]
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"--cluster {cluster}: the certificates that dask's configuration names cannot be "
            f"used ({error})"
        ) from None
    if context is None:
        start = "DASK_DISTRIBUTED__COMM__TLS__"
        raise InputError(
            f"--cluster {cluster}: certificates are needed; name their files by {start}CA_FILE, "
            f"{start}CLIENT__CERT and {start}CLIENT__KEY, or under distributed.comm.tls in dask's "
            "configuration"
        )
    return context


def _slots(client: _Client, note: Callable[[str], None]) -> int:
    """The number of threads of all workers, counted when at least one worker has joined."""
    if client.asynchronous:
        raise InputError("cluster: an asynchronous client cannot be waited for; use another")
    try:
        client.wait_for_workers(1, timeout=_PATIENCE)
    except TimeoutError:
        raise InputError(
            f"--cluster {client.scheduler.address}: the scheduler has no workers; start some: "
            f"dask worker {client.scheduler.address} --nthreads 1"
        ) from None
    threads = client.nthreads()
    if any(n > 1 for n in threads.values()):
        note("workers with several threads share one interpreter: --nthreads 1 is faster")
    try:
        processors = sorted({_processor(), *client.run(_processor).values()})
    except ImportError as error:
        raise InputError(f"--cluster: mcbrain is not installed on a worker ({error})") from None
    if len(processors) > 1:
        note(f"several types of processor ({', '.join(processors)}): last bits may differ")
    return sum(threads.values())


def _lost(client: _Client, why: str) -> UnfinishedError:
    return UnfinishedError(
        f"the cluster {client.scheduler.address} was lost: {why}; every block that arrived is "
        "kept, run again to resume"
    )
