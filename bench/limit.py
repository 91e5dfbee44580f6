"""How far a replicate is from the machine's own limit, from rates measured in the same run.

The limit is the time that the operations of a replicate would take at the rate of the machine's own
matrix product, and its random numbers at the rate of the engines' stream. Counts are the leading
terms of what the method cannot do without, so that the share stays below 1.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg.blas import dsyrk
from threadpoolctl import threadpool_limits

from bench.jobs import replicates, sampled_job
from bench.measure import Rate, Samples, Work, rate_of, samples
from bench.sizes import COUNT, ENGINE_CELLS, MATRIX, ROUNDS, Cell
from mcbrain.kernels.random.seeds import open_stream
from mcbrain.kernels.random.streams import fill_normal


class Operations(NamedTuple):
    """What one replicate cannot do without."""

    flops: float
    normals: float


def operations(engine: str, cell: Cell) -> Operations:
    """Operations of a replicate of ridge and BEFS, n_task >= d and n_brain >= d.

    raw: Gram matrices and cross moments of both data sets, their Cholesky factors, the leading
    subspace of a (p, p) matrix in tridiagonal form, one tridiagonalisation for all penalties of
    the task, and the spared directions at each penalty. sufficient: the same, with the
    Bartlett factors in place of the data.
    """
    d, p, n_task, n_brain = cell.input_dim, cell.n_channels, cell.n_task, cell.n_brain
    brain = n_brain > 0
    solve = brain * (d**3 / 3 + 2 * d * d * p + d * p * p + 4 * p**3 / 3) + 4 * d**3 / 3
    grid = cell.penalties * len(cell.estimators) * 10.0 * d
    spared = brain * cell.penalties * 2.0 * d * cell.latent_dim**2
    if engine == "raw":
        moments = n_task * d * d + n_brain * (d * d + 2 * d * p)
        return Operations(moments + solve + grid + spared, n_task * (d + 1) + n_brain * (d + p))
    factors = d**3 / 3 * (1 + brain)
    return Operations(factors + solve + grid + spared, (1 + brain) * d * d / 2 + d)


def product_work() -> Work:
    """Floating-point operations of BLAS's own Gram matrix, one thread."""
    X = np.asfortranarray(np.random.default_rng(1).standard_normal((4 * MATRIX, MATRIX)))

    threadpool_limits(1)

    def work() -> float:
        for _ in range(20):
            dsyrk(1.0, X, trans=1)
        return float(20 * X.size * MATRIX)

    return work


def normal_work() -> Work:
    """Normals of the engines' stream, one thread."""
    stream, out = open_stream(1, (2, 3, 4, 5), 0, 0), np.empty(COUNT)

    def work() -> float:
        fill_normal(stream, out)
        return float(COUNT)

    return work


class Machine(Rate):
    """What this machine can do: the two rates that the limit is made of."""

    params = ("flops", "normals")
    param_names = ("what",)
    unit = "per second"

    def prepare(self, what: str) -> Work:
        return {"flops": product_work, "normals": normal_work}[what]()


class Limit:
    """Share of the machine's own limit that an engine reaches, one core; 1 is the limit."""

    params = (("raw", "sufficient"), tuple(ENGINE_CELLS))
    param_names = ("engine", "cell")
    version = "1"
    timeout = 600

    def setup(self, engine: str, cell: str) -> None:
        size = ENGINE_CELLS[cell]
        if size.n_task < size.input_dim:
            raise NotImplementedError("the operations are counted where n_task >= d")
        self.needed = operations(engine, size)
        works = (replicates(sampled_job(engine, size)), product_work(), normal_work())
        for work in works:
            work()
        self.engine, self.flops, self.normals = (rate_of(work) for work in works)

    def track_share(self, engine: str, cell: str) -> Samples:
        """Time of a replicate at the machine's limit over its time in the engine."""
        return samples([self.share() for _ in range(ROUNDS)])

    def share(self) -> float:
        """The three rates measured one after the other."""
        limit = self.needed.flops / self.flops() + self.needed.normals / self.normals()
        return float(limit * self.engine())

    track_share.unit = "of the machine's limit"  # type: ignore[attr-defined]
