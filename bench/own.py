"""What a plug-in costs beside the built-in estimator that it repeats, and beside a plain loop."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from threadpoolctl import threadpool_limits

from bench.jobs import SEED, model_of, replicates, sampled_job
from bench.measure import Samples, paired_ratio, rate_of, samples
from bench.sizes import OWN_CELLS, ROUNDS
from mcbrain.asking.estimators import Estimator
from mcbrain.asking.own import Own
from mcbrain.asking.shift_text import parse_shift
from mcbrain.blocks.problem import Job, RawProblem
from mcbrain.blocks.query import Fit, Query, only
from mcbrain.engines.bridge import asked
from mcbrain.engines.own import own_work
from mcbrain.engines.own_python import Request, python_block
from mcbrain.kernels.random.roles import open_streams
from mcbrain.kernels.replicate.own import OwnData, draw_replicates, make_room
from mcbrain.plugins.loading import load_file
from mcbrain.plugins.sources import source_of_text

# Both factorise: the built-in row by the kernels of the engine, the plug-in by LAPACK.
_TEXT = """import mcbrain as mb
import numpy as np


@mb.estimator(parameters={"alpha": 0.1})
def compiled(data, parameters, beta):
    gram = data.X.T @ data.X
    for i in range(beta.size):
        gram[i, i] += data.n * parameters.alpha
    beta[:] = np.linalg.solve(gram, data.X.T @ data.y)


@mb.estimator
def nothing(data, parameters, beta):
    beta[:] = 0.0


@mb.estimator(compiled=False)
def python(data, parameters):
    return data.X[0]
"""


def own_job(name: str, cell: str) -> Job:
    """A block of a plug-in alone."""
    plugins = {p.name: p for p in load_file(source_of_text("bench", _TEXT))}
    plugin, sizes = plugins[name], OWN_CELLS[cell]
    estimator = Estimator.of_plugin(Own(plugin, plugin.parameters))
    fit = Fit(estimator, "fixed", 0.0, 1.0, sizes.latent_dim, 0.0)
    problem = RawProblem.of(model_of(sizes), sizes.n_task, 0, SEED)
    return Job(problem, (Query(fit, parse_shift("id"), None),), (0,))


class OwnCost:
    """A compiled plug-in that is ridge against the built-in row, each alone, on one core."""

    params = tuple(OWN_CELLS)
    param_names = ("cell",)
    version = "1"
    timeout = 600

    def setup(self, cell: str) -> None:
        jobs = own_job("compiled", cell), sampled_job("raw", OWN_CELLS[cell])
        self.own, self.built = (rate_of(replicates(job)) for job in jobs)
        self.own(), self.built()

    def track_cost(self, cell: str) -> Samples:
        """The plug-in's time over that of the row."""
        with threadpool_limits(1):
            return paired_ratio(self.built, self.own)

    track_cost.unit = "times the time"  # type: ignore[attr-defined]


class PythonLoss:
    """What a Python plug-in loses on a replicate over a loop that draws the data and calls it."""

    params = tuple(OWN_CELLS)
    param_names = ("cell",)
    version = "1"
    timeout = 600

    def setup(self, cell: str) -> None:
        job = own_job("python", cell)
        problem, queries = job.problem, only(Query, job.queries)
        assert isinstance(problem, RawProblem)
        fit, own = queries[0].fit, queries[0].fit.estimator.own
        assert own is not None and own.plugin.python is not None
        self.request = Request(problem, (fit,), (queries[0].shift,), problem.block_size)
        self.count, self.function = problem.block_size, own.plugin.python
        self.setting = asked(problem, queries).setting
        self.work = own_work(problem, self.setting, own.plugin, 1, fit.rank)
        self.room = make_room(self.work, self.count)
        self.block()
        self.draw()

    def block(self) -> None:
        """A block of the plug-in."""
        python_block(self.request, 0)

    def draw(self) -> None:
        """The data of its replicates alone."""
        problem = self.request.problem
        streams = open_streams(problem.seed, problem.words, 0)
        bases = np.zeros((self.count, 0, self.work.beta.size))
        draw_replicates(self.setting.population, streams, bases, self.work, self.room)

    def call(self) -> None:
        """The function in a loop."""
        X, y, X_brain, R, basis = self.room
        n = self.work.data.n
        for at in range(self.count):
            self.function(OwnData(X[at], y[at], X_brain[at], R[at], basis[at], n), ())

    def track_loss(self, cell: str) -> Samples:
        """Microseconds of a replicate, by the clock of the thread."""
        found = []
        with threadpool_limits(1):
            for _ in range(ROUNDS):
                block, draw, call = (_seconds(w) for w in (self.block, self.draw, self.call))
                found.append(1e6 * (block - draw - call) / self.count)
        return samples(found)

    track_loss.unit = "microseconds"  # type: ignore[attr-defined]


def _seconds(work: Callable[[], None]) -> float:
    begun = time.thread_time()
    work()
    return time.thread_time() - begun
