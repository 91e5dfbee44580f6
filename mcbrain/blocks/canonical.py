"""The canonical text of a population: what a problem's key, and so its random streams, hangs on."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from functools import wraps
from typing import TypeVar

from mcbrain.population.brain_map import PLACES
from mcbrain.population.given import Given
from mcbrain.population.model import MODEL_FIELDS, Model

__all__ = ["latest", "spelt", "spelt_model", "spelt_out", "written"]

T = TypeVar("T")

# Another spelling of a noise: what it follows from is not part of a problem.
_RATIOS = ("snr_task", "snr_brain")
# What follows from a task that is given: its digest stands for it, whatever the last bits are.
_OF_THE_TASK = ("misalignment", "task_loadings", "signal_norm")
# Fields of a model that every key holds, whatever their value. A field that is added later is left
# out of the key where it stands at its default, so that no problem of today gets another key.
_ALWAYS_WRITTEN = frozenset(
    [
        "input_dim",
        "latent_dim",
        "n_channels",
        "misalignment",
        "task_noise",
        "neural_noise",
        "latent_gains",
        "measured_latents",
        "task_loadings",
        "signal_norm",
        "inputs",
        "basis",
        "covariance",
        "latents",
        "neural_law",
        "baseline_rate",
    ]
)


def latest(find: Callable[[Model], T]) -> Callable[[Model], T]:
    """Remember what was found for the latest model: in a grid, points of one model are neighbours.

    Parameters
    ----------
    find : callable
        A function of a model alone.

    Returns
    -------
    callable
        The same function, which remembers its latest answer.
    """
    kept: list[tuple[Model, T]] = []

    @wraps(find)
    def known(model: Model) -> T:
        pair = kept[0] if kept else None  # one object, so that threads see both or neither
        if pair is None or pair[0] is not model:
            pair = model, find(model)
            kept[:] = [pair]
        return pair[1]

    return known


@latest
def spelt_out(model: Model) -> Model:
    """The same population from a noise in place of a ratio, and from one number for each latent.

    Arrays are light: of what was given, a worker needs what follows alone.

    Parameters
    ----------
    model : Model

    Returns
    -------
    Model
    """
    numbers = {n: getattr(model, n) for n in MODEL_FIELDS if n not in _RATIOS}
    numbers["latent_gains"] = tuple(float(g) for g in model.every_gain)
    numbers["task_loadings"] = tuple(float(a) for a in model.loadings)
    if model.brain_map == PLACES.get(str(model.basis)):
        numbers["brain_map"] = None
    numbers |= {name: given.light() for name, given in model.given_arrays.items()}
    if isinstance(model.task, Given):
        numbers |= dict.fromkeys(_OF_THE_TASK)
    return Model(**{name: value for name, value in numbers.items() if value is not None})


def written(model: Model) -> dict[str, object]:
    """The fields of a model that is spelt out, as a key holds them.

    Parameters
    ----------
    model : Model

    Returns
    -------
    dict
        Value by field; an array is there by its digest.
    """
    found: dict[str, object] = {}
    left_out = (*_RATIOS, *(_OF_THE_TASK if isinstance(model.task, Given) else ()))
    for field in fields(model):
        value = getattr(model, field.name)
        default = None if field.default is MISSING else field.default
        needed = field.name in _ALWAYS_WRITTEN or value != default
        if needed and value is not None and field.name not in left_out:
            found[field.name] = f"#{value.digest}" if isinstance(value, Given) else value
    return found


@latest
def spelt_model(model: Model) -> list[tuple[str, str]]:
    """The model's part of a key: each field with its canonical text.

    Parameters
    ----------
    model : Model

    Returns
    -------
    list of (str, str)
        Name and text.
    """
    return spelt(written(model))


def spelt(content: Mapping[str, object]) -> list[tuple[str, str]]:
    """Names and values as a key holds them.

    Parameters
    ----------
    content : mapping
        Value by name.

    Returns
    -------
    list of (str, str)
        Name and canonical text.
    """
    return [
        (name, json.dumps((name, value), separators=(",", ":"))) for name, value in content.items()
    ]
