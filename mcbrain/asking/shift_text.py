"""Shifts as people write them, in text and in the tables of a study."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mcbrain.errors import InputError, did_you_mean, unhandled
from mcbrain.plugins.record import Plugin
from mcbrain.population.given import refuse_another
from mcbrain.population.own import OwnShift
from mcbrain.population.shift_laws import load_moment
from mcbrain.population.shifts import SHIFTS, Shift, ShiftKind

__all__ = ["found_from", "parse_shift", "shifts_from_table", "with_files"]

_CUSTOM = "custom:"


def parse_shift(text: str, own: Mapping[str, Plugin] | None = None) -> Shift:
    """A shift from its text, such as `mean:2:brain`.

    Parameters
    ----------
    text : str
        As in a study or in a results row.
    own : mapping of str to Plugin, optional
        Shifts that a user brought, by name; their parameters follow in their order.

    Returns
    -------
    Shift
        The shift.

    Raises
    ------
    InputError
        An unknown kind, a missing or impossible number, an unknown direction.
    """
    kind, *parts = str(text).split(":")
    if own and kind in own:
        return _own_from_text(own[kind], parts, f"shift '{text}'")
    spec = _kind(kind, own)
    where = f"shift '{text}'"
    if kind == "custom":
        return _make(kind, math.nan, ":".join(parts), where)
    want = bool(spec.parameter) + bool(spec.directions)
    if len(parts) != want:
        form = f"{kind}:{spec.form}" if spec.form else kind
        raise InputError(f"{where}: the form is {form}")
    value = math.nan
    if spec.parameter:
        try:
            value = float(parts[0])
        except ValueError:
            raise InputError(f"{where}: {parts[0]!r} is not a number") from None
    return _make(kind, value, parts[1] if spec.directions else "", where)


def shifts_from_table(
    table: Mapping[str, object],
    folder: Path | None = None,
    own: Mapping[str, Plugin] | None = None,
) -> list[Shift]:
    """Shifts from the [shifts] table of a study; a list inside a shift is one shift for each value.

    Parameters
    ----------
    table : mapping
        Kind to its settings.
    folder : Path, optional
        Where relative files of `custom` shifts are looked for.
    own : mapping of str to Plugin, optional
        Shifts that a user brought, by name.

    Returns
    -------
    list of Shift
        In the order of the table, none twice.

    Raises
    ------
    InputError
        As `parse_shift`, naming the key.
    """
    shifts: list[Shift] = []
    for kind, settings in table.items():
        where = f"[shifts] {kind}"
        if own and kind in own:
            shifts += _own_from_table(own[kind], settings, where)
            continue
        spec = _kind(kind, own)
        if not isinstance(settings, Mapping):
            raise InputError(
                f"{where} = {settings!r}: a table is allowed, such as {_example(kind)}"
            )
        allowed = [name for name in (spec.parameter, spec.along) if name]
        for key in settings:
            if key not in allowed:
                hint = did_you_mean(key, allowed) if allowed else "it takes no settings"
                raise InputError(f"{where}.{key}: unknown key; {hint}")
        for name in allowed:
            if name not in settings:
                raise InputError(f"{where}: '{name}' is missing; write {_example(kind)}")
        for value in _each(settings.get(spec.parameter, math.nan)):
            for along in _each(settings.get(spec.along, "")):
                if kind == "custom" and folder is not None:
                    along = str(folder / str(along))
                shifts.append(_make(kind, value, along, where))
    if len({s.label for s in shifts}) < len(shifts):
        raise InputError("[shifts]: the same shift is listed twice")
    return shifts


def found_from(text: str, folder: Path | None) -> str:
    """A shift in text whose file, if it has one, is looked for in a folder.

    Parameters
    ----------
    text : str
        A shift in text.
    folder : Path or None
        The folder; None leaves a relative file where it is.

    Returns
    -------
    str
        The shift in text.
    """
    if folder is None or not text.startswith(_CUSTOM):
        return text
    return f"{_CUSTOM}{folder / text.removeprefix(_CUSTOM)}"


def with_files(shifts: object, files: Sequence[str]) -> object:
    """Shifts as a study holds them, with other names for the files of the `custom` ones.

    Parameters
    ----------
    shifts : list of str or mapping
        As in a study: shifts in text, or the table [shifts].
    files : sequence of str
        A name for each `custom` shift, in order.

    Returns
    -------
    list of str or dict
        The same shifts.
    """
    if isinstance(shifts, (list, tuple)):
        rest = iter(files)
        return [f"{_CUSTOM}{next(rest)}" if str(s).startswith(_CUSTOM) else s for s in shifts]
    if not isinstance(shifts, Mapping):
        raise unhandled("list of shifts", shifts, "the names of their files")
    return dict(shifts) | ({"custom": {"file": list(files)}} if files else {})


def _kind(kind: str, own: Mapping[str, Plugin] | None) -> ShiftKind:
    if kind not in SHIFTS:
        known = [*SHIFTS, *(own or {})]
        raise InputError(f"shift '{kind}' does not exist; {did_you_mean(kind, known)}")
    return SHIFTS[kind]


def _own_from_text(plugin: Plugin, parts: Sequence[str], where: str) -> Shift:
    """A shift of a user's from the values of its first parameters."""
    names = list(plugin.defaults)
    if len(parts) > len(names):
        raise InputError(f"{where}: the form is {':'.join([plugin.name, *map(str.upper, names)])}")
    try:
        given = dict(zip(names, map(float, parts), strict=False))
    except ValueError:
        raise InputError(f"{where}: its parameters are numbers") from None
    return _own(plugin, {**plugin.defaults, **given}, where)


