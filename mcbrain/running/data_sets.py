"""The raw engine's own data sets, drawn again by NumPy alone: for methods of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mcbrain.asking.from_python import adhoc_study
from mcbrain.blocks.problem import RawProblem
from mcbrain.blocks.query import Encoding
from mcbrain.checks import integer
from mcbrain.errors import InputError
from mcbrain.plain import numpy_defaults
from mcbrain.population.distributions import LABELS, LATENTS, RECORDINGS
from mcbrain.population.geometry import Geometry
from mcbrain.population.model import Model
from mcbrain.typing import Floats

__all__ = ["DataSet", "block_data_sets", "replicates"]


@dataclass(frozen=True)
class DataSet:
    """One replicate of a raw problem: what an estimator is given, and the truth behind it.

    Vectors of input space are in native coordinates, in which the components of the inputs are
    independent; where the model was given a covariance, a brain map or a task as an array, in the
    coordinates of that array.

    Attributes
    ----------
    X : ndarray, shape (n_task, d)
        Inputs of the task samples.
    y : ndarray, shape (n_task,)
        Their labels.
    X_brain : ndarray, shape (n_brain, d)
        Inputs of the brain samples.
    R : ndarray, shape (n_brain, p)
        Their recordings.
    beta : ndarray, shape (d,)
        The task weights.
    brain_map : ndarray, shape (k, d)
        Orthonormal rows: the directions of the latents.
    channels : ndarray, shape (p, k)
        How the latents drive the channels.
    rank : int
        Rank of the subspace that is estimated from the recordings.
    encoding_penalty : float
        Ridge penalty of the encoder, per brain sample.
    """

    X: Floats
    y: Floats
    X_brain: Floats
    R: Floats
    beta: Floats
    brain_map: Floats
    channels: Floats
    rank: int
    encoding_penalty: float

    @cached_property
    def basis(self) -> Floats:
        """The estimated subspace, orthonormal rows of shape (rank, d); no row without recordings.

        It is spanned by B v, B the ridge estimate of the encoder and v the leading right singular
        vectors of the fitted recordings X_brain B (theory/README.md 2).
        """
        n, d = self.X_brain.shape
        if not n:
            return np.zeros((0, d))
        if self.encoding_penalty:
            gram = self.X_brain.T @ self.X_brain + n * self.encoding_penalty * np.eye(d)
            B = np.linalg.solve(gram, self.X_brain.T @ self.R)
        else:
            B = np.linalg.lstsq(self.X_brain, self.R, rcond=None)[0]
        leading = np.linalg.svd(self.X_brain @ B, full_matrices=False)[2][: self.rank]
        return np.asarray(np.linalg.qr(B @ leading.T)[0].T)


@numpy_defaults
def replicates(
    model: Model,
    n_task: int,
    n_brain: int = 0,
    *,
    count: int,
    seed: int = 0,
    rank: int | None = None,
    encoding_penalty: float = 0.0,
    penalty_scale: str = "per-sample",
) -> Iterator[DataSet]:
    """Data sets of a model, bit for bit those on which engine `raw` computes its rows.

    Parameters
    ----------
    model : Model
        What data is drawn from.
    n_task, n_brain : int
        Numbers of task and brain samples.
    count : int
        How many data sets.
    seed : int
        The study's seed: `simulate` with the same one has these replicates, from the first on.
    rank : int, optional
        Of the estimated subspace; default the measured latents.
    encoding_penalty : float
        Ridge penalty of the encoder behind `DataSet.basis`, per brain sample.
    penalty_scale : str
        Taken so that the keywords of `simulate` can be handed on; it concerns estimators alone.

    Yields
    ------
    DataSet
        One at a time, so that a million of them need no memory.

    Raises
    ------
    InputError
        What was asked has no meaning for the model, or a rank above n_brain.
    """
    count = integer("count", count, 0, 10**12)
    study = adhoc_study(
        model,
        integer("n_task", n_task, 1, 10**9),
        integer("n_brain", n_brain, 0, 10**9),
        None,
        ["id"],
        seed=seed,
        rank=rank,
        encoding_penalty=encoding_penalty,
        penalty_scale=penalty_scale,
        name="replicates",
    )
    point = study.numbered(0)
    encoder = study.encoders[0]
    if len(study.encoders) > 1 or not encoder.rule.fixed:
        raise InputError(
            f"rank = {rank}, encoding_penalty = {encoding_penalty!r}: one number each is allowed, "
            "since a data set has one basis"
        )
    rank = encoder.rank_of(model)
    if 0 < point.n_brain < rank:
        raise InputError(
            f"n_brain = {point.n_brain}: a subspace of rank {rank} needs as many brain samples"
        )
    encoding = Encoding(rank, encoder.rule.value)
    problem = RawProblem.of(model, point.n_task, point.n_brain, study.seed)
    return _numbered(model, problem, count, encoding)


def _numbered(
    model: Model, problem: RawProblem, count: int, encoding: Encoding
) -> Iterator[DataSet]:
    """The first replicates of a problem, block after block."""
    block = 0
    while count > 0:
        size = min(count, problem.block_size)
        yield from block_data_sets(model, problem, block, size, encoding)
        count, block = count - size, block + 1


def block_data_sets(
    model: Model,
    problem: RawProblem,
    block: int,
    count: int,
    encoding: Encoding,
) -> Iterator[DataSet]:
    """The first replicates of a block.

    Parameters
    ----------
    model : Model
        As its user gave it, whose coordinates the data have.
    problem : RawProblem
        The problem of that model, whose seed and key name the streams.
    block : int
        Number of the block, from 0.
    count : int
        How many of its replicates; up to its size they are those of the engine.
    encoding : Encoding
        How the subspace is estimated from the recordings; its penalty is a number.

    Yields
    ------
    DataSet
        One at a time, in the order in which the engine draws them.
    """
    geometry = Geometry(model, problem.seed)
    given = geometry.as_given
    streams = [_stream(problem, block, role) for role in range(6)]
    for _ in range(count):
        X = _inputs(geometry, problem.n_task, streams[0], streams[4])
        response = X @ geometry.beta + model.sigma_y * streams[1].standard_normal(problem.n_task)
        y = _value(LABELS[model.labels].line.format(response="response"), {"response": response})
        X_brain = _inputs(geometry, problem.n_brain, streams[2], streams[5])
        R = _recordings(geometry, X_brain, streams[3])
        yield DataSet(
            X=given(X),
            y=y,
            X_brain=given(X_brain),
            R=R,
            beta=given(geometry.beta),
            brain_map=given(geometry.brain),
            channels=geometry.channels,
            rank=encoding.rank,
            encoding_penalty=encoding.penalty,
        )


def _stream(problem: RawProblem, block: int, role: int) -> np.random.Generator:
    key = np.random.SeedSequence(problem.seed, spawn_key=(*problem.words, block, role))
    return np.random.Generator(np.random.SFC64(key))


def _inputs(geometry: Geometry, n: int, rng: np.random.Generator, aux: object) -> Floats:
    """Inputs by the line that the recipe prints."""
    model = geometry.model
    if model.own_inputs is not None:
        return np.asarray(model.own_inputs.drawn(rng, n, model.native_dim) * geometry.scale)
    names = {"rng": rng, "aux": aux, "n": n, "d": model.native_dim}
    return np.asarray(_value(model.input_distribution.line, names) * geometry.scale)


def _recordings(geometry: Geometry, X: Floats, rng: np.random.Generator) -> Floats:
    """Recordings of inputs by the lines that the recipe prints."""
    model = geometry.model
    latents = _value(
        LATENTS[model.latents].line.format(X="X"), {"X": X, "brain_map": geometry.brain}
    )
    line = RECORDINGS[model.neural_law].line.format(
        noise=model.sigma_r, rate=model.baseline_rate, rng="rng"
    )
    return _value(line, {"drive": latents @ geometry.channels.T, "rng": rng})


def _value(line: str, names: dict[str, object]) -> Floats:
    """An expression of mcbrain's own tables, evaluated; no text of a user's is in it."""
    return np.asarray(eval(line, {"__builtins__": {}, "np": np}, names))
