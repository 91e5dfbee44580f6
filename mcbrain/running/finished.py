"""Whether a folder is what a run would leave behind, so that there is nothing to do."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from contextlib import suppress
from hashlib import blake2b
from importlib.resources import files
from importlib.resources.abc import Traversable

from mcbrain.results.tables import open_results
from mcbrain.running.outcome import Outcome
from mcbrain.running.setup import Setup
from mcbrain.store.atomic import mapped, write_text
from mcbrain.store.blockstore import BlockStore
from mcbrain.store.identity import code_identity
from mcbrain.store.kept_files import kept_files, study_text
from mcbrain.store.provenance import versions

__all__ = ["note_finished", "recall"]


def note_finished(setup: Setup, store: BlockStore, outcome: Outcome) -> None:
    """Note that a run has come to its end, with a digest of the files that it left.

    Nothing is noted of a shard, nor of a run that was stopped.

    Parameters
    ----------
    setup : Setup
        The study, its engine, its folder and the part that was run.
    store : BlockStore
        The blocks of the folder.
    outcome : Outcome
        What the run did, whose counts a later `recall` gives again.

    Raises
    ------
    StoreError
        The note cannot be written.
    """
    if setup.part is not None or outcome.stopped:
        return
    needed = outcome.reused + outcome.computed
    note = {"of": _digest(setup, store), "blocks": needed, "problems": outcome.problems}
    text = json.dumps(note)
    with suppress(OSError):
        if setup.folder.finished.read_bytes() == text.encode():
            return
    write_text(setup.folder.finished, text)


def recall(setup: Setup, store: BlockStore, outcome: Outcome) -> bool:
    """Whether a run that has come to its end left all that this one would, to the last byte.

    A file that was altered, a block that came or went, another study text, another line of mcbrain
    or another version of what it computes with: each of them makes the rows be computed and
    compared again.

    Parameters
    ----------
    setup : Setup
        The study, its engine, its folder and the part that is to be run.
    store : BlockStore
        The blocks of the folder.
    outcome : Outcome
        Where the answer is yes, it is filled in: all needed blocks were there before.

    Returns
    -------
    bool
        False for a shard, where nothing was noted, and where a block is damaged.
    """
    try:
        note = json.loads(setup.folder.finished.read_text(encoding="ascii"))
        blocks, problems = int(note["blocks"]), int(note["problems"])
        same = setup.part is None and note["of"] == _digest(setup, store)
    except (OSError, ValueError, KeyError, TypeError):
        return False
    if not same or store.notes:  # a store has notes where some of its blocks are damaged
        return False
    outcome.results.count(open_results(setup.folder.path))
    outcome.reused, outcome.problems, outcome.owned = blocks, problems, problems
    return True


def _digest(setup: Setup, store: BlockStore) -> str:
    """Everything that the files of a folder follow from, and those files."""
    home = setup.folder
    digest = blake2b(digest_size=16)
    asked = [study_text(setup.study), setup.engine, setup.any_code, code_identity().text]
    digest.update(repr([*asked, sorted(versions().items()), store.contents()]).encode())
    for name, content in _sources(files("mcbrain"), ""):
        digest.update(f"{name} {zlib.crc32(content)} {len(content)}\n".encode())
    written = (home.results, home.brain, home.study_file, home.provenance_file)
    for path in (*written, *kept_files(home.path, setup.study)):
        with mapped(path) as source:
            digest.update(f"{path.name} {zlib.crc32(source.read_buffer())}\n".encode())
    return digest.hexdigest()


def _sources(folder: Traversable, path: str) -> Iterator[tuple[str, bytes]]:
    """Every module of mcbrain: rows follow from laws, plans and statuses as well as from blocks."""
    for item in sorted(folder.iterdir(), key=lambda item: item.name):
        if item.is_dir():
            yield from _sources(item, f"{path}{item.name}/")
        elif item.name.endswith((".py", ".csv")):
            yield path + item.name, item.read_bytes()