def _own_from_table(plugin: Plugin, settings: object, where: str) -> list[Shift]:
    """A shift of a user's for each combination of the values of its parameters."""
    known = plugin.defaults
    if not isinstance(settings, Mapping):
        raise InputError(f"{where} = {settings!r}: a table of its parameters is allowed")
    for key in settings:
        if key not in known:
            hint = did_you_mean(str(key), known) if known else "it takes no settings"
            raise InputError(f"{where}.{key}: unknown key; {hint}")
    axes = [list(_each(settings.get(name, default))) for name, default in known.items()]
    every = itertools.product(*axes)
    return [_own(plugin, dict(zip(known, values, strict=True)), where) for values in every]


def _own(plugin: Plugin, values: Mapping[str, object], where: str) -> Shift:
    settled = []
    for name, value in values.items():
        if (
            isinstance(value, bool)
            or not isinstance(value, (int, float))
            or not -1e300 < value < 1e300
        ):
            raise InputError(f"{where}.{name} = {value!r}: a finite number is allowed")
        settled.append((name, float(value)))
    return Shift(plugin.name, own=OwnShift(plugin, tuple(settled)))


def _make(kind: str, value: object, along: object, where: str) -> Shift:
    spec, number = SHIFTS[kind], math.nan
    if spec.parameter:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise InputError(f"{where}.{spec.parameter} = {value!r}: a number is allowed")
        if not spec.low <= value <= spec.high:
            raise InputError(
                f"{where}: {spec.parameter} = {value}: allowed is {spec.low:g} to {spec.high:g}"
            )
        number = float(value)
    if spec.directions and along not in spec.directions:
        raise InputError(
            f"{where}: {along!r} is not a direction; {did_you_mean(str(along), spec.directions)}"
        )
    if kind != "custom":
        return Shift(kind, number, str(along))
    if not isinstance(along, str) or not along:
        raise InputError(f"{where}: the form is custom:FILE.npy")
    if not along.encode(errors="replace").decode() == along:
        raise InputError(f"{where}: a file whose name is text (UTF-8) is allowed, not {along!r}")
    digest = hashlib.sha256(load_moment(along).tobytes()).hexdigest()[:16]
    refuse_another(along, digest)
    return Shift(kind, math.nan, along, digest)


def _each(value: object) -> Iterable[object]:
    if isinstance(value, list):
        if not value:
            raise InputError("[shifts]: an empty list asks for no shift; leave the key out instead")
        return value
    return [value]


def _example(kind: str) -> str:
    spec = SHIFTS[kind]
    parts = [f"{spec.parameter} = 2.0"] if spec.parameter else []
    if spec.directions:
        parts.append(f'{spec.along} = "{spec.directions[0]}"')
    elif spec.along:
        parts.append(f'{spec.along} = "moment.npy"')
    return f"{kind} = {{ {', '.join(parts)} }}" if parts else f"{kind} = {{}}"
