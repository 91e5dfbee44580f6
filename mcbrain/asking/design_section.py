"""The section [design] of a study file, or what stands for it in Python, to a design."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mcbrain.asking.designs import Design, Pairs
from mcbrain.asking.expressions import Expression, Number, expression
from mcbrain.asking.penalty_rules import grid
from mcbrain.checks import integer
from mcbrain.errors import InputError, did_you_mean
from mcbrain.plain import is_number
from mcbrain.population.model import MODEL_FIELDS, Model

__all__ = ["GEOMETRIC", "MOST_ROWS", "design_from_table"]

MOST_ROWS = 50_000_000
_MOST_SAMPLES = 1_000_000_000
# Said where a sample number is not whole.
GEOMETRIC = "{ geometric = [low, high, count] } makes a grid of whole numbers"
# A number as large is printed as this one: floating-point numbers end soon after it.
_UNPRINTED = 10**300
_KEYS = ("n_task", "n_brain", "points", "where")
_POINTS = "a list of pairs [n_task, n_brain] is allowed, such as [[30, 50], [60, 200]]"
# A ratio is held as the noise that follows from it.
_MODEL_NUMBERS = tuple(f for f in MODEL_FIELDS if f not in ("snr_task", "snr_brain"))

Pair: TypeAlias = tuple[int, int]


class _Asked(NamedTuple):
    """What a section asks of one model, were there no condition: axes, pairs and spelling."""

    n_task: tuple[int, ...]
    n_brain: tuple[int, ...]
    pairs: Pairs
    table: dict[str, object]


def design_from_table(
    table: Mapping[str, object], models: Sequence[Model]
) -> tuple[Design, tuple[Model, ...]]:
    """The design that the section [design] of a study asks for.

    Parameters
    ----------
    table : mapping
        The section, of Python's own lists and numbers.
    models : sequence of Model
        The models of the study.

    Returns
    -------
    design : Design
        The design.
    models : tuple of Model
        The models of which it asks something: a condition may leave some without a point.

    Raises
    ------
    InputError
        One sentence that names the key, the value and what is allowed.
    """
    for key in table:
        if key not in _KEYS:
            raise InputError(f"[design] {key}: unknown key; {did_you_mean(str(key), _KEYS)}")
    asked = _listed(table) if "points" in table else _crossed(table)
    if "where" not in table:
        every = (asked.pairs,) * len(models)
        return Design(asked.n_task, asked.n_brain, every, asked.table), tuple(models)
    condition = _condition(table["where"])
    kept = list(_filtered(condition, asked, models))
    if not any(pairs.size for pairs in kept):
        raise InputError(f"[design] where = {condition.text!r}: no point of the design meets it")
    spelled = {**asked.table, "where": condition.text}
    design = _trimmed(asked, [pairs for pairs in kept if pairs.size], spelled)
    return design, tuple(m for m, pairs in zip(models, kept, strict=True) if pairs.size)


def _listed(table: Mapping[str, object]) -> _Asked:
    """A list of points."""
    for key in ("n_task", "n_brain"):
        if key in table:
            raise InputError(
                f"[design] {key} beside points: either points are listed, or n_task and n_brain are"
            )
    value = table["points"]
    if not isinstance(value, (list, tuple)):
        raise InputError(f"[design] points = {value!r}: {_POINTS}")
    pairs = [_pair(f"[design] points[{i}] = {pair!r}", pair) for i, pair in enumerate(value)]
    if not pairs:
        raise InputError("[design] points = []: an empty list asks for nothing")
    seen: set[Pair] = set()
    for pair in pairs:
        if pair in seen:
            raise InputError(f"[design] points: {list(pair)} is listed twice")
        seen.add(pair)
    return _on_axes(pairs, {"points": [list(pair) for pair in pairs]})


def _pair(where: str, value: object) -> Pair:
    """One point of a list."""
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise InputError(f"{where}: a pair [n_task, n_brain] is allowed, such as [30, 50]")
    n_task, n_brain = value
    return (
        integer(f"{where}: n_task", n_task, 1, _MOST_SAMPLES),
        integer(f"{where}: n_brain", n_brain, 0, _MOST_SAMPLES),
    )


def _crossed(table: Mapping[str, object]) -> _Asked:
    """Every n_task with every n_brain: a grid, unless some n_brain follows from n_task."""
    tasks, value = _samples("n_task", table.get("n_task"), 1), table.get("n_brain", 0)
    entries = list(value) if isinstance(value, (list, tuple)) else [value]
    if not any(isinstance(entry, str) for entry in entries):
        brains = _samples("n_brain", value, 0)
        _affordable(len(tasks) * len(brains))
        every = Pairs((len(tasks), len(brains)))
        return _Asked(tasks, brains, every, {"n_task": list(tasks), "n_brain": list(brains)})
    if twice := [entry for i, entry in enumerate(entries) if entry in entries[:i]]:
        raise InputError(f"[design] n_brain = {entries}: {twice[0]!r} is listed twice")
    _affordable(len(tasks) * len(entries))
    rules = [_rule(entry) for entry in entries]
    # Entries that agree at some n_task ask for one point.
    pairs = [(t, b) for t in tasks for b in dict.fromkeys(rule(t) for rule in rules)]
    return _on_axes(pairs, {"n_task": list(tasks), "n_brain": value})


def _affordable(points: int) -> None:
    """Refuse more points of one model than a study may have rows."""
    if points > MOST_ROWS:
        raise InputError(
            f"the design asks for {points:,} points of each model; a study of at most "
            f"{MOST_ROWS:,} rows is allowed: use fewer values, or split the study"
        )


def _rule(entry: object) -> Callable[[int], int]:
    """The number of brain samples beside a number of task samples, as one entry asks for it."""
    if not isinstance(entry, str):
        fixed = _count("[design] n_brain", entry, 0)
        return lambda n_task: fixed
    found = expression("[design] n_brain", entry, "number", ("n_task",))

    def beside(n_task: int) -> int:
        value = found.value({"n_task": n_task})
        if value.denominator != 1 or not 0 <= value <= _MOST_SAMPLES:
            shown = float(min(max(value, -_UNPRINTED), _UNPRINTED))
            raise InputError(
                f"[design] n_brain = {entry!r}: is {shown:.12g} at n_task = {n_task}; a "
                f"whole number from 0 to {_MOST_SAMPLES} is allowed (a // b rounds down)"
            )
        return int(value)

    return beside


def _on_axes(asked: Sequence[Pair], spelled: dict[str, object]) -> _Asked:
    """Pairs as places on two axes, either in ascending order."""
    samples = np.array(asked)
    (tasks, task), (brains, brain) = (np.unique(x, return_inverse=True) for x in samples.T)
    pairs = _pairs(np.column_stack([task, brain]), (tasks.size, brains.size))
    return _Asked(tuple(tasks.tolist()), tuple(brains.tolist()), pairs, spelled)


def _pairs(listed: NDArray[np.intp], shape: tuple[int, int]) -> Pairs:
    """Pairs from their places, which may be those of the full grid."""
    every = Pairs(shape)
    same = every.size == len(listed) and np.array_equal(
        listed, np.column_stack([every.task, every.brain])
    )
    return every if same else Pairs(shape, listed)


def _condition(text: object) -> Expression:
    """The condition of a design."""
    if not isinstance(text, str):
        raise InputError(
            f"[design] where = {text!r}: a condition in text is allowed, such as "
            '"n_brain <= 10 * n_task"'
        )
    return expression("[design] where", text, "condition", ("n_task", "n_brain", *_MODEL_NUMBERS))


def _filtered(condition: Expression, asked: _Asked, models: Sequence[Model]) -> Iterator[Pairs]:
    """The pairs of each model that meet a condition, which is asked once for equal numbers."""
    places = np.column_stack([asked.pairs.task, asked.pairs.brain])
    samples = [(asked.n_task[t], asked.n_brain[b]) for t, b in places.tolist()]
    used = [name for name in condition.names if name in _MODEL_NUMBERS]
    known: dict[tuple[Number, ...], Pairs] = {}
    for model in models:
        numbers = {name: _number_of(model, name, condition) for name in used}
        key = tuple(numbers.values())
        if key not in known:
            held = [condition.value({**numbers, "n_task": t, "n_brain": b}) for t, b in samples]
            known[key] = Pairs(asked.pairs.shape, places[np.array(held, bool)])
        yield known[key]


def _number_of(model: Model, name: str, condition: Expression) -> Number:
    """A number of a model as it was written: 0.1 is a tenth."""
    value = getattr(model, name)
    if not is_number(value):
        raise InputError(
            f"[design] where = {condition.text!r}: {name} = {value!r} is no number of the model"
        )
    return int(value) if isinstance(value, int) else Fraction(repr(float(value)))


def _trimmed(asked: _Asked, kept: Sequence[Pairs], spelled: dict[str, object]) -> Design:
    """A design on the parts of two axes that some model is asked."""
    distinct = list(dict.fromkeys(kept))
    used = [
        np.unique(np.concatenate(places))
        for places in ([c.task for c in distinct], [c.brain for c in distinct])
    ]
    shape = (used[0].size, used[1].size)
    moved = {
        pairs: _pairs(
            np.column_stack(
                [np.searchsorted(used[0], pairs.task), np.searchsorted(used[1], pairs.brain)]
            ),
            shape,
        )
        for pairs in distinct
    }
    return Design(
        tuple(asked.n_task[t] for t in used[0].tolist()),
        tuple(asked.n_brain[b] for b in used[1].tolist()),
        tuple(moved[pairs] for pairs in kept),
        spelled,
    )


def _samples(key: str, value: object, low: int) -> tuple[int, ...]:
    """Distinct whole numbers: one, a list, or a geometric grid."""
    where = f"[design] {key}"
    if value is None:
        raise InputError(f"{where} is missing")
    if isinstance(value, Mapping):
        points = (round(v) for v in grid(value, f"{where} = {dict(value)!r}"))
        values: list[object] = list(dict.fromkeys(points))
    else:
        values = list(value) if isinstance(value, (list, tuple)) else [value]
    if not values:
        raise InputError(f"{where} = []: an empty list asks for nothing")
    numbers = tuple(_count(where, v, low) for v in values)
    if len(set(numbers)) < len(numbers):
        raise InputError(f"{where} = {values}: a number is listed twice")
    return numbers


def _count(where: str, value: object, low: int) -> int:
    """A number of samples."""
    try:
        return integer(where, value, low, _MOST_SAMPLES)
    except InputError as error:
        if isinstance(value, float):
            raise InputError(f"{error}; {GEOMETRIC}") from None
        raise
