"""The cells of the sweep: seeded, so that every value of every option is met often enough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import count
from typing import Any

import numpy as np

from mcbrain.asking.estimators import ESTIMATORS
from mcbrain.asking.penalty_rules import rules_by
from mcbrain.population import distributions

SEED = 20261128
DIMENSIONS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20)
LARGE = (60, 64, 72)
TASK_SIZES = ("1", "r-1", "r", "r+1", "d-1", "d", "d+1", "d+3", "2d", "10d")
BRAIN_SIZES = ("0", "1", *TASK_SIZES[1:])
SELECTING = rules_by("replicate")
PENALTIES: tuple[Any, ...] = (0.0, 1e-3, 0.3, 1e3, -0.02, *rules_by("risk"), *SELECTING)
PENALISED = (*(name for name, e in ESTIMATORS.items() if e.penalised), "two-penalty:0.3")
PLAIN = [(name, 0.0) for name, e in ESTIMATORS.items() if not e.penalised]
CHOICES = (*PLAIN, *((e, p) for p in PENALTIES for e in PENALISED))
SHIFTS = (
    "id", "scale:2.5", "brain-insensitive:4", "brain-insensitive:0.25", "brain-aligned:3",
    "missed-direction:9", "mean:1.5:brain", "mean:1.5:missed", "mean:1.5:orthogonal",
    "spectrum:1", "concept:0.6:brain", "concept:0.6:orthogonal", "adversarial:0.4", "custom",
)  # fmt: skip
INPUTS = tuple(
    text
    for name, record in distributions.INPUTS.items()
    if name != "gaussian"
    for text in record.examples
)


@dataclass(frozen=True)
class Cell:
    """One call of `mb.simulate`, and which values of which options it is there for."""

    index: int
    model: dict[str, Any]
    n_task: int
    n_brain: int
    methods: tuple[tuple[str, Any], ...]
    shifts: tuple[str, ...]
    rank: int | None = None
    encoding_penalty: float = 0.0
    penalty_scale: str = "per-sample"
    engine: str = "raw"
    law: bool = True
    precision: float = 0.0
    values: tuple[tuple[str, str], ...] = field(default=(), compare=False)

    @property
    def measured(self) -> int:
        return int(self.model.get("measured_latents") or self.model["latent_dim"])

    @property
    def spared(self) -> int:
        """r, the rank of the estimated subspace."""
        return self.rank or self.measured

    @property
    def estimators(self) -> dict[str, list[Any]]:
        """The choices as `mb.simulate` takes them."""
        table: dict[str, list[Any]] = {}
        for name, rule in self.methods:
            table.setdefault(name, []).append(rule)
        return table

    @property
    def outputs(self) -> list[tuple[str, Any, str]]:
        """(estimator, rule, shift) of each row, in order."""
        return [(e, p, s) for e, ps in self.estimators.items() for p in ps for s in self.shifts]


class Deck:
    """Values dealt in a shuffled order, each as often as every other."""

    def __init__(self, rng: np.random.Generator, values: Sequence[Any]) -> None:
        self.rng, self.values, self.left = rng, list(values), []

    def deal(self, fits: Any = lambda value: True) -> Any:
        """The next value that fits; those that do not wait."""
        for _ in range(2):
            for place, value in enumerate(self.left):
                if fits(value):
                    return self.left.pop(place)
            self.left += [self.values[i] for i in self.rng.permutation(len(self.values))]
        raise ValueError("no value fits")


GROUPS = (  # name, cells, and what its engines are
    ("isotropic", 120, ("raw", "sufficient", "spectral", "auto", "spectral", "law")),
    ("powerlaw", 32, ("raw", "sufficient", "auto", "law")),
    ("inputs", 78, ("raw", "raw", "auto")),
    ("recordings", 36, ("raw", "auto")),
)


@cache
def cells() -> tuple[Cell, ...]:
    """Every cell of the long sweep."""
    rng, number = np.random.default_rng(SEED), count()
    decks: dict[Any, Deck] = {}

    def deal(name: Any, values: Sequence[Any], fits: Any = lambda value: True) -> Any:
        return decks.setdefault(name, Deck(rng, values)).deal(fits)

    made = []
    for group, size, engines in GROUPS:
        for place in range(size):
            made.append(_cell(next(number), group, engines, place % 7 == 3, deal))
    return tuple(made)


def _cell(index: int, group: str, engines: Sequence[str], large: bool, deal: Any) -> Cell:
    engine = deal((group, "engine"), engines)
    law = deal("law", (True, False)) if engine == "spectral" else True
    model, named = _model(index, group, large, deal)
    d, k = model["input_dim"], model["latent_dim"]
    measured, p = model.get("measured_latents", k), model["n_channels"]
    limit = min(d, p)
    rank = {"right": None, "above": min(measured + 1, limit), "below": max(1, measured - 1)}[
        deal("rank", ("right", "right", "above", "right", "below", "right"))
    ]
    if rank == measured:
        rank = None
    spared = rank or measured
    sizes = {"0": 0, "1": 1, "r-1": spared - 1, "r": spared, "r+1": spared + 1, "d-1": d - 1}
    sizes |= {"d": d, "d+1": d + 1, "d+3": d + 3, "2d": 2 * d, "10d": 10 * d}
    n_task = deal(("n_task", large), TASK_SIZES, lambda name: sizes[name] >= 1)
    n_brain = deal(("n_brain", large), BRAIN_SIZES, lambda name: sizes[name] >= 0)
    methods = _choices(engine, sizes[n_task] <= 5 * d and d > 15, deal)
    shifts = tuple(dict.fromkeys(deal("shift", SHIFTS, _allowed(model, engine)) for _ in range(3)))
    cell = Cell(
        index, model, sizes[n_task], sizes[n_brain], methods, shifts, rank,
        deal("encoding", (0.0, 0.0, 0.1, 0.0, 0.0, 1.0, 0.0)),
        deal("scale", ("per-sample", "per-sample", "sum")), engine, law,
        deal("precision", (0.0,) * 11 + (1e-4,)) if engine != "law" else 0.0,
    )  # fmt: skip
    return replace(cell, values=(*named, *_named(cell, n_task, n_brain)))


def _model(index: int, group: str, large: bool, deal: Any) -> tuple[dict[str, Any], list[Any]]:
    d = deal(("d", large), LARGE if large else DIMENSIONS)
    k = deal("k", (1, 2, 3, 4, 2, 6), lambda k: k <= d)
    measured = deal("measured", (0, 1, 2, 0), lambda lost: lost < k)
    p = k - measured + deal("p", (0, 1, 3, 8))
    m = deal("m", (0.0, 0.2, 0.6, 1.0)) if k < d else 0.0
    model: dict[str, Any] = {
        "input_dim": d, "latent_dim": k, "n_channels": p, "misalignment": m,
        "signal_norm": deal("norm", (1.0, 2.0, 0.5)),
    }  # fmt: skip
    if measured:
        model["measured_latents"] = k - measured
    form = deal("task_noise", ("noise", "snr", "noise", "none", "snr", "noise"))
    model |= {"noise": {"task_noise": 0.8}, "snr": {"snr_task": 2.0}, "none": {"task_noise": 0.0}}[
        form
    ]
    named = [("task noise", form), ("d", "60 and more" if large else "below 60")]
    if deal("loadings", (False, True)) and k > 1:
        model["task_loadings"] = [1.0, -0.5, 0.25, 2.0, 0.7, 0.1][:k]
    if deal("gains", (False, True)) and k > 1:
        model["latent_gains"] = [2.0, 1.0, 0.6, 1.5, 0.8, 1.2][:k]
    if group == "recordings" and deal("neural", ("poisson", "gaussian")) == "poisson":
        model |= {"neural_law": "poisson", "baseline_rate": deal("rate", (1.0, 4.0))}
        if deal("poisson tanh", (False, True)):
            model["latents"] = "tanh"
    else:
        form = deal("neural_noise", ("noise", "snr", "unit"))
        model |= {"noise": {"neural_noise": 0.6}, "snr": {"snr_brain": 2.0}, "unit": {}}[form]
        named.append(("neural noise", form))
        if group == "recordings":
            model["latents"] = "tanh"
    if group == "inputs":
        model["inputs"] = deal("inputs", INPUTS)
    if group in ("inputs", "powerlaw"):
        model["basis"] = deal((group, "basis"), ("haar", "axes"))
    power = deal((group, "covariance"), (False, False, True)) if group != "isotropic" else False
    if group == "powerlaw" or power:
        model["covariance"] = deal("alpha", ("powerlaw:1", "powerlaw:0.5"))
    return model, named


def _choices(engine: str, dear: bool, deal: Any) -> tuple[tuple[str, Any], ...]:
    """Three to five choices that an engine takes, a baseline for gains in most cells."""

    def fits(method: tuple[str, Any]) -> bool:
        name, rule = method
        spectral = engine == "spectral" and (name.startswith("two") or rule in (-0.02, "loo"))
        selects = engine in ("sufficient", "spectral") and rule in SELECTING
        return not (spectral or selects)

    found = [deal(("choice", engine), CHOICES, fits) for _ in range(3 if dear else 4)]
    base = deal("baseline", (("ols", 0.0), ("ridge", "optimal"), None))
    return tuple(dict.fromkeys(([base] if base else []) + found))


def _allowed(model: dict[str, Any], engine: str) -> Any:
    d, k = model["input_dim"], model["latent_dim"]
    isotropic = model.get("inputs", "gaussian") == "gaussian" and "covariance" not in model

    def fits(shift: str) -> bool:
        if shift.startswith("missed") or shift.endswith("missed"):
            return k < d
        if shift.endswith("orthogonal"):
            return k + 2 <= d
        if shift == "concept:0.6:brain":
            return k >= 2
        return not shift.startswith("adversarial") or (isotropic and engine != "spectral")

    return fits


def _named(cell: Cell, n_task: str, n_brain: str) -> Iterator[tuple[str, str]]:
    """The values of a cell, by option, as the table of counts shows them."""
    model = cell.model
    yield "n_task", n_task
    yield "n_brain", n_brain
    yield "engine", cell.engine + ("" if cell.law else ", exact_task_stage = false")
    yield "penalty_scale", cell.penalty_scale
    yield "encoding penalty", "0" if cell.encoding_penalty == 0 else "above 0"
    rank = (cell.spared > cell.measured) - (cell.spared < cell.measured)
    yield "rank", {0: "right", 1: "too large", -1: "too small"}[rank]
    yield "measured latents", "all" if cell.measured == model["latent_dim"] else "some"
    yield "gains", "unequal" if "latent_gains" in model else "equal"
    yield "loadings", "unequal" if "task_loadings" in model else "equal"
    yield "|beta|", f"{model['signal_norm']:g}"
    yield "misalignment", f"{model['misalignment']:g}"
    yield "inputs", model.get("inputs", "gaussian")
    yield "basis", model.get("basis", "haar")
    yield "covariance", model.get("covariance", "identity").partition(":")[0]
    yield "latents", model.get("latents", "linear")
    yield "recordings", model.get("neural_law", "gaussian")
    for name, rule in cell.methods:
        yield "estimator", name
        if name not in ("ols", "projection"):
            yield "penalty", f"{rule:g}" if isinstance(rule, float) else rule
    for shift in cell.shifts:
        yield "shift", shift


def counted(some: Sequence[Cell]) -> Counter[tuple[str, str]]:
    """In how many cells each value of each option is met."""
    return Counter(value for cell in some for value in dict.fromkeys(cell.values))
