"""Blocks carry the identity of the code that drew them, and those of other code are never mixed."""

import ast
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import tomli_w

import mcbrain
from mcbrain.errors import StoreError
from mcbrain.running.merging import merge
from mcbrain.running.runner import run
from mcbrain.store import blockstore, identity, provenance
from mcbrain.store.blockstore import BlockStore
from mcbrain.store.identity import (
    KEEPERS,
    LIBRARIES,
    MODULES,
    PACKAGES,
    Identity,
    code_identity,
    syntax,
)
from tests.support.cut_study import study as cut_study
from tests.support.small_study import rows, small

# What the engines import and no number depends on: they refuse input, or name an engine.
REFUSE = {"errors", "checks", "plain", "asking.studies", "asking.engines"}
ONE = {"design": {"n_task": [6], "n_brain": [0]}}
FEW = {**ONE, "precision": {"relative": 0.1, "max_replicates": 40_000}}
MORE = {**ONE, "precision": {"relative": 0.001, "max_replicates": 40_000}}
OTHER = Identity("0123456789abcdef", "mcbrain 9.9.9, numba 0.1, numpy 0.2, scipy 0.3")


def test_a_changed_constant_or_statement_counts_and_words_and_layout_do_not():
    source = 'def f(x):\n    """Twice."""\n    return 2.0 * x\n'
    same = '"""A module."""\n\ndef f(x):  # a comment\n    return (2.0\n            * x)\n'
    assert syntax(source) == syntax(same)
    for changed in ("2.0 * x", "2.5 * x"), ("2.0 * x", "2 * x"), ("2.0 * x", "x * 2.0"):
        if changed[1] != changed[0]:
            assert syntax(source) != syntax(source.replace(*changed))
    assert syntax(source) != syntax(source + "g = None\n")
    assert syntax("x = 'a'") != syntax("x = a") != syntax("x = b'a'")
    assert syntax("f(1, [2])") != syntax("f([1, 2])")


def _imports(source, name):
    """Modules of mcbrain that a module imports when it is imported or run."""
    package = (
        name
        if (Path(mcbrain.__file__).parent / name.replace(".", "/")).is_dir()
        else name.rpartition(".")[0]
    )
    assert not package or not any(
        isinstance(node, ast.ImportFrom) and node.level for node in ast.walk(ast.parse(source))
    )
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mcbrain."):
            yield node.module.removeprefix("mcbrain.")
        if isinstance(node, ast.Import):
            yield from (a.name.removeprefix("mcbrain.") for a in node.names if "mcbrain." in a.name)


