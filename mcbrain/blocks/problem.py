"""What is simulated: a problem, whose content is also the key of its random streams."""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import ClassVar, Self

import numpy as np

from mcbrain.blocks.canonical import spelt, spelt_model, spelt_out, written
from mcbrain.blocks.query import Statistic
from mcbrain.errors import unhandled
from mcbrain.population.model import Model

__all__ = [
    "BrainProblem",
    "DataProblem",
    "Job",
    "Problem",
    "RawProblem",
    "SufficientProblem",
    "TaskProblem",
    "data_problem",
]

_BLOCK_SECONDS = 0.01
_MAX_BLOCK = 512
_BRAIN_BLOCK = 16
_TASK_STEPS = 8192  # of the recursion in a block; few replicates reach 0.1 %


@dataclass(frozen=True, kw_only=True)
class Problem(ABC):
    """What fixes the distribution of some replicates, and the seed of their random numbers.

    Problems of equal content are one problem, wherever in a grid they are met.

    Attributes
    ----------
    seed : int
        The study's seed.
    """

    seed: int

    @property
    @abstractmethod
    def kind(self) -> str:
        """What is drawn; a pilot's name begins with "pilot-", so that it has its own streams."""

    @property
    @abstractmethod
    def content(self) -> Mapping[str, object]:
        """By name, everything that the distribution of a replicate depends on; nothing else."""

    @property
    @abstractmethod
    def replicate_seconds(self) -> float:
        """About how long one core takes for a replicate; a fixed function of the dimensions."""

    @property
    @abstractmethod
    def block_size(self) -> int:
        """Replicates of a block: a fixed function of the dimensions, about 10 ms of one core.

        Part of what fixes the random numbers, so it depends on nothing else.
        """

    @cached_property
    def key(self) -> bytes:
        """16 bytes that name the problem by content, whatever its place in a grid."""
        return self.stream_key

    @cached_property
    def stream_key(self) -> bytes:
        """16 bytes on which the random streams hang: all of the content but a user's code."""
        items = ",".join(text for _, text in sorted(self._spelt_content()))
        text = f'["{self.kind}",[{items}]]'
        return hashlib.blake2b(text.encode(), digest_size=16).digest()

    def _spelt_content(self) -> list[tuple[str, str]]:
        """By name, what the key says of each entry of the content, as JSON."""
        return spelt(self.content)

    @property
    def words(self) -> tuple[int, int, int, int]:
        """The key of the streams as four 32-bit words, for their spawn keys."""
        a, b, c, d = np.frombuffer(self.stream_key, "<u4")
        return int(a), int(b), int(c), int(d)


@dataclass(frozen=True, kw_only=True)
class DataProblem(Problem):
    """Replicates of whole data sets; `of` makes one from any model.

    Attributes
    ----------
    model : Model
        With every number that the data depend on spelt out, however it was asked for.
    n_task, n_brain : int
    """

    model: Model
    n_task: int
    n_brain: int

    @classmethod
    def of(cls, model: Model, n_task: int, n_brain: int, seed: int, **more: bool) -> Self:
        """The problem of a model at its numbers of samples.

        Parameters
        ----------
        model : Model
        n_task, n_brain : int
        seed : int
        **more : bool
            Fields of the problem's own, such as `pilot`.

        Returns
        -------
        DataProblem
            Of the class that is asked.
        """
        model = spelt_out(model)
        return cls(model=model, n_task=n_task, n_brain=n_brain, seed=seed, **more)

    @property
    def content(self) -> Mapping[str, object]:
        """The model's numbers, and how many samples there are."""
        return {**written(self.model), "n_task": self.n_task, "n_brain": self.n_brain}

    @cached_property
    def key(self) -> bytes:
        """See `Problem.key`; blocks of a function that has changed are those of another problem."""
        if (own := self.model.own_inputs) is None:
            return self.stream_key
        text = self.stream_key + own.plugin.digest.encode()
        return hashlib.blake2b(text, digest_size=16).digest()

    def _spelt_content(self) -> list[tuple[str, str]]:
        sizes = {"n_task": self.n_task, "n_brain": self.n_brain}
        return [*spelt_model(self.model), *spelt(sizes)]

    @property
    def block_size(self) -> int:
        """Replicates of a block; see `Problem.block_size`."""
        return _power_of_two(max(_BLOCK_SECONDS / self.replicate_seconds, 1.0))

    def _seconds(self, rows: int, draws: int) -> float:
        """Time to draw so many numbers, and to form and solve with so many rows of inputs."""
        d = self.model.input_dim
        flops = rows * d * d + self._encoding_flops() + 4 * d**3
        return float(2e-5 + 3e-9 * draws + 5e-11 * flops)

    def _encoding_flops(self) -> float:
        """Operations of stage 1 beyond its Gram matrix."""
        if self.n_brain == 0:
            return 0.0
        d, p, n = self.model.input_dim, self.model.n_channels, self.n_brain
        return float(2 * min(n, 10 * d) * d * p + d * p * min(d, p) + min(d, p) ** 3)


@dataclass(frozen=True, kw_only=True)
class RawProblem(DataProblem):
    """Data sets drawn sample by sample.

    Attributes
    ----------
    pilot : bool
        Whether it is run before a study's problems, on streams of its own.
    """

    pilot: bool = False

    @property
    def kind(self) -> str:
        """What is drawn."""
        return "pilot-raw" if self.pilot else "raw"

    @property
    def replicate_seconds(self) -> float:
        """See `Problem.replicate_seconds`."""
        rows = self.n_task + self.n_brain
        draws = rows * self.model.input_dim + self.n_brain * self.model.n_channels
        return self._seconds(rows, draws)


