"""What a panel shows, in a few symbols: its model and its shift among those of the study."""

from __future__ import annotations

from typing import Any

import numpy as np

from mcbrain.population.model import Model, toml_value
from mcbrain.results.view import Results

__all__ = ["USUAL", "count", "law_words", "model_words", "plain", "setting_words", "signed"]

# What the laws of inputs, latents and recordings are in the linear Gaussian model.
USUAL = {
    "inputs": "gaussian",
    "covariance": "identity",
    "latents": "linear",
    "neural_law": "gaussian",
}
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
    model : int
        Place among the study's models.
    known : tuple of str
        Model fields that the panel names in another way.
    """
    one = results.study.models[model]
    shown = [f for f in dict.fromkeys(("misalignment", *results.varied)) if f not in known]
    values = [(f, getattr(one, f)) for f in shown if f not in USUAL]
    words = [_spelled(f, v) for f, v in values if v is not None]
    return ", ".join([*words, *([law_words(one)] if USUAL.keys() & set(shown) else [])])


def law_words(model: Model) -> str:
    """What of a model is not linear, Gaussian and isotropic."""
    laws = {name: getattr(model, name) for name in USUAL}
    return ", ".join(v for f, v in laws.items() if v != USUAL[f]) or "linear Gaussian"


def setting_words(
    results: Results, model: int, shift: int, known: tuple[str | None, ...] = ()
) -> str:
    """`model_words`, and the shift where the study has several."""
    words = [model_words(results, model, known)]
    if len(results.study.shifts) > 1:
        words.append(f"shift {results.study.shifts[shift].label}")
    return ", ".join(w for w in words if w)


def _spelled(field: str, value: Any) -> str:
    if isinstance(value, str):
        return f"{field} {value}"
    number = f"{value:g}" if isinstance(value, (int, float)) else toml_value(value)
    return f"{_SYMBOLS.get(field, field)} = {number}"


def plain(words: str) -> str:
    """Words of a panel as running text: symbols without their typesetting."""
    greek = {r"\sigma": "σ", r"\beta": "β"}
    for code, letter in greek.items():
        words = words.replace(code, letter)
    return words.replace("$", "")


def signed(value: float, form: str) -> str:
    """A number with a true minus sign."""
    return format(value, form).replace("-", "−")


def count(value: float) -> str:
    """A number of samples; a dash where there is none."""
    return signed(round(value, 1) + 0.0, ",.1f") if np.isfinite(value) else "–"
