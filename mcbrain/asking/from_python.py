"""A study from Python values instead of a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from mcbrain.asking.design_section import GEOMETRIC
from mcbrain.asking.encoders import Encoder, encoders_from_table
from mcbrain.asking.from_toml import study_from_table
from mcbrain.asking.studies import Study
from mcbrain.errors import InputError
from mcbrain.plain import plain
from mcbrain.plugins.record import Plugin
from mcbrain.population.model import Model

__all__ = ["EncoderPenalty", "Rank", "Samples", "adhoc_study", "check_model", "one_encoder"]

# Numbers of samples.
Samples: TypeAlias = int | Iterable[int]

# Of the subspace that is estimated, each of several making rows of its own.
Rank: TypeAlias = int | Sequence[int] | None

# A number per brain sample, a rule in words, a grid, or several of these.
EncoderPenalty: TypeAlias = float | str | Mapping[str, Sequence[float]] | Sequence[object]

_TUNED = {"ols": 0.0, "ridge": "optimal", "befs": "optimal", "befs-oracle": "optimal"}


def check_model(model: object) -> None:
    """Refuse what is not a model.

    Parameters
    ----------
    model : object
        What was given.

    Raises
    ------
    InputError
        It is no `Model`.
    """
    if not isinstance(model, Model):
        raise InputError(f"model = {model!r}: an mcbrain.Model is allowed")


def adhoc_study(
    model: Model,
    n_task: Samples | None,
    n_brain: Samples | str | None,
    estimators: Mapping[str, object] | Mapping[str | Plugin, object] | None,
    shifts: Iterable[str | Plugin],
    *,
    seed: int,
    rank: Rank = None,
    encoding_penalty: EncoderPenalty = 0.0,
    penalty_scale: str = "per-sample",
    precision: Mapping[str, object] | None = None,
    engine: str = "auto",
    exact_task_stage: bool = True,
    name: str = "simulate",
    points: Iterable[Sequence[int]] | None = None,
    where: str | None = None,
    metrics: str | Plugin | Iterable[str | Plugin] = (),
) -> Study:
    """A study from Python values, one model.

    Parameters
    ----------
    model : Model
        The model.
    n_task, n_brain : int, iterable of int, or (n_brain) str, or None
        As in the section [design] of a study file; None is left out.
    estimators : mapping, or None
        Name to penalty rule; None for ols, ridge, befs and befs-oracle, tuned. A plug-in stands for
        its own name.
    shifts : iterable of str
        In text, such as "brain-insensitive:4"; or plug-ins, at their defaults, or a mapping of
        names to settings as in a study.
    seed : int
        Of all random numbers.
    rank : int or sequence of int, optional
        Ranks that estimators of the subspace use.
    encoding_penalty : float, str, mapping, or sequence of these
        As `penalty` in the section [encoding] of a study file.
    penalty_scale : str
        "per-sample" or "sum".
    precision : mapping, optional
        The section [precision] of a study file.
    engine : str
        Name of an engine, or "auto".
    exact_task_stage : bool
        Engine spectral: whether the exact law of the task stage stands for its simulation.
    name : str
        Name of the study.
    points : iterable of pairs of int, optional
        (n_task, n_brain), in the place of `n_task` and `n_brain`.
    where : str, optional
        A condition on the points, as in a study file.
    metrics : iterable of str
        Names of what is measured beside the excess risk, or plug-ins.

    Returns
    -------
    Study
        As `study_from_table` gives it.

    Raises
    ------
    InputError
        As for a study file.
    """
    check_model(model)
    if not isinstance(estimators, (Mapping, type(None))):
        raise InputError(
            f"estimators = {estimators!r}: a mapping of names to penalty rules is allowed, such as "
            '{"ridge": "optimal", "befs": 0.1}'
        )
    asked, plugins = _named(_TUNED if estimators is None else estimators)
    named_shifts, own_shifts = _names(shifts)
    named_metrics, own_metrics = _names([metrics] if isinstance(metrics, str) else metrics)
    plugins += own_shifts + own_metrics
    plugins += [model.own_inputs.plugin] if model.own_inputs else []
    settings = {key: value for key, value in model.given().items() if value is not None}
    table = {
        "name": name,
        "seed": seed,
        "model": {k: [list(v)] if isinstance(v, tuple) else v for k, v in settings.items()},
        "design": {
            key: _listed(value)
            for key, value in (
                ("n_task", n_task),
                ("n_brain", n_brain),
                ("points", points),
                ("where", where),
            )
            if value is not None
        },
        "encoding": {"penalty": _listed(encoding_penalty)}
        | ({} if rank is None else {"rank": _listed(rank)}),
        "estimators": {**asked, "penalty_scale": penalty_scale},
        "shifts": _shifts(named_shifts),
        "precision": dict(precision or {}),
        "engine": {"kind": engine, "exact_task_stage": exact_task_stage},
        "metrics": {name: {} for name in named_metrics},
    }
    try:
        return study_from_table(table, models=(model,), plugins=plugins)
    except InputError as error:
        raise InputError(_in_python(str(error))) from None


def _named(
    estimators: Mapping[str, object] | Mapping[str | Plugin, object],
) -> tuple[dict[str, object], list[Plugin]]:
    """Estimators by name, and the plug-ins among them that were given as objects."""
    plugins = [key for key in estimators if isinstance(key, Plugin)]
    names = [key.name if isinstance(key, Plugin) else key for key in estimators]
    return dict(zip(names, estimators.values(), strict=True)), plugins


# Any: names, in whatever holds them; what cannot be one is refused with the study.
def _names(asked: Any) -> tuple[Any, list[Plugin]]:
    """Names of a list or a mapping, and the plug-ins among them that were given as objects."""
    asked = [asked] if isinstance(asked, Plugin) else asked
    if isinstance(asked, str) or not isinstance(asked, Iterable):
        return asked, []
    entries = list(asked)
    plugins = [entry for entry in entries if isinstance(entry, Plugin)]
    names = [entry.name if isinstance(entry, Plugin) else entry for entry in entries]
    if isinstance(asked, Mapping):
        return dict(zip(names, asked.values(), strict=True)), plugins
    return names, plugins


def one_encoder(penalty: object) -> Encoder:
    """The encoder that a call asks for whose answer is about one.

    Parameters
    ----------
    penalty : object
        Its keyword `encoding_penalty`.

    Returns
    -------
    Encoder
        Of the default rank.

    Raises
    ------
    InputError
        What is neither a number >= 0 nor a rule, or several.
    """
    try:
        found = encoders_from_table({"penalty": _listed(penalty)})
    except InputError as error:
        raise InputError(_in_python(str(error))) from None
    if len(found) > 1:
        raise InputError(
            f"encoding_penalty = {penalty!r}: one number or rule is allowed, for one answer"
        )
    return found[0]


# Words about a study file, and what they are in a Python call.
_KEYWORDS = {
    GEOMETRIC: "np.geomspace(10, 1000, 5).round() is a grid of whole numbers",
    "[design] ": "",
    "[encoding] penalty": "encoding_penalty",
    "[encoding] ": "",
    "[estimators] penalty_scale": "penalty_scale",
    "[estimators]": "estimators",
    "[shifts]": "shifts",
    "[precision]": "precision",
    "[metrics]": "metrics",
    "[engine] kind": "engine",
    "[engine] exact_task_stage": "exact_task_stage",
}


def _in_python(sentence: str) -> str:
    """A sentence about a study file in the words of a Python call."""
    for section, keyword in _KEYWORDS.items():
        sentence = sentence.replace(section, keyword)
    return sentence


def _listed(value: object) -> object:
    """Numbers of Python and NumPy, and any iterable of them, as TOML holds them."""
    value = plain(value)
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping)):
        return list(value)
    return value


def _shifts(value: str | Iterable[str] | Mapping[str, object]) -> object:
    """Shifts as a study holds them: a list of texts, or the table [shifts]."""
    if isinstance(value, (str, Mapping)):
        return [value] if isinstance(value, str) else value
    if isinstance(value, Iterable):
        return list(value)
    raise InputError(
        f"shifts = {value!r}: a list of shifts in text is allowed, such as "
        '["id", "brain-insensitive:4"]'
    )
