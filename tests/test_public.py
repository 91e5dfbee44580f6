"""Public names: each is what it promises, whatever was imported before it."""

import importlib
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import get_type_hints

import pytest

import mcbrain as mb
from mcbrain.asking.from_toml import study_from_table

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", mb.__all__)
def test_a_public_name_is_never_shadowed_by_a_module_of_that_name(name):
    importlib.import_module("mcbrain.cli.commands")
    importlib.import_module("mcbrain.running.runner")
    assert callable(getattr(mb, name))
    assert name in dir(mb)


def test_what_the_public_functions_return_has_a_public_name(tmp_path):
    model = mb.Model(input_dim=6, latent_dim=2, n_channels=4)
    assert type(mb.value(model, 20, 20)) is mb.Value
    found = mb.allocate(model, budget=100, cost_task=1.0, cost_brain=1.0)
    assert type(found) is mb.Allocation
    study = {
        "name": "public",
        "model": {"input_dim": 6, "latent_dim": 2, "n_channels": 4},
        "design": {"n_task": [20]},
        "estimators": {"ols": 0.0},
        "engine": {"kind": "law"},
    }
    mb.run(study_from_table(study), out=tmp_path)
    assert mb.Results(tmp_path).mean.shape == (1, 1, 1, 1, 1)
    assert get_type_hints(mb.appraise)["return"] is mb.Appraisal


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'simulat'"):
        _ = mb.simulat


def test_importing_loads_nothing_heavy():
    program = "import sys, mcbrain, mcbrain.cli.commands; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert not loaded & {"numba", "scipy", "pyarrow", "matplotlib", "sklearn", "jinja2"}


def test_the_version_stands_once():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" not in project["project"]
    assert project["tool"]["hatch"]["version"]["path"] == "mcbrain/__init__.py"
    # What pip installed says the same, until the version is raised without installing anew.
    assert importlib.metadata.version("mcbrain") == mb.__version__
    written = re.compile(rf"(?<![\d.])version\w*[\"']?\s*[:=]\s*[\"']?{re.escape(mb.__version__)}")
    # The project's own texts: what tools leave beside them is none.
    texts = {".md", ".toml", ".cff", ".yaml", ".json"}
    files = [file for file in ROOT.iterdir() if file.suffix in texts]
    files += [*(ROOT / "mcbrain").rglob("*.py"), *(ROOT / "docs").rglob("*.md")]
    holders = [f for f in files if written.search(f.read_text(encoding="utf-8"))]
    assert [str(f.relative_to(ROOT)) for f in holders] == ["mcbrain/__init__.py"]
