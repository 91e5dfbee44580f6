"""Proof by simulation: do the intervals of an appraisal cover, and is its verdict right?

    python -m tests.appraisal.coverage --replicates 300 --out data/appraise/coverage.csv

Each situation draws data sets from a known truth, appraises each with the defaults (and with what a
user who knows the data would add), and counts how often 95 % intervals hold the truth, how often
the verdict is one that is right, and how often brain data is called worth something that
scikit-learn's `RidgeCV` does without. The truth of a reduction is that of new training sets of the
same size.
"""

from __future__ import annotations

import argparse
import csv
import io
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from sklearn.linear_model import RidgeCV

from mcbrain.appraisal.appraising import appraise
from mcbrain.appraisal.principal import principal
from mcbrain.appraisal.result import Appraisal
from mcbrain.store.atomic import replacing
from mcbrain.typing import Floats
from tests.appraisal.situations import SITUATIONS, Truth

__all__ = ["claims_worth", "study", "true_reduction"]

TRAINING_SETS = 16
_ALPHAS = np.logspace(-3.0, 6.0, 46)


def claims_worth(found: Appraisal) -> bool:
    """Whether the brain data is said to help: with most task rows, beyond chance and controls."""
    most = max(c.held_out.n_brain for c in found.comparisons)
    pair = [c.held_out for c in found.comparisons if c.held_out.n_brain == most][-1]
    sure = pair.reduction > 1.96 * pair.reduction_se
    return bool(sure and max(found.control_p) <= 0.05 and found.estimates.visible)


def true_reduction(truth: Truth, found: Appraisal, seed: int) -> tuple[float, float]:
    """Error of the better `RidgeCV` less that of BEFS on new data, and its standard error.

    Training sets have the size of the largest that was measured.
    """
    most = max(c.held_out.n_brain for c in found.comparisons)
    n = [c.held_out.n_task for c in found.comparisons if c.held_out.n_brain == most][-1]
    rng = np.random.default_rng([seed, 99])
    d = truth.weights.size
    covariance = truth.root @ truth.root.T
    spread = np.sqrt(np.diagonal(covariance))
    basis = found.estimates.subspace
    saved = []
    for _ in range(TRAINING_SETS):
        X = rng.standard_normal((n, d)) @ truth.root
        y = X @ truth.weights + truth.task_noise * rng.standard_normal(n)
        fits = [RidgeCV(_ALPHAS).fit(X / unit, y) for unit in (1.0, spread)]
        units = (np.ones(d), spread)
        at = int(np.argmax([fit.best_score_ for fit in fits]))
        ridge = fits[at].coef_ / units[at]
        unit = np.ones(d) if found.estimates.coordinates == "raw" else spread
        axes = principal(X / unit)
        centred = (y - y.mean())[:, None]
        reduced = axes.rows.T @ centred
        probe = np.eye(d) + axes.mean
        spared = axes.spared(basis, probe, axes.project(probe))
        scores = spared.generalised(reduced, np.sum(centred**2, axis=0))
        befs = spared.predictions(reduced, int(np.argmin(scores[:, 0])))[:, 0] / unit
        risks = [(w - truth.weights) @ covariance @ (w - truth.weights) for w in (ridge, befs)]
        saved.append(risks[0] - risks[1])
    return float(np.mean(saved)), float(np.std(saved, ddof=1) / TRAINING_SETS**0.5)


Shares = dict[str, list[float]]


def study(name: str, replicates: int, seed: int) -> Iterator[dict[str, str | int | float]]:
    """Rows (situation, quantity, share, mcse, ...) of one situation.

    Parameters
    ----------
    name : str
        A key of `SITUATIONS`.
    replicates : int
        Data sets.
    seed : int
    """
    shares: Shares = defaultdict(list)
    for index in range(replicates):
        one_more(name, seed, index, shares)
    for quantity, hits in shares.items():
        yield _row(name, quantity, hits)


def one_more(name: str, seed: int, index: int, shares: Shares) -> None:
    """Draw and appraise one data set, and add to the shares what was right of it."""
    situation = SITUATIONS[name]
    truth = situation.draw(np.random.default_rng([seed, index]))
    found = appraise(*truth.arrays, seed=index, **truth.options)
    right = found.verdict.answer in situation.right
    shares["verdict right"].append(float(right and situation.words in found.verdict.paragraph))
    for quantity, value, low, high in _intervals(found, truth):
        shares[f"95 % interval: {quantity}"].append(float(low <= value <= high))
    claimed = claims_worth(found)
    shares["worth claimed"].append(float(claimed))
    if found.estimates.shape.d == truth.weights.size:
        saved, _ = true_reduction(truth, found, index)
        shares["worth claimed that RidgeCV does without"].append(float(claimed and saved <= 0))


def _intervals(found: Appraisal, truth: Truth) -> Iterator[tuple[str, float, float, float]]:
    """(quantity, truth, low, high) of every interval whose truth is known."""
    e = found.estimates
    explained = truth.root.T @ truth.weights if e.shape.d == truth.weights.size else None
    truths = {"task_noise": truth.task_noise, "neural_noise": truth.neural_noise}
    if explained is not None:
        truths["signal"] = float(explained @ explained)
    for quantity, value in truths.items():
        if np.isfinite(value):
            low, high = e.interval(quantity)
            yield quantity, value, float(low), float(high)


def _row(situation: str, quantity: str, hits: list[float]) -> dict[str, str | int | float]:
    share: Floats = np.mean(hits)
    return {
        "situation": situation,
        "quantity": quantity,
        "data_sets": len(hits),
        "share": round(float(share), 4),
        "mcse": round(float(np.sqrt(share * (1 - share) / len(hits))), 4),
    }


def main() -> None:
    """Run the study and write its table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--replicates", type=int, default=300)
    parser.add_argument("--seed", type=int, default=20261128)
    parser.add_argument("--only", nargs="*", default=list(SITUATIONS))
    parser.add_argument("--out", type=Path, default=Path("coverage.csv"))
    arguments = parser.parse_args()
    shares: dict[str, Shares] = {name: defaultdict(list) for name in arguments.only}
    # A data set of each situation in turn, so that a study that is cut short is even.
    for index in range(arguments.replicates):
        for name in arguments.only:
            one_more(name, arguments.seed, index, shares[name])
        rows = [
            _row(n, quantity, hits) for n, own in shares.items() for quantity, hits in own.items()
        ]
        with replacing(arguments.out) as sink:
            text = io.StringIO()
            writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
            sink.write(text.getvalue().encode())
        print(f"{index + 1} data sets of each situation", flush=True)


if __name__ == "__main__":
    main()
