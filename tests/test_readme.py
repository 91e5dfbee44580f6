"""The README's Python runs as it is written."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
BLOCKS = [b for b in re.findall(r"```python\n(.*?)```", README, re.S) if "import mcbrain" in b]


def test_the_readme_has_examples():
    assert len(BLOCKS) >= 2


@pytest.mark.parametrize("block", BLOCKS, ids=lambda b: b.splitlines()[3][:40])
def test_an_example_runs_as_written(block, tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", block], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    for word, numbers in re.findall(r"print\(name.*# ([\d.]+) and ([\d.]+)", block):
        printed = [float(line.split()[1]) for line in done.stdout.splitlines()[:2]]
        assert printed == pytest.approx([float(word), float(numbers)], rel=0.05)
