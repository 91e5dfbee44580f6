"""Arrays that the model of a study is given, from files beside it (theory/README.md 1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from mcbrain.errors import InputError
from mcbrain.population.given import FILE, Given, is_file
from mcbrain.population.given_covariance import GivenCovariance

__all__ = ["arrays_of", "with_arrays", "with_places"]

_FIELDS: dict[str, type[Given]] = {
    "covariance": GivenCovariance,
    "brain_map": Given,
    "task": Given,
}
"""Fields of a model that may name a file, and as what it is read."""


def with_arrays(section: Mapping[str, object], folder: Path | None) -> dict[str, object]:
    """The table [model] with every file that it names read, once for all of its models.

    Parameters
    ----------
    section : mapping
        As it was written; a list in it is several settings.
    folder : Path, optional
        Where relative files are looked for.

    Returns
    -------
    dict

    Raises
    ------
    InputError
        A file that cannot be read, or two of one name with different numbers.
    """

    def read(field: str, value: object) -> object:
        return _FIELDS[field].read(field, str(value), folder) if is_file(value) else value

    found = _each(section, read)
    for field in _FIELDS.keys() & found.keys():
        names: dict[str, Given] = {}
        for given in _given(found[field]):
            if names.setdefault(given.name, given) != given:
                raise InputError(
                    f"{field}: two files of the name {given.name} hold different numbers, and rows "
                    "could not be told apart; rename one"
                )
    return found


def arrays_of(section: Mapping[str, object]) -> list[Given]:
    """Every array that a table [model] holds.

    Parameters
    ----------
    section : mapping
        Of `with_arrays`.

    Returns
    -------
    list of Given
    """
    return [given for field in _FIELDS for given in _given(section.get(field))]


def with_places(section: Mapping[str, object]) -> dict[str, object]:
    """A table [model] whose arrays are named by where a results folder keeps them.

    Parameters
    ----------
    section : mapping
        Of `with_arrays`.

    Returns
    -------
    dict
    """

    def place(field: str, value: object) -> object:
        return f"{FILE}{value.place}" if isinstance(value, Given) else value

    return _each(section, place)


def _each(
    section: Mapping[str, object], change: Callable[[str, object], object]
) -> dict[str, object]:
    """A table with each setting of the fields that may hold arrays changed."""
    found = dict(section)
    for field in _FIELDS.keys() & found.keys():
        value = found[field]
        if isinstance(value, list):
            found[field] = [change(field, one) for one in value]
        else:
            found[field] = change(field, value)
    return found


def _listed(setting: object) -> list[object]:
    return setting if isinstance(setting, list) else [setting]


def _given(setting: object) -> Iterator[Given]:
    """The arrays of one setting, or of a list of settings."""
    for value in _listed(setting):
        if isinstance(value, Given):
            yield value
