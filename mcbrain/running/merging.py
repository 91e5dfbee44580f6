"""Shards into one result: the union of their blocks, and the rows that follow from it."""

from __future__ import annotations

import itertools
import time
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mcbrain.asking.studies import Study
from mcbrain.engines import engine_for
from mcbrain.errors import InputError, MissingPilotError, StoreError
from mcbrain.plain import numpy_defaults
from mcbrain.plan.plans import Plan, User
from mcbrain.plan.shards import parse_shard
from mcbrain.results.kept_replicates import write_replicates
from mcbrain.results.opening import open_plan
from mcbrain.results.writing import Written, about, write_results
from mcbrain.running.outcome import Reporter
from mcbrain.running.work_in_progress import complete
from mcbrain.store.blockstore import BlockStore, Name
from mcbrain.store.folder import ResultsFolder
from mcbrain.store.identity import code_identity
from mcbrain.store.kept_files import study_text
from mcbrain.store.lock import still, writing
from mcbrain.store.provenance import codes_of, run_entry, united
from mcbrain.store.segments import write_segment
from mcbrain.store.union import check_agreement, new_rows

__all__ = ["Merged", "merge"]


@dataclass
class Merged:
    """What a merge did.

    Attributes
    ----------
    folder : Path
        Where the merged results are.
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


@numpy_defaults
def merge(
    folders: Iterable[str | Path],
    out: str | Path,
    *,
    reuse_other_code: bool = False,
    reporter: Reporter | None = None,
) -> Merged:
    """Merge shards of one study; the same results, bit by bit, as of a run that was never cut.

    Where shards lack blocks, the merged rows rest on those that there are; a run in the merged
    folder computes the others.

    Parameters
    ----------
    folders : iterable of str or Path
        Results folders, of shards or not; they are not changed.
    out : str or Path
        Where the merged results go: another folder, empty or of the same study.
    reuse_other_code : bool
        Merge blocks that different versions of mcbrain or its libraries computed; the provenance
        of the rows then says so.
    reporter : Reporter, optional
        Told how far the merge is; default one that is silent.

    Returns
    -------
    Merged
        What was merged, which problems lack blocks, and what the user should know.

    Raises
    ------
    InputError
        `folders` is not a list, or it is empty; or `out` is among them.
    StoreError
        The folders are of different studies or different code, two of them hold different numbers
        for one block, or one of them is in use or of a newer format.
    """
    started, reporter = time.time(), reporter or Reporter()
    target, merged = ResultsFolder(out), Merged(Path(out))
    if isinstance(folders, (str, Path)) or not isinstance(folders, Iterable):
        raise InputError(f"folders = {folders!r}: a list of results folders is allowed")
    sources = _distinct([ResultsFolder(folder) for folder in folders], target, merged)
    study = _common_study(sources, merged)
    target.check(study)
    engine, _ = engine_for(study)
    stores = []
    with reporter.steps("reading shards", len(sources)) as tell:
        for source in sources:
            # Segments that have been read stay as they are, whatever their owner does next: one
            # lock at a time, since a thousand shards are more files than a process may have open.
            with still(source.path):
                stores.append(BlockStore(source.blocks, read_only=True, any_code=True))
            tell(len(stores))
    merged.notes += [note for store in stores for note in store.notes]
    held = BlockStore(target.blocks, read_only=True, any_code=True)
    codes = _common_code([target, *sources], [held, *stores], reuse_other_code)
    if others := {c for s in stores for c in s.counts() if c.digest in codes} - {code_identity()}:
        merged.notes.append(f"the blocks are of {next(iter(others)).name}, and so are the rows")
    before = BlockStore(target.blocks, read_only=True)
    for store in (before, *stores):
        store.use(codes, reuse_other_code)
    check_agreement([before, *stores], lambda name: _described(study, engine, before, name))
    with writing(target.path):
        store = BlockStore(target.blocks, codes=codes, any_code=reuse_other_code)
        fresh = new_rows(store, stores)
        if (first := next(fresh, None)) is not None:
            write_segment(target.blocks, itertools.chain([first], fresh))
        store.compact()
        plan = open_plan(study, engine, store)
        _look_for_gaps(plan, store, merged, reporter)
        former = target.record()
        record = {**about(study, engine, store, former), "merged": [str(s.path) for s in sources]}
        runs = united([former, *(source.record() for source in sources)])
        run = run_entry(started, 1, 0, 0)
        with reporter.steps("rows", study.n_points) as tell:
            merged.results = write_results(target, study, plan, store, record, runs, run, tell)
        write_replicates(target, plan, store)
    if merged.missing:
        merged.notes += _absent(sources)
    return merged


def _distinct(
    sources: list[ResultsFolder], target: ResultsFolder, merged: Merged
) -> list[ResultsFolder]:
    """The folders without repetitions, and none of them where the results go."""
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


def _common_code(
    sources: Sequence[ResultsFolder], stores: Sequence[BlockStore], any_code: bool
) -> list[str]:
    """The digest of the code that computed the blocks of all folders.

    It is that of the code that runs here where there are no blocks, and where blocks of any code
    are accepted.

    Raises
    ------
    StoreError
        They are of different code.
    """
    if any_code:
        return [code_identity().digest]
    found: dict[str, str] = {}
    for source, store in zip(sources, stores, strict=True):
        record, there = source.record(), store.counts()
        named = codes_of(record) if "code" in record else there
        for code in (code for code in named if code in there):
            found.setdefault(code.digest, f"{source.path} has blocks of {code.name}")
    if len(found) > 1:
        raise StoreError(
            f"the folders are of different code: {', '.join(found.values())}; rows over both "
            "would mean nothing, so nothing was merged; --reuse-other-code accepts them"
        )
    return list(found) or [code_identity().digest]


def _common_study(sources: Sequence[ResultsFolder], merged: Merged) -> Study:
    """The study that all folders share, their precision aside: the first folder's counts."""
    first, text = sources[0].study(), sources[0].study_file.read_bytes()
    asked = tomllib.loads(study_text(first))  # it names arrays by content, not by where they lie
    for source in sources[1:]:
        if source.study_file.is_file() and source.study_file.read_bytes() == text:
            continue
        study = source.study()
        table = tomllib.loads(study_text(study))
        for section in dict.fromkeys([*asked, *table]):
            here, there = asked.get(section), table.get(section)
            if section == "precision" and here != there:
                merged.notes.append(
                    f"precision differs between the folders; that of {sources[0].path} is used"
                )
            elif here != there:
                raise StoreError(
                    f"{source.path}: another study than in {sources[0].path}: "
                    f"{_difference(section, here, there)}"
                )
    merged.notes = list(dict.fromkeys(merged.notes))
    return first


