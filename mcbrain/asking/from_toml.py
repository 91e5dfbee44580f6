"""The TOML file that a user writes, validated: its tables to a study."""

from __future__ import annotations

import itertools
import math
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar, get_args

import msgspec

from mcbrain.asking.arrays import with_arrays
from mcbrain.asking.design_section import MOST_ROWS, design_from_table
from mcbrain.asking.encoders import check_encoders, encoders_from_table
from mcbrain.asking.engines import ENGINE_NAMES
from mcbrain.asking.estimators import methods_from_table
from mcbrain.asking.files import read_text
from mcbrain.asking.metrics import metrics_from_table
from mcbrain.asking.older_names import warn_of_older, with_new_names
from mcbrain.asking.plugins_section import Trust, declared, plugins_from_table
from mcbrain.asking.settings import merged, settings_table
from mcbrain.asking.shift_text import found_from, parse_shift, shifts_from_table, with_files
from mcbrain.asking.studies import (
    PENALTY_SCALES,
    Output,
    Precision,
    Study,
    check_precision,
    check_task_stage,
    output_table,
    without_none,
)
from mcbrain.checks import integer, one_of
from mcbrain.errors import InputError, did_you_mean
from mcbrain.plain import numpy_defaults, plain_table, whole
from mcbrain.plugins.record import Plugin
from mcbrain.population.distributions import INPUTS
from mcbrain.population.labels import objection as labels_objection
from mcbrain.population.model import MODEL_FIELDS, Model
from mcbrain.population.own_inputs import own_inputs
from mcbrain.population.shifts import Shift

__all__ = ["load_study", "reload_study", "shipped_studies", "study_from_table"]

_MAX_MODELS = 250_000  # 0.1 ms and 0.6 kB each, before anything is simulated
_SECTIONS = (
    "name",
    "seed",
    "model",
    "design",
    "encoding",
    "estimators",
    "shifts",
    "precision",
    "engine",
    "metrics",
    "plugins",
    "output",
)


Section = TypeVar("Section", bound=msgspec.Struct)


class _Engine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    kind: str = "auto"
    exact_task_stage: bool = True


def shipped_studies() -> dict[str, Path]:
    """The studies that come with mcbrain.

    Returns
    -------
    dict of str to Path
        Name to file, by name.
    """
    folder: Any = files("mcbrain.asking") / "shipped"  # in a zip file, what is like a Path
    if not folder.is_dir():
        folder = Path(__file__).parents[2] / "data" / "studies"
    entries = folder.iterdir() if folder.is_dir() else ()
    found = [path for path in entries if path.name.endswith(".toml")]
    return {path.name.removesuffix(".toml"): path for path in sorted(found, key=lambda p: p.name)}


@numpy_defaults
def load_study(source: str | Path, settings: Iterable[str] = (), *, plugins: bool = False) -> Study:
    """A study from a TOML file or from the name of a shipped one.

    Parameters
    ----------
    source : str or Path
        The file, or the name.
    settings : iterable of str
        Keys in place of the file's, such as "model.misalignment=0.2"; see `settings_table`.
    plugins : bool
        Whether the code of plug-ins that the study names may run.

    Returns
    -------
    Study
        As `study_from_table` gives it, with the text of the file.

    Raises
    ------
    InputError
        One sentence that names the file, the key, the value and what is allowed.
    """
    return _load(source, warn_of_older, tuple(settings), "run" if plugins else "refuse")


def reload_study(path: Path) -> Study:
    """A study from the file that a results folder keeps, whatever its keys were called then.

    Parameters
    ----------
    path : Path
        Of the file.

    Returns
    -------
    Study
        As `load_study` gives it.

    Raises
    ------
    InputError
        As of `load_study`.
    """
    return _load(path, lambda engine: None, trust="read")


def _load(
    source: str | Path,
    on_engine: Callable[[object], None],
    settings: tuple[str, ...] = (),
    trust: Trust = "refuse",
) -> Study:
    """A study from a file; `on_engine` is shown the section [engine] as it was written."""
    if not isinstance(source, (str, Path)):
        raise InputError(
            f"study = {source!r}: the path of a TOML file or the name of a shipped study is allowed"
        )
    path = Path(source)
    shipped = shipped_studies()
    if not path.exists() and str(source) in shipped:
        path = shipped[str(source)]
    try:
        text = read_text(path)
    except FileNotFoundError:
        hint = did_you_mean(str(source), shipped) if shipped else ""
        raise InputError(
            f"{source}: no such file and no shipped study of that name; {hint}"
        ) from None
    except OSError as error:
        raise InputError(f"{source}: cannot be read ({error})") from None
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise InputError(f"{source}: not valid TOML: {error}") from None
    on_engine(table.get("engine"))
    table = merged(table, settings_table(settings))
    text += "".join(f"\n# --set {setting}" for setting in settings)
    try:
        return study_from_table(table, folder=path.parent, text=text, trust=trust)
    except InputError as error:
        raise InputError(f"{source}: {error}") from None
    except (ValueError, RecursionError) as error:  # such as a number that Python will not print
        raise InputError(f"{source}: a value is too large or too deep ({error})") from None


