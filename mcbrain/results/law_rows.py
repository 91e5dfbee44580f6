"""Engine `law`: the rows of a study from the laws alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Never

import pyarrow as pa

from mcbrain.asking.estimators import Method
from mcbrain.asking.from_python import EncoderPenalty, Rank, Samples, adhoc_study
from mcbrain.asking.studies import Point, Study
from mcbrain.blocks.problem import Problem
from mcbrain.errors import InputError
from mcbrain.plain import numpy_defaults
from mcbrain.plan.penalties import Penalties
from mcbrain.plan.plans import Plan, Tell, Work, silent
from mcbrain.plan.statuses import has_mean, row_status
from mcbrain.plan.subspaces import LawSubspaces
from mcbrain.population.model import Model
from mcbrain.population.shifts import Shift
from mcbrain.results.column import LAW_ROWS, schema_of
from mcbrain.results.columns import columns_of
from mcbrain.results.numbers import NOTHING, Missing, numbers
from mcbrain.results.predictor import Prediction, Predictor, no_metrics
from mcbrain.results.reasons import FEW_BRAIN_SAMPLES, NO_OPTIMUM
from mcbrain.results.row_writers import RowWriter
from mcbrain.results.settings import of_fit, settings
from mcbrain.store.blockstore import BlockStore
from mcbrain.store.protocol import Store

__all__ = ["LawRows", "law_rows", "law_table", "predict"]


@numpy_defaults
def predict(
    model: Model,
    n_task: Samples | None = None,
    n_brain: Samples | str | None = None,
    estimators: Mapping[str, object] | None = None,
    shifts: Iterable[str] = ("id",),
    *,
    rank: Rank = None,
    encoding_penalty: EncoderPenalty = 0.0,
    penalty_scale: str = "per-sample",
    seed: int = 0,
    points: Iterable[Sequence[int]] | None = None,
    where: str | None = None,
    metrics: Iterable[str] = (),
) -> pa.Table:
    """The risk of each estimator from the laws alone (theory/README.md 4 and 5).

    Parameters
    ----------
    model : Model
    n_task, n_brain : int or iterable of int, optional
        Task and brain samples; a grid of both is predicted. `n_brain` may be an expression of
        n_task, such as "2 * n_task"; without it there is no brain data.
    estimators : mapping, optional
        Name to penalty rule, as in a study; default ols, ridge, befs and befs-oracle, tuned.
    shifts : iterable of str
        Test laws in text, such as "brain-insensitive:4".
    rank : int or sequence of int, optional
        Rank of the estimated subspace, default the measured latents; several make a row for each.
    encoding_penalty : float, str, mapping, or sequence of these
        Ridge penalty of the encoder: a number per brain sample, "optimal", "loo", "gcv" or a grid,
        as in a study; several make a row for each.
    penalty_scale : str
        "per-sample" or "sum".
    seed : int
        Seed of the directions in which brain, task and shifts lie, which matter where the inputs'
        covariance is not the identity; of imagined recordings; and of a `spectrum` shift.
    points : iterable of pairs of int, optional
        (n_task, n_brain), in the place of `n_task` and `n_brain`.
    where : str, optional
        A condition on the points, such as "n_brain <= 10 * n_task"; as in a study.
    metrics : iterable of str
        What is predicted beside the excess risk, such as "error_rate".

    Returns
    -------
    pyarrow.Table
        A row per output, columns as in a results file: `predicted`, and in `prediction` the kind of
        law; the simulated columns are null. Where no law holds, `status` is "undefined" and
        `reason` says why.

    Raises
    ------
    InputError
        What was asked has no meaning for the model.
    """
    study = adhoc_study(
        model,
        n_task,
        n_brain,
        estimators,
        shifts,
        seed=seed,
        rank=rank,
        encoding_penalty=encoding_penalty,
        penalty_scale=penalty_scale,
        points=points,
        where=where,
        metrics=metrics,
        engine="law",
    )
    return law_table(study)


def law_table(study: Study) -> pa.Table:
    """Every row of a study, predicted; see `law_rows`.

    Parameters
    ----------
    study : Study

    Returns
    -------
    pyarrow.Table
    """
    return pa.Table.from_batches(law_rows(study), schema_of(columns_of(study)))


class LawRows(Plan[Never]):
    """The plan of the engine that simulates nothing: it has no problems, and rows all the same.

    Parameters
    ----------
    study : Study
    """

    kind, stage = "law", "laws"

    def __init__(self, study: Study) -> None:
        self.study = study
        self.penalties = Penalties(study, LawSubspaces(study))

    def problems(self) -> Mapping[Problem, Sequence[Never]]:
        """None.

        Returns
        -------
        mapping
            Empty.
        """
        return {}

    def most(self, problem: Problem) -> int:
        """None.

        Parameters
        ----------
        problem : Problem

        Returns
        -------
        int
            Zero.
        """
        return 0

    def points(self, users: Sequence[Never]) -> Sequence[Point]:
        """None, since there is no problem that could have users.

        Parameters
        ----------
        users : sequence
            Nobody.

        Returns
        -------
        sequence of Point
            Empty.
        """
        return ()

    def works(self, problem: Problem, users: Sequence[Never]) -> Iterator[Work]:
        """None.

        Parameters
        ----------
        problem : Problem
            Of another engine.
        users : sequence
            Nobody.

        Yields
        ------
        Work
            Never.
        """
        yield from ()

    def describe(self, problem: Problem, users: Sequence[Never]) -> str:
        """A problem in words; it is another engine's.

        Parameters
        ----------
        problem : Problem
            Of another engine.
        users : sequence
            Nobody.

        Returns
        -------
        str
        """
        return f"{problem.kind} problem"

    def rows(self, store: Store, tell: Tell = silent) -> Iterator[pa.RecordBatch]:
        """See `law_rows`; nothing is read from the store.

        Parameters
        ----------
        store : Store
        tell : callable
            See `Plan.rows`.

        Returns
        -------
        iterator of pyarrow.RecordBatch
        """
        return law_rows(self.study, tell)

    def failures(self, store: BlockStore) -> Iterator[dict[str, object]]:
        """None.

        Parameters
        ----------
        store : BlockStore

        Yields
        ------
        dict
            Never.
        """
        yield from ()


def law_rows(study: Study, tell: Tell = silent) -> Iterator[pa.RecordBatch]:
    """Rows whose `predicted` is the law's and whose simulated columns are null, in batches.

    Parameters
    ----------
    study : Study
    tell : callable
        See `Plan.rows`.

    Yields
    ------
    pyarrow.RecordBatch
    """
    subspaces = LawSubspaces(study)
    penalties, predictor = Penalties(study, subspaces), Predictor(study, subspaces)
    writer = RowWriter(columns_of(study), LAW_ROWS, study)
    for point in study.points():
        for method, shift, row in settings(study, "law", point):
            writer.add({**row, **_law_columns(study, penalties, predictor, point, method, shift)})
        tell(point.index + 1)
        if writer.room <= 0:
            yield writer.take()
    yield writer.take()


def _law_columns(
    study: Study,
    penalties: Penalties,
    predictor: Predictor,
    point: Point,
    method: Method,
    shift: Shift,
) -> dict[str, object]:
    if study.undefined(method, point):
        return _without_number(study, FEW_BRAIN_SAMPLES, None)
    try:
        fit = penalties.fit(method, point, shift)
    except InputError:
        return _without_number(study, NO_OPTIMUM, None)
    law = predictor.predict(point, method, shift, fit)
    status = row_status(fit, point)
    if law.reason is not None and has_mean(status):
        return _without_number(study, law.reason, fit.shown)
    standing = {"status": status, "reason": None, **of_fit(method, point, fit)}
    metrics = predictor.metrics(point, method, shift, fit)
    return {**_NOT_SIMULATED, **law.columns(), **standing, **metrics}


_NOT_SIMULATED = next(numbers(NOTHING, LAW_ROWS, Missing.of(["ok"])))


def _without_number(study: Study, reason: str, penalty: float | None) -> dict[str, object]:
    standing = {"status": "undefined", "reason": reason, "penalty": penalty}
    return {**_NOT_SIMULATED, **Prediction().columns(), **standing, **no_metrics(study)}
