"""The bridge to the kernels: from problems and queries to the arrays and codes that they read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mcbrain.asking.metrics import Metric
from mcbrain.asking.penalty_rules import SELECTION_GRID
from mcbrain.blocks.problem import DataProblem
from mcbrain.blocks.query import Encoding, Fit, Query
from mcbrain.errors import unhandled
from mcbrain.kernels.brain.choose_encoder import EncoderChoice, make_encoder_choice
from mcbrain.kernels.random.draw import INPUT_CODES
from mcbrain.kernels.types import (
    ERROR_RATE,
    ESTIMATED,
    EXCESS,
    GAUSSIAN_NOISE,
    GENERALISED,
    GIVEN,
    LEAVE_ONE_OUT,
    LINEAR,
    MEASURED,
    NO_SUBSPACE,
    POISSON,
    REAL,
    SIGN,
    TANH,
    Population,
    Setting,
    Shifts,
    Sizes,
    make_fits,
)
from mcbrain.population.geometry import Geometry
from mcbrain.population.shifts import Shift, law

__all__ = ["Asked", "asked", "by_encoding", "encoder_choice", "population"]

# What the kernels know, by the names of mcbrain's tables.
_LATENTS = {"linear": LINEAR, "tanh": TANH}
_RECORDINGS = {"gaussian": GAUSSIAN_NOISE, "poisson": POISSON}
_LABELS = {"linear": REAL, "sign": SIGN}
_MEASURES = {"": EXCESS, "error_rate": ERROR_RATE}
_SUBSPACES = {"none": NO_SUBSPACE, "estimated": ESTIMATED, "measured": MEASURED}
_RULES = {"loo": LEAVE_ONE_OUT, "gcv": GENERALISED}
_ENCODER_RULES = {"loo": LEAVE_ONE_OUT, "gcv": GENERALISED}
_NOTHING = np.zeros((0, 0))
# Where a developer who adds an entry to a table has to name its code too.
_BRIDGE = "the bridge to the kernels (mcbrain/engines/bridge.py)"
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
    built : int
        Fits of mcbrain's own, which are the first of the grid and alone in `setting`.
    own : tuple of Fit
        The fits of plug-ins, which follow them.
    shifts : tuple of Shift
        The shifts of the grid.
    measured : tuple of (Shift, Metric)
        What metrics of a user's are wanted under; their columns follow those of the shifts.
    """

    setting: Setting
    choosing: NDArray[np.int64]
    rules: NDArray[np.int64]
    place: NDArray[np.int64]
    baseline: NDArray[np.int64]
    built: int
    own: tuple[Fit, ...]
    shifts: tuple[Shift, ...]
    measured: tuple[tuple[Shift, Metric], ...]


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
        law=GIVEN
        if inputs.brought
        else _code(INPUT_CODES, "input distribution", inputs.name, _DRAW),
        law_parameter=inputs.parameter,
        latents=_code(_LATENTS, "latents", model.latents),
        neural_law=_code(_RECORDINGS, "distribution of recordings", model.neural_law),
        log_baseline=0.0 if rate is None else math.log(rate),
        task_noise=model.sigma_y,
        neural_noise=model.sigma_r,
        labels=_code(_LABELS, "labels", model.labels),
        rows=_NOTHING,
        outcomes=_NOTHING,
    )


def _encoding(query: Query) -> Encoding | None:
    """Stage 1 of a query and its baseline; None where neither uses brain data."""
    fits = [fit for fit in (query.fit, query.baseline) if fit and fit.estimator.uses_brain]
    found = list(dict.fromkeys(fit.encoding for fit in fits))
    if len(found) > 1:
        raise unhandled("baseline with an encoder of its own", query.label, _BRIDGE)
    return found[0] if found else None


def by_encoding(queries: Sequence[Query]) -> list[tuple[int, ...]]:
    """Queries that a kernel answers together, since they have one stage 1.

    Parameters
    ----------
    queries : sequence of Query
        Columns of the sums.

    Returns
    -------
    list of tuple of int
        Places of the queries of each encoder, in the order in which they first come. What uses no
        brain data goes with the first of them.
    """
    groups: dict[Encoding, list[int]] = {}
    blind: list[int] = []
    for place, query in enumerate(queries):
        encoding = _encoding(query)
        (blind if encoding is None else groups.setdefault(encoding, [])).append(place)
    found = list(groups.values()) or [[]]
    found[0] = sorted(found[0] + blind)
    return [tuple(places) for places in found]


