"""A study from Python values instead of a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mcbrain.asking.design_section import GEOMETRIC
from mcbrain.asking.from_toml import study_from_table
from mcbrain.asking.studies import Study
from mcbrain.errors import InputError
from mcbrain.plain import plain
from mcbrain.population.model import Model

__all__ = ["adhoc_study", "check_model"]

_TUNED = {"ols": 0.0, "ridge": "optimal", "befs": "optimal", "befs-oracle": "optimal"}


def check_model(model: object) -> None:
    """Refuse what is not a model.

    Raises
    ------
    InputError
    """
    if not isinstance(model, Model):
        raise InputError(f"model = {model!r}: an mcbrain.Model is allowed")


def adhoc_study(
    model: Model,
    n_task: int | Iterable[int],
    n_brain: int | Iterable[int],
    estimators: Mapping[str, object] | None,
    shifts: Iterable[str],
    *,
    seed: int,
    rank: int | None = None,
    encoding_penalty: float = 0.0,
    penalty_scale: str = "per-sample",
    precision: Mapping[str, object] | None = None,
    engine: str = "auto",
    exact_task_stage: bool = True,
    name: str = "simulate",
) -> Study:
    """A study from Python values, one model.

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
    settings = {key: value for key, value in model.given().items() if value is not None}
    table = {
        "name": name,
        "seed": seed,
        "model": {k: [list(v)] if isinstance(v, tuple) else v for k, v in settings.items()},
        "design": {
            "n_task": _whole_numbers(n_task),
            "n_brain": _whole_numbers(n_brain),
        },
        "encoding": {"penalty": encoding_penalty} | ({} if rank is None else {"rank": rank}),
        "estimators": {
            **(_TUNED if estimators is None else estimators),
            "penalty_scale": penalty_scale,
        },
        "shifts": _shifts(shifts),
        "precision": dict(precision or {}),
        "engine": {"kind": engine, "exact_task_stage": exact_task_stage},
    }
    try:
        return study_from_table(table, models=(model,))
    except InputError as error:
        raise InputError(_in_python(str(error))) from None


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
    "[engine] kind": "engine",
    "[engine] exact_task_stage": "exact_task_stage",
}


def _in_python(sentence: str) -> str:
    """A sentence about a study file in the words of a Python call."""
    for section, keyword in _KEYWORDS.items():
        sentence = sentence.replace(section, keyword)
    return sentence


def _whole_numbers(value: int | Iterable[int]) -> object:
    """Python and NumPy whole numbers as TOML holds them; anything else is refused later."""
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
