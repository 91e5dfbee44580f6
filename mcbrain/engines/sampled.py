"""From problems and queries to the arrays that the sampling kernels read, and back to sums."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mcbrain.asking.estimators import ESTIMATORS
from mcbrain.blocks.problem import DataProblem
from mcbrain.blocks.query import Fit, Query
from mcbrain.blocks.sums import SUMS, BlockSums
from mcbrain.errors import unhandled
from mcbrain.kernels.random.draw import INPUT_CODES
from mcbrain.kernels.replicate.accumulate import (
    Histograms,
    Sums,
    accumulate,
    histogram,
    make_histograms,
    make_sums,
)
from mcbrain.kernels.replicate.workspace import Outcome
from mcbrain.kernels.types import (
    ESTIMATED,
    GAUSSIAN_NOISE,
    GENERALISED,
    LEAVE_ONE_OUT,
    LINEAR,
    MEASURED,
    NO_SUBSPACE,
    POISSON,
    TANH,
    Population,
    Setting,
    Shifts,
    Sizes,
    make_fits,
)
from mcbrain.population.geometry import Geometry
from mcbrain.population.model import Model
from mcbrain.population.shifts import Shift, law
from mcbrain.typing import Floats, Integers

__all__ = ["Asked", "Bench", "asked", "compute", "population", "smallest"]

P = TypeVar("P", bound=DataProblem)

# What the kernels know, by the names of mcbrain's tables.
_LATENTS = {"linear": LINEAR, "tanh": TANH}
_RECORDINGS = {"gaussian": GAUSSIAN_NOISE, "poisson": POISSON}
_SUBSPACES = {"none": NO_SUBSPACE, "estimated": ESTIMATED, "measured": MEASURED}
_RULES = {"loo": LEAVE_ONE_OUT, "gcv": GENERALISED}

# Where a developer who adds an entry to a table has to name its code too.
_BRIDGE = "the bridge to the kernels (mcbrain/engines/sampled.py)"
_DRAW = "the draw of the inputs (mcbrain/kernels/random/draw.py)"


@dataclass(frozen=True)
class Asked:
    """What the kernels are asked for some queries, and where each query and its baseline stand.

    Attributes
    ----------
    setting : Setting
        The population, the sizes, and the distinct fits and shifts of the queries.
    choosing, rules : ndarray, shape (rules,)
        Fits whose penalty each replicate chooses, and by which rule: LEAVE_ONE_OUT or GENERALISED.
    place, baseline : ndarray, shape (queries,)
        Column of each query, and of its baseline, in the flattened (fits, shifts) grid; or -1.
    """

    setting: Setting
    choosing: NDArray[np.int64]
    rules: NDArray[np.int64]
    place: NDArray[np.int64]
    baseline: NDArray[np.int64]


@dataclass(frozen=True)
class Bench:
    """A worker's place for one problem: its buffers, and how to fill them.

    Attributes
    ----------
    draw : callable
        Takes a block number, draws the first replicates of that block and fills `outcome`. It
        returns the summed penalties that fits with a rule chose, shape (replicates, rules), or None
        where no fit chooses its penalty.
    outcome : Outcome
        Excess risk and failures of each replicate of the block that was drawn last.
    wanted : Asked
        What was asked of the kernels, and where each query's answer stands in `outcome`.
    """

    draw: Callable[[int], NDArray[np.float64] | None]
    outcome: Outcome
    wanted: Asked

    def replicates(
        self, index: int
    ) -> tuple[NDArray[np.float64], NDArray[np.int8], NDArray[np.float64]]:
        """Draw a block and give what each of its replicates says of each query.

        Parameters
        ----------
        index : int
            Block number. As many of its first replicates are drawn as the bench has room for.

        Returns
        -------
        excess : ndarray, shape (replicates, queries)
            Excess risk of the query's fit under its shift.
        failures : ndarray of int8, shape (replicates, queries)
            Why there is no value, as one of the reasons of `blocks.sums`; 0 where there is one.
        penalties : ndarray, shape (replicates, queries)
            The summed penalty that the query's fit chose on this replicate; NaN where it is fixed.
        """
        picked, outcome, place = self.draw(index), self.outcome, self.wanted.place
        replicates, fits, n_shifts = outcome.excess.shape
        penalty = np.full((replicates, fits), np.nan)
        if picked is not None:
            penalty[:, self.wanted.choosing] = picked
        fit = place // n_shifts
        excess = outcome.excess.reshape(replicates, -1)[:, place]
        return excess, outcome.failures[:, fit], penalty[:, fit]


def compute(bench: Bench, indices: Sequence[int]) -> list[BlockSums]:
    """Compute blocks one after the other, each timed.

    Parameters
    ----------
    bench : Bench
        For as many replicates as a block has; its buffers are overwritten.
    indices : sequence of int
        Block numbers.

    Returns
    -------
    list of BlockSums
        One for each block number, in their order, with the seconds of this thread that it took.
    """
    wanted, outcome = bench.wanted, bench.outcome
    replicates, _, n_shifts = outcome.excess.shape
    excess = outcome.excess.reshape(replicates, -1)
    histograms = make_histograms(replicates, wanted.place.size)
    blocks = []
    for index in indices:
        begun = time.thread_time()
        bench.draw(index)
        sums = make_sums(wanted.place.size)
        accumulate(excess, wanted.place, wanted.baseline, sums)
        bins = histogram(excess, wanted.place, histograms)
        joint, joint_sums = _joint(sums, wanted, replicates)
        atoms, atom_values = _atoms(histograms, bins)
        block = BlockSums(
            index=index,
            replicates=replicates,
            count=sums.valid,
            **_summed(sums),
            bin_sizes=histograms.sizes.copy(),
            bins=histograms.bins[:bins].copy(),
            bin_counts=histograms.counts[:bins].copy(),
            joint=joint,
            joint_sums=joint_sums,
            atoms=atoms,
            atom_values=atom_values,
            failures=_failures(outcome.failures, wanted, n_shifts),
            seconds=time.thread_time() - begun,
        )
        blocks.append(block)
    return blocks


# Any: whole numbers or floats, as the field of that name is declared.
def _summed(sums: Sums) -> dict[str, Any]:
    """What is stored of each query under the name that the kernel gives it; `count` is `valid`."""
    names = [name for name, record in SUMS.items() if record.per == "statistic" and name != "count"]
    if forgotten := [name for name in names if name not in Sums._fields]:
        raise unhandled("sum", forgotten[0], "mcbrain/kernels/replicate/accumulate.py")
    return {name: getattr(sums, name) for name in names}


def _joint(sums: Sums, wanted: Asked, replicates: int) -> tuple[Integers, Floats]:
    """Sums over the replicates in which a query and its baseline have values, where some lack."""
    lacking = np.flatnonzero((wanted.baseline >= 0) & (sums.both < replicates))
    joint = np.column_stack([lacking, sums.both[lacking]])
    return joint, np.column_stack([sums.own[lacking], sums.other[lacking]])


def _atoms(histograms: Histograms, bins: int) -> tuple[Integers, Floats]:
    """Values that replicates share: the query, the bin and how many, of those found."""
    shares = histograms.shares[:bins]
    found = np.flatnonzero(shares)
    query = np.searchsorted(np.cumsum(histograms.sizes), found, side="right")
    atoms = np.column_stack([query, histograms.bins[found], shares[found]])
    return atoms, histograms.atoms[found]


def smallest(
    kind: type[P], n_task: int, n_brain: int, rule: str = "fixed", encoding: float = 0.0
) -> tuple[P, tuple[Query, ...]]:
    """A problem in four dimensions and a query, whose simulation compiles what larger ones run.

    Parameters
    ----------
    kind : type
        RawProblem or SufficientProblem.
    n_task, n_brain : int
        Samples of each stage. Fewer than four, the dimension of the inputs, compile other kernels
        than more.
    rule : str
        "fixed", or "loo" or "gcv" to have the penalty chosen on each replicate's data.
    encoding : float
        Ridge penalty of the encoding stage; 0 for least squares.

    Returns
    -------
    problem : RawProblem or SufficientProblem
        With seed 0.
    queries : tuple of Query
        One: befs without a shift, beside itself as its baseline.
    """
    model = Model(input_dim=4, latent_dim=1, n_channels=2)
    fit = Fit(ESTIMATORS["befs"], rule, 0.1, 0.0, 1, encoding)
    return kind.of(model, n_task, n_brain, seed=0), (Query(fit, Shift("id"), fit),)


@lru_cache(maxsize=64)
def population(problem: DataProblem) -> Population:
    """The population of a problem in native coordinates, remembered for the latest 64 problems.

    Parameters
    ----------
    problem : DataProblem
        Its model and seed fix the geometry: scales of the inputs, brain map and coefficients.

    Returns
    -------
    Population
        The arrays and codes that the kernels draw from.
    """
    model, geometry = problem.model, Geometry(problem.model, problem.seed)
    inputs = model.input_distribution
    rate = model.baseline_rate
    return Population(
        scale=geometry.scale,
        brain_map=geometry.brain,
        beta=geometry.beta,
        channels=geometry.channels,
        n_channels=model.n_channels,
        law=_code(INPUT_CODES, "input distribution", inputs.name, _DRAW),
        law_parameter=inputs.parameter,
        latents=_code(_LATENTS, "latents", model.latents),
        neural_law=_code(_RECORDINGS, "distribution of recordings", model.neural_law),
        log_baseline=0.0 if rate is None else math.log(rate),
        task_noise=model.sigma_y,
        neural_noise=model.sigma_r,
    )


def _sizes(problem: DataProblem, queries: Sequence[Query]) -> Sizes:
    """How much data; the brain stage is left out when no query uses it."""
    fit = queries[0].fit
    uses_brain = any(q.fit.estimator.uses_brain for q in queries)
    uses_brain |= any(q.baseline is not None and q.baseline.estimator.uses_brain for q in queries)
    n_brain = problem.n_brain if uses_brain else 0
    return Sizes(
        n_task=problem.n_task,
        n_brain=n_brain,
        rank=fit.rank,
        measured=problem.model.k_m,
        encoding_penalty=n_brain * fit.encoding_penalty,
    )


@lru_cache(maxsize=256)
def asked(problem: DataProblem, queries: tuple[Query, ...]) -> Asked:
    """What the kernels are asked for some queries; the latest 256 answers are remembered.

    Parameters
    ----------
    problem : DataProblem
        The population, the numbers of samples, and the seed.
    queries : tuple of Query
        At least one. Fits and shifts that several of them share are computed once. The rank and
        the encoding penalty are those of the first.

    Returns
    -------
    Asked
        Its arrays are shared by all who ask the same, so they are not to be changed.
    """
    fits = list(
        dict.fromkeys([q.fit for q in queries] + [q.baseline for q in queries if q.baseline])
    )
    shifts = list(dict.fromkeys(q.shift for q in queries))
    n_task, n_brain = problem.n_task, problem.n_brain
    parameters = [_fit_parameters(fit, n_task, n_brain) for fit in fits]
    column = {(r, s): i * len(shifts) + j for i, r in enumerate(fits) for j, s in enumerate(shifts)}
    return Asked(
        setting=Setting(
            population(problem),
            _sizes(problem, queries),
            make_fits(*(list(values) for values in zip(*parameters, strict=True))),
            _shift_tables(Geometry(problem.model, problem.seed), shifts),
        ),
        choosing=np.array([i for i, r in enumerate(fits) if r.rule != "fixed"], np.int64),
        rules=np.array(
            [_code(_RULES, "penalty rule", r.rule) for r in fits if r.rule != "fixed"],
            np.int64,
        ),
        place=np.array([column[q.fit, q.shift] for q in queries], np.int64),
        baseline=np.array(
            [column[q.baseline, q.shift] if q.baseline else -1 for q in queries], np.int64
        ),
    )


def _fit_parameters(fit: Fit, n_task: int, n_brain: int) -> tuple[int, float, float]:
    """Subspace code, eta and summed penalty of a fit (theory/README.md 2)."""
    penalty = fit.summed(n_task)
    if fit.estimator.uses_brain and n_brain == 0:
        return NO_SUBSPACE, 1.0, penalty  # without brain data befs is ridge, projection predicts 0
    return _code(_SUBSPACES, "subspace", fit.estimator.subspace), fit.eta, penalty


def _code(table: Mapping[str, int], what: str, name: str, home: str = _BRIDGE) -> int:
    """What the kernels call an entry of one of mcbrain's tables."""
    if name not in table:
        raise unhandled(what, name, home)
    return table[name]


