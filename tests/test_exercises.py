"""The exercises of CONTRIBUTING.md, followed to the letter in a copy of the package.

Each runs uncompiled in a process of its own, as a newcomer would have it; with any of its files
left out it must end in an error that names what is missing.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
EDIT = re.compile(r"^In `([^`]+)`, below `([^`]+)`:\n\n```python\n(.*?)^```", re.M | re.S)
CHECK = re.compile(r"^Then [^\n]*:\n\n```python\n(.*?)^```", re.M | re.S)
MOST_FILES = {
    "an input distribution": 3,
    "an estimator": 1,
    "a shift": 2,
    "a result column": 2,
    "a result column from a new sum": 5,
}

# What is said where a file is left out: its path, or that no table has what the check asks for.
FORGOTTEN = {
    "an input distribution": {
        "mcbrain/population/distributions.py": "Allowed: gaussian, laplace",
        "mcbrain/kernels/random/draw.py": "mcbrain/kernels/random/draw.py",
        "tests/twins/draw.py": "tests/twins/draw.py has no draw",
    },
    "an estimator": {"mcbrain/asking/estimators.py": "'projection-oracle' does not exist"},
    "a shift": {
        "mcbrain/population/shift_laws.py": "cannot import name 'brain_only_law'",
        "mcbrain/population/shifts.py": "'brain-only' does not exist",
    },
    "a result column": {
        "mcbrain/results/columns.py": '"relative_mcse" does not exist in schema',
        "mcbrain/results/numbers.py": "'relative_mcse' is in a table of mcbrain, but what replicat",
    },
    "a result column from a new sum": {
        "mcbrain/kernels/replicate/accumulate.py": "'log_sum' is in a table of mcbrain, but mcbra",
        "tests/twins/accumulate.py": "tests/twins/accumulate.py has none",
        "mcbrain/blocks/sums.py": "no sum 'log_sum' that is added up for each statistic; its rec",
        "mcbrain/results/columns.py": '"geometric_mean" does not exist in schema',
        "mcbrain/results/numbers.py": "'geometric_mean' is in a table of mcbrain, but what replica",
    },
}


def exercises():
    """Of each exercise: its edits (file, line above, text), and the check that ends it."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    sections = re.split(r"^### Add ", text, flags=re.M)[1:]
    return {
        title: (EDIT.findall(body), CHECK.search(body).group(1))
        for title, body in (
            (s.split("\n", 1)[0], re.split(r"^## ", s, flags=re.M)[0]) for s in sections
        )
    }


EXERCISES = exercises()


def follow(name, folder, without=None):
    """Make the edits in a copy, all but those of one file, and run the check."""
    edits, check = EXERCISES[name]
    for package in ("mcbrain", "tests"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("*.pyc"))
    for file, above, text in edits:
        if file == without:
            continue
        lines = (folder / file).read_text().splitlines(keepends=True)
        assert lines.count(above + "\n") == 1, f"{file} has not one line {above!r}"
        lines.insert(lines.index(above + "\n") + 1, text)
        (folder / file).write_text("".join(lines))
    environment = os.environ | {
        "PYTHONPATH": str(folder),
        "NUMBA_DISABLE_JIT": "1",
        "MCBRAIN_CACHE_DIR": str(folder / "cache"),
    }
    return subprocess.run(
        [sys.executable, "-c", check], cwd=folder, env=environment, capture_output=True, text=True
    )


def test_every_exercise_is_counted():
    assert set(EXERCISES) == set(MOST_FILES)
    for name, (edits, _) in EXERCISES.items():
        files = {file for file, _, _ in edits}
        assert 1 <= len(files) <= MOST_FILES[name], name
        assert files == set(FORGOTTEN[name])


@pytest.mark.parametrize("name", MOST_FILES)
def test_an_exercise_works(name, tmp_path):
    """A score of 200 replicates within 5 standard errors: false alarm below 1e-5 together."""
    done = follow(name, tmp_path)
    assert done.returncode == 0, done.stderr


def left_out():
    """Each exercise without each of its files; of the longest one, these are long tests."""
    return [
        pytest.param(name, file, marks=pytest.mark.long if len(files) > 3 else ())
        for name, files in FORGOTTEN.items()
        for file in files
    ]


@pytest.mark.parametrize(("name", "file"), left_out())
def test_what_is_forgotten_is_named(name, file, tmp_path):
    done = follow(name, tmp_path, without=file)
    assert done.returncode == 1
    assert FORGOTTEN[name][file] in done.stderr.splitlines()[-1]
