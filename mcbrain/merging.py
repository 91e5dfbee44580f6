"""Shards into one result: the union of their blocks, and the rows that follow from it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcbrain.conduct import complete
from mcbrain.engines import choose
from mcbrain.errors import InputError, MissingPilotError, StoreError
from mcbrain.plan.plans import Plan, open_plan
from mcbrain.plan.shards import parse_shard
from mcbrain.rows.write import Written, write_results
from mcbrain.store.blockstore import BlockStore, Name
from mcbrain.store.folder import ResultsFolder, provenance
from mcbrain.store.segments import write_segment
from mcbrain.store.union import check_agreement, new_rows
from mcbrain.study import Study

__all__ = ["Merged", "merge"]


@dataclass
class Merged:
    """What a merge did.

    Attributes
    ----------
    folder : Path
    folders : int
        How many were merged.
    results : Written
        What the results hold.
    problems : int
        Problems of the study.
    missing : list of str
        Names of the problems that lack blocks.
    notes : list of str
        What the user should know, a sentence each.
    """

    folder: Path
    folders: int = 0
    results: Written = field(default_factory=Written)
    problems: int = 0
    missing: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def merge(folders: Iterable[str | Path], out: str | Path) -> Merged:
    """Merge shards of one study; the same results, bit by bit, as of a run that was never cut.

    What is missing is said, and computed by a run in the merged folder.

    Parameters
    ----------
    folders : iterable of str or Path
        Results folders, of shards or not; they are not changed.
    out : str or Path
        Where the merged results go: another folder, empty or of the same study.

    Raises
    ------
    InputError
        Folders of different studies, blocks that differ, a folder in use, a newer format, `out`
        among the folders. Nothing was merged.
    """
    started = time.time()
    target, merged = ResultsFolder(out), Merged(Path(out))
    if isinstance(folders, (str, Path)) or not isinstance(folders, Iterable):
        raise InputError(f"folders = {folders!r}: a list of results folders is allowed")
    sources = _distinct([ResultsFolder(folder) for folder in folders], target, merged)
    study = _common_study(sources, merged)
    target.check(study)
    engine, _ = choose(study)
    with ExitStack() as locks:
        for source in sources:
            locks.enter_context(source.still())
        stores = [BlockStore(source.blocks, read_only=True) for source in sources]
        merged.notes += [note for store in stores for note in store.notes]
        before = BlockStore(target.blocks, read_only=True)
        check_agreement([before, *stores], lambda name: _described(study, engine, before, name))
        locks.enter_context(target.writing())
        store = BlockStore(target.blocks)
        write_segment(target.blocks, new_rows(store, stores))
        store.compact()
        plan = None if engine == "law" else open_plan(study, engine, store)
        if plan is not None:
            _look_for_gaps(plan, store, merged)
        record: dict[str, Any] = provenance(study, engine, 0, started)
        record["merged"] = [str(source.path) for source in sources]
        merged.results = write_results(target, study, plan, store, record)
    if merged.missing:
        merged.notes += _absent(sources)
    return merged


def _distinct(
    sources: list[ResultsFolder], target: ResultsFolder, merged: Merged
) -> list[ResultsFolder]:
    """The folders, each once."""
    if not sources:
        raise InputError("merge: name at least one results folder")
    once: dict[Path, ResultsFolder] = {}
    for source in sources:
        place = source.path.resolve()
        if place in once:
            merged.notes.append(f"{source.path} is listed twice; it counts once")
        once.setdefault(place, source)
    if target.path.resolve() in once:
        raise InputError(
            f"--out {target.path}: is one of the folders to merge; choose another, so that the "
            "shards stay as they are"
        )
    merged.folders = len(once)
    return list(once.values())


def _common_study(sources: Sequence[ResultsFolder], merged: Merged) -> Study:
    """The study that all folders share, their precision aside: the first folder's counts."""
    first = sources[0].study()
    for source in sources[1:]:
        study = source.study()
        for section in dict.fromkeys([*first.table, *study.table]):
            here, there = first.table.get(section), study.table.get(section)
            if section == "precision" and here != there:
                merged.notes.append(
                    f"precision differs between the folders; that of {sources[0].path} is used"
                )
            elif here != there:
                raise StoreError(
                    f"{source.path}: another study than in {sources[0].path}: "
                    f"{_difference(section, here, there)}"
                )
        if [s.content for s in study.shifts] != [s.content for s in first.shifts]:
            raise StoreError(
                f"{source.path}: another study than in {sources[0].path}: the matrix of a custom "
                "shift has changed"
            )
    merged.notes = list(dict.fromkeys(merged.notes))
    return first


def _difference(section: str, here: Any, there: Any) -> str:
    """The first setting that two studies do not share."""
    if isinstance(here, dict) and isinstance(there, dict):
        key = next(k for k in [*here, *there] if here.get(k) != there.get(k))
        return _difference(f"[{section}] {key}", here.get(key), there.get(key))
    return f"{section} = {there!r} there, {here!r} here".replace("None", "nothing")


def _look_for_gaps(plan: Plan, store: BlockStore, merged: Merged) -> None:
    """Which problems lack blocks that a run would have computed."""
    problems = plan.problems()
    merged.problems = len(problems)
    for problem, users in problems.items():
        try:
            whole = all(complete(work, store) for work in plan.works(problem, users))
        except MissingPilotError:
            whole = False
        if not whole:
            merged.missing.append(plan.describe(problem, users))


def _described(study: Study, engine: str, store: BlockStore, name: Name) -> str:
    """A problem in words, from its key."""
    if engine != "law":
        plan: Plan = open_plan(study, engine, store)
        for problem, users in plan.problems().items():
            if problem.key == name[0]:
                return plan.describe(problem, users)
    return "a pilot"


def _absent(sources: Sequence[ResultsFolder]) -> list[str]:
    """Which shards are not among the folders, or have not come to their end."""
    records = [source.record() for source in sources]
    parts = [(parse_shard(r["shard"]), r.get("complete", True)) for r in records if "shard" in r]
    counts = {part.count for part, _ in parts}
    if len(counts) != 1:
        return []
    count = counts.pop()
    there = {part.number for part, _ in parts}
    absent = [f"{n}/{count}" for n in range(1, count + 1) if n not in there]
    early = [str(part) for part, whole in parts if not whole]
    notes = []
    if absent:
        notes.append(f"not among the folders: shard {', '.join(absent[:20])}")
    if early:
        notes.append(f"ended before it was complete: shard {', '.join(early[:20])}")
    return notes
