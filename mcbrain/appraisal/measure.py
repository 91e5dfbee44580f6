"""Learning curves of tuned ridge and of tuned BEFS on the user's own held-out rows.

Rows are held out in folds, whole sets at a time; within each fold both estimators learn from the
same random subsets of the other rows. The opponent is the ridge that a careful user would run: on
the inputs as they are or standardised, whichever has the smaller error on the training rows, at the
penalty that is best there. BEFS is fitted in the same coordinates and tuned in the same way.

Held-out and training rows are the same rows in turn, so that no simple formula gives the standard
error of a mean reduction. Labels drawn from the fitted model are further targets of the same fits,
tuned likewise: the spread of their reductions is the standard error, widened by the ratio of the
spread of real to drawn reductions over held-out sets where that exceeds one. A second half of them
is drawn from what the parameters may be: it is what the model predicts. The distance of measurement
and prediction is judged by the spread of the first half about what their own refits predict
(`surprise`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcbrain.appraisal.controls import CONTROLS
from mcbrain.appraisal.coordinates import Inputs
from mcbrain.appraisal.principal import PENALTIES, principal
from mcbrain.appraisal.rows import Together
from mcbrain.appraisal.surprise import predictions
from mcbrain.typing import Floats

__all__ = ["DRAWN", "HeldOut", "Subspaces", "best_ridge", "measure", "task_sizes"]

RowSet = NDArray[np.integer]
Subspaces = Callable[[int, int, int], Floats]
"""The subspace of (place of the coordinates, place of the level, fold)."""

FOLDS = 10
DRAWN = 30
"""Sets of labels in each half."""

_INNER_FOLDS = 4
_LARGEST = 0.7
_SMALLEST = 0.1  # of the mean: what a prediction is at least, for its logarithm
_CHEAP, _MIDDLING = (
    64,
    128,
)  # the smaller of rows and inputs, up to which subsets are drawn more often


@dataclass(frozen=True)
class HeldOut:
    """Both estimators at one pair of sizes, on held-out rows and in the units of y squared.

    Attributes
    ----------
    n_task, n_brain : int
        Rows that the fits saw.
    ridge_penalty, befs_penalty : float
        Per-sample penalties that the training rows chose, the median over fits, as multiples of the
        mean variance of an input.
    ridge, befs : float
        Mean squared error on held-out rows.
    reduction : float
        ridge - befs on the same rows and subsets.
    reduction_se, ridge_se, befs_se : float
        Standard errors of `reduction`, `ridge` and `befs`.
    drawn_ridge, drawn_befs, drawn_reduction : float
        The same of labels drawn from what the parameters may be: the prediction.
    drawn_reduction_sd : float
        Spread of the reduction over labels that are drawn from what the parameters may be.
    surprise_reduction, surprise_ridge : float
        Standard deviation of a measurement about the prediction from the same rows: of the
        reduction, and of the logarithm of the error of ridge.
    controls : tuple of float
        Reductions with the control subspaces.
    """

    n_task: int
    n_brain: int
    ridge_penalty: float
    befs_penalty: float
    ridge: float
    befs: float
    reduction: float
    reduction_se: float
    ridge_se: float
    befs_se: float
    drawn_ridge: float
    drawn_befs: float
    drawn_reduction: float
    drawn_reduction_sd: float
    surprise_reduction: float
    surprise_ridge: float
    controls: tuple[float, ...] = ()


def task_sizes(n_task: int, rank: int) -> list[int]:
    """Six sizes of training sets, geometric; the smallest leaves room for the subspace.

    Parameters
    ----------
    n_task : int
        Task rows in hand.
    rank : int
        Of the subspace.

    Returns
    -------
    list of int
        Ascending, up to 0.7 n_task.
    """
    largest = int(_LARGEST * n_task)
    smallest = min(max(2 * rank + 8, n_task // 16), largest)
    return sorted({int(n) for n in np.geomspace(smallest, largest, 6).round()})


def best_ridge(inputs: Sequence[Inputs], y: Floats, together: Together, rows: RowSet) -> int:
    """The coordinates in which tuned ridge has the smaller error on training rows.

    Parameters
    ----------
    inputs : sequence of Inputs
        The coordinates.
    y : (n,)
        Labels of all rows.
    together : Together
        Which rows are held out together.
    rows : (m,)
        Training rows.

    Returns
    -------
    int
        Place in `inputs`.
    """
    errors = []
    for one in inputs:
        scores = _scores(one.task, y[:, None], rows, [np.zeros((one.task.shape[1], 0))], together)
        errors.append(float(scores.min()))
    return int(np.argmin(errors))


def measure(
    inputs: Sequence[Inputs],
    labels: Floats,
    shares: tuple[Floats, Floats] | None,
    together: Together,
    levels: Sequence[int],
    subspaces: Subspaces,
    controls: Callable[[int], list[Floats]],
    *,
    rank: int,
    rng: np.random.Generator,
    progress: Callable[[float], None] | None = None,
) -> list[HeldOut]:
    """Measure both estimators at several task sizes, with each number of brain rows.

    Parameters
    ----------
    inputs : sequence of Inputs
        The coordinates to choose from.
    labels : (n, 1 + 2 DRAWN)
        The real labels, then those drawn at the estimates, then those drawn from what they may be.
    shares : (3, DRAWN), (3, DRAWN)
        Variances of y: of the former as refitted, of the latter as drawn (`TaskModel.shares`).
        None where rows belong together: signs of whole sets do not change the size of noise, so
        that refits cannot tell, and the wider spread over all drawn labels is taken.
    together : Together
        Which rows are held out together.
    levels : sequence of int
        Numbers of brain rows, all first.
    subspaces : callable
        The subspace of (coordinates, level, fold).
    controls : callable
        The control subspaces of coordinates, compared at the largest size.
    rank : int
        Of the subspace.
    rng : numpy.random.Generator
        Of folds and subsets.
    progress : callable, optional
        Called with the share done, from 0 to 1.

    Returns
    -------
    list of HeldOut
        Each task size with each number of brain rows.
    """
    n, d = inputs[0].task.shape
    folds = together.folds(FOLDS, rng)
    smallest = min(together.rest(held).size for held in folds)
    sizes = sorted({min(size, smallest) for size in task_sizes(n, rank)})
    tally = _Tally(len(sizes), len(levels), labels.shape[1])
    chosen = np.zeros((len(folds), len(sizes), 1 + len(levels)))
    against: Floats = np.zeros(2 + 2 * CONTROLS)
    for f, held in enumerate(folds):
        rest = together.rest(held)
        c = best_ridge(inputs, labels[:, 0], together, rest)
        bases = [np.zeros((d, 0))] + [subspaces(c, k, f) for k in range(len(levels))]
        squares = np.zeros((len(sizes), len(bases), held.size, labels.shape[1]))
        for i, size in enumerate(sizes):
            draws = _draws(size, d)
            for _ in range(draws):
                rows = together.drawn(rest, size, rng)
                found, used = _fit(inputs[c].task, labels, rows, held, bases, together)
                squares[i] += found / draws
                chosen[f, i] = used
        # Of sets in order, so that their sums are sums of neighbours.
        order = np.argsort(together.sets[held], kind="stable")
        tally.add(squares[:, :, order], together.sets[held][order])
        rows = together.drawn(rest, sizes[-1], rng)
        others = [bases[0], bases[1], *controls(c)]
        found, _ = _fit(inputs[c].task, labels[:, :1], rows, held, others, together)
        against += found[:, :, 0].sum(axis=1)
        if progress is not None:
            progress((f + 1) / len(folds))
    by_chance = (against[0] - against) / n
    return _pairs(sizes, levels, np.median(chosen, axis=0), tally, shares, by_chance[1:])


def _draws(size: int, d: int) -> int:
    """How many subsets of a size each fold draws."""
    small = min(size, d)
    return 4 if small <= _CHEAP else 2 if small <= _MIDDLING else 1


def _fit(
    X: Floats, labels: Floats, rows: RowSet, held: RowSet, bases: list[Floats], together: Together
) -> tuple[Floats, Floats]:
    """Squared errors (bases, held, targets), and the penalty of the first target for each basis."""
    axes = principal(X[rows])
    held_axes = axes.project(X[held])
    mean = labels[rows].mean(axis=0)
    centred = labels[rows] - mean
    reduced = axes.rows.T @ centred
    sums = np.sum(centred**2, axis=0)
    truth = labels[held] - mean
    scores = None if together.alone else _scores(X, labels, rows, bases, together)
    out, used = np.empty((len(bases), held.size, labels.shape[1])), np.empty(len(bases))
    for b, basis in enumerate(bases):
        spared = axes.spared(basis, X[held], held_axes)
        score = spared.generalised(reduced, sums) if scores is None else scores[b]
        best = np.argmin(score, axis=0)
        used[b] = PENALTIES[best[0]]
        for j in np.unique(best):
            at = best == j
            out[b][:, at] = spared.predictions(reduced[:, at], int(j))
        out[b] = (truth - out[b]) ** 2
    return out, used


def _scores(
    X: Floats, labels: Floats, rows: RowSet, bases: list[Floats], together: Together
) -> Floats:
    """Error (bases, penalties, targets) on training rows: generalised, or of sets held out."""
    if together.alone:
        axes = principal(X[rows])
        centred = labels[rows] - labels[rows].mean(axis=0)
        nothing = np.empty((0, X.shape[1]))
        reduced, sums = axes.rows.T @ centred, np.sum(centred**2, axis=0)
        spared = [axes.spared(basis, nothing, axes.project(nothing)) for basis in bases]
        return np.array([one.generalised(reduced, sums) for one in spared])
    sets = np.unique(together.sets[rows], return_inverse=True)[1]
    own = Together(sets, together.stimuli[rows], True, together.gap, 0)
    out = np.zeros((len(bases), PENALTIES.size, labels.shape[1]))
    for inner in own.folds(_INNER_FOLDS, np.random.default_rng(rows.size)):
        train, test = rows[own.rest(inner)], rows[inner]
        if train.size < 3:
            continue
        axes = principal(X[train])
        held_axes = axes.project(X[test])
        mean = labels[train].mean(axis=0)
        reduced, truth = axes.rows.T @ (labels[train] - mean), labels[test] - mean
        for b, basis in enumerate(bases):
            one = axes.spared(basis, X[test], held_axes)
            for j in range(PENALTIES.size):
                left = truth - one.predictions(reduced, j)
                out[b, j] += np.sum(left**2, axis=0)
    return out


class _Tally:
    """Sums over held-out rows for each target; the first is real, the others are drawn."""

    def __init__(self, sizes: int, levels: int, targets: int) -> None:
        self.rows = 0
        self.losses = np.zeros((sizes, 1 + levels, targets))
        # Sums over sets of rows, for the spread of their mean: of the squared number of rows, of
        # the sum of losses times that number, and of the squared sum of losses.
        self.counts = 0
        self.crossed = np.zeros((sizes, levels, targets))
        self.squared = np.zeros((sizes, levels, targets))

    def add(self, squares: Floats, sets: RowSet) -> None:
        """Squared errors (sizes, 1 + levels, rows, targets) of one fold, ordered by set."""
        self.rows += sets.size
        self.losses += squares.sum(axis=2)
        starts = np.flatnonzero(np.r_[True, np.diff(sets) != 0])
        counts = np.diff(np.r_[starts, sets.size])
        sums = np.add.reduceat(squares[:, :1] - squares[:, 1:], starts, axis=2)
        self.counts += int(np.sum(counts**2))
        self.crossed += np.einsum("ikbt,b->ikt", sums, counts)
        self.squared += np.sum(sums**2, axis=2)

    def results(self) -> tuple[Floats, Floats, Floats]:
        """Mean losses (sizes, 1 + levels, targets), reductions and widenings (sizes, levels)."""
        mean = self.losses / self.rows
        reductions = mean[:, :1] - mean[:, 1:]
        spread = self.squared - 2.0 * reductions * self.crossed + reductions**2 * self.counts
        drawn = np.mean(spread[..., 1:], axis=-1)
        # Where both estimators are the same, the reductions are zero and have no spread.
        widening = np.ones_like(drawn)
        np.divide(spread[..., 0], drawn, out=widening, where=drawn > 0)
        return mean, reductions, np.sqrt(np.maximum(widening, 1.0))


def _pairs(
    sizes: list[int],
    levels: Sequence[int],
    penalties: Floats,
    tally: _Tally,
    shares: tuple[Floats, Floats] | None,
    controls: Floats,
) -> list[HeldOut]:
    """Every size with every level of brain data, as measured."""
    mean, reduction, widening = tally.results()
    known, free = slice(1, 1 + DRAWN), slice(1 + DRAWN, None)
    pairs = []
    for i, size in enumerate(sizes):
        for k, level in enumerate(levels):
            of_ridge, of_befs, saved = mean[i, 0], mean[i, 1 + k], reduction[i, k]
            all_drawn = surprise = np.std(saved[free], ddof=1)
            if shares is not None:
                expected = predictions(saved[free], shares[1], shares[0])
                surprise = min(surprise, np.std(saved[known] - expected, ddof=1))
            pairs.append(
                HeldOut(
                    n_task=size,
                    n_brain=level,
                    ridge_penalty=float(penalties[i, 0]),
                    befs_penalty=float(penalties[i, 1 + k]),
                    ridge=float(of_ridge[0]),
                    befs=float(of_befs[0]),
                    reduction=float(saved[0]),
                    reduction_se=float(np.std(saved[known], ddof=1) * widening[i, k]),
                    ridge_se=float(np.std(of_ridge[known], ddof=1)),
                    befs_se=float(np.std(of_befs[known], ddof=1)),
                    drawn_ridge=float(np.mean(of_ridge[free])),
                    drawn_befs=float(np.mean(of_befs[free])),
                    drawn_reduction=float(np.mean(saved[free])),
                    drawn_reduction_sd=float(all_drawn * widening[i, k]),
                    surprise_reduction=float(surprise * widening[i, k]),
                    surprise_ridge=_surprise(of_ridge[known], of_ridge[free], shares),
                    controls=tuple(controls.tolist()) if k == 0 and i == len(sizes) - 1 else (),
                )
            )
    return pairs


def _surprise(known: Floats, free: Floats, shares: tuple[Floats, Floats] | None) -> float:
    """Standard deviation of the logarithm of an error over what was predicted for it.

    Errors of fits to few rows are skewed; their logarithms are not. Ridge sees all directions
    alike, so that what counts is the explained variance as a whole.
    """
    spread = float(np.std(np.log(free), ddof=1))
    if shares is None:
        return spread
    refitted, drawn = (np.array([one[0], one[1] + one[2]]) for one in shares)
    expected = predictions(free, drawn, refitted)
    expected = np.maximum(expected, _SMALLEST * float(np.mean(free)))
    return min(spread, float(np.std(np.log(known / expected), ddof=1)))
