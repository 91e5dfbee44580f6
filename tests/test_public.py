"""Public names: each is what it promises, whatever was imported before it."""

import importlib
import subprocess
import sys

import pytest

import mcbrain as mb


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
