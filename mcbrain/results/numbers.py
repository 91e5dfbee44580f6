"""What replicates say of an output: every column that follows from its sums, computed once.

A column that is filled from replicates (`columns.py`) is an attribute of that name: of `Estimates`
if it follows from the means and errors that every engine has, of `Sample` if it needs the sums of
whole replicates. Whether its moment exists is decided here too, by the column's record.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from mcbrain.errors import unhandled
from mcbrain.plan.statuses import NO_MEAN, NO_VARIANCE
from mcbrain.results.column import Column
from mcbrain.results.columns import from_replicates
from mcbrain.typing import Floats, Integers

__all__ = ["NOTHING", "Estimates", "Missing", "Sample", "arrays", "numbers"]

N = TypeVar("N", float, Floats)


@dataclass(frozen=True, kw_only=True)
class Estimates(Generic[N]):
    """What every engine that simulates knows of its outputs: a number each, or arrays of one shape.

    Attributes
    ----------
    replicates, failed : int or ndarray
        Replicates behind the mean, and those that failed.
    seconds : float or ndarray
        Core seconds of the blocks.
    mean, mcse : float or ndarray
        Mean excess risk, and its Monte-Carlo standard error.
    gain, gain_mcse : float or ndarray
        The baseline's mean over this one's, and its standard error.
    """

    replicates: int | Integers
    failed: int | Integers
    seconds: N
    mean: N
    mcse: N
    gain: N
    gain_mcse: N


def _no_sums(name: str) -> Floats:
    return np.asarray(math.nan)


@dataclass(frozen=True, kw_only=True)
class Sample(Estimates[Floats]):
    """What the sums over whole replicates say of some outputs; NaN where they say nothing.

    Attributes
    ----------
    count : ndarray
        Replicates with a value.
    m2 : ndarray
        Centred sum of squares of their excess risks.
    p_better : ndarray
        Share of the replicates that beat the baseline on the same data.
    q05, median, q95 : ndarray
        Quantiles of the excess risk over replicates.
    bias2, bias2_mcse, variance, variance_mcse : ndarray
        What the mean is made of (`bias.py`), and standard errors; NaN where it is not known.
    total : callable
        Name of a stored sum that blocks add up (`blocks/sums.py`) -> its totals.
    """

    count: Floats
    m2: Floats
    p_better: Floats
    q05: Floats
    median: Floats
    q95: Floats
    bias2: Floats
    bias2_mcse: Floats
    variance: Floats
    variance_mcse: Floats
    total: Callable[[str], Floats] = _no_sums

    @property
    def sd(self) -> Floats:
        """Standard deviation of the excess risk over replicates."""
        return np.where(self.count > 1, np.sqrt(self.m2 / (self.count - 1)), math.nan)


_NO = np.asarray(math.nan)
NOTHING = Sample(
    replicates=np.asarray(0),
    failed=np.asarray(0),
    seconds=np.asarray(0.0),
    mean=_NO,
    mcse=_NO,
    gain=_NO,
    gain_mcse=_NO,
    count=np.asarray(0.0),
    m2=np.asarray(0.0),
    p_better=_NO,
    q05=_NO,
    median=_NO,
    q95=_NO,
    bias2=_NO,
    bias2_mcse=_NO,
    variance=_NO,
    variance_mcse=_NO,
)
"""What is known of an output without a replicate."""


@dataclass(frozen=True)
class Missing:
    """Which moments some outputs lack, and their baselines.

    Attributes
    ----------
    mean, variance : bool or ndarray of bool
        Of the outputs.
    base_mean, base_variance : bool or ndarray of bool
        Of their baselines.
    """

    mean: NDArray[np.bool_] | bool
    variance: NDArray[np.bool_] | bool
    base_mean: NDArray[np.bool_] | bool = False
    base_variance: NDArray[np.bool_] | bool = False

    @classmethod
    def of(cls, status: Sequence[str], baseline: Sequence[str] = ("ok",)) -> Missing:
        """What some outputs lack by the words for their moments.

        Parameters
        ----------
        status, baseline : sequence of str
            Of each output, and of its baseline, or one for all; see `plan/statuses.row_status`.

        Returns
        -------
        Missing
        """
        return cls(
            *(
                np.array([word in among for word in words], bool)
                for words in (status, baseline)
                for among in (NO_MEAN, NO_VARIANCE)
            )
        )

    def lacks(self, column: Column) -> NDArray[np.bool_] | bool:
        """Where a column is null, since a moment that it needs does not exist.

        Parameters
        ----------
        column : Column

        Returns
        -------
        bool or ndarray of bool
        """
        match column.needs:
            case "":
                return False
            case "mean":
                return self.mean | self.base_mean if column.against else self.mean
            case "variance":
                return self.variance | self.base_variance if column.against else self.variance
        raise unhandled("moment that a column needs", column.needs, "mcbrain/results/numbers.py")


def arrays(found: Estimates[N], writer: str, missing: Missing) -> dict[str, NDArray[np.generic]]:
    """`numbers` for many rows at once.

    Parameters
    ----------
    found : Estimates
        Arrays of one shape.
    writer : str
        Who makes the rows.
    missing : Missing

    Returns
    -------
    dict
        Array by column; NaN where the moment does not exist.
    """
    return {
        column.name: np.asarray(
            np.where(missing.lacks(column), math.nan, value) if column.needs else value
        )
        for column, value in _values(found, writer)
    }


def numbers(
    found: Estimates[Floats], writer: str, missing: Missing
) -> Iterator[dict[str, float | int | None]]:
    """The columns of rows that follow from replicates, row by row.

    Parameters
    ----------
    found : Estimates
        Arrays of shape (rows,), or numbers of one row.
    writer : str
        Who makes the rows.
    missing : Missing

    Returns
    -------
    iterator of dict
        Value by column; None where the moment does not exist, or the value is not finite.
    """
    columns = {name: _listed(v) for name, v in arrays(found, writer, missing).items()}
    return (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))


def _listed(values: NDArray[np.generic]) -> list[float | int | None]:
    """Numbers of Python, None for those that are not finite."""
    values = np.atleast_1d(values)
    found: list[float | int | None] = values.tolist()
    for i in np.flatnonzero(~np.isfinite(values)).tolist():
        found[i] = None
    return found


def _values(found: Estimates[N], writer: str) -> list[tuple[Column, N]]:
    """Each column that a writer fills from replicates, with its value."""
    values = []
    with np.errstate(all="ignore"):  # what is divided by 0 is not finite, and null
        for column in from_replicates(writer):
            name = column.name
            if not (name in found.__dataclass_fields__ or hasattr(type(found), name)):
                raise unhandled(
                    "result column", name, "what replicates say (mcbrain/results/numbers.py)"
                )
            values.append((column, getattr(found, name)))
    return values
