"""Classes of scikit-learn's as estimators: what `"sklearn:NAME"` in a study stands for."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module

from mcbrain.errors import InputError, did_you_mean
from mcbrain.plugins.kinds import ESTIMATOR
from mcbrain.plugins.record import Plugin
from mcbrain.plugins.sources import source_of_text

__all__ = ["of_class"]

# The modules of scikit-learn that have regressors, those that are asked for most first.
_MODULES = (
    "linear_model",
    "kernel_ridge",
    "ensemble",
    "svm",
    "neighbors",
    "tree",
    "gaussian_process",
    "neural_network",
    "cross_decomposition",
    "dummy",
)

# Trusted, as a package is that somebody has installed: it fits a class that comes with one.
_TEXT = """import mcbrain as mb
from sklearn.{module} import {name}


@mb.estimator(compiled=False, name="sklearn:{name}")
def fit(data, parameters):
    return {name}(**parameters._asdict()).fit(data.X, data.y)
"""


@lru_cache(maxsize=64)
def of_class(name: str) -> Plugin:
    """The plug-in that fits a class of scikit-learn's to X and y.

    Parameters
    ----------
    name : str
        Of the class, such as "KernelRidge". Its keywords are the plug-in's parameters.

    Returns
    -------
    Plugin

    Raises
    ------
    InputError
        scikit-learn has no such regressor.
    """
    known: list[str] = []
    for module in _MODULES:
        classes = _regressors(module)
        if name in classes:
            source = source_of_text(f"sklearn:{name}", _TEXT.format(name=name, module=module))
            named = f"sklearn:{name}"
            return Plugin(ESTIMATOR, named, (), False, None, ("X", "y"), 5, source)
        known += classes
    raise InputError(f'[estimators] "sklearn:{name}": no such class; {did_you_mean(name, known)}')


def _regressors(module: str) -> list[str]:
    """The classes of a module of scikit-learn's that fit numbers."""
    from sklearn.base import RegressorMixin

    found = vars(import_module(f"sklearn.{module}"))
    return [n for n, v in found.items() if isinstance(v, type) and issubclass(v, RegressorMixin)]
