"""What a run needs to know before anything is written: where, by which engine, until when."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mcbrain.asking.plugins_section import place_of_plugin
from mcbrain.asking.studies import Study
from mcbrain.checks import duration
from mcbrain.engines import engine_for
from mcbrain.errors import InputError
from mcbrain.plan.shards import Shard, parse_shard
from mcbrain.population.given_covariance import GivenCovariance
from mcbrain.results.columns import columns_of
from mcbrain.results.kept_replicates import most_bytes
from mcbrain.results.writing import about
from mcbrain.running.outcome import Reporter
from mcbrain.store.blockstore import BlockStore
from mcbrain.store.folder import ResultsFolder
from mcbrain.store.provenance import history, machine_change, other_code

__all__ = ["Setup", "prepare_folder", "set_aside", "set_up"]

_LONGEST = 200  # bytes of a folder's name; file systems allow 255


@dataclass(frozen=True)
class Setup:
    """What a run needs to know, settled before anything is written.

    Attributes
    ----------
    study : Study
        What is asked.
    folder : ResultsFolder
        Where the results go.
    engine : str
        Name of the engine that serves the study.
    why : str
        Why it is this engine, in words.
    part : Shard or None
        The part of the study that is run; None for the whole, also where "1/1" was asked for.
    started : float
        When the run began, in seconds since the epoch.
    deadline : float or None
        `time.monotonic()` after which no kernel is compiled and no block is started; None without a
        time limit.
    any_code : bool
        Whether blocks that other code has computed are used too.
    """

    study: Study
    folder: ResultsFolder
    engine: str
    why: str
    part: Shard | None
    started: float
    deadline: float | None
    any_code: bool


def set_up(
    study: Study,
    out: str | Path | None,
    max_time: float | str | None,
    shard: Shard | str | None,
    fresh: bool,
    any_code: bool,
) -> Setup:
    """Settle where a study is run, by which engine, which part of it and until when.

    Nothing is written.

    Parameters
    ----------
    study : Study
        What is asked.
    out : str, Path or None
        Results folder; None stands for results/NAME, for a shard results/NAME-shard-I-of-N.
    max_time : float, str or None
        Seconds, or text such as "90s", "10m" or "2h", counted from now; None without a limit.
    shard : Shard, str or None
        The part of the study, such as "2/3"; None and "1/1" stand for the whole.
    fresh : bool
        Whether what is in the folder is going to be moved aside, so that it is no obstacle.
    any_code : bool
        Whether blocks that other code has computed are to be used too.

    Returns
    -------
    Setup
        What the run needs to know.

    Raises
    ------
    InputError
        `out`, `max_time` or `shard` cannot be read, the study's name has no letter or digit to name
        a folder by, a metric has the name of a column, or the engine is wrong for the study or
        simulates nothing to share; or the folder holds results of the whole study, and a shard is
        asked for.
    StoreError
        The folder is a file, or belongs to another study.
    """
    part = shard if isinstance(shard, (Shard, type(None))) else parse_shard(str(shard))
    part = None if part is None or part.count == 1 else part
    started, deadline = time.time(), None
    if max_time is not None:
        deadline = time.monotonic() + duration("max_time", max_time)
    folder = ResultsFolder(out if out is not None else Path("results") / _slug(study.name, part))
    folder.check(study)
    engine, why = engine_for(study)
    columns_of(study)  # refuses the name of a metric before anything is computed
    if part is not None:
        _check_shard(part, folder, engine, fresh)
    return Setup(study, folder, engine, why, part, started, deadline, any_code)


def _check_shard(part: Shard, folder: ResultsFolder, engine: str, fresh: bool) -> None:
    """Refuse a shard of a study that simulates nothing, or in a folder of whole results."""
    if engine == "law":
        raise InputError(f"--shard {part}: engine 'law' simulates nothing that could be shared")
    if folder.results.exists() and not fresh:
        raise InputError(
            f"--shard {part}: {folder.path} holds results of the whole study; "
            "choose another folder for the shard with --out"
        )


def set_aside(folder: ResultsFolder, reporter: Reporter) -> Path | None:
    """Move what is in a folder out of the way, and say where it is now.

    Parameters
    ----------
    folder : ResultsFolder
        Where a run is to start over.
    reporter : Reporter
        Told where everything went.

    Returns
    -------
    Path or None
        The new place, a dated folder beside this one; None where nothing was here.

    Raises
    ------
    StoreError
        A run is writing in the folder, or it cannot be moved.
    """
    aside = folder.set_aside()
    if aside is not None:
        reporter.note(f"what was in {folder.path} is now in {aside}")
    return aside


def prepare_folder(setup: Setup, reporter: Reporter) -> BlockStore:
    """Open the blocks of a folder, and write down whose they are, should the run be cut short.

    Parameters
    ----------
    setup : Setup
        The study, its engine, its folder and the part that is run.
    reporter : Reporter
        Told which engine runs and why, what was made of a given covariance, which blocks are
        damaged or of other code, and whether machine or study have changed since the last run.

    Returns
    -------
    BlockStore
        The blocks of the folder.

    Raises
    ------
    StoreError
        A file cannot be read or written.
    """
    folder = setup.folder
    store = BlockStore(folder.blocks, any_code=setup.any_code)
    reporter.note(f"engine {setup.engine}: {setup.why}")
    for sentence in _taken(setup.study):
        reporter.note(sentence)
    if setup.study.output.replicates:
        most, points = most_bytes(setup.study), setup.study.n_points
        reporter.note(
            f"every replicate is kept: at most {most / 1e9:,.3g} GB, half of it in blocks/ and "
            f"half in replicates/, a file for each of {points:,} points"
        )
    for sentence in store.notes:
        reporter.note(sentence)
    if changed := machine_change(folder.record()):
        reporter.note(changed)
    if others := store.unused():
        reporter.note(
            f"blocks of other code are here and not used: {other_code(others)}; "
            "--reuse-other-code accepts them"
        )
    if kept := folder.replaced_study(setup.study):
        reporter.note(
            f"the study has changed: results.arrow will hold it as it is now; {kept} "
            "keeps the former text"
        )
    for sentence in _changed(folder, setup.study):
        reporter.note(sentence)
    if not folder.results.exists():
        folder.keep_study(setup.study)
    if setup.part is not None:
        former = folder.record()
        record = about(setup.study, setup.engine, store, former)
        part = {"shard": str(setup.part), "complete": False}
        folder.keep_record({**record, **part, "runs": history(former)})
    return store


def _changed(folder: ResultsFolder, study: Study) -> Iterator[str]:
    """A sentence for each file of plug-ins whose text is not that of the run before."""
    for plugin in {plugin.source.file: plugin for plugin in study.plugins}.values():
        kept = folder.path / place_of_plugin(plugin)
        if kept.is_file() and kept.read_text(encoding="utf-8") != plugin.source.text:
            yield (
                f"{plugin.source.file} has changed since the last run (digest now "
                f"{plugin.digest}): the rows of its plug-ins are computed anew, all others are kept"
            )


def _taken(study: Study) -> list[str]:
    """A sentence for each covariance that was given, which says what it was taken for."""
    given = {
        model.covariance.words(model.covariance_scale): None
        for model in study.models
        if isinstance(model.covariance, GivenCovariance)
    }
    return list(given)


def _slug(name: str, part: Shard | None) -> str:
    """A folder name from a study's name: nothing that could lead elsewhere."""
    kept = "".join(c if c.isalnum() or c in "-_." else "-" for c in name).strip(".-")
    if not kept:
        raise InputError(f"name = {name!r}: has no letter or digit to name a folder by; use --out")
    if len(kept.encode()) > _LONGEST:
        digest = hashlib.sha256(name.encode()).hexdigest()[:8]
        kept = f"{kept.encode()[:_LONGEST].decode(errors='ignore')}-{digest}"
    return kept if part is None else f"{kept}-shard-{part.number}-of-{part.count}"
