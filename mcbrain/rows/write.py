"""Results on disk: the rows of a plan, the brain moments beside them, study and provenance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mcbrain.plan.factored import FactoredPlan
from mcbrain.plan.sampled import SampledPlan
from mcbrain.rows.brain import brain_batches
from mcbrain.rows.columns import BRAIN_SCHEMA, RESULT_SCHEMA
from mcbrain.rows.factored import factored_rows
from mcbrain.rows.law import law_rows
from mcbrain.rows.predictor import Predictor
from mcbrain.rows.sampled import sampled_rows
from mcbrain.store.blockstore import BlockStore
from mcbrain.store.folder import ResultsFolder, metadata
from mcbrain.store.segments import write_table
from mcbrain.study import Study

__all__ = ["Written", "write_results"]


@dataclass
class Written:
    """Outputs written, those above their target standard error, those with failed replicates."""

    rows: int = 0
    unmet: int = 0
    failed: int = 0


def write_results(
    folder: ResultsFolder,
    study: Study,
    plan: FactoredPlan | SampledPlan | None,
    store: BlockStore,
    record: dict[str, Any],
) -> Written:
    """Write results, brain moments, study and provenance, each whole or not at all.

    Parameters
    ----------
    folder : ResultsFolder
    study : Study
    plan : FactoredPlan or SampledPlan, optional
        None for the engine `law`, which simulates nothing.
    store : BlockStore
    record : dict
        Provenance.

    Returns
    -------
    Written
    """
    done = Written()

    def counted() -> Iterator[pa.RecordBatch]:
        for batch in _rows(study, plan, store):
            status = batch.column("status").cast(pa.string())
            done.unmet += pc.sum(pc.equal(status, "mcse_not_met")).as_py() or 0
            done.failed += pc.sum(pc.greater(batch.column("failed"), 0)).as_py() or 0
            yield batch

    about = metadata(record)
    done.rows = write_table(folder.results, counted(), RESULT_SCHEMA.with_metadata(about))
    write_table(folder.brain, brain_batches(study, store), BRAIN_SCHEMA.with_metadata(about))
    folder.keep_study(study)
    folder.keep_record(record)
    return done


def _rows(
    study: Study, plan: FactoredPlan | SampledPlan | None, store: BlockStore
) -> Iterator[pa.RecordBatch]:
    if plan is None:
        return law_rows(study)
    if isinstance(plan, FactoredPlan):
        return factored_rows(plan, store)
    return sampled_rows(plan, store, Predictor(study, plan.penalties.subspaces))
