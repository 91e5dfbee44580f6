"""What is asked: a study, its points, and how precise its outputs must be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, TypedDict, Unpack, overload

import msgspec

from mcbrain.asking.designs import Design
from mcbrain.asking.encoders import PLAIN, Encoder
from mcbrain.asking.engines import ENGINE_NAMES
from mcbrain.asking.estimators import Method
from mcbrain.asking.metrics import Metric
from mcbrain.checks import integer, one_of
from mcbrain.errors import InputError, unhandled
from mcbrain.plugins.record import Plugin
from mcbrain.population.model import Model
from mcbrain.population.shifts import Shift
from mcbrain.typing import Floats

__all__ = [
    "KEPT",
    "PENALTY_SCALES",
    "Output",
    "Point",
    "Precision",
    "Study",
    "check_precision",
    "check_task_stage",
    "output_table",
    "without_none",
]

PENALTY_SCALES = ("per-sample", "sum")
KEPT = ("replicates",)
"""What a run can be told to keep beside the rows."""


class Precision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When an output is precise enough: standard error / mean, or standard error itself.

    With `metrics`, of every metric too.
    """

    relative: float | None = None
    absolute: float | None = None
    max_replicates: int = 1_000_000
    metrics: bool = False

    @property
    def fixed_count(self) -> bool:
        """Whether exactly `max_replicates` are asked for, by a target of 0, which is never met."""
        return 0 in (self.relative, self.absolute)


