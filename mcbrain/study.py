"""A study: the TOML file that a user writes, validated, and the points that it asks for."""

from __future__ import annotations

import itertools
import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from mcbrain.errors import InputError, did_you_mean
from mcbrain.estimators import Choice, choices_from_table, grid
from mcbrain.model import MODEL_FIELDS, Model
from mcbrain.shifts import Shift, parse_shift, shifts_from_table

__all__ = [
    "Encoding",
    "Point",
    "Precision",
    "Study",
    "load_study",
    "shipped_studies",
    "study_from_table",
]

ENGINES = ("auto", "raw", "sufficient", "spectral", "law")
_MAX_ROWS = 50_000_000
_MAX_MODELS = 250_000  # 0.1 ms and 0.6 kB each, before anything is simulated
_MAX_BYTES = 10_000_000
_MAX_DOTS = 200
_KEY_DOTS = re.compile(r"(?<!\d)\.|\.(?!\d)|\.[\w+-]+(?=\.)")
_MAX_SAMPLES = 1_000_000_000
_LISTS = ("latent_gains", "task_loadings")  # one setting of these is itself a list


class Encoding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Stage 1: rank that the estimator uses (default measured_latents), and its ridge penalty."""

    rank: int | None = None
    penalty: float = 0.0


class Precision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When an output is precise enough: standard error / mean, or standard error itself."""

    relative: float | None = None
    absolute: float | None = None
    max_replicates: int = 1_000_000


class _Engine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    kind: str = "auto"
    law: bool = True


@dataclass(frozen=True)
class Point:
    """What is asked: one model at one number of task and of brain samples."""

    index: int
    model: Model
    n_task: int
    n_brain: int


@dataclass(frozen=True)
class Study:
    """A validated study; `points()` is its full grid, models outermost.

    Attributes
    ----------
    name : str
    seed : int
    models : tuple of Model
    n_task, n_brain : tuple of int
    choices : tuple of Choice
        Estimators under their penalty rules.
    shifts : tuple of Shift
    encoding : Encoding
    precision : Precision
    engine : str
    law : bool
        Whether the exact law of the task stage may stand for its simulation (engine spectral).
    penalty_scale : str
        "per-sample" or "sum" (a number then means n_T times the per-sample penalty).
    table : dict
        The study as TOML holds it, defaults filled in.
    text : str
        The study as it was written.
    """

    name: str
    seed: int
    models: tuple[Model, ...]
    n_task: tuple[int, ...]
    n_brain: tuple[int, ...]
    choices: tuple[Choice, ...]
    shifts: tuple[Shift, ...]
    encoding: Encoding = field(default_factory=Encoding)
    precision: Precision = field(default_factory=Precision)
    engine: str = "auto"
    law: bool = True
    penalty_scale: str = "per-sample"
    table: dict[str, Any] = field(default_factory=dict, repr=False)
    text: str = field(default="", repr=False)

    @property
    def n_points(self) -> int:
        """Number of points of the grid."""
        return len(self.models) * len(self.n_task) * len(self.n_brain)

    @property
    def n_rows(self) -> int:
        """Number of rows of the results."""
        return self.n_points * len(self.choices) * len(self.shifts)

    def points(self) -> Iterator[Point]:
        """Every point, models outermost, then n_task, then n_brain."""
        cells = itertools.product(self.models, self.n_task, self.n_brain)
        for index, (model, n_task, n_brain) in enumerate(cells):
            yield Point(index, model, n_task, n_brain)

    def rank(self, model: Model) -> int:
        """Rank that the estimators of the subspace use for a model."""
        return model.k_m if self.encoding.rank is None else self.encoding.rank

    def undefined(self, choice: Choice, point: Point) -> bool:
        """Whether a choice asks for more brain directions than a point has brain samples."""
        return choice.estimator.uses_brain and 0 < point.n_brain < self.rank(point.model)

    def baseline(self) -> Choice | None:
        """What gains are measured against: tuned ridge if the study has it, else OLS."""
        tuned = [c for c in self.choices if c.tuned]
        plain = [c for c in self.choices if c.estimator.name == "ols"]
        return next(iter(tuned + plain), None)

    def with_options(self, **options: Any) -> Study:
        """A copy with `seed`, `engine`, `law` or `precision` replaced, in its table too."""
        table = dict(self.table)
        if "seed" in options:
            table["seed"] = options["seed"] = _whole("seed", options["seed"], 0, 2**63 - 1)
        if "engine" in options:
            _one_of("engine", options["engine"], ENGINES)
        if "engine" in options or "law" in options:
            engine, law = options.get("engine", self.engine), options.get("law", self.law)
            _check_law(engine, law)
            table["engine"] = {"kind": engine, "law": law}
        if "precision" in options:
            _check_precision(options["precision"])
            table["precision"] = _without_none(options["precision"])
        return replace(self, table=table, **options)


