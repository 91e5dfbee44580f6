"""A study in the parts that share work: models but for their noise, methods by their subspace."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mcbrain.asking.designs import Pairs, Part
from mcbrain.asking.estimators import Method, Subspace
from mcbrain.asking.studies import Point, Study
from mcbrain.blocks.problem import BrainProblem
from mcbrain.blocks.query import Encoding
from mcbrain.population.model import MODEL_FIELDS, Model
from mcbrain.typing import Floats

__all__ = ["Family", "Side", "brain_problem", "families", "point_of", "sides"]


@dataclass(frozen=True, eq=False)
class Family:
    """Models that differ in the task noise alone: one brain stage, one array axis.

    Attributes
    ----------
    model : Model
        The first of them.
    indices : ndarray of int, shape (noises,)
        Their places among the study's models.
    task_noise : ndarray, shape (noises,)
        sigma_y / |beta| of each.
    pairs : Pairs
        The numbers of samples that the design asks of each of them.
    """

    model: Model
    indices: NDArray[np.int64]
    task_noise: Floats
    pairs: Pairs


@dataclass(frozen=True)
class Side:
    """The methods that spare the same subspace, at one family and number of brain samples.

    Attributes
    ----------
    family : Family
        Its models.
    subspace : str
        "none", "measured" or "estimated".
    n_brain : int
        Number of brain samples; any of the family's where the subspace needs none.
    rank : int
        Of the subspace.
    encoding : Encoding
        Stage 1, where the subspace is estimated; its penalty is a number.
    methods : tuple of Method
        In the order of the study.
    part : Part
        Which of the family's pairs it fills.
    n_task : ndarray, shape (n_task,)
        The numbers of task samples at which something is asked, along `part.tasks`.
    """

    family: Family
    subspace: Subspace
    n_brain: int
    rank: int
    encoding: Encoding
    methods: tuple[Method, ...]
    part: Part = field(compare=False)
    n_task: Floats = field(compare=False)

    @cached_property
    def first(self) -> NDArray[np.intp]:
        """For each number of task samples, the first of the pairs that have it."""
        _, index = np.unique(self.part.place, return_index=True)
        return self.part.pairs[index]

    @property
    def simulated(self) -> bool:
        """Whether the subspace depends on brain data."""
        return self.rank > 0 and self.subspace == "estimated"

    @property
    def by_shift(self) -> bool:
        """Whether some penalty differs from shift to shift."""
        return any(c.rule.record.under == "each" for c in self.methods)

    @property
    def undefined(self) -> bool:
        """Whether it asks for more directions than there are brain samples."""
        return self.simulated and self.n_brain < self.rank


def families(study: Study) -> list[Family]:
    """The study's models, grouped; all of a group are asked the same numbers of samples.

    Parameters
    ----------
    study : Study
        What is asked.

    Returns
    -------
    list of Family
        Each model is in one.
    """
    same = [n for n in MODEL_FIELDS if n not in ("task_noise", "snr_task", "snr_brain")]
    groups: dict[tuple[object, ...], list[int]] = {}
    for i, (model, pairs) in enumerate(zip(study.models, study.design.pairs, strict=True)):
        groups.setdefault((pairs, *(getattr(model, n) for n in same)), []).append(i)
    models = study.models
    return [
        Family(
            models[members[0]],
            np.array(members),
            np.array([models[i].sigma_y / models[i].signal_norm for i in members]),
            study.design.pairs[members[0]],
        )
        for members in groups.values()
    ]


def sides(study: Study, family: Family) -> Iterator[Side]:
    """The sides of a family; brain samples count only where the subspace is estimated.

    Parameters
    ----------
    study : Study
        What is asked.
    family : Family
        One of its families.

    Yields
    ------
    Side
        By subspace and encoder in the order of the methods, then by the axis n_brain.
    """
    model, pairs = family.model, family.pairs
    for subspace, encoder in dict.fromkeys(
        (c.estimator.subspace, c.encoder) for c in study.methods
    ):
        methods = tuple(
            c for c in study.methods if (c.estimator.subspace, c.encoder) == (subspace, encoder)
        )
        encoding = Encoding(encoder.rank_of(model), encoder.rule.value)
        ranks = {"none": 0, "measured": model.k_m, "estimated": encoding.rank}
        parts = pairs.by_brain if subspace == "estimated" else {int(pairs.brain[0]): pairs.whole}
        for brain, part in parts.items():
            n_brain = study.n_brain[brain]
            rank = 0 if subspace == "estimated" and n_brain == 0 else ranks[subspace]
            n_task = np.array([study.n_task[t] for t in part.tasks.tolist()], float)
            yield Side(family, subspace, n_brain, rank, encoding, methods, part, n_task)


def brain_problem(study: Study, side: Side) -> BrainProblem:
    """The brain problem behind a side.

    Parameters
    ----------
    study : Study
        What is asked.
    side : Side
        A side whose subspace is estimated.

    Returns
    -------
    BrainProblem
        The same for every design: its key knows the model, the brain samples and the seed alone.
    """
    model, penalty = side.family.model, side.encoding.penalty
    return BrainProblem.of(model, side.n_brain, side.rank, penalty, study.seed)


def point_of(study: Study, side: Side, task: int = 0, noise: int = 0) -> Point:
    """A point that a side serves.

    Parameters
    ----------
    study : Study
        What is asked.
    side : Side
        One of its sides.
    task : int
        Place in the side's `n_task`.
    noise : int
        Place in the family's `task_noise`.

    Returns
    -------
    Point
        The first of the study's with these numbers.
    """
    return study.point(int(side.family.indices[noise]), int(side.first[task]))
