"""Files of plug-ins that tests bring."""

from pathlib import Path

from mcbrain.asking.from_toml import study_from_table

HEAD = "import numpy as np\nimport mcbrain as mb\n\n"

RIDGE = """
@mb.estimator(parameters={"alpha": 0.1})
def own_ridge(data, parameters, beta):
    G = data.X.T @ data.X + data.n * parameters.alpha * np.eye(beta.size)
    beta[:] = np.linalg.solve(G, data.X.T @ data.y)
"""

BEFS = """
@mb.estimator(parameters={"alpha": 0.1})
def own_befs(data, parameters, beta):
    P = data.basis.T @ data.basis
    Omega = np.eye(beta.size) - P
    G = data.X.T @ data.X + data.n * parameters.alpha * Omega
    beta[:] = np.linalg.solve(G, data.X.T @ data.y)
"""

PYTHON = """
@mb.estimator(parameters={"alpha": 0.1}, compiled=False)
def python_ridge(data, parameters):
    G = data.X.T @ data.X + data.n * parameters.alpha * np.eye(data.X.shape[1])
    return np.linalg.solve(G, data.X.T @ data.y)
"""

# Each field of the data, as coefficients.
PROBES = """
@mb.estimator
def inputs_probe(data, parameters, beta):
    beta[:] = data.X[-1]

@mb.estimator
def labels_probe(data, parameters, beta):
    beta[:] = data.y[-beta.size:]

@mb.estimator
def brain_probe(data, parameters, beta):
    beta[:] = data.X_brain[-1]

@mb.estimator
def recordings_probe(data, parameters, beta):
    beta[:] = 0.0
    beta[: data.R.shape[1]] = data.R[-1]

@mb.estimator
def basis_probe(data, parameters, beta):
    beta[:] = data.basis.T @ data.basis[:, 0]
"""

FAILING = """
@mb.estimator(parameters={"limit": 0.0})
def sometimes(data, parameters, beta):
    if data.y[0] > parameters.limit:
        raise ValueError("the first label is too large")
    beta[:] = 0.0

@mb.estimator
def infinite(data, parameters, beta):
    beta[:] = 0.0
    if data.y[0] > 0.0:
        beta[0] = np.inf

@mb.estimator
def unwritten(data, parameters, beta):
    beta[0] = 1.0
"""

MODEL = {
    "input_dim": 9,
    "latent_dim": 3,
    "n_channels": 5,
    "misalignment": 0.2,
    "latent_gains": [[1.5, 1.0, 0.7]],
}


def write(folder: Path, *texts: str, name: str = "mine.py") -> Path:
    """A file of plug-ins."""
    path = folder / name
    path.write_text(HEAD + "".join(texts))
    return path


def study(folder: Path, estimators: dict, trust="run", **sections):
    """A small study of the plug-ins in `mine.py` of a folder."""
    sections = {"design": {"n_task": [20], "n_brain": [30]}, **sections}
    model = {**MODEL, **sections.pop("model", {})}
    precision = {"relative": 0.0, "max_replicates": 300, **sections.pop("precision", {})}
    table = {"name": "own", "seed": 3, "model": model, "precision": precision, **sections}
    files = {"plugins": {"files": ["mine.py"]}}
    return study_from_table(
        {**table, **files, "estimators": estimators}, folder=folder, trust=trust
    )