def test_no_module_that_decides_numbers_is_forgotten():
    """All that the engines import, however far, is in the list, refuses input, or is a law.

    Laws stand beside blocks: no engine and no kernel imports one.
    """
    root = Path(mcbrain.__file__).parent
    listed = {path.removesuffix(".py").replace("/", ".") for path, _ in identity._sources()}
    listed = {name.removesuffix(".__init__") for name in listed}
    for name in sorted(listed):
        path = root / f"{name.replace('.', '/')}.py"
        path = path if path.exists() else root / name.replace(".", "/") / "__init__.py"
        direct = name.partition(".")[0] in PACKAGES
        for used in _imports(path.read_text(), name):
            lawful = used.partition(".")[0] == "theory" and not direct
            assert used in {*listed, *REFUSE, *KEEPERS} or lawful, f"{name} imports {used}"
    assert {f"engines.{kind}" for kind in ("raw", "sufficient", "brain", "task")} <= listed
    assert "kernels.task.risk" in listed and set(MODULES) <= listed


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """A copy of the package to change, and a function that gives its identity, in a process."""
    copy = tmp_path / "copy"
    shutil.copytree(Path(mcbrain.__file__).parent, copy / "mcbrain")
    monkeypatch.setenv("MCBRAIN_CACHE_DIR", str(tmp_path / "cache"))

    def found(path=copy):
        ask = (
            "import sys, time\nfrom mcbrain.store.identity import code_identity\n"
            "print(code_identity().text)\nassert 'numba' not in sys.modules\n"
            "import mcbrain; assert mcbrain.__file__.startswith(sys.argv[1]), mcbrain.__file__"
        )
        done = subprocess.run(
            [sys.executable, "-c", ask, str(path)],
            env={**os.environ, "PYTHONPATH": str(path)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return copy, found


def test_identity_is_of_the_syntax_wherever_the_files_lie(sources, tmp_path):
    copy, found = sources
    here = found()
    assert here == code_identity().text == found()  # computed, and remembered
    kernel = copy / "mcbrain" / "kernels" / "task" / "risk.py"
    text = kernel.read_text()
    kernel.write_text("# explained better\n" + text)
    assert found() == here
    with zipfile.ZipFile(tmp_path / "package.zip", "w") as archive:
        for path in (copy / "mcbrain").rglob("*.py"):
            archive.write(path, path.relative_to(copy))
    assert found(tmp_path / "package.zip") == here
    kernel.write_text(text + "\n_MORE = 1.0\n")
    assert found() != here


def test_patch_versions_do_not_count_and_minor_ones_do(monkeypatch):
    before = code_identity().digest

    def digest(library, version):
        real = identity.version
        monkeypatch.setattr(identity, "version", lambda n: version if n == library else real(n))
        found = identity.code_identity.__wrapped__().digest
        monkeypatch.undo()
        return found

    for library in LIBRARIES:
        now = identity.version(library)
        major, minor = now.split(".")[:2]
        assert digest(library, f"{major}.{minor}.999") == before
        assert digest(library, f"{major}.{int(minor) + 1}.0") != before


def _as(monkeypatch, code):
    """Let this process pass for other code."""
    for module in (blockstore, provenance, identity):
        monkeypatch.setattr(module, "code_identity", lambda: code)
    for name in ("mcbrain.running.merging", "mcbrain.results.writing"):
        monkeypatch.setattr(sys.modules[name], "code_identity", lambda: code)


def test_blocks_of_other_code_stay_and_are_never_mixed_unless_asked_for(tmp_path, monkeypatch):
    with monkeypatch.context() as before:
        _as(before, OTHER)
        first = run(small(**FEW), tmp_path / "a")
    again = run(small(**MORE), tmp_path / "a")
    assert again.reused == 0 and again.other == {OTHER: first.computed}
    run(small(**MORE), tmp_path / "b")
    assert rows(tmp_path / "a").equals(rows(tmp_path / "b"))
    store = BlockStore(tmp_path / "a" / "blocks", read_only=True)
    assert store.counts()[OTHER] == first.computed
    assert blockstore.blocks_behind(blockstore.ResultsFolder(tmp_path / "a")).used == [
        code_identity()
    ]
    # Accepted: what is there is reused, and the provenance of the rows says so.
    with monkeypatch.context() as before:
        _as(before, OTHER)
        run(small(**FEW), tmp_path / "c")
    mixed = run(small(**MORE), tmp_path / "c", reuse_other_code=True)
    assert mixed.reused > 0 and not mixed.other
    record = blockstore.ResultsFolder(tmp_path / "c").record()
    assert record["other_code_accepted"] is True
    assert record["code"] == [code_identity().text, OTHER.text]
    assert run(small(**MORE), tmp_path / "c").reused == mixed.computed


def test_merging_refuses_different_code_in_a_sentence_unless_asked_for(tmp_path, monkeypatch):
    study = small(**{**FEW, "design": {"n_task": [6, 40], "n_brain": [0]}})
    run(study, tmp_path / "one", shard="1/2")
    with monkeypatch.context() as before:
        _as(before, OTHER)
        run(study, tmp_path / "two", shard="2/2")
    both = [tmp_path / "one", tmp_path / "two"]
    with pytest.raises(StoreError, match=r"of different code.*mcbrain 9\.9\.9.*nothing was merged"):
        merge(both, tmp_path / "m")
    assert not (tmp_path / "m").exists()
    merged = merge(both, tmp_path / "m", reuse_other_code=True)
    assert not merged.missing
    # Shards that agree are merged by any code, and the rows are of theirs.
    merged = merge([tmp_path / "two"], tmp_path / "n")
    assert any("the blocks are of mcbrain 9.9.9" in note for note in merged.notes)
    assert blockstore.ResultsFolder(tmp_path / "n").codes() == [OTHER]


TINY = {
    "name": "tiny",
    "seed": 1,
    "model": {"input_dim": 3, "latent_dim": 1, "n_channels": 2},
    "design": {"n_task": [8]},
    "estimators": {"ridge": 0.3},
    "engine": {"kind": "raw"},
}

# Without warming up, which tries every way through the kernels.
RUN = """
import sys
from mcbrain.running import runner
runner.warm = lambda *settings: 0.0
done = runner.run(sys.argv[1], sys.argv[2], threads=1)
print(done.reused, done.computed, {code.name: n for code, n in done.other.items()})
"""


def test_a_changed_kernel_and_more_replicates_give_the_rows_of_the_changed_kernel(
    sources, tmp_path
):
    """The demonstration: uncompiled, so that no kernel has to be compiled twice."""
    copy, _ = sources
    path = tmp_path / "tiny.toml"

    def run_there(replicates, out):
        precision = {"relative": 0.0, "max_replicates": replicates}
        path.write_text(tomli_w.dumps({**TINY, "precision": precision}))
        there = {"PYTHONPATH": str(copy), "NUMBA_DISABLE_JIT": "1"}
        done = subprocess.run(
            [sys.executable, "-c", RUN, str(path), str(tmp_path / out)],
            env={**os.environ, **there},
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    size = 256
    assert run_there(size, "a") == "0 1 {}"
    former = rows(tmp_path / "a")["mean"].to_pylist()
    kernel = copy / "mcbrain" / "kernels" / "task" / "risk.py"
    text, line = kernel.read_text(), "excess[work.fit[lane], s] = total"
    assert text.count(line) == 1
    kernel.write_text(text.replace(line, line.replace("total", "3.0 * total")))
    assert run_there(2 * size, "a") == f"0 2 {{'{code_identity().name}': 1}}"
    run_there(2 * size, "b")
    assert rows(tmp_path / "a").equals(rows(tmp_path / "b"))
    assert rows(tmp_path / "a")["mean"][0].as_py() > 2.0 * former[0]


def test_a_folder_with_results_of_one_code_takes_no_shard_of_another(cut, tmp_path, monkeypatch):
    merge([cut / "s1"], tmp_path / "m")
    before = rows(tmp_path / "m")
    for module in (identity, blockstore, provenance):
        monkeypatch.setattr(module, "code_identity", lambda: OTHER)
    run(cut_study(), tmp_path / "s2", shard="2/3")
    with pytest.raises(StoreError, match=r"different code.*nothing was merged"):
        merge([tmp_path / "s2"], tmp_path / "m")
    assert rows(tmp_path / "m").equals(before)
