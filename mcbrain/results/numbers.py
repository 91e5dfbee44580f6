"""What replicates say of an output: every column that follows from its sums, computed once.

A column that is filled from replicates (`columns.py`) is an attribute of that name: of `Estimates`
if it follows from the means and errors that every engine has, of `Sample` if it needs the sums of
whole replicates. Whether its moment exists is decided here too, by the column's record.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from mcbrain.blocks.histogram import Histogram
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


def _no_sums(name: str) -> float:
    return math.nan


@dataclass(frozen=True, kw_only=True)
class Sample(Estimates[float]):
    """What the sums over whole replicates say of one output; NaN where they say nothing.

    Its numbers are NumPy's, whose divisions by 0 raise nothing.

    Attributes
    ----------
    count : float
        Replicates with a value.
    m2 : float
        Centred sum of squares of their excess risks.
    p_better : float
        Share of the replicates that beat the baseline on the same data.
    histogram : Histogram
        Of the excess risks.
    total : callable
        Name of a stored sum that blocks add up (`blocks/sums.py`) -> its total.
    """

    count: float
    m2: float
    p_better: float
    histogram: Histogram = field(default_factory=Histogram)
    total: Callable[[str], float] = _no_sums

    @property
    def sd(self) -> float:
        """Standard deviation of the excess risk over replicates."""
        return math.sqrt(self.m2 / (self.count - 1)) if self.count > 1 else math.nan

    @property
    def q05(self) -> float:
        """5 % quantile over replicates."""
        return self.histogram.quantile(0.05)

    @property
    def median(self) -> float:
        """50 % quantile over replicates."""
        return self.histogram.quantile(0.5)

    @property
    def q95(self) -> float:
        """95 % quantile over replicates."""
        return self.histogram.quantile(0.95)


NOTHING = Sample(
    replicates=0,
    failed=0,
    seconds=0.0,
    mean=math.nan,
    mcse=math.nan,
    gain=math.nan,
    gain_mcse=math.nan,
    count=np.float64(0.0),
    m2=np.float64(0.0),
    p_better=math.nan,
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
    def of(cls, status: str, baseline: str = "ok") -> Missing:
        """What an output lacks by the words for its moments.

        Parameters
        ----------
        status, baseline : str
            Of the output, and of its baseline; see `plan/statuses.row_status`.

        Returns
        -------
        Missing
        """
        return cls(
            status in NO_MEAN, status in NO_VARIANCE, baseline in NO_MEAN, baseline in NO_VARIANCE
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


def numbers(found: Estimates[float], writer: str, missing: Missing) -> dict[str, float | None]:
    """The columns of a row that follow from replicates.

    Parameters
    ----------
    found : Estimates
    writer : str
        Who makes the row.
    missing : Missing

    Returns
    -------
    dict
        Value by column; None where the moment does not exist, or the value is not finite.
    """
    return {
        column.name: value if math.isfinite(value) and not missing.lacks(column) else None
        for column, value in _values(found, writer)
    }


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
