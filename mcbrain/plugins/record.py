"""The record of a plug-in: everything that mcbrain knows of it without running it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mcbrain.plugins.kinds import Kind, kind_of
from mcbrain.plugins.sources import Source

__all__ = ["Plugin"]


@dataclass(frozen=True)
class Plugin:
    """A function that somebody brought, and what is known of it.

    Two are equal where kind, name, parameters, text and versions are: that is what rows, blocks and
    workers know of it. Calling it calls the function.

    Attributes
    ----------
    kind : str
        One of `kinds.KINDS`.
    name : str
        As a study names it.
    parameters : tuple of (str, float)
        Names and defaults, in the order in which they were declared.
    compiled : bool
        Whether Numba compiles the function.
    cost : float or None
        Declared seconds of a call, where the plug-in is too slow for every replicate of a block.
    reads : tuple of str
        The fields of `data` that the function reads; all of them where that cannot be seen.
    line : int
        Where its function begins in its file.
    source : Source
        The module in which it stands.
    python : callable or None
        The function itself where it was brought by an object; None until it is loaded from the
        text, which is left to `loading.function_of`.
    """

    kind: str
    name: str
    parameters: tuple[tuple[str, float], ...]
    compiled: bool
    cost: float | None
    reads: tuple[str, ...]
    line: int
    source: Source
    python: Callable[..., Any] | None = field(default=None, compare=False, repr=False)

    @property
    def record(self) -> Kind:
        """Its kind, in the table."""
        return kind_of(self.kind)

    @property
    def digest(self) -> str:
        """16 hexadecimal digits of the module's text and the versions of what it imports."""
        return self.source.digest

    @property
    def where(self) -> str:
        """File and line, for the beginning of a sentence."""
        return self.source.at(self.line)

    @property
    def defaults(self) -> Mapping[str, float]:
        """The default of each parameter, by name."""
        return dict(self.parameters)

    # Any: what the function takes and returns is its kind's own.
    def __call__(self, *arguments: Any) -> Any:
        """Call the function as Python, uncompiled."""
        from mcbrain.plugins.loading import function_of

        return function_of(self)(*arguments)

    def __getstate__(self) -> dict[str, Any]:
        """By its text; a function of a session travels by value."""
        state = dict(self.__dict__)
        if self.source.alone or self.python is None:
            return {**state, "python": None}
        from numba import cloudpickle  # which it brings for functions of a session

        return {**state, "python": cloudpickle.dumps(self.python)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take the function out again where it came by value."""
        if isinstance(state["python"], bytes):
            import pickle

            # Who sends these bytes has sent the pickle around them, which is read already.
            state = {**state, "python": pickle.loads(state["python"])}
        self.__dict__.update(state)
