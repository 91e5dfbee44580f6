"""The fits of plug-ins within a block: more columns of the same outcome, on the same data."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Protocol

import numpy as np
from numba.core.errors import NumbaPerformanceWarning
from numpy.typing import NDArray

from mcbrain.asking.own import Own
from mcbrain.blocks.problem import RawProblem
from mcbrain.blocks.query import Fit
from mcbrain.blocks.sums import AT_LINE, RAISED
from mcbrain.engines.bridge import Asked, asked
from mcbrain.engines.sampled import smallest
from mcbrain.engines.supply import streams_of
from mcbrain.errors import InputError
from mcbrain.kernels.random.roles import open_streams
from mcbrain.kernels.replicate.own import (
    OwnSizes,
    OwnWork,
    draw_replicates,
    judge_replicates,
    make_own_work,
    make_room,
)
from mcbrain.kernels.replicate.own_function import Function, compile_function, line_of, run_own
from mcbrain.kernels.replicate.workspace import BrainWork, Outcome
from mcbrain.kernels.types import FINE, SINGULAR, SOUND, Setting
from mcbrain.plugins.decorators import FIELDS
from mcbrain.plugins.loading import function_of
from mcbrain.plugins.record import Plugin
from mcbrain.population.geometry import Geometry
from mcbrain.typing import Floats, Integers

__all__ = ["OwnStage", "bounds_checked", "compile_own", "compiled", "own_work", "settings_of"]

_FEW = 16
"""So many replicates, all failed and none sound before them, stop a run."""

_COMPILED: dict[tuple[str, str, bool], Function] = {}
_TRIED: dict[tuple[bytes, str], int] = {}
"""Replicates of each fit that failed in this process, until one succeeds; then -1."""
_LOCK = Lock()


class Group(Protocol):
    """The fits of one plug-in: its settings.

    Attributes
    ----------
    columns : list of int
        Their places among the fits of plug-ins.
    excess : ndarray, shape (replicates, fits, shifts)
    codes : ndarray of int, shape (replicates, fits)
        Why a fit has no value, as one of the reasons of `blocks.sums`.
    error : Exception or None
        The latest that the function raised.
    seconds : float
        That another process spent on the latest block.
    """

    columns: list[int]
    excess: Floats
    codes: Integers
    error: str
    seconds: float

    def begin(self, index: int) -> None:
        """Get ready for a block.

        Parameters
        ----------
        index : int
            Its number.
        """

    def after(self, start: int, bases: Floats, lost: NDArray[np.int8]) -> None:
        """Use the subspaces of some replicates, as long as they are there.

        Parameters
        ----------
        start : int
            The first of the replicates.
        bases : ndarray, shape (replicates, r, q)
            Their subspaces.
        lost : ndarray of int8, shape (replicates,)
            Whether a subspace has too small a rank.
        """

    def finish(self, index: int) -> None:
        """Have every value of the block.

        Parameters
        ----------
        index : int
            Its number.
        """


class OwnStage:
    """What plug-ins do in a block, beside mcbrain's own estimators.

    Parameters
    ----------
    problem : RawProblem
    wanted : Asked
        With at least one fit of a plug-in.
    brain : BrainWork
        Where the estimated subspaces of a share of the replicates stand.
    built : Outcome
        Of mcbrain's own fits.

    Attributes
    ----------
    outcome : Outcome
        Of all fits, after `finish`.
    """

    def __init__(
        self, problem: RawProblem, wanted: Asked, brain: BrainWork, built: Outcome
    ) -> None:
        count, shifts = built.m_hat.size, wanted.setting.shifts.scale.size
        fits = wanted.built + len(wanted.own)
        self.problem, self.wanted = problem, wanted
        self._brain, self._built, self._start = brain, built, 0
        self.outcome = built._replace(
            excess=np.full((count, fits, shifts), np.nan),
            # More reasons than the kernels know: any line of a file is one.
            failures=np.zeros((count, fits), np.int64),
        )
        self._groups = list(_groups(problem, wanted, count))

    def begin(self, index: int) -> None:
        """Get ready for a block.

        Parameters
        ----------
        index : int
            Its number.
        """
        self._start = 0
        for group in self._groups:
            group.begin(index)

    def after(self, share: Outcome) -> None:
        """Fit what rests on the subspaces of some replicates, as long as they are there.

        Parameters
        ----------
        share : Outcome
            Of mcbrain's own fits, on the next replicates.
        """
        size = share.m_hat.size
        for group in self._groups:
            group.after(self._start, self._brain.bases[:size], self._brain.lost[:size])
        self._start += size

    def finish(self, index: int) -> None:
        """Put the values of all fits into `outcome`.

        Parameters
        ----------
        index : int
            Number of the block.

        Raises
        ------
        InputError
            A plug-in has failed on every replicate so far.
        """
        built, (excess, failures) = self.wanted.built, self.outcome[:2]
        if built:
            excess[:, :built], failures[:, :built] = self._built.excess, self._built.failures
        for group in self._groups:
            group.finish(index)
            for place, column in enumerate(group.columns):
                seen = len(group.codes)
                excess[:seen, built + column] = group.excess[:, place]
                failures[:seen, built + column] = group.codes[:, place]
                self._hopeless(self.wanted.own[column], group.codes[:, place], group.error)

    def elsewhere(self) -> float:
        """Seconds that other processes spent on the latest block.

        Returns
        -------
        float
        """
        return sum(group.seconds for group in self._groups)

    def _hopeless(self, fit: Fit, codes: Integers, error: str) -> None:
        """Stop where a fit of the user's never has a value; a lost subspace is not its fault."""
        name = self.problem.key, fit.label
        with _LOCK:
            if (codes == 0).any():
                _TRIED[name] = -1
            elif _TRIED.get(name, 0) >= 0 and not (codes == SINGULAR).any():
                _TRIED[name] = _TRIED.get(name, 0) + codes.size
            tried = _TRIED.get(name, 0)
        if tried >= _FEW:
            del _TRIED[name]
            own = fit.estimator.own
            assert own is not None
            line = int(codes[-1]) - AT_LINE
            where = own.words
            if line > 0:
                where = where.replace(own.plugin.where, own.plugin.source.at(line))
            what = error or "its coefficients are not finite"
            raise InputError(
                f"{where} failed on each of {tried} replicates with n_task = "
                f"{self.problem.n_task}, n_brain = {self.problem.n_brain}: {what}"
            )