@numpy_defaults
def study_from_table(
    table: Mapping[str, Any],
    folder: Path | None = None,
    text: str = "",
    models: tuple[Model, ...] | None = None,
    trust: Trust = "refuse",
    plugins: Sequence[Plugin] = (),
) -> Study:
    """A study from the tables of a TOML file.

    Parameters
    ----------
    table : mapping
        The sections of a study file.
    folder : Path, optional
        Where relative files are looked for.
    text : str
        The study as it was written, kept for provenance.
    models : tuple of Model, optional
        The models that [model] spells, where they are there already.
    trust : {"refuse", "run", "read"}
        What may be done with the code that [plugins] names.
    plugins : sequence of Plugin
        Plug-ins that were brought as Python objects.

    Returns
    -------
    Study
        Validated; its table has every default written out.

    Raises
    ------
    InputError
        One sentence that names the key, the value and what is allowed.
    """
    table = plain_table(table)
    _known(table, _SECTIONS, "")
    name = _name(table.get("name"))
    seed = integer("seed", table.get("seed", 0), 0, 2**63 - 1)
    section = _with_arrays(_section(table, "model"), folder)
    settings = dict(_section(table, "estimators"))
    penalty_scale = settings.pop("penalty_scale", "per-sample")
    one_of("[estimators] penalty_scale", penalty_scale, PENALTY_SCALES)
    wanted = [*settings, *_strange_inputs(section)]
    brought = plugins_from_table(_section(table, "plugins", {}), folder, trust, wanted, plugins)
    section = _with_own_inputs(section, brought)
    table = {**table, "model": section}
    models = tuple(_models(section)) if models is None else models
    design, models = design_from_table(_section(table, "design"), models)
    shifts = _shifts(table.get("shifts", {"id": {}}), folder, brought)
    engine = _convert(with_new_names(_section(table, "engine", {})), _Engine, "engine")
    one_of("[engine] kind", engine.kind, ENGINE_NAMES)
    check_task_stage(engine.kind, engine.exact_task_stage)
    encoders = encoders_from_table(_section(table, "encoding", {}))
    study = Study(
        name=name,
        seed=seed,
        models=models,
        design=design,
        methods=tuple(methods_from_table(settings, encoders, brought)),
        plugins=tuple(brought.values()),
        metrics=metrics_from_table(_section(table, "metrics", {}), brought),
        shifts=shifts,
        encoders=encoders,
        precision=_convert(_section(table, "precision", {}), Precision, "precision"),
        engine=engine.kind,
        exact_task_stage=engine.exact_task_stage,
        output=_convert(_section(table, "output", {}), Output, "output"),
        penalty_scale=str(penalty_scale),
        text=text,
    )
    _check(study)
    return replace(study, table=_resolved(study, table))


