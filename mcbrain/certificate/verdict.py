"""The certificate as a whole: what is computed, and what is concluded from it."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from mcbrain.certificate.approximations import ErrorMap, brain_maps, task_maps
from mcbrain.certificate.covariance_errors import covariance_rows
from mcbrain.certificate.covariance_tables import CovarianceRow, covariance_check
from mcbrain.certificate.design import Extent, cells
from mcbrain.certificate.engine_checks import brain_stage_scores, engine_scores, spectral_scores
from mcbrain.certificate.law_checks import independent_scores, law_scores
from mcbrain.certificate.scores import Check, Score, calibrated, held
from mcbrain.certificate.stopping import StoppingResult, stopping_check, stopping_results

__all__ = ["ALARM", "FAMILIES", "FULL", "QUICK", "Certificate", "certify", "conclude"]

FULL = Extent(240, 400, 64, 16, 1500, (10, 25, 60, 150), 32, 0.003)
QUICK = Extent(20, 24, 12, 4, 300, (10, 20), 4, 0.01)

# The probability that any check fails although all laws and engines are right.
ALARM = 1e-3
_LAWS = ("exact laws", "semi-exact laws")
_ANY = "laws of any covariance"
_ENGINES = (
    "raw against sufficient",
    "reduced brain stage against whole",
    "spectral against raw",
)

# What the rate of false alarms is divided among: laws and their calibration, engines, the laws of
# any covariance, the stopping rule.
FAMILIES = 2 * len(_LAWS) + len(_ENGINES) + 2


@dataclass(frozen=True)
class Certificate:
    """All that was found.

    Attributes
    ----------
    scores : list of Score
        Every comparison.
    maps : list of ErrorMap
        How wrong each approximation is.
    covariance : list of CovarianceRow
        Means under other covariances than the identity, by simulation and by law.
    stopping : list of StoppingResult
        What stopping at a target does.
    checks : list of Check
        What is concluded.
    seed : int
        Fixes the design and every random number.
    command : str
        What makes it again.
    seconds : float
        How long it took.
    platform : str
        Processor type and versions: the numbers are the same wherever these are.
    """

    scores: list[Score]
    maps: list[ErrorMap]
    covariance: list[CovarianceRow]
    stopping: list[StoppingResult]
    checks: list[Check]
    seed: int
    command: str
    seconds: float
    platform: str

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    @property
    def verdict(self) -> str:
        """Whether all checks passed, and which did not, in one line."""
        tested = sum(s.z is not None for s in self.scores)
        size = f"{tested} z-scores in {len(self.checks)} checks, false-alarm rate {ALARM:g}"
        if self.passed:
            return f"passed: {size}"
        failed = "; ".join(f"{c.name} ({c.sentence})" for c in self.checks if not c.passed)
        return f"FAILED: {failed}; {size}"


def certify(
    extent: Extent,
    seed: int,
    *,
    threads: int | None = None,
    command: str = "mcbrain validate",
    note: Callable[[str], None] = lambda text: None,
) -> Certificate:
    """Hold every law against simulation, and every engine against the others.

    The false-alarm rate ALARM is divided equally among the families of checks, and within a family
    by Bonferroni's inequality, which needs no independence: outputs of one cell share data.

    Parameters
    ----------
    extent : Extent
        QUICK or FULL.
    seed : int
        Fixes the design and every random number.
    threads : int, optional
        Threads of the runs; all cores by default. No number depends on it.
    command : str
        Shown on the page.
    note : callable
        Told what is being done, in a sentence.

    Returns
    -------
    Certificate
        Complete, nothing written.
    """
    begun = time.perf_counter()
    scores: list[Score] = []
    with TemporaryDirectory(prefix="mcbrain-validate-") as folder:
        for cell in cells(extent, seed, Path(folder)):
            if cell.index % 20 == 0:
                note(f"laws against simulation: cell {cell.index + 1} of {extent.cells}")
            scores += law_scores(cell, threads)
    note("engine against engine")
    scores += engine_scores(extent, seed)
    scores += brain_stage_scores(extent, seed)
    scores += spectral_scores(extent, seed, threads)
    note("laws of any covariance")
    covariance = covariance_rows(extent, seed, threads)
    note("the stopping rule")
    stopping = list(stopping_results(extent, seed))
    note("error maps of the approximations")
    maps = brain_maps(extent, seed) + task_maps()
    own = import_module("mcbrain").__version__
    return Certificate(
        scores=scores,
        maps=maps,
        covariance=covariance,
        stopping=stopping,
        checks=conclude(scores, covariance, stopping, seed),
        seed=seed,
        command=command,
        seconds=time.perf_counter() - begun,
        platform=f"{platform.machine()}, mcbrain {own}, "
        + ", ".join(f"{name} {version(name)}" for name in ("numba", "numpy", "scipy")),
    )


def conclude(
    scores: Sequence[Score],
    covariance: Sequence[CovarianceRow],
    stopping: Sequence[StoppingResult],
    seed: int,
) -> list[Check]:
    """The checks that the scores, the rows of other covariances and the stopped runs amount to.

    Parameters
    ----------
    scores : sequence of Score
        Every comparison.
    covariance : sequence of CovarianceRow
        Means under other covariances than the identity.
    stopping : sequence of StoppingResult
        Of all problems.
    seed : int
        Of the draw of independent scores.

    Returns
    -------
    list of Check
        Their false-alarm rates sum to at most `ALARM`.
    """
    alarm = ALARM / FAMILIES
    checks = []
    for name in _LAWS:
        family = [s for s in scores if s.family == name]
        checks.append(held(name, family, alarm))
        checks += calibrated(name, independent_scores(family, seed), alarm)
    checks += [held(name, [s for s in scores if s.family == name], alarm) for name in _ENGINES]
    checks.append(covariance_check(_ANY, covariance, alarm))
    return checks + stopping_check(list(stopping), alarm)
