"""What brain data is worth: Monte-Carlo engines and exact laws.

Every public name is imported when it is used, so that `import mcbrain` stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "Allocation": "mcbrain.worth.allocation",
    "Appraisal": "mcbrain.appraisal",
    "InputError": "mcbrain.errors",
    "Model": "mcbrain.population.model",
    "Outcome": "mcbrain.running.outcome",
    "Results": "mcbrain.results.view",
    "Study": "mcbrain.asking.studies",
    "Value": "mcbrain.worth.answer",
    "load_study": "mcbrain.asking.from_toml",
    "run": "mcbrain.running.runner",
    "replicates": "mcbrain.running.data_sets",
    "simulate": "mcbrain.running.simulation",
    "status": "mcbrain.running.standing",
    "merge": "mcbrain.running.merging",
    "predict": "mcbrain.results.law_rows",
    "value": "mcbrain.worth.valuation",
    "allocate": "mcbrain.worth.allocation",
    "Comparison": "mcbrain.results.comparisons",
    "Differences": "mcbrain.results.differences",
    "Check": "mcbrain.running.checking",
    "check": "mcbrain.running.checking",
    "diff": "mcbrain.results.differences",
    "BEFSClassifier": "mcbrain.befs",
    "BEFSRegressor": "mcbrain.befs",
    "BrainEncoder": "mcbrain.befs",
    "BrainRegularised": "mcbrain.befs",
    "appraise": "mcbrain.appraisal",
    "estimator": "mcbrain.plugins.decorators",
    "encoder": "mcbrain.plugins.decorators",
    "inputs": "mcbrain.plugins.decorators",
    "labels": "mcbrain.plugins.decorators",
    "recordings": "mcbrain.plugins.decorators",
    "shift": "mcbrain.plugins.decorators",
    "metric": "mcbrain.plugins.decorators",
    "law": "mcbrain.plugins.decorators",
}

__all__ = [
    "Allocation",
    "Appraisal",
    "BEFSClassifier",
    "BEFSRegressor",
    "BrainEncoder",
    "BrainRegularised",
    "Check",
    "Comparison",
    "Differences",
    "InputError",
    "Model",
    "Outcome",
    "Results",
    "Study",
    "Value",
    "allocate",
    "appraise",
    "check",
    "diff",
    "encoder",
    "estimator",
    "inputs",
    "labels",
    "law",
    "load_study",
    "merge",
    "metric",
    "predict",
    "recordings",
    "replicates",
    "run",
    "shift",
    "simulate",
    "status",
    "value",
]

if TYPE_CHECKING:
    from mcbrain.appraisal import Appraisal, appraise
    from mcbrain.asking.from_toml import load_study
    from mcbrain.asking.studies import Study
    from mcbrain.befs import BEFSClassifier, BEFSRegressor, BrainEncoder, BrainRegularised
    from mcbrain.errors import InputError
    from mcbrain.plugins.decorators import (
        encoder,
        estimator,
        inputs,
        labels,
        law,
        metric,
        recordings,
        shift,
    )
    from mcbrain.population.model import Model
    from mcbrain.results.comparisons import Comparison
    from mcbrain.results.differences import Differences, diff
    from mcbrain.results.law_rows import predict
    from mcbrain.results.view import Results
    from mcbrain.running.checking import Check, check
    from mcbrain.running.data_sets import replicates
    from mcbrain.running.merging import merge
    from mcbrain.running.outcome import Outcome
    from mcbrain.running.runner import run
    from mcbrain.running.simulation import simulate
    from mcbrain.running.standing import status
    from mcbrain.worth.allocation import Allocation, allocate
    from mcbrain.worth.answer import Value
    from mcbrain.worth.valuation import value


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'mcbrain' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    # A module of the same name (mcbrain.running.runner) would otherwise shadow the function.
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
