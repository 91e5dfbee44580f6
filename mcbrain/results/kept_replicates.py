"""Replicates that a run has kept: a file for each point, a row for each replicate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pyarrow as pa

from mcbrain.asking.estimators import Method
from mcbrain.asking.studies import Point, Study
from mcbrain.blocks.query import Query
from mcbrain.blocks.sums import reason_of
from mcbrain.errors import MissingPilotError
from mcbrain.plan.plans import Plan, Tell, User, silent
from mcbrain.plan.point_plan import PointPlan
from mcbrain.results.failed import failed
from mcbrain.store.atomic import mapped
from mcbrain.store.blockstore import BlockStore
from mcbrain.store.folder import ResultsFolder
from mcbrain.store.segments import write_table

__all__ = ["most_bytes", "output_name", "write_replicates"]

_BATCH = 65_536  # replicates that are written at a time
_TOGETHER = 4_000_000  # numbers that are in memory at a time


def output_name(method: Method) -> str:
    """What an output is called, its shift aside: the estimator and how its penalty is chosen.

    Parameters
    ----------
    method : Method

    Returns
    -------
    str
        Such as "befs=optimal" or "ridge=0.3", as the option `--estimator` spells it, or for a
        plug-in "mine { alpha = 0.1 }"; behind it in brackets what is special about its encoder.
    """
    rule, own = method.rule, method.estimator.own
    name = f"{method.estimator.name}={repr(rule.value) if rule.fixed else rule.kind}"
    if own is not None:
        name = f"{method.estimator.name} {own.spelt}" if own.values else method.estimator.name
    return f"{name} ({method.encoder.words})" if method.encoder.words else name


def most_bytes(study: Study) -> int:
    """Bytes that kept replicates take at most: in the blocks, and once more in their files.

    Parameters
    ----------
    study : Study

    Returns
    -------
    int
        Of 8 bytes for each number; blocks of replicates that are cut short take as much.
    """
    outputs = len(study.methods) * len(study.shifts)
    probes = 0
    if study.output.bias_variance:
        probes = len(study.methods) * (2 + max(model.latent_dim for model in study.models))
    chosen = sum(method.rule.selects for method in study.methods)
    measured, rules = outputs * len(study.metrics), chosen * len(study.shifts)
    in_blocks, in_files = outputs + measured + probes + rules, 1 + outputs + chosen
    return 8 * study.n_points * study.precision.max_replicates * (in_blocks + in_files)


def write_replicates(
    home: ResultsFolder, plan: Plan[User], store: BlockStore, tell: Tell = silent
) -> None:
    """Write what each replicate behind the rows says, a file for each point.

    A file that holds just that already is left as it is; files of points that the study has no
    more are removed.

    Parameters
    ----------
    home : ResultsFolder
    plan : Plan
        Of a study whose replicates are kept.
    store : BlockStore
        The blocks behind the rows, all on disk.
    tell : callable, optional
        Told, again and again, how many points have their files.

    Raises
    ------
    UnfinishedError
        Disk full, folder not writable. Each file is whole, old or new.
    """
    if not plan.study.output.replicates or not isinstance(plan, PointPlan):
        return
    there = set(home.replicates.glob("point-*.arrow"))
    for point in plan.study.points():
        path = home.replicates / f"point-{point.index:06d}.arrow"
        try:
            content = _Content.of(plan, store, point)
        except MissingPilotError:  # of a shard that is yet to be merged
            continue
        there.discard(path)
        if content.outputs and not _holds(path, content.name):
            write_table(path, content.batches(store), content.schema)
        tell(point.index + 1)
    for path in there:
        path.unlink()


@dataclass(frozen=True)
class _Output:
    """One output of a point: its names, and the blocks that its row rests on."""

    method: str
    shift: str
    query: Query
    blocks: int

    @property
    def name(self) -> str:
        return f"{self.method} {self.shift}"


@dataclass(frozen=True)
class _Content:
    """What the file of a point is to hold.

    Attributes
    ----------
    plan : PointPlan
    point : Point
    outputs : list of _Output
        Those that are defined, in the order of the results.
    """

    plan: PointPlan
    point: Point
    outputs: list[_Output]

    @classmethod
    def of(cls, plan: PointPlan, store: BlockStore, point: Point) -> _Content:
        work = plan.work(point)
        stops = work.stops(store.of(work.problem))
        names = ((m, s.label) for m in plan.study.methods for s in plan.study.shifts)
        outputs = [
            _Output(output_name(method), shift, query, stops[query].blocks)
            for (method, shift), query in zip(names, plan.queries(point), strict=True)
            if query is not None
        ]
        return cls(plan, point, outputs)

    @property
    def name(self) -> str:
        """What the content follows from: equal names are equal files."""
        problem = self.plan.problem(self.point)
        asked = [(o.name, o.query.id, o.blocks) for o in self.outputs]
        text = repr((self.point.index, problem.key, problem.seed, asked))
        return blake2b(text.encode(), digest_size=16).hexdigest()

    @property
    def choosing(self) -> dict[str, Query]:
        """Of each method that chooses its penalty, by name, an output: all shifts share it."""
        return {o.method: o.query for o in reversed(self.outputs) if o.query.fit.selects}

    @property
    def schema(self) -> pa.Schema:
        """Columns with what they mean; the file's name by content is in the metadata."""
        fields = [pa.field("replicate", pa.int64(), False, {"meaning": "as `replay` counts them"})]
        for one in self.outputs:
            note = {"meaning": "excess risk; null where it failed, or its row has stopped before"}
            fields.append(pa.field(one.name, pa.float64(), metadata=note))
        for name in self.choosing:
            note = {"meaning": "per-sample penalty that the replicate has chosen"}
            fields.append(pa.field(f"penalty {name}", pa.float64(), metadata=note))
        fields.append(pa.field("failure", pa.string(), metadata={"meaning": "outputs, and why"}))
        own = {"mcbrain.replicates": self.name, "mcbrain.point": str(self.point.index)}
        return pa.schema(fields, metadata=own)

    def batches(self, store: BlockStore) -> Iterator[pa.RecordBatch]:
        """The rows, so many at a time that memory does not grow with their number."""
        problem = self.plan.problem(self.point)
        stored, size, schema = store.of(problem), problem.block_size, self.schema
        ids = [one.query.id for one in self.outputs]
        choosing = [query.id for query in self.choosing.values()]
        ends = np.array([one.blocks * size for one in self.outputs])
        last = max((one.blocks for one in self.outputs), default=0)
        step = max(min(_BATCH, _TOGETHER // len(ids)) // size, 1)
        failures = self._failures(store, size)
        for first in range(0, last, step):
            blocks = range(first, min(first + step, last))
            replicate = np.arange(blocks.start * size, blocks.stop * size)
            values = stored.kept(ids, blocks, size)
            values[replicate[:, None] >= ends] = np.nan
            columns = [*values.T, *stored.chosen(choosing, blocks, size).T]
            words = [failures.get(number) for number in replicate.tolist()] if failures else None
            yield pa.RecordBatch.from_arrays(
                [
                    pa.array(replicate),
                    *(pa.array(column, from_pandas=True) for column in columns),
                    pa.nulls(replicate.size, pa.string()) if words is None else pa.array(words),
                ],
                schema=schema,
            )

    def _failures(self, store: BlockStore, size: int) -> dict[int, str]:
        """Which outputs failed on a replicate, and why, in words."""
        names = {one.query.id: one.name for one in self.outputs}
        found: dict[int, list[str]] = {}
        for (block, place, query), code in failed(store, self.plan.problem(self.point)).items():
            if query in names:
                sentence = f"{names[query]}: {reason_of(code)}"
                found.setdefault(block * size + place, []).append(sentence)
        return {number: "; ".join(words) for number, words in found.items()}


def _holds(path: Path, name: str) -> bool:
    """Whether a file is the one of a name by content."""
    try:
        with mapped(path) as source:
            metadata = pa.ipc.open_file(source).schema.metadata or {}
    except (OSError, pa.ArrowException):
        return False
    return bool(metadata.get(b"mcbrain.replicates") == name.encode())
