"""What brain data is worth: Monte-Carlo engines and exact laws.

Every public name is imported when it is used, so that `import mcbrain` stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "InputError": "mcbrain.errors",
    "Model": "mcbrain.model",
    "Study": "mcbrain.study",
    "load_study": "mcbrain.reading",
    "run": "mcbrain.runner",
    "simulate": "mcbrain.simulation",
    "status": "mcbrain.standing",
    "merge": "mcbrain.merging",
    "predict": "mcbrain.rows.law",
    "value": "mcbrain.worth.value",
    "allocate": "mcbrain.worth.budget",
    "BEFSRegressor": "mcbrain.befs",
    "BrainEncoder": "mcbrain.befs",
    "appraise": "mcbrain.appraisal",
}

__all__ = [
    "BEFSRegressor",
    "BrainEncoder",
    "InputError",
    "Model",
    "Study",
    "allocate",
    "appraise",
    "load_study",
    "merge",
    "predict",
    "run",
    "simulate",
    "status",
    "value",
]

if TYPE_CHECKING:
    from mcbrain.appraisal import appraise
    from mcbrain.befs import BEFSRegressor, BrainEncoder
    from mcbrain.errors import InputError
    from mcbrain.merging import merge
    from mcbrain.model import Model
    from mcbrain.reading import load_study
    from mcbrain.rows.law import predict
    from mcbrain.runner import run
    from mcbrain.simulation import simulate
    from mcbrain.standing import status
    from mcbrain.study import Study
    from mcbrain.worth.budget import allocate
    from mcbrain.worth.value import value


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'mcbrain' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    # A module of the same name (mcbrain.runner) would otherwise shadow the function.
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
