"""Results on disk: the rows of a plan, the brain moments beside them, study and provenance."""

from __future__ import annotations

import filecmp
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mcbrain.asking.studies import Study
from mcbrain.plan.plans import Plan, Tell, silent
from mcbrain.results.brain_rows import brain_batches
from mcbrain.results.column import schema_of
from mcbrain.results.columns import columns_of
from mcbrain.results.other_columns import BRAIN_SCHEMA
from mcbrain.store.atomic import mapped
from mcbrain.store.folder import ResultsFolder
from mcbrain.store.identity import code_identity
from mcbrain.store.kept_files import study_text
from mcbrain.store.protocol import Store
from mcbrain.store.provenance import content_hash, metadata
from mcbrain.store.segments import write_table

__all__ = ["Written", "about", "write_results"]


@dataclass
class Written:
    """What was written.

    Attributes
    ----------
    rows : int
    unmet, failed : int
        Outputs above their target standard error, and those with failed replicates.
    changed : bool
        Whether any file has changed.
    removed : list of Path
        The report of the former results, and its pictures.
    stale : list of Path
        Tables that were exported from the former results.
    """

    rows: int = 0
    unmet: int = 0
    failed: int = 0
    changed: bool = False
    removed: list[Path] = field(default_factory=list)
    stale: list[Path] = field(default_factory=list)

    def count(self, rows: pa.RecordBatch | pa.Table) -> None:
        """Count some rows.

        Parameters
        ----------
        rows : pyarrow.RecordBatch or Table
        """
        self.rows += rows.num_rows
        status = rows.column("status").cast(pa.string())
        self.unmet += pc.sum(pc.equal(status, "mcse_not_met")).as_py() or 0
        self.failed += pc.sum(pc.greater(rows.column("failed"), 0)).as_py() or 0


def about(
    study: Study, engine: str, store: Store, former: Mapping[str, object]
) -> Mapping[str, object]:
    """What a record says of the rows: their study, their engine, the code behind their blocks.

    Parameters
    ----------
    study : Study
    engine : str
    store : Store
    former : mapping
        The record that is there.

    Returns
    -------
    mapping
        What goes into the provenance, but for the runs.
    """
    text = study_text(study)
    # A study read from its own results folder has lost its comments; the record has kept them.
    own = former.get("study_sha256") == content_hash(study.text or text)
    written = former.get("study_text") if own else study.text
    found: dict[str, object] = {
        "study": study.name,
        "seed": study.seed,
        "engine": engine,
        "study_text": written or text,
        "study_sha256": content_hash(text),
        "code": [code.text for code in store.used or [code_identity()]],
    }
    return found | ({"other_code_accepted": True} if store.any_code else {})


def write_results(
    folder: ResultsFolder,
    study: Study,
    plan: Plan[Any],
    store: Store,
    record: Mapping[str, object],
    runs: Sequence[Mapping[str, object]],
    run: Mapping[str, object],
    tell: Tell = silent,
) -> Written:
    """Write results, brain moments, study and provenance, each whole or not at all.

    Where nothing has changed, no byte of them does, and the run is not added to the history.

    Parameters
    ----------
    folder : ResultsFolder
    study : Study
    plan : Plan
    store : Store
    record : mapping
        Provenance, but for the runs; see `about`.
    runs : sequence of mapping
        The runs before this one.
    run : mapping
        This run.
    tell : callable
        See `Plan.rows`.

    Returns
    -------
    Written
    """
    done = Written()

    def counted() -> Iterator[pa.RecordBatch]:
        for batch in plan.rows(store, tell):
            done.count(batch)
            yield batch

    parts = (
        (folder.results, schema_of(columns_of(study)), counted()),
        (folder.brain, BRAIN_SCHEMA, brain_batches(study, store, plan.penalties.subspaces)),
    )
    # As they would be if nothing had changed: then they are equal to those that are there.
    same = metadata({**record, "runs": list(runs)})
    drafts = [path.with_name(f".{path.name}.draft.tmp") for path, _, _ in parts]
    try:
        for draft, (_, schema, batches) in zip(drafts, parts, strict=True):
            write_table(draft, batches, schema.with_metadata(same))
        done.changed = bool(run["blocks"]) or not all(
            path.exists() and filecmp.cmp(draft, path, shallow=False)
            for draft, (path, _, _) in zip(drafts, parts, strict=True)
        )
        if done.changed:
            record = {**record, "runs": [*runs, run]}
            done.removed, done.stale = folder.drop_report(), folder.exports()
            for draft, (path, schema, _) in zip(drafts, parts, strict=True):
                _copy(draft, path, schema.with_metadata(metadata(record)))
        else:
            record = {**record, "runs": list(runs)}
    finally:
        for draft in drafts:
            draft.unlink(missing_ok=True)
    folder.keep_study(study)
    folder.keep_record(record)
    return done


def _copy(draft: Path, path: Path, schema: pa.Schema) -> None:
    """The same rows under other metadata."""
    with mapped(draft) as source:
        reader = pa.ipc.open_file(source)
        write_table(path, (reader.get_batch(i) for i in range(reader.num_record_batches)), schema)
