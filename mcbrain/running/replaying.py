"""One raw replicate again: its data, rebuilt by NumPy alone, and its numbers, by the engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mcbrain.asking.studies import Point, Study
from mcbrain.blocks.problem import RawProblem
from mcbrain.blocks.query import Encoding, Fit, Query
from mcbrain.engines import engine_for
from mcbrain.errors import InputError
from mcbrain.plain import numpy_defaults, whole
from mcbrain.plan.penalties import Penalties
from mcbrain.plan.subspaces import PilotSubspaces
from mcbrain.results.point_rows import PointRows
from mcbrain.results.settings import ENCODER
from mcbrain.running.data_sets import DataSet, block_data_sets
from mcbrain.running.recipe import recipe
from mcbrain.store.atomic import replacing
from mcbrain.store.blockstore import blocks_behind
from mcbrain.store.folder import ResultsFolder
from mcbrain.typing import Floats

__all__ = ["Replay", "check_npz", "rebuild", "replay"]

# The fields of a data set that a replay has, in their order.
_KEPT = ("X", "y", "X_brain", "R", "brain_map", "beta", "channels")


@dataclass(frozen=True)
class Replay:
    """A replicate of a raw study.

    Attributes
    ----------
    data_set : DataSet
        What estimators are given, and the truth behind it: X (n_task, d), y (n_task,), X_brain
        (n_brain, d), R (n_brain, p), and the population's brain_map (k, d), beta (d,) and channels
        (p, k). In native coordinates, those of the independent components of the inputs; in the
        coordinates of x where the model was given an array in them.
    rows : list of dict
        Estimator, parameters (of a plug-in), rule, penalty, rank, encoding_rule, encoding_penalty,
        shift, excess and failure of each output. Penalties are per sample; where a rule is "loo" or
        "gcv", the one that it chose on this replicate; None where it has no meaning.
    block, place : int
        The block that holds the replicate, and its place there.
    recipe : str
        Lines of NumPy that rebuild the data without mcbrain.
    """

    data_set: DataSet
    rows: list[dict[str, object]]
    block: int
    place: int
    recipe: str

    @property
    def data(self) -> dict[str, Floats]:
        """The arrays of the data set by their names."""
        return {name: getattr(self.data_set, name) for name in _KEPT}

    def save(self, path: str | Path) -> None:
        """Write data and excess risks, labelled "estimator penalty shift", to an .npz file.

        Before the shift stand rank and penalty of an encoder that is not least squares.

        Parameters
        ----------
        path : str or Path
            Its name ends with .npz.

        Raises
        ------
        InputError
            Another name.
        StoreError
            The file cannot be written.
        """
        check_npz(path)
        excess = np.array([row["excess"] for row in self.rows])
        labels = [_label(row) for row in self.rows]
        with replacing(Path(path)) as sink:
            # Any: NumPy reads one of its own settings among the arrays' names.
            arrays: dict[str, Any] = {**self.data, "excess": excess, "labels": np.array(labels)}
            np.savez(sink, **arrays)


def check_npz(path: str | Path) -> None:
    """Refuse a name by which other programs would not know what is in a file of arrays.

    Parameters
    ----------
    path : str or Path
        Where arrays are to be saved.

    Raises
    ------
    InputError
        The name does not end with .npz, in letters of any case.
    """
    if Path(path).suffix.lower() != ".npz":
        raise InputError(f"--save {path}: arrays are kept as .npz; a name that ends so is allowed")


def _label(row: Mapping[str, object]) -> str:
    """What tells a row from others: an encoder is named where it is not least squares."""
    encoder = [row["rank"], _short(row["encoding_penalty"])] if row["encoding_penalty"] else []
    return " ".join(map(str, (row["estimator"], _short(row["penalty"]), *encoder, row["shift"])))


def _short(penalty: object) -> str:
    return "-" if penalty is None else format(penalty, "g")


@numpy_defaults
def replay(folder: str | Path, point: int, replicate: int, *, plugins: bool = False) -> Replay:
    """Draw and solve one replicate of a raw study again.

    Parameters
    ----------
    folder : str or Path
        Results folder.
    point : int
        Column `point` of the results.
    replicate : int
        Number of the replicate within the point, from 0.
    plugins : bool
        Whether the code of the study's plug-ins may run. Otherwise their outputs are left out.

    Returns
    -------
    Replay
        Its data, rebuilt by NumPy, and the excess risk of each output on them, by the engine.

    Raises
    ------
    InputError
        The folder holds no results, or those of another engine than raw; the study has no such
        point; or the replicate was never drawn.
    MissingPilotError
        A penalty rests on a pilot that is not complete.
    """
    home = ResultsFolder(folder)
    study = home.study()
    point, replicate = whole(point), whole(replicate)
    if not _is_index(point) or not 0 <= point < study.n_points:
        raise InputError(f"--point {point}: allowed is 0 to {study.n_points - 1}")
    engine, _ = engine_for(study)
    if engine != "raw":
        raise InputError(f"{home.path}: results of engine {engine}; only raw keeps data sets")
    store = blocks_behind(home)
    asked = study.numbered(point)
    if (own := asked.model.own_inputs) is not None and not plugins:
        raise InputError(
            f"{own.plugin.where}: the inputs '{own}' of this data set are drawn by the code of a "
            "plug-in; read it, then allow it with `mcbrain replay --plugins`, or plugins=True in "
            "Python"
        )
    plan = PointRows(study, "raw", Penalties(study, PilotSubspaces(study, store), store))
    risks = [q for q in plan.queries(asked) if q is not None]
    queries = tuple(every for q in risks for every in (q, *plan.measured(asked, q)))
    problem = RawProblem.of(asked.model, asked.n_task, asked.n_brain, study.seed)
    size = problem.block_size
    drawn = max((store.series(problem, [q.id]).n_blocks for q in queries), default=0) * size
    if not _is_index(replicate) or not 0 <= replicate < drawn:
        have = f"replicates 0 to {drawn - 1}" if drawn else "no replicates yet"
        raise InputError(f"--replicate {replicate}: point {point} has {have}")
    block, place = divmod(replicate, size)
    allowed = tuple(q for q in queries if plugins or q.fit.estimator.own is None)
    return Replay(
        data_set=rebuild(study, asked, problem, block, place),
        rows=_solve(problem, allowed, block, place),
        block=block,
        place=place,
        recipe=recipe(problem, block, place),
    )


def _is_index(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def rebuild(study: Study, point: Point, problem: RawProblem, block: int, place: int) -> DataSet:
    """Draw the data of a replicate again by NumPy's generators alone.

    Parameters
    ----------
    study : Study
        What is asked, with the settings of stage 1.
    point : Point
        The model, and the numbers of task and brain samples.
    problem : RawProblem
        The problem of this point, whose seed and key name the streams.
    block, place : int
        The number of the block that holds the replicate, and its place there, both from 0. All
        replicates of the block up to this one are drawn, since they share streams.

    Returns
    -------
    DataSet
    """
    encoding = Encoding(study.rank(point.model), 0.0)  # of its basis
    *_, last = block_data_sets(point.model, problem, block, place + 1, encoding)
    return last


def _solve(
    problem: RawProblem, queries: tuple[Query, ...], block: int, place: int
) -> list[dict[str, object]]:
    """Excess risk of each query on the replicate, by the engine's own kernels."""
    from mcbrain.blocks.sums import reason_of
    from mcbrain.engines.raw import bench
    from mcbrain.engines.sampled import drawn_each

    if not queries:
        return []
    drawn = drawn_each(bench, problem, queries, block, place + 1)
    chosen = drawn.penalties[place] / problem.n_task
    rows: list[dict[str, object]] = []
    for i, q in enumerate(queries):
        value = float(drawn.excess[place, i])
        if q.metric is not None:  # it stands behind the excess risk of its fit
            rows[-1][q.metric.name] = value
            continue
        own, code = q.fit.estimator.own, int(drawn.failures[place, i])
        rows.append(
            {
                "estimator": q.fit.estimator.name,
                "parameters": own.spelt if own else None,
                "rule": q.fit.rule,
                "penalty": float(chosen[i]) if q.fit.selects else q.fit.shown,
                **_encoder(q.fit, float(drawn.encodings[place, i]), problem.n_brain),
                "shift": q.shift.label,
                "excess": value,
                "failure": reason_of(code, own) if code else "",
            }
        )
    return rows


def _encoder(fit: Fit, chosen: float, n_brain: int) -> dict[str, object]:
    """Rank, rule and penalty of the encoder of a fit on a replicate; None where it has none."""
    if not fit.estimator.uses_brain or n_brain == 0:
        return dict.fromkeys(ENCODER)
    encoding = fit.encoding
    penalty = chosen / n_brain if encoding.selects else encoding.penalty
    return {"rank": encoding.rank, "encoding_rule": encoding.rule, "encoding_penalty": penalty}