def shipped_studies() -> dict[str, Path]:
    """The studies that come with mcbrain: name to file."""
    installed = Path(__file__).parent / "studies"
    folder = installed if installed.is_dir() else Path(__file__).parent.parent / "data" / "studies"
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def load_study(source: str | Path) -> Study:
    """A study from a TOML file or from the name of a shipped one.

    Parameters
    ----------
    source : str or Path

    Raises
    ------
    InputError
        One sentence that names the file, the key, the value and what is allowed.
    """
    path = Path(source)
    shipped = shipped_studies()
    if not path.exists() and str(source) in shipped:
        path = shipped[str(source)]
    try:
        text = _text(path)
    except FileNotFoundError:
        hint = did_you_mean(str(source), shipped) if shipped else ""
        raise InputError(
            f"{source}: no such file and no shipped study of that name; {hint}"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{source}: cannot be read as text ({error})") from None
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise InputError(f"{source}: not valid TOML: {error}") from None
    try:
        return study_from_table(table, folder=path.parent, text=text)
    except InputError as error:
        raise InputError(f"{source}: {error}") from None
    except (ValueError, RecursionError) as error:  # such as a number that Python will not print
        raise InputError(f"{source}: a value is too large or too deep ({error})") from None


def _text(path: Path) -> str:
    """A file's text, if it has no more of it than a study may hold.

    A key of n dotted parts costs the TOML parser n^2 memory. Each of its dots but one is beside
    something other than a digit, or has a bare word between itself and the next: floats have none.
    """
    with path.open("rb") as source:
        content = source.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise InputError(f"{path}: a study file has at most {_MAX_BYTES:,} bytes")
    text = content.decode("utf-8")
    for number, line in enumerate(text.split("\n"), start=1):
        if line.count(".") > _MAX_DOTS and len(_KEY_DOTS.findall(line)) > _MAX_DOTS:
            raise InputError(f"{path}: line {number}: a key has at most {_MAX_DOTS} dots")
    return text


def study_from_table(table: Mapping[str, Any], folder: Path | None = None, text: str = "") -> Study:
    """A study from the tables of a TOML file.

    Parameters
    ----------
    table : mapping
        The sections of a study file.
    folder : Path, optional
        Where relative files are looked for.
    text : str
        The study as it was written, kept for provenance.

    Raises
    ------
    InputError
        One sentence that names the key, the value and what is allowed.
    """
    sections = (
        "name",
        "seed",
        "model",
        "design",
        "encoding",
        "estimators",
        "shifts",
        "precision",
        "engine",
    )
    _known(table, sections, "")
    name = table.get("name")
    if not isinstance(name, str) or not 0 < len(name) <= 200 or not name.isprintable():
        raise InputError(
            f"name = {name!r}: every study needs a name of 1 to 200 printable characters"
        )
    seed = _whole("seed", table.get("seed", 0), 0, 2**63 - 1)
    models = _models(_section(table, "model"))
    design = _section(table, "design")
    _known(design, ("n_task", "n_brain"), "[design] ")
    n_task = _samples("n_task", design.get("n_task"), 1)
    n_brain = _samples("n_brain", design.get("n_brain", 0), 0)
    settings = dict(_section(table, "estimators"))
    penalty_scale = settings.pop("penalty_scale", "per-sample")
    _one_of("[estimators] penalty_scale", penalty_scale, ("per-sample", "sum"))
    asked = table.get("shifts", {"id": {}})
    shifts = (
        [parse_shift(str(s)) for s in asked]
        if isinstance(asked, (list, tuple))
        else shifts_from_table(_section({"shifts": asked}, "shifts"), folder)
    )
    engine = _convert(_section(table, "engine", {}), _Engine, "engine")
    _one_of("[engine] kind", engine.kind, ENGINES)
    _check_law(engine.kind, engine.law)
    study = Study(
        name=name,
        seed=seed,
        models=tuple(models),
        n_task=n_task,
        n_brain=n_brain,
        choices=tuple(choices_from_table(settings)),
        shifts=tuple(shifts) or (parse_shift("id"),),
        encoding=_convert(_section(table, "encoding", {}), Encoding, "encoding"),
        precision=_convert(_section(table, "precision", {}), Precision, "precision"),
        engine=engine.kind,
        law=engine.law,
        penalty_scale=penalty_scale,
        text=text,
    )
    _check(study)
    return replace(study, table=_resolved(study, table))


def _check(study: Study) -> None:
    """What only the study as a whole can say."""
    _check_precision(study.precision)
    if not 0 <= study.encoding.penalty <= 1e150:
        raise InputError(f"[encoding] penalty = {study.encoding.penalty}: a number >= 0 is allowed")
    for model in study.models:
        rank, limit = study.rank(model), min(model.input_dim, model.n_channels)
        if not 1 <= rank <= limit:
            raise InputError(
                f"[encoding] rank = {rank}: allowed is 1 to min(input_dim, n_channels) = {limit}"
            )
        for shift in study.shifts:
            if objection := shift.objection(model):
                raise InputError(f"[shifts] {objection}")
    if study.n_rows > _MAX_ROWS:
        raise InputError(
            f"the grid has {study.n_points:,} points and {study.n_rows:,} rows; at most "
            f"{_MAX_ROWS:,} rows are allowed: use fewer values, or split the study"
        )


def _check_precision(precision: Precision) -> None:
    for key in ("relative", "absolute"):
        value = getattr(precision, key)
        if value is not None and not 0 <= value <= 1e150:
            raise InputError(f"[precision] {key} = {value}: a number >= 0 is allowed")
    _whole("[precision] max_replicates", precision.max_replicates, 1, 10**12)


def _check_law(engine: str, law: bool) -> None:
    if engine == "law" and not law:
        raise InputError("[engine] law = false: engine 'law' is nothing but laws; use spectral")


def _models(table: Mapping[str, Any]) -> list[Model]:
    """The product of every list in [model], in the order of the fields."""
    _known(table, MODEL_FIELDS, "[model] ")
    for key in ("input_dim", "latent_dim", "n_channels"):
        if key not in table:
            raise InputError(f"[model] {key} is missing")
    axes = []
    for key in MODEL_FIELDS:
        if key in table:
            value = table[key]
            nested = isinstance(value, list) and key in _LISTS and not isinstance(value[:1], str)
            if isinstance(value, list) and not value:
                raise InputError(f"[model] {key} = []: an empty list asks for no model")
            if nested and key == "task_loadings" and not isinstance(value[0], list):
                raise InputError(
                    f"[model] {key} = {value!r}: one setting is a list of its own: [[1.0, 0.5]]"
                )
            axes.append([(key, v) for v in (value if isinstance(value, list) else [value])])
    size = math.prod(len(axis) for axis in axes)
    if size > _MAX_MODELS:
        raise InputError(f"[model] asks for {size:,} models; at most {_MAX_MODELS:,} are allowed")
    try:
        models = [Model(**dict(setting)) for setting in itertools.product(*axes)]
    except InputError as error:
        raise InputError(f"[model] {error}") from None
    if len(set(models)) < len(models):
        raise InputError("[model]: the same model is asked for twice; remove the repeated value")
    return models


def _samples(key: str, value: Any, low: int) -> tuple[int, ...]:
    where = f"[design] {key}"
    if value is None:
        raise InputError(f"{where} is missing")
    if isinstance(value, Mapping):
        values = [round(v) for v in grid(value, f"{where} = {dict(value)!r}")]
        values = list(dict.fromkeys(values))
    else:
        values = list(value) if isinstance(value, (list, tuple)) else [value]
    if not values:
        raise InputError(f"{where} = []: an empty list asks for nothing")
    numbers = tuple(_whole(where, v, low, _MAX_SAMPLES) for v in values)
    if len(set(numbers)) < len(numbers):
        raise InputError(f"{where} = {values}: a number is listed twice")
    return numbers


def _resolved(study: Study, table: Mapping[str, Any]) -> dict[str, Any]:
    """The study's tables with every default written out."""
    return {
        "name": study.name,
        "seed": study.seed,
        "model": dict(table["model"]),
        "design": {"n_task": list(study.n_task), "n_brain": list(study.n_brain)},
        "encoding": _without_none(study.encoding),
        "estimators": {**table["estimators"], "penalty_scale": study.penalty_scale},
        "shifts": _resolved_shifts(study, table.get("shifts", {"id": {}})),
        "precision": _without_none(study.precision),
        "engine": {"kind": study.engine, "law": study.law},
    }


def _resolved_shifts(study: Study, shifts: Any) -> Any:
    """The shifts as they were written, files of `custom` ones found from anywhere."""
    files = [str(Path(s.along).resolve()) for s in study.shifts if s.kind == "custom"]
    if isinstance(shifts, (list, tuple)):
        rest = iter(files)
        return [f"custom:{next(rest)}" if str(s).startswith("custom:") else s for s in shifts]
    return dict(shifts) | ({"custom": {"file": files}} if files else {})


def _without_none(section: msgspec.Struct) -> dict[str, Any]:
    return {k: v for k, v in msgspec.structs.asdict(section).items() if v is not None}


def _section(table: Mapping[str, Any], key: str, default: Any = None) -> Mapping[str, Any]:
    section = table.get(key, default)
    if section is None:
        raise InputError(f"[{key}] is missing")
    if not isinstance(section, Mapping):
        raise InputError(f"{key} = {section!r}: a table [{key}] is allowed")
    return section


def _known(table: Mapping[str, Any], allowed: tuple[str, ...], where: str) -> None:
    for key in table:
        if key not in allowed:
            raise InputError(f"{where}{key}: unknown key; {did_you_mean(str(key), allowed)}")


def _convert(table: Mapping[str, Any], kind: Any, name: str) -> Any:
    _known(table, kind.__struct_fields__, f"[{name}] ")
    try:
        return msgspec.convert(dict(table), kind)
    except msgspec.ValidationError as error:
        sentence = str(error).replace(" - at `$.", f" in [{name}] `").replace("`", "'")
        raise InputError(f"[{name}] {dict(table)!r}: {sentence}") from None


def _whole(where: str, value: Any, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InputError(f"{where} = {value!r}: a whole number from {low} to {high} is allowed")
    return value


def _one_of(where: str, value: Any, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InputError(f"{where} = {value!r}: {did_you_mean(str(value), allowed)}")
