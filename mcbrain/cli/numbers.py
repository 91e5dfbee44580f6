"""Whole numbers on the command line, in every spelling that TOML and Python take: 30, 30.0, 3e1."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, get_args, get_origin

import typer

from mcbrain.plain import whole

__all__ = ["take_whole_numbers", "whole_number"]


def take_whole_numbers(command: Callable[..., object]) -> None:
    """Let the options of a command that are whole numbers take every spelling of one.

    Parameters
    ----------
    command : callable
        Its parameters are annotated as Typer reads them.
    """
    signature = inspect.signature(command, eval_str=True)
    parameters = [p.replace(annotation=_spelled(p)) for p in signature.parameters.values()]
    command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}


def whole_number(text: str) -> int | None:
    """The whole number that a text stands for; None where it stands for none.

    Parameters
    ----------
    text : str
        What was written.

    Returns
    -------
    int or None
        None where the text is no number, or no whole one.
    """
    try:
        return int(text)
    except ValueError:
        pass
    try:
        found = whole(float(text))
    except ValueError:
        return None
    return found if isinstance(found, int) else None


def _spelled(parameter: inspect.Parameter) -> object:
    """The annotation of a parameter; that of a whole number with the reading of one."""
    annotation = parameter.annotation
    if get_origin(annotation) is not Annotated:
        return annotation
    kind, info = get_args(annotation)
    if int not in (kind, *get_args(kind)):
        return annotation
    option, low = f"--{parameter.name.replace('_', '-')}", info.min

    def read(text: str | int) -> int:
        found = whole_number(str(text))
        if found is None:
            raise typer.BadParameter(f"{text!r} is not a whole number.", param_hint=option)
        if low is not None and found < low:
            raise typer.BadParameter(f"{found} is below {low}.", param_hint=option)
        return found

    info.parser = read
    return annotation