@dataclass(frozen=True, kw_only=True)
class SufficientProblem(DataProblem):
    """Data sets by their sufficient statistics, of Gaussian data alone."""

    @property
    def kind(self) -> str:
        """What is drawn."""
        return "sufficient"

    @property
    def replicate_seconds(self) -> float:
        """See `Problem.replicate_seconds`."""
        d, p = self.model.input_dim, self.model.n_channels
        return self._seconds(2 * d, 2 * d * d + d * p)


@dataclass(frozen=True, kw_only=True)
class BrainProblem(Problem):
    """Replicates of the estimated subspace alone (theory/README.md 4e); `of` makes one.

    Attributes
    ----------
    n_brain, input_dim, n_channels, rank : int
    latent_gains : tuple of float
        Of the measured latents.
    neural_noise, encoding_penalty : float
    pilot : bool
        Whether it is run before a study's problems, on streams of its own.
    """

    n_brain: int
    input_dim: int
    n_channels: int
    rank: int
    latent_gains: tuple[float, ...]
    neural_noise: float
    encoding_penalty: float
    pilot: bool = False

    @classmethod
    def of(
        cls,
        model: Model,
        n_brain: int,
        rank: int,
        encoding_penalty: float,
        seed: int,
        pilot: bool = False,
    ) -> Self:
        """The brain problem of a model with so many brain samples.

        Parameters
        ----------
        model : Model
        n_brain : int
        rank : int
            Of the subspace that is estimated.
        encoding_penalty : float
            Ridge penalty of stage 1.
        seed : int
        pilot : bool

        Returns
        -------
        BrainProblem
        """
        return cls(
            n_brain=n_brain,
            input_dim=model.input_dim,
            n_channels=model.n_channels,
            rank=rank,
            latent_gains=tuple(float(g) for g in model.gains[: model.k_m]),
            neural_noise=model.sigma_r,
            encoding_penalty=float(encoding_penalty),
            seed=seed,
            pilot=pilot,
        )

    _NOT_CONTENT: ClassVar[tuple[str, ...]] = ("seed", "pilot")

    @property
    def kind(self) -> str:
        """What is drawn."""
        return "pilot-brain" if self.pilot else "brain"

    @property
    def content(self) -> Mapping[str, object]:
        """Every field, but for the seed; that it is a pilot is said by its kind."""
        names = (f.name for f in fields(self) if f.name not in self._NOT_CONTENT)
        return {name: getattr(self, name) for name in names}

    @property
    def block_size(self) -> int:
        """Replicates of a block."""
        return _BRAIN_BLOCK

    @property
    def replicate_seconds(self) -> float:
        """See `Problem.replicate_seconds`."""
        k, n_rows = len(self.latent_gains), min(self.n_brain, self.input_dim)
        return float(2e-5 * k + 2e-8 * k * k * n_rows)


@dataclass(frozen=True, kw_only=True)
class TaskProblem(Problem):
    """Replicates of the spectrum of an n' x q Gaussian matrix (theory/README.md 4b).

    Attributes
    ----------
    n_prime : int
        Task samples, less the rank of the spared subspace.
    q : int
        Input dimensions outside it.
    """

    n_prime: int
    q: int

    @property
    def kind(self) -> str:
        """What is drawn."""
        return "task"

    @property
    def content(self) -> Mapping[str, object]:
        """The sizes of the matrix."""
        return {"n_prime": self.n_prime, "q": self.q}

    @property
    def block_size(self) -> int:
        """Replicates of a block; see `Problem.block_size`."""
        return _power_of_two(max(_TASK_STEPS / min(self.n_prime, self.q), 4.0))

    @property
    def replicate_seconds(self) -> float:
        """See `Problem.replicate_seconds`."""
        return float(7e-8 * min(self.n_prime, self.q))


@dataclass(frozen=True)
class Job:
    """Blocks of one problem that one worker computes in one go.

    Attributes
    ----------
    problem : Problem
    queries : tuple of Statistic
        Columns of the sums.
    indices : tuple of int
        Numbers of the blocks.
    keep : bool
        Whether the blocks keep what each of their replicates says, beside the sums.
    """

    problem: Problem
    queries: tuple[Statistic, ...]
    indices: tuple[int, ...]
    keep: bool = False


def data_problem(kind: str, model: Model, n_task: int, n_brain: int, seed: int) -> DataProblem:
    """The problem by which an engine that draws whole replicates serves a point.

    Parameters
    ----------
    kind : str
        "raw" or "sufficient".
    model : Model
    n_task, n_brain : int
    seed : int

    Returns
    -------
    DataProblem

    Raises
    ------
    NotImplementedError
        No problem is of that kind.
    """
    match kind:
        case "raw":
            return RawProblem.of(model, n_task, n_brain, seed)
        case "sufficient":
            return SufficientProblem.of(model, n_task, n_brain, seed)
    raise unhandled("kind of problem", kind, "mcbrain.blocks.problem")


def _power_of_two(size: float) -> int:
    return int(2 ** math.floor(math.log2(min(size, _MAX_BLOCK))))