def _name(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 200 or not value.isprintable():
        raise InputError(
            f"name = {value!r}: every study needs a name of 1 to 200 printable characters"
        )
    return value


def _shifts(
    asked: object, folder: Path | None, brought: Mapping[tuple[str, str], Plugin]
) -> tuple[Shift, ...]:
    """The shifts that are asked for, as a list of texts or as tables; `id` where there is none."""
    own = {name: plugin for (kind, name), plugin in brought.items() if kind == "shift"}
    if isinstance(asked, (list, tuple)):
        found = [parse_shift(found_from(str(text), folder), own) for text in asked]
    else:
        found = shifts_from_table(_section({"shifts": asked}, "shifts"), folder, own)
    return tuple(found) or (parse_shift("id"),)


def _check(study: Study) -> None:
    """What only the study as a whole can say."""
    check_precision(study.precision)
    check_encoders(study.encoders, study.models)
    for model in study.models:
        for shift in study.shifts:
            if objection := shift.objection(model):
                raise InputError(f"[shifts] {objection}")
        if objection := labels_objection(model):
            raise InputError(f"[model] {objection}")
    for metric in study.metrics:
        said = [metric.objection(m, s) for m in study.models for s in study.shifts]
        if all(said):
            raise InputError(f"[metrics] {metric.name}: {said[0]}")
    if study.n_rows > MOST_ROWS:
        raise InputError(
            f"the grid has {study.n_points:,} points and {study.n_rows:,} rows; at most "
            f"{MOST_ROWS:,} rows are allowed: use fewer values, or split the study"
        )


def _with_arrays(section: Mapping[str, object], folder: Path | None) -> dict[str, object]:
    """The table [model] with the files that it names read."""
    try:
        return with_arrays(section, folder)
    except InputError as error:
        raise InputError(f"[model] {error}") from None


def _strange_inputs(section: Mapping[str, object]) -> list[str]:
    """Names of inputs that are not mcbrain's own."""
    asked = section.get("inputs", [])
    names = [str(i).partition(":")[0] for i in (asked if isinstance(asked, list) else [asked])]
    return [name for name in names if name not in INPUTS]


def _with_own_inputs(
    section: Mapping[str, object], brought: Mapping[tuple[str, str], Plugin]
) -> dict[str, object]:
    """The table [model] with inputs that name a plug-in carrying it."""
    if "inputs" not in section:
        return dict(section)
    own = {name: plugin for (kind, name), plugin in brought.items() if kind == "inputs"}
    asked = section["inputs"]
    try:
        if isinstance(asked, list):
            return {**section, "inputs": [own_inputs(one, own) for one in asked]}
        return {**section, "inputs": own_inputs(asked, own)}
    except InputError as error:
        raise InputError(f"[model] {error}") from None


def _models(table: Mapping[str, Any]) -> list[Model]:
    """The product of every list in [model], in the order of the fields."""
    _known(table, MODEL_FIELDS, "[model] ")
    axes = []
    for key in MODEL_FIELDS:
        if key in table:
            value = table[key]
            if isinstance(value, list) and not value:
                raise InputError(f"[model] {key} = []: an empty list asks for no model")
            listed = isinstance(value, list) and not isinstance(value[0], list)
            if listed and key == "task_loadings":
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


def _resolved(study: Study, table: Mapping[str, Any]) -> dict[str, object]:
    """The study's tables with every default written out."""
    return {
        "name": study.name,
        "seed": study.seed,
        "model": dict(table["model"]),
        "design": study.design.table,
        "encoding": _resolved_encoding(table.get("encoding", {})),
        "estimators": {**table["estimators"], "penalty_scale": study.penalty_scale},
        "shifts": _resolved_shifts(study, table.get("shifts", {"id": {}})),
        "precision": without_none(study.precision),
        "engine": {"kind": study.engine, "exact_task_stage": study.exact_task_stage},
        **({"metrics": {m.name: {} for m in study.metrics}} if study.metrics else {}),
        **({"plugins": declared(study.plugins)} if study.plugins else {}),
        **output_table(study.output),
    }


def _resolved_encoding(table: Mapping[str, Any]) -> dict[str, object]:
    """The section [encoding] with its penalty written out, a single one as a decimal number."""
    rank, penalty = table.get("rank"), table.get("penalty", 0.0)
    number = isinstance(penalty, (int, float))
    rest = {"penalty": float(penalty) if number else penalty}
    return rest if rank is None else {"rank": rank if isinstance(rank, list) else int(rank), **rest}


def _resolved_shifts(study: Study, shifts: object) -> object:
    """The shifts as they were written, files of `custom` ones found from anywhere."""
    files = [str(Path(s.along).resolve()) for s in study.shifts if s.kind == "custom"]
    return with_files(shifts, files)


def _section(table: Mapping[str, object], key: str, default: object = None) -> Mapping[str, object]:
    section = table.get(key, default)
    if section is None:
        raise InputError(f"[{key}] is missing")
    if not isinstance(section, Mapping):
        raise InputError(f"{key} = {section!r}: a table [{key}] is allowed")
    return section


def _known(table: Mapping[str, object], allowed: tuple[str, ...], where: str) -> None:
    for key in table:
        if key not in allowed:
            raise InputError(f"{where}{key}: unknown key; {did_you_mean(str(key), allowed)}")


def _convert(table: Mapping[str, object], kind: type[Section], name: str) -> Section:
    _known(table, kind.__struct_fields__, f"[{name}] ")
    counts = [f.name for f in msgspec.structs.fields(kind) if int in (f.type, *get_args(f.type))]
    try:
        return msgspec.convert({k: whole(v) if k in counts else v for k, v in table.items()}, kind)
    except msgspec.ValidationError as error:
        what, _, key = str(error).rstrip("`").partition(" - at `$.")
        what = what.replace("`", "").replace("null", "none")
        raise InputError(f"[{name}] {key} = {table.get(key)!r}: {what}") from None
