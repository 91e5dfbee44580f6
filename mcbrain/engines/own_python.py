"""Plug-ins that are not compiled: any Python, in processes, so that every core is used."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from concurrent.futures import Future
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mcbrain.asking.own import Own
from mcbrain.blas import one_blas_thread_for_good
from mcbrain.blocks.problem import RawProblem
from mcbrain.blocks.query import Fit, Query
from mcbrain.blocks.sums import AT_LINE, RAISED
from mcbrain.engines.bridge import Asked, asked, encoder_choice
from mcbrain.engines.own import own_work, settings_of
from mcbrain.engines.own_judge import Judge
from mcbrain.engines.supply import lay_down, streams_of, with_pool
from mcbrain.errors import InputError
from mcbrain.kernels.replicate.own import (
    OwnData,
    Room,
    draw_replicates,
    judge_replicates,
    make_room,
    only_to_read,
)
from mcbrain.kernels.replicate.own_function import line_of, named_parameters
from mcbrain.kernels.replicate.raw import overlap_block
from mcbrain.kernels.replicate.workspace import Outcome, make_outcome, make_workspace
from mcbrain.kernels.types import FINE, SINGULAR, SOUND
from mcbrain.plugins.loading import function_of
from mcbrain.plugins.record import Plugin
from mcbrain.population.shifts import Shift
from mcbrain.typing import Floats, Integers

__all__ = ["InPython", "Request", "python_block"]

_ROOM = 16_000_000  # bytes of data that are drawn at a time
_IDLE_SECONDS = 60


class Request(NamedTuple):
    """What a process is asked of a block.

    Attributes
    ----------
    problem : RawProblem
    fits : tuple of Fit
        Of one plug-in.
    shifts : tuple of Shift
        Each once.
    seen : int
        How many of the first replicates.
    """

    problem: RawProblem
    fits: tuple[Fit, ...]
    shifts: tuple[Shift, ...]
    seen: int


class Answer(NamedTuple):
    """What comes back.

    Attributes
    ----------
    excess : ndarray, shape (replicates, fits, shifts)
    codes : ndarray of int, shape (replicates, fits)
    error : str
        The latest that the function raised.
    seconds : float
        Time of the process.
    """

    excess: Floats
    codes: Integers
    error: str
    seconds: float


class InPython:
    """The fits of a plug-in that is not compiled.

    Parameters
    ----------
    problem : RawProblem
    wanted : Asked
    plugin : Plugin
    columns : list of int
        Places of its settings among the fits of plug-ins.
    count : int
        Replicates of a block.
    """

    def __init__(
        self, problem: RawProblem, wanted: Asked, plugin: Plugin, columns: list[int], count: int
    ) -> None:
        fits = tuple(wanted.own[column] for column in columns)
        seen = min(count, settings_of(wanted, columns)[0].seen(problem.block_size))
        self.columns, self._plugin = columns, plugin
        # A shift has a column too for each metric of mcbrain's; the process judges it once.
        shifts = tuple(dict.fromkeys(wanted.shifts))
        self._places = [shifts.index(shift) for shift in wanted.shifts]
        self._request = Request(problem, fits, shifts, seen)
        self._waiting: Future[Answer] | None = None
        self.excess = np.zeros((seen, len(columns), len(wanted.shifts)))
        self.codes = np.zeros((seen, len(columns)), np.int64)
        self.error, self.seconds = "", 0.0

    def begin(self, index: int) -> None:
        """Ask a process for a block, while mcbrain's own fits are computed here.

        Parameters
        ----------
        index : int
            Its number.
        """
        self._waiting = None
        if not _alone():
            self._waiting = _pool().submit(python_block, self._request, index)

    def after(self, start: int, bases: Floats, lost: NDArray[np.int8]) -> None:
        """Do nothing: the process finds the subspaces itself.

        Parameters
        ----------
        start : int
        bases : ndarray
        lost : ndarray
        """

    def finish(self, index: int) -> None:
        """Wait for the block.

        Parameters
        ----------
        index : int
            Its number.

        Raises
        ------
        InputError
            The process ended, as a fault of native code makes one.
        """
        if self._waiting is None:
            answer = python_block(self._request, index)
            seconds = 0.0  # of this thread, which counts its own
        else:
            try:
                answer = self._waiting.result()
            except (InputError, KeyboardInterrupt):
                raise
            except Exception as error:
                raise InputError(
                    f"{self._plugin.where}: estimator '{self._plugin.name}': the process in which "
                    f"it ran has ended ({type(error).__name__}: {error})"
                ) from None
            seconds = answer.seconds
        self.excess = answer.excess[:, :, self._places]
        self.codes, self.error, self.seconds = answer.codes, answer.error, seconds


def _alone() -> bool:
    """Whether this process is one of many itself, and starts no others."""
    return multiprocessing.parent_process() is not None or _in_a_cluster()


def _in_a_cluster() -> bool:
    """Whether this thread computes a task of a dask worker, whose number uses the cores."""
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return False
    try:
        distributed.get_worker()
    except ValueError:
        return False
    return True


# Any: an executor of loky's, which has no types.
def _pool() -> Any:
    """Processes that stay for the next block, and end when nobody has asked for a while."""
    from joblib.externals.loky import get_reusable_executor  # comes with scikit-learn

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return get_reusable_executor(
        max_workers=cores or 1, timeout=_IDLE_SECONDS, initializer=_begin_process
    )


def _begin_process() -> None:
    """Leave an interrupt to the process that asks, and the cores to one thread each."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    one_blas_thread_for_good()