class Output(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a run leaves beside its usual rows: every replicate, and what a mean is made of."""

    replicates: bool = False
    bias_variance: bool = False

    @property
    def whole(self) -> str:
        """What needs whole replicates, in words; empty where nothing does."""
        if self.replicates:
            return "replicates to keep"
        return "a replicate's coefficients, whose bias is asked for" if self.bias_variance else ""


@dataclass(frozen=True, slots=True)  # a study may have a million
class Point:
    """What is asked: one model at one number of task and of brain samples.

    Attributes
    ----------
    index : int
        Its number, column `point` of the results.
    model : Model
        The model.
    n_task, n_brain : int
        Numbers of samples.
    """

    index: int
    model: Model
    n_task: int
    n_brain: int


class Options(TypedDict, total=False):
    """What `Study.with_options` replaces."""

    seed: int
    engine: str
    exact_task_stage: bool
    precision: Precision
    output: Output


@dataclass(frozen=True)
class Study:
    """A validated study; `points()` are the pairs of its design, models outermost.

    Attributes
    ----------
    name : str
    seed : int
    models : tuple of Model
    design : Design
        The numbers of task and of brain samples that are asked of each model.
    methods : tuple of Method
        Estimators under their penalty rules.
    shifts : tuple of Shift
    encoders : tuple of Encoder
        The ways in which subspaces are estimated; each makes a method of every estimator that
        estimates one.
    precision : Precision
    engine : str
    exact_task_stage : bool
        Whether the exact law of the task stage stands for its simulation (engine spectral).
    output : Output
    penalty_scale : str
        "per-sample" or "sum" (a number then means n_T times the per-sample penalty).
    table : dict
        The study as TOML holds it, defaults filled in.
    plugins : tuple of Plugin
        What its user brought.
    metrics : tuple of Metric
        What is measured beside the excess risk.
    text : str
        The study as it was written.
    """

    name: str
    seed: int
    models: tuple[Model, ...]
    design: Design
    methods: tuple[Method, ...]
    shifts: tuple[Shift, ...]
    encoders: tuple[Encoder, ...] = (PLAIN,)
    precision: Precision = field(default_factory=Precision)
    engine: str = "auto"
    exact_task_stage: bool = True
    output: Output = field(default_factory=Output)
    penalty_scale: str = "per-sample"
    table: dict[str, Any] = field(default_factory=dict, repr=False)
    plugins: tuple[Plugin, ...] = ()
    metrics: tuple[Metric, ...] = ()
    text: str = field(default="", repr=False)

    @property
    def n_task(self) -> tuple[int, ...]:
        """The numbers of task samples that are asked of some model: an axis of the results."""
        return self.design.n_task

    @property
    def n_brain(self) -> tuple[int, ...]:
        """The numbers of brain samples that are asked of some model: an axis of the results."""
        return self.design.n_brain

    @property
    def n_points(self) -> int:
        """Number of points."""
        return self.design.n_points

    @property
    def n_rows(self) -> int:
        """Number of rows of the results."""
        return self.n_points * len(self.methods) * len(self.shifts)

    def points(self) -> Iterator[Point]:
        """Every point, models outermost, the pairs of each in the order of the design.

        Yields
        ------
        Point
            In the order of their numbers.
        """
        n_task, n_brain = self.n_task, self.n_brain
        for model, start, pairs in zip(
            self.models, self.design.starts, self.design.pairs, strict=False
        ):
            places = zip(pairs.task.tolist(), pairs.brain.tolist(), strict=True)
            for index, (task, brain) in enumerate(places, start):
                yield Point(index, model, n_task[task], n_brain[brain])

    def point(self, model: int, pair: int) -> Point:
        """One point.

        Parameters
        ----------
        model : int
            Place among the models.
        pair : int
            Place among the pairs that the design asks of the model.

        Returns
        -------
        Point
            With the number that `points` gives it.
        """
        pairs, index = self.design.pairs[model], self.design.starts[model] + pair
        n_task, n_brain = self.n_task[pairs.task[pair]], self.n_brain[pairs.brain[pair]]
        return Point(index, self.models[model], n_task, n_brain)

    def numbered(self, index: int) -> Point:
        """The point of a number.

        Parameters
        ----------
        index : int
            From 0 to `n_points` - 1.

        Returns
        -------
        Point
            The point.
        """
        model = self.design.model_of(index)
        return self.point(model, index - self.design.starts[model])

    def rank(self, model: Model) -> int:
        """The largest rank that estimators of the subspace use for a model.

        Parameters
        ----------
        model : Model
            One of the study's.

        Returns
        -------
        int
            Of those in [encoding], by default the number of measured latents.
        """
        return max(encoder.rank_of(model) for encoder in self.encoders)

    @overload
    def per_sample(self, penalty: float, n_task: int) -> float: ...

    @overload
    def per_sample(self, penalty: float, n_task: Floats) -> Floats | float: ...

    def per_sample(self, penalty: float, n_task: int | Floats) -> Floats | float:
        """The per-sample penalty that a number of the study stands for.

        Parameters
        ----------
        penalty : float
            As it was written.
        n_task : int or ndarray
            Numbers of task samples.

        Returns
        -------
        float or ndarray
            As `penalty_scale` says: the same number, or a share of it for each sample.
        """
        match self.penalty_scale:
            case "per-sample":
                return penalty
            case "sum":
                return penalty / n_task
        raise unhandled("penalty_scale", self.penalty_scale, "a study")

    def undefined(self, method: Method, point: Point) -> bool:
        """Whether a method asks for more brain directions than a point has brain samples.

        Parameters
        ----------
        method : Method
            One of the study's.
        point : Point
            One of the study's.

        Returns
        -------
        bool
            Such rows have status "undefined".
        """
        rank = method.encoder.rank_of(point.model)
        return method.estimator.uses_brain and 0 < point.n_brain < rank

    @property
    def selects(self) -> bool:
        """Whether some penalty is chosen on each replicate's data."""
        return any(method.rule.selects for method in self.methods)

    def baseline(self) -> Method | None:
        """What gains are measured against.

        Returns
        -------
        Method or None
            Tuned ridge if the study has it, else OLS; None without either.
        """
        tuned = [c for c in self.methods if c.tuned]
        plain = [c for c in self.methods if c.estimator.name == "ols"]
        return next(iter(tuned + plain), None)

    def with_options(self, **options: Unpack[Options]) -> Study:
        """A copy with some options replaced, in its table too.

        Parameters
        ----------
        **options : int, str, bool or Precision
            `seed`, `engine`, `exact_task_stage`, `precision` or `output`.

        Returns
        -------
        Study
            The copy.
        """
        table = dict(self.table)
        if "seed" in options:
            table["seed"] = options["seed"] = integer("seed", options["seed"], 0, 2**63 - 1)
        if "engine" in options:
            one_of("engine", options["engine"], ENGINE_NAMES)
        if "engine" in options or "exact_task_stage" in options:
            engine = options.get("engine", self.engine)
            exact = options.get("exact_task_stage", self.exact_task_stage)
            check_task_stage(engine, exact)
            table["engine"] = {"kind": engine, "exact_task_stage": exact}
        if "precision" in options:
            check_precision(options["precision"])
            table["precision"] = without_none(options["precision"])
        if "output" in options:
            table = {k: v for k, v in table.items() if k != "output"} | output_table(
                options["output"]
            )
        return replace(self, table=table, **options)


def output_table(output: Output) -> dict[str, Any]:
    """The section [output] of a study, or nothing where it asks for nothing.

    Parameters
    ----------
    output : Output
        The section as it was read.

    Returns
    -------
    dict
        The section by its name; empty where everything is at its default.
    """
    asked = {k: v for k, v in msgspec.structs.asdict(output).items() if v}
    return {"output": asked} if asked else {}


def check_precision(precision: Precision) -> None:
    """Refuse targets that are not numbers >= 0.

    Parameters
    ----------
    precision : Precision
        The section [precision] of a study.

    Raises
    ------
    InputError
        A target that is negative or NaN, or a count of replicates that is not whole.
    """
    for key in ("relative", "absolute"):
        value = getattr(precision, key)
        if value is not None and not 0 <= value <= 1e150:
            raise InputError(f"[precision] {key} = {value}: a number >= 0 is allowed")
    integer("[precision] max_replicates", precision.max_replicates, 1, 10**12)


def check_task_stage(engine: str, exact: bool) -> None:
    """Refuse the engine of laws without the law of the task stage.

    Parameters
    ----------
    engine : str
        Name of an engine.
    exact : bool
        `exact_task_stage` of the study.

    Raises
    ------
    InputError
        No law may stand for what is nothing but laws.
    """
    if engine == "law" and not exact:
        raise InputError(
            "[engine] exact_task_stage = false: engine 'law' is nothing but laws; use spectral"
        )


def without_none(section: msgspec.Struct) -> dict[str, Any]:
    """A section as a table, without what is not set.

    Parameters
    ----------
    section : msgspec.Struct
        Such as [precision].

    Returns
    -------
    dict
        Keys of a study file and their values.
    """
    found = {k: v for k, v in msgspec.structs.asdict(section).items() if v is not None}
    # What is not asked for is not written either, so that studies of before keep their text.
    return {k: v for k, v in found.items() if v is not False}
