"""Names of columns: which of a table's columns are inputs, and which inputs both sets share."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence

from mcbrain.errors import InputError

__all__ = [
    "RULE",
    "labels_of",
    "matched_by_position",
    "once_each",
    "out_of_order",
    "same_inputs",
    "series",
]

Labels = tuple[Hashable, ...]

RULE = "like x0 or x_NAME (r0 or r_NAME for recordings)"

# How many columns an error names at most.
_NAMED = 5


def labels_of(table: object) -> Labels | None:
    """Names of the columns of a table.

    Parameters
    ----------
    table : array or table
        A DataFrame of pandas or polars, an Arrow table, or an array.

    Returns
    -------
    tuple or None
        The names; None of an array.
    """
    labels = getattr(table, "column_names", getattr(table, "columns", None))
    return None if labels is None else tuple(labels)


def series(names: Sequence[str], letter: str) -> list[str]:
    """The names of a series: a letter and a number, or a letter, an underscore and a word.

    Parameters
    ----------
    names : sequence of str
        Names of columns.
    letter : str
        "X" or "R", in either case.

    Returns
    -------
    list of str
        Such as x0, x1 or x_NAME, in the order of `names`.
    """
    form = re.compile(rf"{letter}(\d+|_.*)?", re.IGNORECASE | re.DOTALL)
    return [name for name in names if form.fullmatch(name)]


def once_each(labels: Iterable[Hashable], name: str) -> None:
    """Refuse a table with two columns of one name.

    Parameters
    ----------
    labels : iterable
        Names of the columns.
    name : str
        What to call the table in the sentence.

    Raises
    ------
    InputError
        A name is there more than once.
    """
    for label, times in Counter(labels).most_common(1):
        if times > 1:
            raise InputError(f"{name} has more than one column called {label}")


def same_inputs(task: object, brain: object, names: tuple[str, str]) -> list[int] | None:
    """Which columns of `brain` are, in order, the columns of `task`; None to match by position.

    Parameters
    ----------
    task, brain : array or table
        Inputs. Arrays have no names of columns, and nor has a table with the numbers that pandas
        gives by default, unless those of the other are the same numbers.
    names : tuple of str
        What to call the two in an error.

    Returns
    -------
    list of int or None
        Places in `brain` of the columns of `task`; None to match by position.

    Raises
    ------
    InputError
        If a name is there twice, or on one side only.
    """
    of_task, of_brain = labels_of(task), labels_of(brain)
    if of_task is None or of_brain is None:
        return None
    for name, labels in zip(names, (of_task, of_brain), strict=True):
        once_each(labels, name)
    if set(of_task) != set(of_brain):
        if not (_named(of_task) and _named(of_brain)):
            return None
        raise InputError(_differ(of_task, of_brain, names))
    place = {label: j for j, label in enumerate(of_brain)}
    return [place[label] for label in of_task]


def matched_by_position(task: object, brain: object) -> str:
    """The caution about names that only one side has, which thus match nothing.

    Parameters
    ----------
    task, brain : array or table
        Inputs of the two sides.

    Returns
    -------
    str
        Empty where both sides have names, or neither.
    """
    named = [_named(labels_of(inputs)) for inputs in (task, brain)]
    if named[0] == named[1]:
        return ""
    sides = ("task", "brain") if named[0] else ("brain", "task")
    return (
        "the {} inputs have names and the {} inputs have none, so their columns were matched by "
        "position"
    ).format(*sides)


def _named(labels: Labels | None) -> bool:
    """Whether columns have names, and not the numbers that pandas gives by default."""
    return labels is not None and labels != tuple(range(len(labels)))


def out_of_order(table: object) -> bool:
    """Whether the columns are numbered (x0, x1, ...) and stand in another order than their numbers.

    Parameters
    ----------
    table : array or table
        Inputs.

    Returns
    -------
    bool
        False for arrays and for columns without numbers.
    """
    numbers = [re.fullmatch(r"[^\W\d]_?(\d+)", str(label)) for label in labels_of(table) or ()]
    found = [int(number[1]) for number in numbers if number]
    return len(found) == len(numbers) and found != sorted(found)


def _differ(of_task: Labels, of_brain: Labels, names: tuple[str, str]) -> str:
    """The sentence about names that only one side has."""
    sides = [(names[0], of_task, of_brain), (names[1], of_brain, of_task)]
    lacks = []
    for name, own, others in sides:
        missing = [str(label) for label in others if label not in set(own)]
        if missing:
            more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
            lacks.append(f"{name} lacks {', '.join(missing[:_NAMED])}{more}")
    return f"the inputs of the two sides are matched by name, and {'; '.join(lacks)}"
