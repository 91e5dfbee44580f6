"""The commands `mcbrain plugin`: begin a plug-in, and try one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mcbrain.errors import InputError, did_you_mean

__all__ = ["register"]

_ESTIMATOR = '''"""An estimator of one's own, to begin from: ridge regression."""

import mcbrain as mb
import numpy as np


@mb.estimator(parameters={{"alpha": 0.1}})
def {name}(data, parameters, beta):
    """Write the coefficients to beta (d,).

    data has X (n, d), y (n,), X_brain (n_brain, d), R (n_brain, p), the estimated subspace basis
    (r, d; orthonormal rows) and n. Numba compiles this; @mb.estimator(compiled=False) takes any
    Python, without beta: return coefficients, or an object with coef_ or predict.
    """
    gram = data.X.T @ data.X + data.n * parameters.alpha * np.eye(beta.size)
    beta[:] = np.linalg.solve(gram, data.X.T @ data.y)


def {name}_twin(data, parameters):
    """The same in other words, for `mcbrain plugin check` to compare."""
    d = data.X.shape[1]
    rows = np.sqrt(data.n * parameters.alpha) * np.eye(d)
    return np.linalg.lstsq(np.vstack([data.X, rows]), np.append(data.y, np.zeros(d)))[0]
'''

_STUDY = """# A study of the plug-in {name}: mcbrain run {name}.toml --plugins
name = "{name}"
seed = 0

[model]
input_dim = 30
latent_dim = 5
n_channels = 20
misalignment = 0.1

[design]
n_task = [40, 160]
n_brain = [200]

[plugins]
files = ["{name}.py"]

[estimators]
ridge = "optimal"
befs = "optimal"
{name} = {{ alpha = [0.1, 1.0] }}

[precision]
relative = 0.02
"""

_SKELETONS = {"estimator": _ESTIMATOR}

app = typer.Typer(name="plugin", help="Begin a plug-in, or try one.", no_args_is_help=True)


def register(main: typer.Typer) -> None:
    """Add the commands to those of mcbrain.

    Parameters
    ----------
    main : typer.Typer
    """
    main.add_typer(app)


@app.command()
def new(
    kind: Annotated[str, typer.Argument(help="estimator.")],
    name: Annotated[str, typer.Argument(help="Its name, that of a Python function.")],
) -> None:
    """Write NAME.py, a plug-in that runs, and NAME.toml, a study of it."""
    from mcbrain.store.atomic import write_text

    if kind not in _SKELETONS:
        raise InputError(f"plugin new {kind}: {did_you_mean(kind, _SKELETONS)}")
    if not name.isidentifier() or name.startswith("_") or not name.isascii():
        raise InputError(f"plugin new {kind} {name}: the name of a Python function is allowed")
    texts = {f"{name}.py": _SKELETONS[kind], f"{name}.toml": _STUDY}
    if there := [file for file in texts if Path(file).exists()]:
        raise InputError(f"plugin new {kind} {name}: {there[0]} is here already; choose a name")
    for file, text in texts.items():
        write_text(Path(file), text.format(name=name))
    print(f"wrote {name}.py and {name}.toml; mcbrain plugin check {name}.py tries it")
    print(f"mcbrain run {name}.toml --plugins runs it")


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="The Python file of the plug-in, which is run.")],
) -> None:
    """Try the plug-ins of a file: bounds, values, bits, cost, and agreement with plain Python."""
    from mcbrain.running.plugin_check import check_file

    good = True
    for found in check_file(file):
        good &= found.good
        print(f"{'ok    ' if found.good else 'FAILED'} {found.sentence}", flush=True)
    if not good:
        raise typer.Exit(1)