def _difference(section: str, here: object, there: object) -> str:
    """The first setting that two studies do not share."""
    if isinstance(here, dict) and isinstance(there, dict):
        key = next(k for k in [*here, *there] if here.get(k) != there.get(k))
        return _difference(f"[{section}] {key}", here.get(key), there.get(key))
    return f"{section} = {there!r} there, {here!r} here".replace("None", "nothing")


def _look_for_gaps(plan: Plan[User], store: BlockStore, merged: Merged, reporter: Reporter) -> None:
    """Note which problems lack blocks that a run would have computed."""
    problems = plan.problems()
    merged.problems = len(problems)
    with reporter.steps("looking for gaps", len(problems)) as tell:
        for done, (problem, users) in enumerate(problems.items()):
            try:
                whole = all(complete(work, store) for work in plan.works(problem, users))
            except MissingPilotError:
                whole = False
            if not whole:
                merged.missing.append(plan.describe(problem, users))
            tell(done + 1)


def _described(study: Study, engine: str, store: BlockStore, name: Name) -> str:
    """In words, the problem that stores know by a name, of which its key is the first part."""
    plan = open_plan(study, engine, store)
    for problem, users in plan.problems().items():
        if problem.key == name[0]:
            return plan.describe(problem, users)
    return "a pilot"


def _absent(sources: Sequence[ResultsFolder]) -> list[str]:
    """Sentences that say which shards are not among the folders, or ended early."""
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
