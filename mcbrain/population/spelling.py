"""Values of a model as people read them, in the spelling of TOML."""

from __future__ import annotations

from mcbrain.population.given import Given

__all__ = ["toml_value", "word_or_numbers"]


def toml_value(value: object) -> str:
    """A number, a word or a sequence of them in TOML spelling.

    Parameters
    ----------
    value : object
        A field of a model.

    Returns
    -------
    str
        Of an array from a file, its name.
    """
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(toml_value(v) for v in value) + "]"
    return repr(value.label if isinstance(value, Given) else value)


def word_or_numbers(value: object) -> str:
    """A setting that is a word or numbers, as a column of words holds it.

    Parameters
    ----------
    value : str, float or sequence of float

    Returns
    -------
    str
        A word without quotes.
    """
    return value if isinstance(value, str) else toml_value(value)
