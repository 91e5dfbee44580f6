"""Public names: each is what it promises, whatever was imported before it."""

import importlib
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import mcbrain as mb

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", mb.__all__)
def test_a_public_name_is_never_shadowed_by_a_module_of_that_name(name):
    importlib.import_module("mcbrain.cli.commands")
    importlib.import_module("mcbrain.running.runner")
    assert callable(getattr(mb, name))
    assert name in dir(mb)


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
    files = [*ROOT.glob("*.*"), *(ROOT / "mcbrain").rglob("*.py"), *(ROOT / "docs").rglob("*.md")]
    holders = [f for f in files if f.is_file() and written.search(f.read_text(encoding="utf-8"))]
    assert [str(f.relative_to(ROOT)) for f in holders] == ["mcbrain/__init__.py"]