def _shift_tables(geometry: Geometry, shifts: Sequence[Shift]) -> Shifts:
    """Shift laws side by side; equal probes are kept once."""
    laws = [law(shift, geometry) for shift in shifts]
    d = geometry.model.native_dim
    blocks: dict[bytes, NDArray[np.float64]] = {}
    for one in laws:
        if len(one.probes):
            blocks.setdefault(one.probes.tobytes(), one.probes)
    starts, total = {}, 0
    for name, block in blocks.items():
        starts[name] = total
        total += len(block)
    weights = np.zeros((len(laws), total))
    for i, one in enumerate(laws):
        if len(one.probes):
            start = starts[one.probes.tobytes()]
            weights[i, start : start + len(one.probes)] = one.weights
    targets = list({one.target.tobytes(): one.target for one in laws}.values())
    index = {t.tobytes(): i for i, t in enumerate(targets)}
    return Shifts(
        scale=np.array([one.scale for one in laws]),
        weights=weights,
        probes=np.concatenate([*blocks.values(), np.zeros((0, d))]),
        targets=np.array(targets),
        target=np.array([index[one.target.tobytes()] for one in laws], np.int64),
        adversary=np.array([one.budget for one in laws]),
    )


def _failures(failures: NDArray[np.int8], wanted: Asked, n_shifts: int) -> NDArray[np.int64]:
    """Replicate, query and reason of each failure, shape (failures, 3), from codes by fit."""
    if not failures.any():
        return np.zeros((0, 3), np.int64)
    codes = failures[:, wanted.place // n_shifts]
    broken = np.argwhere(codes > 0)
    return np.column_stack([broken, codes[broken[:, 0], broken[:, 1]]]).astype(np.int64)
