"""What is wanted of a problem: a statistic of its replicates, named by content."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol, TypeVar

from mcbrain.asking.estimators import Estimator
from mcbrain.asking.metrics import Metric
from mcbrain.asking.penalty_rules import FIXED, Rule
from mcbrain.errors import unhandled
from mcbrain.population.shifts import Shift

__all__ = ["Encoding", "Fit", "Query", "Statistic", "only", "statistic_id"]


class Statistic(Protocol):
    """Anything that names one column of a problem's sums."""

    @property
    def label(self) -> str:
        """Name by content."""
        ...

    @property
    def id(self) -> int:
        """64-bit name, by content."""
        ...


S = TypeVar("S", bound=Statistic)


@dataclass(frozen=True)
class Encoding:
    """Stage 1 of a fit: one way to estimate a subspace from a replicate's recordings.

    Attributes
    ----------
    rank : int
        Rank of the subspace.
    penalty : float
        Ridge penalty per brain sample; NaN where each replicate chooses its own.
    rule : str
        "fixed" (the penalty is that number), "loo" or "gcv".
    """

    rank: int
    penalty: float
    rule: str = FIXED

    @property
    def selects(self) -> bool:
        """Whether each replicate chooses its own penalty from its recordings."""
        return Rule(self.rule).selects

    @property
    def shown(self) -> float | None:
        """The penalty as results show it; None where it differs by replicate."""
        return None if math.isnan(self.penalty) else self.penalty

    @property
    def label(self) -> str:
        """The penalty by content, or the rule that chooses it."""
        return self.rule if self.selects else repr(self.penalty)


@dataclass(frozen=True)
class Fit:
    """One estimator at one penalty, on one replicate's data.

    Attributes
    ----------
    estimator : Estimator
    rule : str
        "fixed" (the penalty is the number below), "loo" or "gcv".
    penalty : float
        Per-sample penalty; NaN where each replicate chooses its own.
    eta : float
        Share of the penalty that the spared subspace still feels.
    rank : int
        Rank of the estimated subspace.
    encoding_penalty : float
        Ridge penalty of stage 1 per brain sample; NaN where each replicate chooses its own.
    encoding_rule : str
        "fixed", "loo" or "gcv", of that penalty.
    """

    estimator: Estimator
    rule: str
    penalty: float
    eta: float
    rank: int
    encoding_penalty: float
    encoding_rule: str = FIXED

    @property
    def encoding(self) -> Encoding:
        """Stage 1 of it, which counts where brain data is used."""
        return Encoding(self.rank, self.encoding_penalty, self.encoding_rule)

    @cached_property
    def selects(self) -> bool:
        """Whether each replicate chooses its own penalty from its data."""
        return Rule(self.rule).selects

    @property
    def in_force(self) -> float:
        """The per-sample penalty that acts, whatever was chosen; NaN where it is not known yet."""
        return self.estimator.in_force(self.penalty)

    def summed(self, n_task: int) -> float:
        """The penalty in force on a sum of squares over so many samples (theory/README.md 2).

        Parameters
        ----------
        n_task : int

        Returns
        -------
        float
        """
        return self.in_force * n_task

    @property
    def shown(self) -> float | None:
        """The per-sample penalty as results show it.

        None where it differs by replicate, or where the estimator leaves nothing to penalise.
        """
        nothing = self.estimator.penalty == "infinite" or self.estimator.own is not None
        if nothing or math.isnan(self.penalty):
            return None
        return self.penalty

    @cached_property
    def label(self) -> str:
        """Name by content; encoding settings count only where brain data is used."""
        parts = [self.estimator.name, self.rule, repr(self.penalty), repr(self.eta)]
        if self.estimator.own is not None:
            parts = [self.estimator.own.label]
        if self.estimator.uses_brain:
            parts += [f"rank={self.rank}", f"encoding={self.encoding.label}"]
        return " ".join(parts)


@dataclass(frozen=True)
class Query:
    """One column of a sampled problem's sums: a fit under a shift, against that of the baseline.

    Attributes
    ----------
    fit : Fit
    shift : Shift
    baseline : Fit or None
        What the fit is compared with on the same data.
    metric : Metric or None
        What is measured of both; None for the excess risk.
    """

    fit: Fit
    shift: Shift
    baseline: Fit | None
    metric: Metric | None = None

    @cached_property
    def label(self) -> str:
        """Name by content."""
        versus = self.baseline.label if self.baseline else "nothing"
        measured = f" | {self.metric.label}" if self.metric else ""
        return f"{self.fit.label} | {self.shift.content} | versus {versus}{measured}"

    @property
    def of_baseline(self) -> Query:
        """The same of the baseline; of the fit itself where there is none."""
        return replace(self, fit=self.baseline or self.fit)

    @property
    def risk(self) -> Query:
        """The excess risk of the same fit, beside which a metric stands."""
        return self if self.metric is None else replace(self, metric=None)

    @cached_property
    def id(self) -> int:
        """64-bit name of the statistic."""
        return statistic_id(self.label)


def only(kind: type[S], statistics: tuple[Statistic, ...]) -> tuple[S, ...]:
    """The same statistics, known to be of one kind.

    Parameters
    ----------
    kind : type
    statistics : tuple of Statistic

    Returns
    -------
    tuple of `kind`

    Raises
    ------
    NotImplementedError
        One of them is of another kind.
    """
    found = tuple(s for s in statistics if isinstance(s, kind))
    if len(found) < len(statistics):
        other = next(s for s in statistics if not isinstance(s, kind))
        raise unhandled("statistic", other.label, f"an engine that computes a {kind.__name__}")
    return found


def statistic_id(label: str) -> int:
    """64-bit name of a statistic, by content.

    Parameters
    ----------
    label : str
        Its name by content.

    Returns
    -------
    int
    """
    return int.from_bytes(hashlib.blake2b(label.encode(), digest_size=8).digest(), "little")
