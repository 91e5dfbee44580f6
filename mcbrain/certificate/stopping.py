"""What stopping at a target does to a mean: its bias and the coverage of its interval.

The rule is the one of every run (theory/README.md 7): looks at 64 blocks and at doublings. It is
tried where it is weakest: on blocks of a single replicate, as in high dimension, and on blocks of
four, with targets that stop many runs at their first look.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mcbrain.asking.from_python import adhoc_study
from mcbrain.asking.studies import Precision
from mcbrain.blocks.series import FIRST_LOOK, Series, looks
from mcbrain.certificate.design import Extent
from mcbrain.certificate.replicate_draws import draws
from mcbrain.certificate.scores import Check, family_bound
from mcbrain.plan.stopping import precise_enough
from mcbrain.population.model import Model
from mcbrain.results.law_rows import law_table
from mcbrain.typing import Floats

__all__ = ["StoppingResult", "stopping_check", "stopping_results"]


_MAX_BLOCKS = 4 * FIRST_LOOK
_BLOCK_SIZES = (1, 4)
# Blocks that a run whose standard error came out as expected would need: an eighth more than the
# first look offers, so that chance decides which runs stop there.
_EXPECTED_BLOCKS = 72
# What the certificate allows: a bias of a quarter of the target, and coverage of 92 %.
_MAX_BIAS = 0.25
_MIN_COVERAGE = 0.92

_MODEL = Model(input_dim=10, latent_dim=2, n_channels=4, misalignment=0.2)
_ESTIMATORS = {"ols": 0.0, "ridge": 0.3, "befs-oracle": 0.3}


@dataclass(frozen=True)
class StoppingResult:
    """Runs of one problem to one target.

    Attributes
    ----------
    what : str
        The estimator whose mean was sought.
    runs, block : int
        Number of runs; replicates of a block.
    at_first_look : float
        Share of the runs that stopped at 64 blocks.
    bias, bias_error : float
        Mean of (estimate - law), and its standard error, both over the target standard error.
    coverage, coverage_error : float
        Share of the intervals estimate +- 1.96 mcse that hold the law's value, and its standard
        error.
    """

    what: str
    runs: int
    block: int
    at_first_look: float
    bias: float
    bias_error: float
    coverage: float
    coverage_error: float


def stopping_results(extent: Extent, seed: int) -> Iterator[StoppingResult]:
    """Many runs to a target of problems whose exact mean is known (theory/README.md 4a, 4f).

    Parameters
    ----------
    extent : Extent
        How many runs.
    seed : int
        Of the replicates.

    Yields
    ------
    StoppingResult
        One for each estimator and size of blocks.
    """
    study = adhoc_study(_MODEL, 30, 0, _ESTIMATORS, ["id"], seed=seed, name="stopping")
    exact = [float(v) for v in law_table(study)["predicted"].to_pylist()]
    count = extent.stopped_runs * _MAX_BLOCKS
    for block in _BLOCK_SIZES:
        # Each size of blocks has a seed of its own, so that no two results share data.
        own = study.with_options(seed=seed + block)
        excess = draws(own, "raw", count * block).excess[: count * block]
        for column, (name, truth) in enumerate(zip(_ESTIMATORS, exact, strict=True)):
            runs = np.ascontiguousarray(excess[:, column]).reshape(-1, _MAX_BLOCKS, block)
            yield _result(name, truth, runs)


def _result(name: str, truth: float, runs: Floats) -> StoppingResult:
    """Stop each run, shape (runs, blocks, replicates of a block), and sum up."""
    block = runs.shape[2]
    cv = float(runs.std() / runs.mean())
    precision = Precision(relative=cv / np.sqrt(_EXPECTED_BLOCKS * block))
    stopped = np.array([_stop(_series(run), precision) for run in runs])
    error = (stopped[:, 0] - truth) / (float(precision.relative or 0.0) * truth)
    inside = np.abs(stopped[:, 0] - truth) <= 1.96 * stopped[:, 1]
    coverage, n = float(inside.mean()), len(runs)
    return StoppingResult(
        what=name,
        runs=n,
        block=block,
        at_first_look=float((stopped[:, 2] == FIRST_LOOK).mean()),
        bias=float(error.mean()),
        bias_error=float(error.std(ddof=1) / np.sqrt(n)),
        coverage=coverage,
        coverage_error=float(np.sqrt(coverage * (1.0 - coverage) / n)),
    )


def _series(values: Floats) -> Series:
    """Block sums of (blocks, replicates) values."""
    blocks, size = values.shape
    mean = values.mean(axis=1)
    zero = np.zeros((1, blocks))
    return Series(
        replicates=np.full(blocks, size),
        count=np.full((1, blocks), float(size)),
        mean=mean[None],
        m2=((values - mean[:, None]) ** 2).sum(axis=1)[None],
        better=zero,
        seconds=zero[0],
    )


def _stop(series: Series, precision: Precision) -> tuple[float, float, int]:
    """Mean, its standard error and the number of blocks at which a run stops."""
    for size in looks(_MAX_BLOCKS):
        head = series.head(size)
        mean, error = head.totals()[1], head.mcse()
        if precise_enough(precision, mean, error)[0]:
            break
    return float(mean[0]), float(error[0]), size


def stopping_check(results: list[StoppingResult], alarm: float) -> list[Check]:
    """Whether bias and coverage are worse than allowed beyond chance, over all problems.

    Parameters
    ----------
    results : list of StoppingResult
        Of all problems.
    alarm : float
        Divided between the two checks.

    Returns
    -------
    list of Check
        One for the bias and one for the coverage.
    """
    bound = family_bound(2 * len(results), alarm)
    bias = max(abs(r.bias) - bound * r.bias_error for r in results)
    short = max(_MIN_COVERAGE - r.coverage - bound * r.coverage_error for r in results)
    worst, least = max(abs(r.bias) for r in results), min(r.coverage for r in results)
    runs = sum(r.runs for r in results)
    return [
        Check(
            "stopping rule: bias",
            runs,
            bias,
            _MAX_BIAS,
            alarm / 2.0,
            f"{runs} runs, largest bias {worst:.3f} of the target standard error, "
            f"{_MAX_BIAS} allowed",
        ),
        Check(
            "stopping rule: coverage",
            runs,
            short,
            0.0,
            alarm / 2.0,
            f"{runs} runs, least coverage of 1.96 mcse {least:.3f}, {_MIN_COVERAGE} allowed",
        ),
    ]