def python_block(request: Request, index: int) -> Answer:
    """Run a plug-in on the first replicates of a block.

    Parameters
    ----------
    request : Request
    index : int
        Number of the block.

    Returns
    -------
    Answer
    """
    begun = time.thread_time()
    bench = _bench(request)
    answer = bench.block(index)
    return answer._replace(seconds=time.thread_time() - begun)


@lru_cache(maxsize=4)
def _bench(request: Request) -> _PythonBench:
    return _PythonBench(request)


class _PythonBench:
    """A process's place for the fits of a plug-in: buffers, and the function."""

    def __init__(self, request: Request) -> None:
        problem, fits, shifts, count = request
        queries = tuple(Query(fit, s, None) for fit in fits for s in shifts)
        wanted = with_pool(problem, asked(problem, queries), count)
        self._settings = settings_of(wanted, list(range(len(fits))))
        plugin = self._settings[0].plugin
        self._problem, self._setting, self._plugin = problem, wanted.setting, plugin
        self._function = function_of(plugin)
        self._parameters = [_named(own) for own in self._settings]
        self._stages = make_workspace(wanted.setting)
        self._outcome = make_outcome(wanted.setting, count)
        chunk = self._stages.brain.data.inputs.shape[0]
        self._encoder = encoder_choice(queries, wanted.setting, chunk, count)
        self._work = own_work(problem, wanted.setting, plugin, len(fits), fits[0].rank)
        each = sum(8 * array.size for array in self._work.data[:5])
        self._room = make_room(self._work, max(1, min(count, _ROOM // max(each, 1))))
        self._judge = Judge(problem, wanted)
        shape = count, len(fits)
        self._excess = np.zeros((*shape, len(shifts)))
        self._failures = np.zeros(shape, np.int8)
        self._codes, self._error, self._start = np.zeros(shape, np.int64), "", 0
        self._streams = streams_of(problem, wanted.setting.population, 0)

    def block(self, index: int) -> Answer:
        """The first replicates of a block."""
        problem = self._problem
        self._failures[:], self._codes[:], self._error, self._start = FINE, 0, "", 0
        lay_down(problem, self._setting.population, index)
        self._streams = streams_of(problem, self._setting.population, index)
        self._judge.begin(index)
        streams = streams_of(problem, self._setting.population, index)
        overlap_block(
            self._setting, streams, self._stages, self._outcome, self._encoder, self._after
        )
        np.copyto(self._codes, self._failures, where=self._codes == 0)
        return Answer(self._excess, self._codes, self._error, 0.0)

    def _after(self, share: Outcome) -> None:
        """Fit the replicates whose subspaces are there, as many at a time as there is room for."""
        size, most = share.m_hat.size, self._room.y.shape[0]
        bases, lost = self._stages.brain.bases[:size], self._stages.brain.lost[:size]
        for first in range(0, size, most):
            some = slice(first, min(first + most, size))
            room = Room(*(array[: some.stop - first] for array in self._room))
            draw_replicates(self._setting.population, self._streams, bases[some], self._work, room)
            part = slice(self._start + first, self._start + some.stop)
            if self._settings[0].reads_basis and self._work.basis.shape[0]:
                self._failures[part][lost[some] != SOUND] = SINGULAR
            self._fit(part, room)
        self._start += size

    def _fit(self, part: slice, room: Room) -> None:
        """Call the function on each replicate, then judge what it found."""
        excess, failures = self._excess[part], self._failures[part]
        count, d = len(failures), self._work.beta.size
        betas = np.zeros((count, len(self._settings), d))
        shown = [only_to_read(array) for array in room]
        n, function, judge = self._problem.n_task, self._function, self._judge
        others = []  # what more than coefficients says
        for at in range(count):
            X, y, X_brain, R, basis = [array[at] for array in shown]
            data = OwnData(X, y, X_brain, R, basis, n)
            for fit, parameters in enumerate(self._parameters):
                if failures[at, fit] != FINE:
                    continue
                try:
                    found = function(data, parameters)
                    if type(found) is np.ndarray and found.shape == (d,) and found.dtype == float:
                        betas[at, fit] = found
                    elif more := judge.take(found, part.start + at, betas[at, fit]):
                        others.append((at, fit, more))
                except InputError:
                    raise
                except (Exception, SystemExit) as error:  # the user's own
                    failures[at, fit] = RAISED
                    line = line_of(error, function.__code__.co_filename)
                    self._codes[part.start + at, fit] = AT_LINE + line
                    self._error = f"{type(error).__name__}: {error}"
        population, shifts = self._setting.population, self._setting.shifts
        judge_replicates(population, shifts, betas, self._work, excess, failures)
        for at, fit, more in others:
            more(excess[at, fit])
        lost = ~np.isfinite(excess).all(axis=2) & (failures == FINE)
        failures[lost] = 3


# Any: a NamedTuple that is made for the names of the parameters.
def _named(own: Own) -> Any:
    kind = named_parameters([name for name, _ in own.values])
    return kind(*(value for _, value in own.values))
