"""Proof by simulation: do the intervals of an appraisal cover, and is its verdict right?

    python -m tests.appraisal.coverage --replicates 100 --out data/appraise/coverage.csv

Each scenario draws data sets from a known truth, appraises each with the defaults, and counts how
often the 95 % intervals hold the truth and how often each verdict is given.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import linalg

from mcbrain.appraisal.parameters import Parameters
from mcbrain.appraisal.predict import risk, task_samples
from mcbrain.appraisal.result import Appraisal, appraise
from mcbrain.typing import Floats

__all__ = ["SCENARIOS", "Scenario", "study"]


@dataclass(frozen=True)
class Scenario:
    """A truth to draw data sets from; the defaults are an ordinary well-specified case.

    Attributes
    ----------
    d, p, n_task, n_brain : int
    gains : tuple of float
        One for each latent.
    misalignment, signal, task_noise, neural_noise : float
    decay : float
        Eigenvalues of the input covariance fall as j^-decay.
    noise : str
        "gaussian", or "student" for labels with t noise of five degrees of freedom.
    copies : int
        Each task row appears this many times: a fault that the appraisal cannot know of.
    """

    d: int = 40
    p: int = 30
    n_task: int = 600
    n_brain: int = 800
    gains: tuple[float, ...] = (2.0, 1.5, 1.0)
    misalignment: float = 0.2
    signal: float = 1.0
    task_noise: float = 0.8
    neural_noise: float = 1.0
    decay: float = 0.0
    noise: str = "gaussian"
    copies: int = 1

    def draw(self, rng: np.random.Generator) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        """X, y, X_brain, R and the true weights of y on the columns of X."""
        r = len(self.gains)
        turn = linalg.qr(rng.standard_normal((self.d, self.d)))[0]
        A, u = turn[:, :r], turn[:, r]
        channels = linalg.qr(rng.standard_normal((self.p, r)), mode="economic")[0]
        beta = np.sqrt((1 - self.misalignment) / r) * A.sum(axis=1)
        beta = np.sqrt(self.signal) * (beta + np.sqrt(self.misalignment) * u)
        axes = linalg.qr(rng.standard_normal((self.d, self.d)))[0]
        root = (axes * np.arange(1, self.d + 1) ** (-self.decay / 2)) @ axes.T
        Z = rng.standard_normal((self.n_task // self.copies, self.d))
        Z_brain = rng.standard_normal((self.n_brain, self.d))
        error = rng.standard_normal(len(Z))
        if self.noise == "student":
            error = rng.standard_t(5, len(Z)) * np.sqrt(3 / 5)
        y = Z @ beta + self.task_noise * error
        R = (Z_brain @ A * np.array(self.gains)) @ channels.T
        R += self.neural_noise * rng.standard_normal(R.shape)
        X = np.repeat(Z @ root, self.copies, axis=0)
        return X, np.repeat(y, self.copies), Z_brain @ root, R, linalg.solve(root, beta)


SCENARIOS = {
    "ordinary": Scenario(),
    "aligned": Scenario(misalignment=0.0),
    "few rows": Scenario(n_task=120, n_brain=160),
    "fewer task rows than inputs": Scenario(d=60, n_task=45, n_brain=400),
    "one channel": Scenario(p=1, gains=(1.0,)),
    "correlated inputs": Scenario(decay=1.0, n_task=1200, n_brain=1200),
    "heavy-tailed label noise": Scenario(noise="student"),
    "brain unrelated to the task": Scenario(misalignment=1.0),
    "no response in the recordings": Scenario(gains=(0.0, 0.0, 0.0)),
    "labels unrelated to the inputs": Scenario(signal=1e-6),
    "every task row eight times": Scenario(copies=8),
}


def study(name: str, replicates: int, seed: int) -> Iterator[dict[str, str | int | float]]:
    """Rows (scenario, quantity, share, mcse, ...) of one scenario.

    Parameters
    ----------
    name : str
        A key of `SCENARIOS`.
    replicates : int
        Data sets.
    seed : int
    """
    scenario = SCENARIOS[name]
    covered: dict[str, list[float]] = defaultdict(list)
    widths: dict[str, list[float]] = defaultdict(list)
    answers: list[str] = []
    for index in range(replicates):
        rng = np.random.default_rng([seed, index])
        *arrays, beta = scenario.draw(rng)
        result = appraise(*arrays, seed=index)
        answers.append(result.verdict.answer)
        held: dict[str, list[float]] = defaultdict(list)
        for quantity, truth, low, high in _intervals(result, scenario, beta):
            held[quantity].append(float(low <= truth <= high))
            widths[quantity].append(high - low)
        # Intervals of one data set are not independent: their share counts once.
        for quantity, hits in held.items():
            covered[quantity].append(float(np.mean(hits)))
    for quantity, shares in covered.items():
        yield _row(name, f"95 % interval: {quantity}", shares, float(np.median(widths[quantity])))
    for answer in ("agree", "disagree", "cannot tell"):
        yield _row(name, f"verdict: {answer}", [float(a == answer) for a in answers], np.nan)


def _intervals(
    result: Appraisal, scenario: Scenario, beta: Floats
) -> Iterator[tuple[str, float, float, float]]:
    """(quantity, truth, low, high) of every interval whose truth is known and defined."""
    if scenario.copies > 1:
        return
    e = result.estimates
    weights = linalg.solve(result.whitener, beta)
    missed = 1 - np.sum((e.subspace.T @ weights) ** 2) / np.sum(weights**2)
    truths = {
        "task_noise": scenario.task_noise,
        "signal": scenario.signal,
        "missed": missed,
        # Of the latents in use: those that the chosen rank leaves out count as missed.
        "misalignment": 1 - (1 - scenario.misalignment) * min(e.shape.r / len(scenario.gains), 1),
        "neural_noise": scenario.neural_noise,
    }
    if max(scenario.gains) == 0 or scenario.signal < 1e-3:
        del truths["misalignment"], truths["missed"]
    for quantity, truth in truths.items():
        low, high = e.interval(quantity)
        yield quantity, float(truth), float(low), float(high)
    low, high = e.interval("latent_gains")
    for j, gain in enumerate(scenario.gains[: e.shape.r]):
        yield "latent_gains", gain, float(low[j]), float(high[j])
    if "missed" not in truths:
        return
    truth_of = _truth(scenario, weights, float(missed))
    samples = float(task_samples(truth_of, e.shape, scenario.n_task))
    yield "task_samples", samples, *result.worth.task_samples[1:]
    for c in result.comparisons:
        if c.held_out.n_brain == scenario.n_brain:
            pair = (
                risk(truth_of, c.held_out.n_task, 0, 1.0, scenario.d, c.held_out.ridge_penalty),
                risk(
                    truth_of,
                    c.held_out.n_task,
                    e.shape.r,
                    missed,
                    scenario.d,
                    c.held_out.befs_penalty,
                ),
            )
            reduction, half = float(pair[0] - pair[1]), 1.96 * c.held_out.reduction_se
            yield "predicted reduction", reduction, c.reduction_low, c.reduction_high
            yield (
                "measured reduction",
                reduction,
                c.held_out.reduction - half,
                c.held_out.reduction + half,
            )


def _truth(scenario: Scenario, weights: Floats, missed: float) -> Parameters:
    zero = np.zeros(())
    return Parameters(
        task_noise=np.asarray(scenario.task_noise),
        signal=np.asarray(np.sum(weights**2)),
        missed=np.asarray(missed),
        misalignment=zero,
        shares=zero,
        latent_gains=zero,
        neural_noise=zero,
    )


def _row(
    scenario: str, quantity: str, shares: list[float], width: float
) -> dict[str, str | int | float]:
    return {
        "scenario": scenario,
        "quantity": quantity,
        "data_sets": len(shares),
        "share": round(float(np.mean(shares)), 4),
        "mcse": round(float(np.std(shares, ddof=1) / len(shares) ** 0.5), 4),
        "median_width": float(f"{width:.4g}"),
    }


def main() -> None:
    """Run the study and write its table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--replicates", type=int, default=100)
    parser.add_argument("--seed", type=int, default=20260510)
    parser.add_argument("--out", type=Path, default=Path("coverage.csv"))
    arguments = parser.parse_args()
    rows: list[dict[str, str | int | float]] = []
    for name in SCENARIOS:
        rows.extend(study(name, arguments.replicates, arguments.seed))
        for row in rows:
            if row["scenario"] == name:
                print(f"{name}: {row['quantity']}: {row['share']}", flush=True)
        with arguments.out.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
