"""Z-scores, and what many of them say together: bounds for a family, and calibration."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike

__all__ = [
    "Check",
    "Score",
    "calibrated",
    "difference_score",
    "family_bound",
    "held",
    "score_table",
    "two_sided_score",
]


@dataclass(frozen=True)
class Score:
    """One comparison of two independent estimates of one number.

    Attributes
    ----------
    family : str
        The check that the score belongs to.
    cell : int
        Place in the seeded design; scores of one cell share data.
    what : str
        What is compared, in words.
    z : float or None
        Standard normal if the two agree; None where no normal distribution can be promised.
    excluded : str
        Why there is no z; empty otherwise.
    setting : str
        The cell in words.
    input_dim, n_task, n_brain, rank : int
        The cell in numbers.
    estimator : str
        Name of the estimator.
    penalty : float or None
        Its penalty; None where there is none, or one that is chosen.
    shift : str
        The shift in text.
    engine : str
        What simulated `mean`.
    replicates : int
        Behind `mean`.
    mean, mcse : float or None
        The first estimate and its standard error.
    reference, reference_se : float or None
        The second estimate, by a law or another engine, and its standard error.
    asymptotic : float or None
        What an approximate law says of the same number.
    """

    family: str
    cell: int
    what: str
    z: float | None
    excluded: str = ""
    setting: str = ""
    input_dim: int = 0
    n_task: int = 0
    n_brain: int = 0
    rank: int = 0
    estimator: str = ""
    penalty: float | None = None
    shift: str = ""
    engine: str = ""
    replicates: int = 0
    mean: float | None = None
    mcse: float | None = None
    reference: float | None = None
    reference_se: float | None = None
    asymptotic: float | None = None


@dataclass(frozen=True)
class Check:
    """One question of the certificate, answered.

    Attributes
    ----------
    name : str
        The question, in a few words.
    tests : int
        How many numbers were tested.
    statistic, bound : float
        The check passes where statistic <= bound.
    alarm : float
        Probability that the check fails although everything is true, at most.
    sentence : str
        What was found.
    """

    name: str
    tests: int
    statistic: float
    bound: float
    alarm: float
    sentence: str

    @property
    def passed(self) -> bool:
        """Whether the check passed; a statistic that is not a number, or no test at all, fails."""
        return self.tests > 0 and self.statistic <= self.bound


def difference_score(
    mean: float,
    error: float,
    reference: float,
    reference_error: float = 0.0,
    *,
    dof: float,
    reference_dof: float = math.inf,
) -> float:
    """Normal score of a difference by Welch's t test.

    Parameters
    ----------
    mean : float
        The first estimate.
    error : float
        Its standard error.
    reference : float
        The second estimate.
    reference_error : float
        Its standard error; 0 for a number that is known.
    dof, reference_dof : float
        Degrees of freedom behind each standard error.

    Returns
    -------
    float
        The normal quantile at the t statistic's tail probability, so that few replicates are not
        mistaken for a wrong law.
    """
    from scipy.special import ndtri
    from scipy.stats import t

    total = error**2 + reference_error**2
    rounding = 1e-12 * max(abs(mean), abs(reference))
    if total <= rounding**2:
        return 0.0 if abs(mean - reference) <= 4.0 * rounding else math.inf
    freedom = total**2 / (error**4 / dof + reference_error**4 / reference_dof)
    ratio = (mean - reference) / math.sqrt(total)
    tail = max(float(t.sf(abs(ratio), freedom)), 1e-300)
    return math.copysign(-float(ndtri(tail)), ratio)


def two_sided_score(p_value: float) -> float:
    """Normal score, >= 0, of the two-sided p value of another test.

    Parameters
    ----------
    p_value : float
        From 0 to 1.

    Returns
    -------
    float
        0 for a p value of 1.
    """
    from scipy.special import ndtri

    return max(-float(ndtri(max(p_value, 1e-300) / 2.0)), 0.0)


def family_bound(tests: int, alarm: float) -> float:
    """Bonferroni's bound on max |z| over a number of tests, valid whatever their dependence.

    Parameters
    ----------
    tests : int
        How many z-scores.
    alarm : float
        Probability that any of them exceeds the bound although all are standard normal, at most.

    Returns
    -------
    float
        The bound on |z|.
    """
    from scipy.special import ndtri

    return -float(ndtri(alarm / (2.0 * max(tests, 1))))


def held(name: str, scores: Sequence[Score], alarm: float) -> Check:
    """Whether every score of a family is below Bonferroni's bound; no score at all is a failure.

    Parameters
    ----------
    name : str
        Of the check.
    scores : sequence of Score
        The family, scores without a z included.
    alarm : float
        False-alarm rate of the check.

    Returns
    -------
    Check
        Of the largest |z|.
    """
    values = np.array([s.z for s in scores if s.z is not None])
    excluded = sum(s.z is None for s in scores)
    worst = float(np.max(np.abs(values))) if values.size else math.nan
    bound = family_bound(values.size, alarm)
    left_out = f"; {excluded} not scored" if excluded else ""
    sentence = f"{values.size} z-scores, largest |z| {worst:.2f}, bound {bound:.2f}{left_out}"
    return Check(name, int(values.size), worst, bound, alarm, sentence)


def calibrated(name: str, values: ArrayLike, alarm: float) -> list[Check]:
    """Whether independent z-scores are standard normal: Kolmogorov-Smirnov, and their squares.

    Parameters
    ----------
    name : str
        Of the check.
    values : array_like, shape (n,)
        One score per cell, so that they share no data.
    alarm : float
        Divided between the two tests.

    Returns
    -------
    list of Check
        One for the distribution and one for the variance; a single failed one without scores.
    """
    from scipy.stats import chi2, kstest

    z = np.asarray(values, float)
    if not z.size:
        return [Check(name, 0, math.nan, 0.0, alarm, "no score")]
    distance = two_sided_score(float(kstest(z, "norm").pvalue))
    total = float(np.sum(z**2))
    tail = 2.0 * min(float(chi2.sf(total, z.size)), float(chi2.cdf(total, z.size)))
    spread = two_sided_score(min(tail, 1.0))
    bound = family_bound(1, alarm / 2.0)
    size = f"{z.size} independent z-scores"
    return [
        Check(
            f"{name}: normal",
            z.size,
            distance,
            bound,
            alarm / 2.0,
            f"{size}, Kolmogorov-Smirnov score {distance:.2f}, bound {bound:.2f}",
        ),
        Check(
            f"{name}: variance",
            z.size,
            spread,
            bound,
            alarm / 2.0,
            f"{size}, mean square {total / z.size:.3f}, score {spread:.2f}, bound {bound:.2f}",
        ),
    ]


_TYPES: dict[str, pa.DataType] = {
    "str": pa.string(),
    "int": pa.int64(),
    "float | None": pa.float64(),
}


def score_table(scores: Sequence[Score]) -> pa.Table:
    """The scores as a table.

    Parameters
    ----------
    scores : sequence of Score
        All scores of a certificate.

    Returns
    -------
    pyarrow.Table
        A row for each score, a column for each field.
    """
    schema = pa.schema([pa.field(f.name, _TYPES[str(f.type)]) for f in fields(Score)])
    return pa.Table.from_pylist([asdict(s) for s in scores], schema)
