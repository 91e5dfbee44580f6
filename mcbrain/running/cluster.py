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
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future
from contextlib import contextmanager
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from threading import Event, Thread
from typing import Any

from mcbrain.blas import one_blas_thread_for_good
from mcbrain.errors import InputError, UnfinishedError
from mcbrain.store.identity import code_identity

__all__ = ["ClusterExecutor", "open_cluster"]

_PATIENCE = 20.0  # seconds, for the scheduler to answer, and for a first worker
_RETRIES = 3
_LOOK_SECONDS = 5.0
_ALONE_SECONDS = 300.0  # without any worker, before the run gives up
_ADDRESS = re.compile(r"(?:(?:tcp|tls|wss?)://)?(?P<host>\[[^\]]+\]|[^:/\s]+):(?P<port>\d+)")
_NOISY = ("distributed", "tornado", "asyncio")  # who logs tracebacks of lost connections
_LIBRARIES = ("numpy", "scipy", "numba", "llvmlite")


class ClusterExecutor(Executor):
    """Submits to a client; each task checks its worker's libraries and holds BLAS to one thread.

    Parameters
    ----------
    client : dask.distributed.Client
    """

    def __init__(self, client: Any) -> None:
        self._executor = client.get_executor(pure=False, retries=_RETRIES)
        self._libraries = _libraries()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run fn(*args, **kwargs) on a worker; a lost worker's tasks run again on another."""
        future: Future[Any] = self._executor.submit(_alike, self._libraries, fn, *args, **kwargs)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more; without waiting, whatever is out is cancelled."""
        self._executor.shutdown(wait=wait)


def _alike(libraries: dict[str, str], fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
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
    # The code's identity too: in an archive there are no files to hash.
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
    """Once: a worker process serves nothing else, and two BLAS threads change last bits."""
    one_blas_thread_for_good()


@contextmanager
def open_cluster(
    cluster: Any, note: Callable[[str], None] = lambda sentence: None
) -> Iterator[tuple[Executor, int]]:
    """An executor on a cluster, and its number of threads.

    Parameters
    ----------
    cluster : str or dask.distributed.Client
        Address of a scheduler (a number alone is a port of this machine), or a client, which
        stays open.
    note : callable, optional
        Told about workers that are slower or otherwise different than need be.

    Raises
    ------
    InputError
        The `cluster` extra is not installed, or no scheduler or worker answers.
    UnfinishedError
        The cluster was lost; blocks that had arrived are kept.
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
        client: Any = _connect(Client, cluster) if owned else cluster
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
    """Keep the libraries' own words about lost connections out of sight: what matters is raised."""
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


def _watch(client: Any, executor: Executor, note: Callable[[str], None], over: Event) -> None:
    """Say when no worker is left, and give up when none comes for minutes."""
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


def _connect(connect: Any, cluster: Any) -> Any:
    """A client of a scheduler's address, where something listens."""
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
    """What a secured scheduler is met with, from dask's configuration; None without TLS."""
    if not address.startswith(("tls:", "wss:")):
        return None
    from distributed import security

    settings: Any = security
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


def _slots(client: Any, note: Callable[[str], None]) -> int:
    """Threads of all workers, once there is one."""
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


def _lost(client: Any, why: str) -> UnfinishedError:
    return UnfinishedError(
        f"the cluster {client.scheduler.address} was lost: {why}; every block that arrived is "
        "kept, run again to resume"
    )
