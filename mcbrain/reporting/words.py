"""What a panel shows, in a few symbols: its model and its shift among those of the study."""

from __future__ import annotations

import numpy as np

from mcbrain.population.given import Given
from mcbrain.population.model import Model
from mcbrain.population.spelling import toml_value
from mcbrain.results.view import Results
from mcbrain.worth.abstraction import LINEAR_GAUSSIAN, departing

__all__ = ["count", "departure_words", "model_words", "plain", "setting_words", "signed"]

_SYMBOLS = {
    "input_dim": "$d$",
    "latent_dim": "$k$",
    "n_channels": "$p$",
    "misalignment": "$m$",
    "task_noise": r"$\sigma_y$",
    "neural_noise": r"$\sigma_r$",
    "latent_gains": "$D$",
    "measured_latents": "$k_m$",
    "task_loadings": "$a$",
    "signal_norm": r"$|\beta|$",
    "baseline_rate": "baseline rate",
}


def model_words(results: Results, model: int, known: tuple[str | None, ...] = ()) -> str:
    """The misalignment of a model and all that tells it from the study's other models.

    Parameters
    ----------
    results : Results
        For the study.
    model : int
        Place among the study's models.
    known : tuple of str
        Model fields that the panel names in another way.

    Returns
    -------
    str
        Symbols and values, with formulas for matplotlib.
    """
    one = results.study.models[model]
    shown = [f for f in dict.fromkeys(("misalignment", *results.varied)) if f not in known]
    values = [(f, getattr(one, f)) for f in shown if f not in LINEAR_GAUSSIAN]
    words = [_spelled(f, v) for f, v in values if v is not None]
    return ", ".join(
        [*words, *([departure_words(one)] if LINEAR_GAUSSIAN.keys() & set(shown) else [])]
    )


def departure_words(model: Model) -> str:
    """What of a model is not linear, Gaussian and isotropic.

    Parameters
    ----------
    model : Model
        Any model.

    Returns
    -------
    str
        "linear Gaussian" where nothing is.
    """
    return ", ".join(departing(model).values()) or "linear Gaussian"


def setting_words(
    results: Results, model: int, shift: int, known: tuple[str | None, ...] = ()
) -> str:
    """The words of a model, and the shift where the study has several.

    Parameters
    ----------
    results : Results
        For the study.
    model, shift : int
        Places among the study's models and shifts.
    known : tuple of str
        Model fields that the panel names in another way.

    Returns
    -------
    str
        Symbols and values, with formulas for matplotlib.
    """
    words = [model_words(results, model, known)]
    if len(results.study.shifts) > 1:
        words.append(f"shift {results.study.shifts[shift].label}")
    return ", ".join(w for w in words if w)


def _spelled(field: str, value: object) -> str:
    """A field of a model and its value, in a few symbols."""
    if isinstance(value, str):
        return f"{field} {value.label if isinstance(value, Given) else value}"
    number = f"{value:g}" if isinstance(value, (int, float)) else toml_value(value)
    return f"{_SYMBOLS.get(field, field)} = {number}"


def plain(words: str) -> str:
    """Words of a panel as running text: symbols without their typesetting.

    Parameters
    ----------
    words : str
        With formulas for matplotlib.

    Returns
    -------
    str
        With letters in their place.
    """
    greek = {r"\sigma": "σ", r"\beta": "β"}
    for code, letter in greek.items():
        words = words.replace(code, letter)
    return words.replace("$", "")


def signed(value: float, form: str) -> str:
    """A number with a true minus sign.

    Parameters
    ----------
    value : float
        Any number.
    form : str
        A format such as ".3g".

    Returns
    -------
    str
        The number in words.
    """
    return format(value, form).replace("-", "−")


def count(value: float) -> str:
    """A number of samples, which need not be whole.

    Parameters
    ----------
    value : float
        Any number.

    Returns
    -------
    str
        With one decimal; a dash where there is none.
    """
    return signed(round(value, 1) + 0.0, ",.1f") if np.isfinite(value) else "–"
