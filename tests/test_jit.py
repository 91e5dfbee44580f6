"""Machine code is kept between processes and never outlives the sources it was made from."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

from mcbrain.kernels import jit

ROOT = Path(__file__).parents[1]

PROGRAM = """
import json
import numpy as np
from mcbrain.kernels.seeds import open_stream
from mcbrain.kernels.streams import fill_normal
out = np.empty(5)
fill_normal(open_stream(1, (2,), 0, 0), out)
statistics = fill_normal.stats
print(json.dumps({
    "numbers": out.tolist(),
    "hits": sum(statistics.cache_hits.values()),
    "misses": sum(statistics.cache_misses.values()),
}))
"""


def run_process(cache):
    environment = os.environ | {"MCBRAIN_CACHE_DIR": str(cache), "NUMBA_DISABLE_JIT": "0"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_a_second_process_compiles_nothing_and_gives_the_same_numbers(tmp_path):
    first, second = run_process(tmp_path), run_process(tmp_path)
    assert (first["hits"], first["misses"]) == (0, 1)
    assert (second["hits"], second["misses"]) == (1, 0)
    assert first["numbers"] == second["numbers"]


def test_a_folder_that_cannot_be_made_only_costs_compiling_again(tmp_path):
    occupied = tmp_path / "file"
    occupied.write_text("not a folder")
    assert run_process(occupied)["numbers"] == run_process(tmp_path / "cache")["numbers"]


def test_the_cache_folder_changes_with_any_kernel_source(tmp_path, monkeypatch):
    package = tmp_path / "kernels"
    package.mkdir()
    (package / "jit.py").write_text("")
    helper = package / "helper.py"
    monkeypatch.setattr(jit, "__file__", str(package / "jit.py"))
    monkeypatch.setenv("MCBRAIN_CACHE_DIR", str(tmp_path / "cache"))
    folders = set()
    for text in ("x = 1", "x = 2"):
        helper.write_text(text)
        folders.add(jit.cache_folder())
    assert len(folders) == 2
    assert all(folder.parent == tmp_path / "cache" for folder in folders)


def test_decorating_leaves_numbas_own_cache_setting_alone(monkeypatch):
    monkeypatch.setattr(numba.config, "CACHE_DIR", "elsewhere")
    jit.kernel(lambda x: x)
    assert numba.config.CACHE_DIR == "elsewhere"


@pytest.mark.kernels
def test_kernels_wrap_unsigned_arithmetic_and_divide_by_zero_silently():
    @jit.kernel
    def overflow(x):
        return x + x

    assert overflow(np.uint64(1 << 63)) == 0
