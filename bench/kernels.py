"""Calls per second of the compiled kernels that the engines are made of, on one core."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import numpy as np

from bench.measure import Rate, Work
from bench.sizes import CALLS, COUNT, MATRIX
from mcbrain.kernels.linear.eigen import leading_eigenvectors
from mcbrain.kernels.linear.householder import load_symmetric, make_reduction, tridiagonalise
from mcbrain.kernels.linear.implicit_ql import tridiagonal_eigen
from mcbrain.kernels.linear.inverse_iteration import make_eigen_work
from mcbrain.kernels.linear.orthonormal import orthonormalise
from mcbrain.kernels.random.bartlett import bartlett
from mcbrain.kernels.random.seeds import open_stream
from mcbrain.kernels.random.streams import Stream
from mcbrain.kernels.task.spectrum import recur

_RANK = 5


def _stream() -> Stream:
    stream: Stream = open_stream(1, (2, 3, 4, 5), 0, 0)
    return stream


class RandomNumbers(Rate):
    """Numbers per second of the stream that every engine draws from."""

    params = ("uniform", "normal", "laplace", "chi_square", "poisson")
    param_names = ("law",)
    unit = "numbers/s"

    def prepare(self, law: str) -> Work:
        stream, out = _stream(), np.empty(COUNT)
        home = "poisson" if law == "poisson" else "streams"
        fill = getattr(import_module(f"mcbrain.kernels.random.{home}"), f"fill_{law}")
        settings = {"chi_square": (np.full(COUNT, 50.0),), "poisson": (np.full(COUNT, 5.0),)}

        def work() -> float:
            fill(stream, *settings.get(law, ()), out)
            return float(COUNT)

        return work


class Kernels(Rate):
    """Kernels on matrices of order 200, or on what such a replicate hands them."""

    unit = "calls/s"
    params = (
        "bartlett",
        "orthonormalise",
        "tridiagonalise",
        "leading_eigenvectors",
        "tridiagonal_eigen",
        "recur",
    )
    param_names = ("kernel",)

    def prepare(self, kernel: str) -> Work:
        call = globals()[f"_{kernel}"]()

        def work() -> float:
            for _ in range(CALLS):
                call()
            return float(CALLS)

        return work


def _gram() -> np.ndarray:
    X = np.random.default_rng(1).standard_normal((2 * MATRIX, MATRIX))
    return X.T @ X


def _bartlett() -> Callable[[], object]:
    stream, out = _stream(), np.zeros((MATRIX, MATRIX))
    return lambda: bartlett(stream, 2 * MATRIX, out)


def _orthonormalise() -> Callable[[], object]:
    rows, room = _gram()[:_RANK], np.empty((_RANK, MATRIX))

    def call() -> None:
        room[:] = rows
        orthonormalise(room)

    return call


def _tridiagonalise() -> Callable[[], object]:
    gram, work = _gram(), make_reduction(MATRIX)

    def call() -> None:
        load_symmetric(gram, MATRIX, work)
        tridiagonalise(MATRIX, work)

    return call


def _leading_eigenvectors() -> Callable[[], object]:
    gram, work = _gram(), make_eigen_work(MATRIX, _RANK)
    room = np.empty_like(gram)

    def call() -> None:
        room[:] = gram
        leading_eigenvectors(room, MATRIX, _RANK, work)

    return call


def _tridiagonal_eigen() -> Callable[[], object]:
    size = min(MATRIX, 40)
    diagonal, off, rows = np.arange(1.0, size + 1), np.ones(size), np.eye(size)

    def call() -> None:
        a, b, q = diagonal.copy(), off.copy(), rows.copy()
        tridiagonal_eigen(a, b, size, q)

    return call


def _recur() -> Callable[[], object]:
    rng, width = np.random.default_rng(1), 24
    diagonal, below = rng.chisquare(2.5 * MATRIX, MATRIX), rng.chisquare(MATRIX, MATRIX)
    below[-1] = 0.0
    ridges, work = np.geomspace(0.1, 1e3, width), np.empty((8, width))
    return lambda: recur(diagonal, below, ridges, work)
