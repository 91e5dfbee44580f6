"""What is simulated: a problem, whose content is also the key of its random streams."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mcbrain.population.model import MODEL_FIELDS, Model

__all__ = ["Job", "Problem", "data_parameters"]


@dataclass(frozen=True)
class Problem:
    """What is simulated: a kind and the parameters that fix the law of its replicates.

    Attributes
    ----------
    kind : str
        "raw", "sufficient", "brain" or "task", or one of these with the prefix "pilot-".
    parameters : tuple of (str, value)
        Everything that the law of a replicate depends on; nothing else.
    seed : int
        The study's seed.
    """

    kind: str
    parameters: tuple[tuple[str, Any], ...]
    seed: int

    def __getitem__(self, name: str) -> Any:
        return self._lookup[name]

    @cached_property
    def _lookup(self) -> dict[str, Any]:
        return dict(self.parameters)

    @cached_property
    def key(self) -> bytes:
        """16 bytes that name the problem by content, whatever its place in a grid."""
        text = json.dumps([self.kind, sorted(self.parameters)], separators=(",", ":"))
        return hashlib.blake2b(text.encode(), digest_size=16).digest()

    @property
    def words(self) -> tuple[int, int, int, int]:
        """The key as four 32-bit words, for the spawn key of a stream."""
        a, b, c, d = np.frombuffer(self.key, "<u4")
        return int(a), int(b), int(c), int(d)

    @cached_property
    def model(self) -> Model:
        """The model of a raw or sufficient problem."""
        return Model(**{name: value for name, value in self.parameters if name in MODEL_FIELDS})


def data_parameters(model: Model, n_task: int, n_brain: int) -> tuple[tuple[str, Any], ...]:
    """What the law of a data set depends on, as the parameters of a raw or sufficient problem."""
    skip = {"snr_task", "snr_brain", "neural_noise"} if model.neural_law == "poisson" else set()
    skip |= {"snr_task", "snr_brain"}
    values = {name: getattr(model, name) for name in MODEL_FIELDS if name not in skip}
    values["latent_gains"] = tuple(
        float(g) for g in np.broadcast_to(model.latent_gains, model.latent_dim)
    )
    values["task_loadings"] = tuple(float(a) for a in model.loadings)
    values["n_task"], values["n_brain"] = n_task, n_brain
    return tuple(sorted((k, v) for k, v in values.items() if v is not None))


@dataclass(frozen=True)
class Job:
    """Blocks of one problem that one worker computes in one go."""

    problem: Problem
    queries: tuple[Any, ...]
    indices: tuple[int, ...]
