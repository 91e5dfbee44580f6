"""Inputs that a user's function draws: a text of the model that carries its plug-in."""

from __future__ import annotations

import math
import traceback
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Self

import numpy as np

from mcbrain.errors import InputError
from mcbrain.plugins.loading import function_of
from mcbrain.plugins.record import Plugin
from mcbrain.population.distributions import INPUTS
from mcbrain.typing import Floats

__all__ = ["OwnInputs", "own_inputs"]

INPUTS_KIND = "inputs"


class OwnInputs(str):
    """A plug-in in place of the name of a distribution; as text it is its name and parameters.

    The text stands in the key of a problem, so that the random streams hang on name and parameters
    alone. Two are equal where the texts of their modules are equal too.

    Parameters
    ----------
    plugin : Plugin
        Of kind inputs.
    values : tuple of float
        Of its parameters, in their order.

    Attributes
    ----------
    plugin : Plugin
    values : tuple of float
    """

    plugin: Plugin
    values: tuple[float, ...]

    def __new__(cls, plugin: Plugin, values: tuple[float, ...]) -> Self:
        """Make one; see the class."""
        numbers = ",".join(repr(float(value)).removesuffix(".0") for value in values)
        made = super().__new__(cls, f"{plugin.name}:{numbers}" if values else plugin.name)
        made.plugin, made.values = plugin, values
        return made

    def __reduce__(self) -> tuple[type[Self], tuple[Plugin, tuple[float, ...]]]:
        """What it is made of again in another process."""
        return type(self), (self.plugin, self.values)

    def __eq__(self, other: object) -> bool:
        """Whether text and module are the same; another text is compared as text."""
        if isinstance(other, OwnInputs):
            return str(self) == str(other) and self.plugin.digest == other.plugin.digest
        return str(self) == other

    def __hash__(self) -> int:
        """That of the text."""
        return hash(str(self))

    def drawn(self, rng: np.random.Generator, n: int, d: int) -> Floats:
        """Inputs in native coordinates, before their scale.

        Parameters
        ----------
        rng : Generator
            Of the role; advanced by what the function takes from it.
        n, d : int

        Returns
        -------
        ndarray, shape (n, d)

        Raises
        ------
        InputError
            The function raises an error, or leaves a number that is not finite; with its line.
        """
        function = function_of(self.plugin)
        names = [name for name, _ in self.plugin.parameters]
        parameters = SimpleNamespace(**dict(zip(names, self.values, strict=True)))
        X = np.full((n, d), math.nan)
        try:
            function(rng, parameters, X)
        except Exception as error:  # the user's own
            file = function.__code__.co_filename
            frames = traceback.extract_tb(error.__traceback__)
            lines = [frame.lineno for frame in frames if frame.filename == file]
            where = self.plugin.source.at((lines and lines[-1]) or self.plugin.line)
            what = f"{type(error).__name__}: {error}"
            raise InputError(f"{where}: inputs '{self}': {what}") from None
        if wrong := int((~np.isfinite(X)).sum()):
            raise InputError(
                f"{self.plugin.where}: inputs '{self}': {wrong} of the {X.size} numbers of "
                f"X {X.shape} are not finite; the function fills X[:] in place"
            )
        return X


def own_inputs(value: object, plugins: Mapping[str, Plugin]) -> object:
    """What a model's `inputs` holds where it names a plug-in; anything else as it is.

    Parameters
    ----------
    value : object
        Such as "mixture:0.3": numbers after the colon are the parameters in their order, and those
        that are left out have their defaults. Or the plug-in itself.
    plugins : mapping of str to Plugin
        Those of kind inputs, by name.

    Returns
    -------
    object

    Raises
    ------
    InputError
        A plug-in of another kind or of a name of mcbrain's own, or numbers that it does not take.
    """
    if isinstance(value, Plugin):
        if value.kind != INPUTS_KIND or value.name in INPUTS:
            taken = f"'{value.name}' has a name of mcbrain's own"
            why = taken if value.kind == INPUTS_KIND else f"'{value.name}' is of kind {value.kind}"
            raise InputError(f"{value.where}: inputs: {why}")
        return OwnInputs(value, tuple(default for _, default in value.parameters))
    if isinstance(value, OwnInputs) or not isinstance(value, str):
        return value
    name, colon, numbers = value.partition(":")
    if name not in plugins:
        return value
    plugin = plugins[name]
    names = [parameter for parameter, _ in plugin.parameters]
    try:
        given = [float(text) for text in numbers.split(",")] if colon else []
    except ValueError:
        given = [math.nan]
    if len(given) > len(names) or not all(map(math.isfinite, given)):
        form = f"{name}:{','.join(name.upper() for name in names)}" if names else name
        raise InputError(f"inputs = {value!r}: the form is {form}, with finite numbers")
    defaults = [default for _, default in plugin.parameters]
    return OwnInputs(plugin, (*given, *defaults[len(given) :]))