def _groups(problem: RawProblem, wanted: Asked, count: int) -> Iterator[Group]:
    """The fits of each plug-in together."""
    plugins: dict[Plugin, list[int]] = {}
    for column, fit in enumerate(wanted.own):
        assert fit.estimator.own is not None
        plugins.setdefault(fit.estimator.own.plugin, []).append(column)
    for plugin, columns in plugins.items():
        if plugin.compiled:
            yield _Compiled(problem, wanted, plugin, columns, count)
        else:
            from mcbrain.engines.own_python import InPython  # and for processes of its own

            yield InPython(problem, wanted, plugin, columns, count)


def settings_of(wanted: Asked, columns: list[int]) -> list[Own]:
    """The settings of some fits of plug-ins.

    Parameters
    ----------
    wanted : Asked
    columns : list of int
        Places among the fits of plug-ins.

    Returns
    -------
    list of Own
    """
    return [own for c in columns if (own := wanted.own[c].estimator.own) is not None]


def own_work(
    problem: RawProblem, setting: Setting, plugin: Plugin, fits: int, rank: int
) -> OwnWork:
    """The buffers of a plug-in's data, of those that it reads.

    Parameters
    ----------
    problem : RawProblem
    setting : Setting
        The population, and the shifts.
    plugin : Plugin
    fits : int
        Settings of its parameters.
    rank : int
        Of the estimated subspace.

    Returns
    -------
    OwnWork
    """
    settings = Own(plugin, ())
    n_brain = problem.n_brain if settings.reads_brain else 0
    axes = Geometry(problem.model, problem.seed).model.input_covariance.axes
    q = problem.model.native_dim
    sizes = OwnSizes(
        n_task=problem.n_task,
        n_brain=n_brain,
        rank=rank if settings.reads_basis and n_brain else 0,
        fits=fits,
        dual=n_brain < q and setting.sizes.encoding_penalty == 0.0,
    )
    return make_own_work(setting, sizes, np.zeros((0, q)) if axes is None else axes)


def compiled(plugin: Plugin, work: OwnWork, bounds: bool = False) -> Function:
    """The machine code of a plug-in, compiled at most once in a process.

    Parameters
    ----------
    plugin : Plugin
    work : OwnWork
        Any, for the types of the data.
    bounds : bool
        Whether reading or writing beside an array is an error.

    Returns
    -------
    callable
        What `run_own` takes.

    Raises
    ------
    InputError
        Numba cannot compile it, with file and line.
    """
    name = plugin.digest, plugin.name, bounds
    with _LOCK:
        if name not in _COMPILED or not plugin.source.alone:
            _COMPILED[name] = _compile(plugin, work, bounds)
        return _COMPILED[name]


