"""Estimators that a user brings, on the raw engine's own data.

The data of a replicate are drawn once more, whole, by the same numbers and in the same chunks as
the raw engine draws them, so that they are the same bits. The user's function is an argument of the
kernel, of one type for all functions: the kernel is compiled once, and every process finds it.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from mcbrain.kernels.jit import kernel, part
from mcbrain.kernels.linear.lapack import dgemm
from mcbrain.kernels.linear.products import copy
from mcbrain.kernels.random.draw import Maps, draw_inputs, draw_recordings, draw_task, make_maps
from mcbrain.kernels.random.roles import Streams
from mcbrain.kernels.replicate.workspace import chunk_rows
from mcbrain.kernels.task.risk import RiskWork, excess_risk, make_risk_work
from mcbrain.kernels.types import (
    FINE,
    NO_SUBSPACE,
    CodeArray,
    Population,
    Setting,
    Shifts,
    make_fits,
)
from mcbrain.typing import Floats, Integers


class OwnData(NamedTuple):
    """What the function of an estimator is given; nothing of it can be written.

    Attributes
    ----------
    X : ndarray, shape (n, d)
        Inputs of the task samples.
    y : ndarray, shape (n,)
        Their labels.
    X_brain : ndarray, shape (n_brain, d)
        Inputs of the brain samples; no row where nobody reads them.
    R : ndarray, shape (n_brain, p)
        Their recordings.
    basis : ndarray, shape (r, d)
        The estimated subspace, orthonormal rows; no row without brain data, or where nobody reads
        it.
    n : int
        Task samples.
    """

    X: Floats
    y: Floats
    X_brain: Floats
    R: Floats
    basis: Floats
    n: int


class OwnWork(NamedTuple):
    """Every buffer of the estimators that a user brings.

    Attributes
    ----------
    data : OwnData
        Views of the buffers below, which cannot be written.
    X, y, X_brain, R, basis
        What `data` shows, in the coordinates in which the user knows them.
    drawn, drawn_brain : ndarray
        Inputs in native coordinates: X and X_brain themselves where these are the user's.
    latents : ndarray, shape (chunk, k)
        Of a chunk of brain data.
    axes : ndarray, shape (q, d)
        Turns rows in native coordinates to the user's; no row where these are the same.
    beta : ndarray, shape (d,)
        What the function writes.
    risk : RiskWork
        With a lane for each fit.
    maps : Maps
        The maps of the population.
    chunks : ndarray of int, shape (2,)
        How many rows are drawn at a time, in the task and in the brain stage.
    place : ndarray of int, shape (2,)
        The replicate at hand, and the fit that is next: where to go on after an error.
    """

    data: OwnData
    X: Floats
    y: Floats
    X_brain: Floats
    R: Floats
    basis: Floats
    drawn: Floats
    drawn_brain: Floats
    latents: Floats
    axes: Floats
    beta: Floats
    risk: RiskWork
    maps: Maps
    chunks: Integers
    place: Integers


class OwnSizes(NamedTuple):
    """What is drawn for the estimators that a user brings.

    Attributes
    ----------
    n_task, n_brain : int
        Samples; no brain data where nobody reads them.
    rank : int
        Of the basis; 0 where nobody reads it.
    fits : int
        Settings of the parameters.
    dual : bool
        Whether the brain stage draws its data at once (`encode_dual`).
    """

    n_task: int
    n_brain: int
    rank: int
    fits: int
    dual: bool


@part
def _turn(rows: Floats, axes: Floats, out: Floats) -> None:
    """Write rows (n, q) in the coordinates of `axes` to out (n, d)."""
    (n, q), d = rows.shape, axes.shape[1]
    if n > 0:
        dgemm("N", "N", d, n, q, 1.0, axes, d, rows, q, 0.0, out, d)


@part
def draw_own(population: Population, streams: Streams, work: OwnWork) -> None:
    """Draw the data of the next replicate into `work`, as the raw engine draws them.

    Parameters
    ----------
    population : Population
        What the data are drawn from.
    streams : Streams
        Advanced in place.
    work : OwnWork
        Data are filled.
    """
    n, done = work.y.size, 0
    while done < n:
        rows = min(work.chunks[0], n - done)
        X, y = work.drawn[done : done + rows], work.y[done : done + rows]
        draw_task(population, streams.task, X, y)
        done += rows
    n, done = work.R.shape[0], 0
    while done < n:
        rows = min(work.chunks[1], n - done)
        X, R = work.drawn_brain[done : done + rows], work.R[done : done + rows]
        draw_inputs(population, streams.brain, X)
        draw_recordings(population, work.maps, streams.brain.noise, X, work.latents[:rows], R)
        done += rows
    if work.axes.shape[0] > 0:
        _turn(work.drawn, work.axes, work.X)
        _turn(work.drawn_brain, work.axes, work.X_brain)


@part
def show_basis(basis: Floats, work: OwnWork) -> None:
    """Copy the estimated subspace of a replicate, rows (r, q), to where the user sees it.

    Parameters
    ----------
    basis : ndarray, shape (r, q)
        In native coordinates.
    work : OwnWork
        `basis` is filled.
    """
    if work.basis.shape[0] > 0 and work.axes.shape[0] > 0:
        _turn(basis, work.axes, work.basis)
    elif work.basis.shape[0] > 0:
        copy(basis, work.basis)


@part
def keep_coefficients(fit: int, work: OwnWork) -> None:
    """Put `work.beta` into the lane of a fit, in native coordinates.

    Parameters
    ----------
    fit : int
        Which setting of the parameters.
    work : OwnWork
        The first lane of the fit is filled.
    """
    (q, lanes), d = work.risk.coefs.shape, work.beta.size
    for lane in range(lanes):
        if work.risk.fit[lane] == fit:
            for i in range(q):
                if work.axes.shape[0] > 0:
                    total = 0.0
                    for j in range(d):
                        total += work.axes[i, j] * work.beta[j]
                    work.risk.coefs[i, lane] = total
                else:
                    work.risk.coefs[i, lane] = work.beta[i]


@kernel
def own_replicates(
    function: Callable[[OwnData, Floats, Floats], None], values: Floats, population: Population,
    shifts: Shifts, streams: Streams, bases: Floats, work: OwnWork, excess: Floats,
    failures: CodeArray,
) -> None:  # fmt: skip
    """Run a user's estimator at every setting on each replicate, and record its exact risk.

    An error that the function raises ends the kernel; called again with `work` as it is, it goes on
    with the fit after the one that failed. Coefficients that the function does not write, or that
    are not finite, have no finite risk and are marked by `excess_risk`.

    Parameters
    ----------
    function : callable
        Of data, parameters and the coefficients (d,), which it writes.
    values : ndarray, shape (fits, parameters)
        The settings.
    population : Population
        What the data are drawn from.
    shifts : Shifts
        What the fits are tested on.
    streams : Streams
        At the replicate that is next; advanced in place.
    bases : ndarray, shape (replicates, r, q)
        The estimated subspaces; without rows where nobody reads them.
    work : OwnWork
        Of `make_own_work`.
    excess : ndarray, shape (replicates, fits, shifts)
        Filled.
    failures : ndarray of int8, shape (replicates, fits)
        Codes of `types`; fits that are marked are not called.
    """
    place = work.place
    while place[0] < failures.shape[0]:
        at = place[0]
        if place[1] == 0:
            draw_own(population, streams, work)
            show_basis(bases[at], work)
        while place[1] < values.shape[0]:
            fit = place[1]
            place[1] += 1
            if failures[at, fit] == FINE:
                work.beta[:] = np.nan
                function(work.data, values[fit], work.beta)
                keep_coefficients(fit, work)
        excess_risk(population, shifts, work.risk, excess[at], failures[at])
        place[0] += 1
        place[1] = 0


class Room(NamedTuple):
    """The data of some replicates, for functions that are not compiled.

    Attributes
    ----------
    X : ndarray, shape (replicates, n, d)
    y : ndarray, shape (replicates, n)
    X_brain : ndarray, shape (replicates, n_brain, d)
    R : ndarray, shape (replicates, n_brain, p)
    basis : ndarray, shape (replicates, r, d)
    """

    X: Floats
    y: Floats
    X_brain: Floats
    R: Floats
    basis: Floats


@kernel
def draw_replicates(
    population: Population, streams: Streams, bases: Floats, work: OwnWork, room: Room
) -> None:
    """Draw the data of as many replicates as `room` has, as `own_replicates` does.

    Parameters
    ----------
    population : Population
        What the data are drawn from.
    streams : Streams
        Advanced in place.
    bases : ndarray, shape (replicates, r, q)
        The estimated subspaces.
    work : OwnWork
        Buffers.
    room : Room
        Filled.
    """
    for at in range(room.y.shape[0]):
        draw_own(population, streams, work)
        show_basis(bases[at], work)
        copy(work.X, room.X[at])
        for i in range(work.y.size):
            room.y[at, i] = work.y[i]
        copy(work.X_brain, room.X_brain[at])
        copy(work.R, room.R[at])
        copy(work.basis, room.basis[at])


@kernel
def judge_replicates(
    population: Population, shifts: Shifts, betas: Floats, work: OwnWork, excess: Floats,
    failures: CodeArray,
) -> None:  # fmt: skip
    """Record the exact risk of coefficients that a function which is not compiled has found.

    Parameters
    ----------
    population : Population
        For the noise and the scale of the inputs.
    shifts : Shifts
        What the fits are tested on.
    betas : ndarray, shape (replicates, fits, d)
        In the coordinates in which the user knows them.
    work : OwnWork
        Buffers.
    excess : ndarray, shape (replicates, fits, shifts)
        Filled.
    failures : ndarray of int8, shape (replicates, fits)
        Codes of `types`; NOT_FINITE is added.
    """
    for at in range(failures.shape[0]):
        for fit in range(failures.shape[1]):
            for i in range(work.beta.size):
                work.beta[i] = betas[at, fit, i]
            keep_coefficients(fit, work)
        excess_risk(population, shifts, work.risk, excess[at], failures[at])


def only_to_read(array: Floats) -> Floats:
    """Return a view of an array that cannot be written.

    Parameters
    ----------
    array : ndarray

    Returns
    -------
    ndarray
    """
    shown = array.view()
    shown.flags.writeable = False
    return shown


def make_room(work: OwnWork, count: int) -> Room:
    """Return room for the data of some replicates.

    Parameters
    ----------
    work : OwnWork
        For the sizes.
    count : int
        Replicates.

    Returns
    -------
    Room
        Zeros.
    """
    return Room(*(np.zeros((count, *array.shape)) for array in work.data[:5]))


def make_own_work(setting: Setting, sizes: OwnSizes, axes: Floats) -> OwnWork:
    """Return the buffers of a user's estimator; one set for each thread.

    Parameters
    ----------
    setting : Setting
        The population, and the shifts.
    sizes : OwnSizes
        What is drawn.
    axes : ndarray, shape (q, d)
        Turns rows in native coordinates to the user's; no row where these are the same.

    Returns
    -------
    OwnWork
        Zeros, but for the maps and the chunks.
    """
    population, (n, n_brain, rank, count, dual) = setting.population, sizes
    (p, k), q = population.channels.shape, population.scale.size
    turned, chunk = axes.shape[0] > 0, chunk_rows(population.scale.size)
    d = axes.shape[1] if turned else q
    drawn, drawn_brain = np.zeros((n, q)), np.zeros((n_brain, q))
    X = np.zeros((n, d)) if turned else drawn
    X_brain = np.zeros((n_brain, d)) if turned else drawn_brain
    y, R, basis = np.zeros(n), np.zeros((n_brain, p)), np.zeros((rank, d))
    task, brain = n if n < q else min(n, chunk), n_brain if dual else min(n_brain, chunk)
    fits = make_fits([NO_SUBSPACE] * count, [1.0] * count, [0.0] * count)
    shown = [only_to_read(array) for array in (X, y, X_brain, R, basis)]
    return OwnWork(
        data=OwnData(shown[0], shown[1], shown[2], shown[3], shown[4], n),
        X=X,
        y=y,
        X_brain=X_brain,
        R=R,
        basis=basis,
        drawn=drawn,
        drawn_brain=drawn_brain,
        latents=np.zeros((brain, k)),
        axes=np.ascontiguousarray(axes),
        beta=np.zeros(d),
        risk=make_risk_work(q, fits, setting.shifts),
        maps=make_maps(population),
        chunks=np.array([task, brain], dtype=np.int64),
        place=np.zeros(2, dtype=np.int64),
    )