def _sizes(problem: DataProblem, queries: Sequence[Query]) -> Sizes:
    """How much data; the brain stage is left out when no query uses it."""
    found = dict.fromkeys(e for e in map(_encoding, queries) if e is not None)
    if len(found) > 1:
        raise unhandled("second encoder in one kernel", str(list(found)[1]), _BRIDGE)
    encoding = next(iter(found), None)
    n_brain = problem.n_brain if encoding else 0
    encoding = encoding or Encoding(problem.model.k_m, 0.0)
    return Sizes(
        n_task=problem.n_task,
        n_brain=n_brain,
        rank=encoding.rank,
        measured=problem.model.k_m,
        encoding_penalty=n_brain * encoding.penalty,
    )


def encoder_choice(
    queries: Sequence[Query], setting: Setting, rows: int, count: int
) -> EncoderChoice | None:
    """How replicates choose the encoder's penalty, where the queries' encoder has a rule.

    Parameters
    ----------
    queries : sequence of Query
        Of one encoder.
    setting : Setting
        What is asked of the block.
    rows : int
        Rows of recordings that are drawn at a time.
    count : int
        Replicates of the block.

    Returns
    -------
    EncoderChoice or None
        None where the penalty is a number, or there is no brain data.
    """
    encoding = next((e for e in map(_encoding, queries) if e is not None), None)
    if encoding is None or not encoding.selects or setting.sizes.n_brain == 0:
        return None
    code = _code(_ENCODER_RULES, "encoder's penalty rule", encoding.rule)
    channels, d = setting.population.channels.shape[0], setting.population.scale.size
    return make_encoder_choice(code, np.array(SELECTION_GRID), d, channels, rows, count)


@lru_cache(maxsize=256)
def asked(problem: DataProblem, queries: tuple[Query, ...]) -> Asked:
    """What the kernels are asked for some queries; the latest 256 answers are remembered.

    Parameters
    ----------
    problem : DataProblem
        The population, the numbers of samples, and the seed.
    queries : tuple of Query
        At least one, and all of one encoder (`by_encoding`). Fits and shifts that several of them
        share are computed once.

    Returns
    -------
    Asked
        Its arrays are shared by all who ask the same, so they are not to be changed.
    """
    every = dict.fromkeys([q.fit for q in queries] + [q.baseline for q in queries if q.baseline])
    built = [fit for fit in every if fit.estimator.own is None]
    own = [fit for fit in every if fit.estimator.own is not None]
    fits = built + own
    # A shift has a column for each thing that is measured under it; those of metrics that a user
    # brings, which the kernels do not know, come last.
    tests = list(dict.fromkeys((q.shift, q.metric) for q in queries))
    own_tests = [(s, metric) for s, metric in tests if metric is not None and metric.own]
    known = [t for t in tests if t not in own_tests] or [(queries[0].shift, None)]
    tests = [*known, *own_tests]
    n_task, n_brain = problem.n_task, problem.n_brain
    # Without a fit of mcbrain's own the kernels have one that nobody asks for.
    parameters = [_fit_parameters(f, n_task, n_brain) for f in built] or [(NO_SUBSPACE, 1.0, 0.0)]
    column = {(r, *t): i * len(tests) + j for i, r in enumerate(fits) for j, t in enumerate(tests)}
    return Asked(
        setting=Setting(
            population(problem),
            _sizes(problem, queries),
            make_fits(*(list(values) for values in zip(*parameters, strict=True))),
            _shift_tables(Geometry(problem.model, problem.seed), known),
        ),
        choosing=np.array([i for i, r in enumerate(fits) if r.rule != "fixed"], np.int64),
        rules=np.array(
            [_code(_RULES, "penalty rule", r.rule) for r in fits if r.rule != "fixed"],
            np.int64,
        ),
        place=np.array([column[q.fit, q.shift, q.metric] for q in queries], np.int64),
        baseline=np.array(
            [column[q.baseline, q.shift, q.metric] if q.baseline else -1 for q in queries],
            np.int64,
        ),
        built=len(built),
        own=tuple(own),
        shifts=tuple(shift for shift, _ in known),
        measured=tuple(own_tests),
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


def _shift_tables(geometry: Geometry, tests: Sequence[tuple[Shift, Metric | None]]) -> Shifts:
    """Shift laws side by side, with what is measured under each; equal probes are kept once."""
    laws = [law(shift, geometry) for shift, _ in tests]
    names = ["" if metric is None else metric.name for _, metric in tests]
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
        measure=np.array([_code(_MEASURES, "metric", name) for name in names], np.int64),
    )