def _compile(plugin: Plugin, work: OwnWork, bounds: bool) -> Function:
    function = function_of(plugin)
    names = [parameter for parameter, _ in plugin.parameters]
    kept = f"{plugin.digest}-{plugin.name}" if plugin.source.alone else ""
    try:
        with warnings.catch_warnings():
            # How fast a user's function could be is said by `plugin check`.
            warnings.simplefilter("ignore", NumbaPerformanceWarning)
            return compile_function(function, names, work.data, kept, bounds)
    except Exception as error:  # whatever the compiler makes of a user's text
        line = line_of(error, function.__code__.co_filename)
        where = plugin.source.at(line) if line else plugin.where
        said = [text.strip() for text in str(error).splitlines() if text.strip()]
        reason = next((t for t in said if not t.startswith(("Failed in", "During:"))), repr(error))
        if reason.startswith("Unknown attribute") and "OwnData(" in reason:
            reason = f"{reason.partition(' of type')[0]} of data, which has {', '.join(FIELDS)}"
        elif "setitem" in reason or "readonly" in reason:
            reason = "it writes where that is not allowed (the data can be read alone)"
        raise InputError(
            f"{where}: estimator '{plugin.name}' cannot be compiled: {reason}; "
            "compiled=False runs it as Python"
        ) from None


class _Compiled:
    """The fits of a compiled plug-in, in the thread of the block."""

    seconds = 0.0

    def __init__(
        self, problem: RawProblem, wanted: Asked, plugin: Plugin, columns: list[int], count: int
    ) -> None:
        self._problem, self._setting, self._plugin = problem, wanted.setting, plugin
        self.columns = columns
        settings = settings_of(wanted, columns)
        rank = wanted.own[columns[0]].rank
        self._reads_basis = settings[0].reads_basis
        self._work = own_work(problem, wanted.setting, plugin, len(columns), rank)
        self._function = compiled(plugin, self._work, _BOUNDS[0])
        values = [[value for _, value in own.values] for own in settings]
        self._values = np.array(values, float).reshape(len(columns), len(plugin.parameters))
        self.excess = np.zeros((count, len(columns), wanted.setting.shifts.scale.size))
        self._failures = np.zeros((count, len(columns)), np.int8)
        self.codes = np.zeros((count, len(columns)), np.int64)
        self.error = ""
        self._streams = streams_of(problem, wanted.setting.population, 0)

    def begin(self, index: int) -> None:
        """Get ready for a block.

        Parameters
        ----------
        index : int
            Its number.
        """
        self._streams = streams_of(self._problem, self._setting.population, index)
        self._failures[:], self.codes[:], self.error = FINE, 0, ""

    def after(self, start: int, bases: Floats, lost: NDArray[np.int8]) -> None:
        """Fit the replicates from `start` on.

        Parameters
        ----------
        start : int
        bases : ndarray, shape (replicates, r, q)
            Their subspaces.
        lost : ndarray of int8, shape (replicates,)
            Whether a subspace has too small a rank.
        """
        part = slice(start, start + lost.size)
        failures, codes = self._failures[part], self.codes[part]
        if self._reads_basis and self._work.basis.shape[0]:
            failures[lost != SOUND] = SINGULAR
        work, setting = self._work, self._setting
        work.place[:] = 0
        while work.place[0] < lost.size:
            try:
                run_own(
                    self._function,
                    self._values,
                    setting.population,
                    setting.shifts,
                    self._streams,
                    bases,
                    work,
                    self.excess[part],
                    failures,
                )
            except Exception as error:  # the user's own
                at, fit = int(work.place[0]), int(work.place[1]) - 1
                failures[at, fit] = RAISED
                file = function_of(self._plugin).__code__.co_filename
                codes[at, fit] = AT_LINE + line_of(error, file)
                self.error = f"{type(error).__name__}: {error}"
        np.copyto(codes, failures, where=codes == 0)

    def finish(self, index: int) -> None:
        """Nothing is left to do.

        Parameters
        ----------
        index : int
        """


_BOUNDS = [False]
"""Whether plug-ins are compiled so that reading or writing beside an array is an error."""


@contextmanager
def bounds_checked() -> Iterator[None]:
    """Compile plug-ins so that reading or writing beside an array is an error: for trials alone.

    Yields
    ------
    None
    """
    _BOUNDS[0] = True
    try:
        yield
    finally:
        _BOUNDS[0] = False


def compile_own() -> None:
    """Compile what runs plug-ins, or load it from the cache."""
    problem, queries = smallest(RawProblem, 8, 8)
    setting = asked(problem, queries).setting
    work = make_own_work(setting, OwnSizes(8, 8, 1, 1, False), np.zeros((0, 4)))
    streams = open_streams(0, problem.words, 0)
    excess, failures, bases = np.zeros((1, 1, 1)), np.zeros((1, 1), np.int8), np.zeros((1, 1, 4))
    population, shifts = setting.population, setting.shifts
    function = compile_function(lambda data, parameters, beta: None, (), work.data)
    run_own(function, np.zeros((1, 0)), population, shifts, streams, bases, work, excess, failures)
    room = make_room(work, 1)
    draw_replicates(population, streams, bases, work, room)
    judge_replicates(population, shifts, np.zeros((1, 1, 4)), work, excess, failures)
