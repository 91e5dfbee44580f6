"""Blocks as tasks of a dask.distributed cluster, with the numbers of this machine.

Start a scheduler and workers of one thread each; all listen on this machine alone here, since
whoever reaches them can run code on them::

    export OPENBLAS_NUM_THREADS=1 LOCAL="--host 127.0.0.1 --dashboard-address 127.0.0.1:0"
    dask scheduler --port 8786 $LOCAL
    dask worker tcp://127.0.0.1:8786 --nworkers 4 --nthreads 1 $LOCAL
    mcbrain run STUDY --cluster tcp://127.0.0.1:8786

Workers may join and leave at any time. A cluster that grows with its work, such as one of
dask-jobqueue, starts from none::

    cluster = dask_jobqueue.SLURMCluster(cores=1, processes=1, memory="2GB")
    cluster.adapt(maximum=200)
    mcbrain.run(STUDY, cluster=cluster)
"""

from __future__ import annotations

import logging
import math
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import ParamSpec, TypeVar

from mcbrain.errors import InputError, UnfinishedError
from mcbrain.running.alike import alike, libraries, processor
from mcbrain.running.pool import Pool
from mcbrain.running.scheduler import Client, SecuredAddress, connected, other_versions

__all__ = ["ClusterExecutor", "open_cluster"]

P = ParamSpec("P")
T = TypeVar("T")

_RETRIES = 3  # of a block whose worker died, before its run gives up
_LOOK_SECONDS = 1.0  # between two looks at which workers there are
_ALONE_SECONDS = 300.0  # after the last worker has left, before the run gives up
# Adaptive clusters ask for as many workers as would do in five seconds what is handed out: with ten
# jobs of a second for each worker and one more, they double until nothing is left to hand out.
_JOB_SECONDS, _AHEAD = 1.0, 10
_NOISY = ("distributed", "tornado", "asyncio")  # who logs tracebacks of lost connections


class ClusterExecutor(Executor):
    """Submits to a client; each task checks its worker's libraries and holds BLAS to one thread.

    Parameters
    ----------
    client : dask.distributed.Client
        A client whose scheduler answers; whoever opened it closes it.
    """

    def __init__(self, client: Client) -> None:
        import cloudpickle

        self._pack: Callable[[object], bytes] = cloudpickle.dumps
        self._executor = client.get_executor(pure=False, retries=_RETRIES)
        self._libraries = libraries()

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
        # Packed, so that a worker without mcbrain fails at the task, which says so. It would die of
        # a message that it cannot read, as a function of mcbrain is.
        call = self._pack(_Call(alike, (self._libraries, fn, args, kwargs)))
        return self._executor.submit(pickle.loads, call)

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


class _Call:
    """A call of a function: to unpickle it is to make it."""

    def __init__(self, function: Callable[..., object], arguments: tuple[object, ...]) -> None:
        self._call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self._call


@contextmanager
def open_cluster(
    cluster: object, note: Callable[[str], None] = lambda sentence: None
) -> Iterator[Pool]:
    """The workers of a cluster: those that there are, and those that join while it is in use.

    While it is open, what dask, tornado and asyncio log about lost connections is kept out of
    sight. Where no worker has joined yet, the first is waited for; a run whose last worker has left
    is ended after some minutes, unless the cluster is an object that can start others.

    Parameters
    ----------
    cluster : str, SecuredAddress, cluster of dask or dask.distributed.Client
        See `connected`.
    note : callable, optional
        Called with a sentence where workers are slower than they could be or have other processors
        or versions, and where there is none.

    Yields
    ------
    Pool
        Of the threads of all workers.

    Raises
    ------
    InputError
        The `cluster` extra is not installed, the cluster cannot be used (see `connected`), or a
        worker has no mcbrain or another one.
    UnfinishedError
        The scheduler or all workers were lost, or the workers of one block died again and again;
        blocks that had arrived are kept.
    """
    try:
        from distributed.scheduler import KilledWorker
    except ImportError:
        raise InputError(
            "running on a cluster needs the extra 'cluster': pip install 'mcbrain[cluster]'"
        ) from None
    with _quiet(), connected(cluster) as client:
        waits = not isinstance(cluster, (str, SecuredAddress, type(client)))
        watch = _Watch(client, note, math.inf if waits else _ALONE_SECONDS)
        try:
            if others := other_versions(client):
                note(others)
            watch.look()
            watch.thread.start()
            yield watch.pool
        except KilledWorker as error:
            why = f"a block's worker died {_RETRIES + 1} times ({error.task})"
            raise _lost(client, why) from None
        except CancelledError:
            raise _lost(client, "its scheduler or all of its workers are gone") from None
        except ImportError as error:
            raise InputError(
                f"--cluster: mcbrain is not installed on a worker, or another one is ({error})"
            ) from None
        except OSError as error:
            if type(error).__module__.startswith("distributed."):
                raise _lost(client, f"its scheduler does not answer ({error})") from None
            raise
        finally:
            watch.over.set()


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


