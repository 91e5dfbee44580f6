"""The files that a study was given, kept in its results folder, which is so whole by itself."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import tomli_w

from mcbrain.asking.arrays import arrays_of, with_places
from mcbrain.asking.plugins_section import place_of_plugin
from mcbrain.asking.shift_text import parse_shift, with_files
from mcbrain.asking.studies import Study
from mcbrain.errors import InputError, StoreError
from mcbrain.plugins.record import Plugin
from mcbrain.population.given import FILE, Given, place_of
from mcbrain.population.shifts import Shift
from mcbrain.store.atomic import replacing, write_text
from mcbrain.store.provenance import content_hash

__all__ = ["bring_files", "keep_files", "kept_files", "study_text"]


def study_text(study: Study) -> str:
    """A study as TOML that is the same wherever its results are: its files are beside it.

    Parameters
    ----------
    study : Study
        Read and resolved, so that every default is in its table.

    Returns
    -------
    str
        It names files by their places within the results folder.
    """
    files = [_place(shift) for shift in study.shifts if shift.kind == "custom"]
    table = {**study.table, "model": with_places(study.table["model"])}
    if files:
        table = {**table, "shifts": with_files(table["shifts"], files)}
    return tomli_w.dumps(table)


def kept_files(folder: Path, study: Study) -> list[Path]:
    """Where the files that a study refers to are kept in a folder, or are to be.

    Parameters
    ----------
    folder : Path
        The results folder.
    study : Study
        The one whose results are there.

    Returns
    -------
    list of Path
        Arrays of the model, matrices of `custom` shifts, then files of plug-ins.
    """
    given = [array.place for array in arrays_of(study.table["model"])]
    moments = [_place(shift) for shift in study.shifts if shift.kind == "custom"]
    plugins = dict.fromkeys(place_of_plugin(plugin) for plugin in study.plugins)
    return [folder / place for place in (*given, *moments, *plugins)]


def keep_files(folder: Path, study: Study) -> None:
    """Copy what a study was given in files, so that its results folder can be moved.

    A copy that was lost or damaged since is made anew.

    Parameters
    ----------
    folder : Path
        The results folder.
    study : Study
        The one whose results are to be written there.

    Raises
    ------
    StoreError
        A file has changed since the study was read.
    UnfinishedError
        Disk full, folder not writable.
    """
    for given in arrays_of(study.table["model"]):
        target = folder / given.place
        if not _holds(given.digest, Given.read, "", f"{FILE}{target}"):
            with replacing(target) as sink:
                np.save(sink, given.values, allow_pickle=False)
    for shift in study.shifts:
        if shift.kind == "custom":
            _keep_moment(folder, shift)
    for plugin in study.plugins:
        _keep_plugin(folder, plugin)


def _keep_moment(folder: Path, shift: Shift) -> None:
    """Copy the matrix of a `custom` shift, byte for byte."""
    source, target = Path(shift.along), folder / _place(shift)
    if _holds(shift.digest, parse_shift, f"custom:{target}"):
        return
    content = source.read_bytes()
    with replacing(target) as sink:
        sink.write(content)
        sink.flush()
        if not _holds(shift.digest, parse_shift, f"custom:{sink.name}"):
            raise StoreError(f"custom:{source}: has changed while the study ran; run it again")


def _keep_plugin(folder: Path, plugin: Plugin) -> None:
    """Write the file of a plug-in as it was read; a former one of its name is kept beside it."""
    target, text = folder / place_of_plugin(plugin), plugin.source.text
    former = target.read_text(encoding="utf-8") if target.is_file() else text
    if target.is_file() and former == text:
        return
    if former != text:
        write_text(target.with_name(f"{target.stem}-{content_hash(former)[:8]}.py"), former)
    write_text(target, text)


def bring_files(study: Study, aside: Path | None) -> None:
    """Bring back the files that a study took from its results folder, which was moved aside.

    Parameters
    ----------
    study : Study
        Its `custom` shifts name the files, which may have lain in the folder.
    aside : Path or None
        Where the folder was moved to (`ResultsFolder.set_aside`); None if it was not, and nothing
        is done.

    Raises
    ------
    UnfinishedError
        A file cannot be read there or written here.
    """
    for shift in study.shifts:
        if aside is not None and shift.kind == "custom" and not Path(shift.along).exists():
            with replacing(Path(shift.along)) as sink:
                sink.write((aside / _place(shift)).read_bytes())


def _place(shift: Shift) -> str:
    """Where a results folder keeps the matrix of a `custom` shift; its name is in the label."""
    return place_of(shift.digest, Path(shift.along).name)


def _holds(digest: str, read: Callable[..., Given | Shift], *where: str) -> bool:
    """Whether what is read from a file is the array with a digest."""
    with suppress(InputError):
        return read(*where).digest == digest
    return False
