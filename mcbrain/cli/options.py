"""Options that commands share: those of a model, of estimators, and in place of a study's own."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from mcbrain.errors import InputError
from mcbrain.population.model import Model

if TYPE_CHECKING:
    from mcbrain.asking.studies import Study

__all__ = ["AsJson", "estimator_settings", "with_model", "with_overrides"]

AsJson = Annotated[bool, typer.Option("--json", help='As JSON: null is unknown, "inf" infinite.')]
"""The option of every command whose answer programs may read."""

# Option, type, default and help of each model field.
_FIELDS: dict[str, tuple[object, object, str]] = {
    "input_dim": (int, 200, "d, dimension of the input."),
    "latent_dim": (int, 10, "k, brain latents."),
    "n_channels": (int, 100, "p, recorded channels."),
    "misalignment": (float, 0.0, "m, share of the task that the brain does not represent."),
    "task_noise": (float | None, None, "sigma_y; or give --snr-task [1]."),
    "snr_task": (float | None, None, "|beta|^2 / sigma_y^2."),
    "neural_noise": (float | None, None, "sigma_r; or give --snr-brain [1]."),
    "snr_brain": (float | None, None, "1 / (sigma_r^2 sum a_j^2 / D_j^2)."),
    "latent_gains": (str, "1.0", "D: a number, one per latent (2,1,0.5), or powerlaw:ALPHA."),
    "measured_latents": (int | None, None, "k_m, latents that the recordings expose [all]."),
    "task_loadings": (str | None, None, "a: one per latent (1,0.5), or powerlaw:ALPHA [equal]."),
    "signal_norm": (float, 1.0, "|beta|."),
    "covariance": (str, "identity", "Of the inputs: identity, powerlaw:ALPHA, or file:NAME.npy."),
    "covariance_scale": (str, "trace", "Of a covariance from a file: trace, scaled to d; as-is."),
    "basis": (str | None, None, "Eigenvectors of the covariance: axes, or haar, seeded [haar]."),
    "brain_map": (str | None, None, "Latents: random, leading, or file:NAME.npy [random]."),
    "task": (str, "uniform", "What the brain misses: uniform, source:S; or beta: file:NAME.npy."),
}


def with_model(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a model, one for each entry of `_FIELDS`.

    Parameters
    ----------
    command : callable
        With a parameter `model`; its other parameters stay as they are.

    Returns
    -------
    callable
        The command with the options in place of `model`, for which it is given a Model.
    """
    own = inspect.signature(command, eval_str=True)
    mine = [p for p in own.parameters.values() if p.name != "model"]
    added = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=default,
            annotation=Annotated[kind, typer.Option(help=text, rich_help_panel="Model")],
        )
        for name, (kind, default, text) in _FIELDS.items()
    ]

    @wraps(command)
    def wrapper(**options: Any) -> None:  # whatever options the command has
        settings = {name: options.pop(name) for name in _FIELDS}
        if options.get("results") is not None:
            _refuse_model(settings, options["results"])
        for name in ("latent_gains", "task_loadings"):
            if settings[name] is not None:
                settings[name] = _numbers(name, settings[name])
        command(model=Model(**settings), **options)

    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in mine] + added
    wrapper.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {p.name: p.annotation for p in parameters}
    del wrapper.__wrapped__
    return wrapper


def _refuse_model(settings: dict[str, object], results: Path) -> None:
    """Refuse options of a model beside results, which have one of their own."""
    for name, (_, default, _) in _FIELDS.items():
        if settings[name] != default:
            option = f"--{name.replace('_', '-')}"
            raise InputError(
                f"{option}: the model is that of the results in {results}; leave it out"
            )


def estimator_settings(options: list[str]) -> dict[str, list[float | str]] | None:
    """Estimators from options such as befs=optimal or ridge=0.3.

    Parameters
    ----------
    options : list of str
        Each of the form NAME=RULE; a rule may be a number.

    Returns
    -------
    dict or None
        The rules of each estimator, as in a study's `[estimators]`; None without options.

    Raises
    ------
    InputError
        An option without `=`.
    """
    settings: dict[str, list[float | str]] = {}
    for option in options:
        name, sign, rule = option.partition("=")
        if not sign:
            raise InputError(f"--estimator {option}: the form is NAME=RULE, such as befs=optimal")
        settings.setdefault(name, []).append(number_or_word(rule))
    return settings or None


def number_or_word(text: str) -> float | str:
    """A penalty as it was written: a number, or a rule in words.

    Parameters
    ----------
    text : str
        Of an option.

    Returns
    -------
    float or str
        What a study takes.
    """
    try:
        return float(text)
    except ValueError:
        return text


def with_overrides(
    study: Study,
    *,
    precision: float | None = None,
    engine: str | None = None,
    seed: int | None = None,
) -> Study:
    """A study with the command line's options in place of its own.

    Parameters
    ----------
    study : Study
        As it was read.
    precision : float, optional
        Target standard error over the mean.
    engine : str, optional
        Name of an engine.
    seed : int, optional
        Seed of all random numbers.

    Returns
    -------
    Study
        The same study where no option is given.
    """
    if precision is not None:
        target = msgspec.structs.replace(study.precision, relative=precision)
        study = study.with_options(precision=target)
    if engine is not None:
        study = study.with_options(engine=engine)
    if seed is not None:
        study = study.with_options(seed=seed)
    return study


def _numbers(name: str, text: str) -> str | float | tuple[float, ...]:
    """A number, one per latent, with or without brackets, or how they fall."""
    if text.startswith("powerlaw"):
        return text
    try:
        numbers = tuple(float(x) for x in text.strip("[] ").split(","))
    except ValueError:
        option = f"--{name.replace('_', '-')}"
        raise InputError(
            f"{option} {text}: a number, one per latent, such as 2,1,0.5, or powerlaw:ALPHA"
        ) from None
    return numbers[0] if len(numbers) == 1 else numbers