class _Watch:
    """Looks again and again at which workers a client has, so that its pool grows and shrinks.

    Parameters
    ----------
    client : Client
        Connected to the scheduler.
    note : callable
        Called with what the user should know about workers, once each.
    patience : float
        Seconds without any worker, after there have been some, until every task is cancelled.

    Attributes
    ----------
    pool : Pool
        Of the threads of all workers.
    over : Event
        Set when nobody uses the cluster any more.
    thread : Thread
        Looks until `over`, or until every task was cancelled.
    """

    def __init__(self, client: Client, note: Callable[[str], None], patience: float) -> None:
        self.over = Event()
        self.thread = Thread(target=self._stay, daemon=True)
        executor = ClusterExecutor(client)
        self.pool = Pool(executor, 0, _JOB_SECONDS, _AHEAD, growing=True)
        self._client, self._note, self._patience = client, note, patience
        self._known: set[str] = set()
        self._said: set[str] = set()
        self._processors = {processor()}

    def look(self) -> None:
        """Count the workers' threads, and see what is to be said of those that are new."""
        threads = self._client.nthreads()
        self.pool.counted(sum(threads.values()))
        if new := [address for address in threads if address not in self._known]:
            self._known.update(new)
            self._processors |= set(self._client.run(processor, workers=new).values())
        if any(n > 1 for n in threads.values()):
            self._say("workers with several threads share one interpreter: --nthreads 1 is faster")
        if len(self._processors) > 1:
            names = ", ".join(sorted(self._processors))
            self._say(f"several types of processor ({names}): last bits may differ")
        if not self._known:
            address = self._client.scheduler.address
            self._say(
                "no worker has joined the cluster so far; waiting for the first: "
                f"dask worker {address} --nthreads 1"
            )

    def _say(self, sentence: str) -> None:
        if sentence not in self._said:
            self._said.add(sentence)
            self._note(sentence)

    def _stay(self) -> None:
        """Say when no worker is left, and cancel every task when none has joined for minutes."""
        alone = 0.0
        while not self.over.wait(_LOOK_SECONDS) and self._client.status == "running":
            # A worker may go while it is asked, and so may the scheduler, which every task tells;
            # and a signal that ends the run is the main thread's matter.
            with suppress(Exception, KeyboardInterrupt):
                self.look()
            if self.pool.slots or not self._known:
                alone = 0.0
                continue
            if not alone:
                limit = "" if math.isinf(self._patience) else f" {self._patience:.0f} s"
                with suppress(KeyboardInterrupt):
                    self._note(f"no worker is left; waiting{limit} for one to join")
            alone += _LOOK_SECONDS
            if alone >= self._patience:
                self.pool.executor.shutdown(wait=False)
                return


def _lost(client: Client, why: str) -> UnfinishedError:
    return UnfinishedError(
        f"the cluster {client.scheduler.address} was lost: {why}; every block that arrived is "
        "kept, run again to resume"
    )
