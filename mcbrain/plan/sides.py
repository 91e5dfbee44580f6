"""A study in the parts that share work: models but for their noise, methods by their subspace."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcbrain.asking.estimators import Method, Subspace
from mcbrain.asking.studies import Point, Study
from mcbrain.blocks.problem import BrainProblem
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
    indices : ndarray, shape (noises,)
        Their places among the study's models.
    task_noise : ndarray, shape (noises,)
        sigma_y / |beta| of each.
    """

    model: Model
    indices: NDArray[np.int64]
    task_noise: Floats


@dataclass(frozen=True)
class Side:
    """The methods that spare the same subspace, at one family and number of brain samples."""

    family: Family
    subspace: Subspace
    n_brain: int
    rank: int
    methods: tuple[Method, ...]

    @property
    def simulated(self) -> bool:
        """Whether the subspace depends on brain data."""
        return self.rank > 0 and self.subspace == "estimated"

    @property
    def by_shift(self) -> bool:
        """Whether some penalty differs from shift to shift."""
        return any(c.rule.kind == "optimal-shift" for c in self.methods)

    @property
    def undefined(self) -> bool:
        """Whether it asks for more directions than there are brain samples."""
        return self.simulated and self.n_brain < self.rank


def families(study: Study) -> list[Family]:
    """The study's models, grouped.

    Parameters
    ----------
    study : Study
    """
    same = [n for n in MODEL_FIELDS if n not in ("task_noise", "snr_task", "snr_brain")]
    groups: dict[tuple[object, ...], list[int]] = {}
    for i, model in enumerate(study.models):
        groups.setdefault(tuple(getattr(model, n) for n in same), []).append(i)
    models = study.models
    return [
        Family(
            models[members[0]],
            np.array(members),
            np.array([models[i].sigma_y / models[i].signal_norm for i in members]),
        )
        for members in groups.values()
    ]


def sides(study: Study, family: Family) -> Iterator[Side]:
    """The sides of a family; brain samples count only where the subspace is estimated.

    Parameters
    ----------
    study : Study
    family : Family
    """
    model = family.model
    ranks = {"none": 0, "measured": model.k_m, "estimated": study.rank(model)}
    for subspace in dict.fromkeys(c.estimator.subspace for c in study.methods):
        methods = tuple(c for c in study.methods if c.estimator.subspace == subspace)
        estimated = subspace == "estimated"
        for n_brain in study.n_brain if estimated else study.n_brain[:1]:
            rank = 0 if estimated and n_brain == 0 else ranks[subspace]
            yield Side(family, subspace, n_brain, rank, methods)


def brain_problem(study: Study, side: Side) -> BrainProblem:
    """The brain problem behind a side."""
    model, penalty = side.family.model, study.encoding.penalty
    return BrainProblem.of(model, side.n_brain, side.rank, penalty, study.seed)


def point_of(study: Study, side: Side, task: int = 0, noise: int = 0) -> Point:
    """A point that a side serves, by its places on the axes n_task and task_noise."""
    model = int(side.family.indices[noise])
    return study.point(model, task, study.n_brain.index(side.n_brain))
