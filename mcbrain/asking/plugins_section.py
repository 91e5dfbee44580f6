"""The section [plugins] of a study: whose code it runs, once somebody has allowed it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import msgspec

from mcbrain.asking.estimators import ESTIMATORS
from mcbrain.asking.metrics import METRICS
from mcbrain.errors import InputError, StoreError
from mcbrain.plugins.kinds import ESTIMATOR
from mcbrain.plugins.loading import installed, load_file, named, read_file
from mcbrain.plugins.record import Plugin
from mcbrain.plugins.sources import Source
from mcbrain.population.distributions import INPUTS
from mcbrain.population.shifts import SHIFTS

__all__ = ["FOLDER", "Trust", "declared", "place_of_plugin", "plugins_from_table"]

FOLDER = "plugins"
"""Where a results folder keeps the files of its plug-ins."""

Trust = Literal["refuse", "run", "read"]
"""What may be done with the code that a study names: nothing, run it, or read what is known."""

_BUILT_IN = {
    ESTIMATOR: [*ESTIMATORS, "two-penalty"],
    "shift": list(SHIFTS),
    "metric": list(METRICS),
    "inputs": list(INPUTS),
}


class _Declared(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a results folder knows of a plug-in without running it."""

    kind: str
    name: str
    file: str
    line: int
    digest: str
    compiled: bool
    reads: list[str]
    parameters: dict[str, float] = {}
    versions: str = ""
    cost: float | None = None
    alone: bool = True


def plugins_from_table(
    section: Mapping[str, object],
    folder: Path | None,
    trust: Trust,
    wanted: Iterable[str],
    objects: Sequence[Plugin] = (),
) -> dict[tuple[str, str], Plugin]:
    """The plug-ins of a study, by kind and name.

    Parameters
    ----------
    section : mapping
        [plugins]: `files`, and in a results folder what was `declared` in them.
    folder : Path, optional
        Where relative files are looked for.
    trust : {"refuse", "run", "read"}
        What may be done with the code that the study names.
    wanted : iterable of str
        Names that the study uses as those of estimators: where one is not known, installed packages
        are asked for it.
    objects : sequence of Plugin
        Those that were brought as Python objects, which is trust enough.

    Returns
    -------
    dict of (str, str) to Plugin

    Raises
    ------
    InputError
        A key that is unknown, a file that cannot serve, a name that is taken, or code that nobody
        has allowed to run.
    StoreError
        A results folder whose copy of a file is not the one that was run.
    """
    for key in section:
        if key not in ("files", "declared"):
            raise InputError(f"[plugins] {key}: unknown key; allowed: files")
    if trust == "read":
        return named([*_known(section.get("declared", []), folder), *objects], {})
    found = [*_from_files(section.get("files", []), folder, trust), *objects]
    names = {plugin.name for plugin in found} | {*ESTIMATORS}
    strange = [n for n in wanted if n not in names and ":" not in str(n)]
    if strange and trust == "run":
        found += installed()
    return named(found, _BUILT_IN)


def _from_files(files: object, folder: Path | None, trust: Trust) -> list[Plugin]:
    """The plug-ins of the files that a study names."""
    if isinstance(files, str) or not isinstance(files, Sequence):
        raise InputError(f'[plugins] files = {files!r}: a list of files, such as ["mine.py"]')
    sources: dict[str, Source] = {}
    for file in files:
        if not isinstance(file, str) or not file.endswith(".py"):
            raise InputError(f"[plugins] files: {file!r}: the path of a Python file is allowed")
        source = read_file((folder or Path()) / file, file)
        if sources.setdefault(Path(file).name, source) is not source:
            raise InputError(f"[plugins] files: two files are called {Path(file).name}; rename one")
    if sources and trust == "refuse":
        listed = " and ".join(f"{s.file} (digest {s.digest})" for s in sources.values())
        raise InputError(
            f"[plugins] files: this study runs the code in {listed}; read it, then allow it with "
            "`mcbrain run --plugins`, or plugins=True in Python"
        )
    return [plugin for source in sources.values() for plugin in load_file(source)]


def _known(entries: object, folder: Path | None) -> list[Plugin]:
    """The plug-ins of a results folder, whose code is not run."""
    try:
        known = msgspec.convert(entries, list[_Declared])
    except msgspec.ValidationError as error:
        raise StoreError(f"[plugins] declared: {error}") from None
    return [_plugin(one, folder or Path()) for one in known]


def _plugin(one: _Declared, folder: Path) -> Plugin:
    place = folder / FOLDER / PurePosixPath(one.file).name
    try:
        text = place.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"{place}: the plug-in '{one.name}' cannot be read ({error})") from None
    source = Source(one.file, text, one.versions, one.alone)
    if source.digest != one.digest:
        raise StoreError(
            f"{place}: is not the file that was run (digest {source.digest}, not {one.digest}); "
            "run the study again to bring it back"
        )
    return Plugin(
        kind=one.kind,
        name=one.name,
        parameters=tuple(one.parameters.items()),
        compiled=one.compiled,
        cost=one.cost,
        reads=tuple(one.reads),
        line=one.line,
        source=source,
    )


def place_of_plugin(plugin: Plugin) -> str:
    """Where a results folder keeps the file of a plug-in.

    Parameters
    ----------
    plugin : Plugin

    Returns
    -------
    str
        Relative to the folder.
    """
    return f"{FOLDER}/{_file_of(plugin)}"


def _file_of(plugin: Plugin) -> str:
    name = PurePosixPath(plugin.source.file.replace("\\", "/")).name
    kept = "".join(c if c.isalnum() or c in "-_." else "-" for c in name)
    return kept if kept.endswith(".py") else f"{kept}.py"


# Any: what TOML holds.
def declared(plugins: Iterable[Plugin]) -> dict[str, Any]:
    """The section [plugins] as a results folder keeps it: enough to read it without running it.

    Parameters
    ----------
    plugins : iterable of Plugin
        Those of the study.

    Returns
    -------
    dict
        Empty where there is none.
    """
    plugins = list(plugins)
    if not plugins:
        return {}
    entries = [
        {
            "kind": p.kind,
            "name": p.name,
            "file": _file_of(p),
            "line": p.line,
            "digest": p.digest,
            "compiled": p.compiled,
            "reads": list(p.reads),
            "parameters": dict(p.parameters),
            "versions": p.source.versions,
            "alone": p.source.alone,
        }
        | ({} if p.cost is None else {"cost": p.cost})
        for p in plugins
    ]
    files = dict.fromkeys(place_of_plugin(p) for p in plugins if p.source.alone)
    return {"files": list(files), "declared": entries}
