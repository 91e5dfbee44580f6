"""Results in memory: the rows that a folder would hold, and nothing on disk."""

import os
import subprocess
import sys

import numpy as np
import pytest

import mcbrain as mb
from mcbrain.asking.from_python import adhoc_study
from mcbrain.asking.from_toml import study_from_table
from mcbrain.errors import InputError
from mcbrain.results.view import Results
from mcbrain.running.computing import compute
from mcbrain.running.runner import run
from mcbrain.store import memory
from mcbrain.store.blockstore import BlockStore
from mcbrain.worth.simulated import value_in_results
from tests.support.small_study import rows, small

# Penalties by the data, an encoding with a pilot, no estimate of a subspace, two shifts.
ASKED = {
    "estimators": {"ols": 0.0, "ridge": ["optimal", 0.3], "befs": ["optimal", 0.3]},
    "shifts": {"id": {}, "brain-insensitive": {"factor": 4.0}},
    "design": {"n_task": [40], "n_brain": [0, 60]},
    "precision": {"relative": 0.05, "max_replicates": 6_000},
}


@pytest.mark.parametrize("much", [8_000_000, 0], ids=["loose", "packed"])
@pytest.mark.parametrize("engine", ["raw", "sufficient", "spectral", "law"])
def test_rows_in_memory_are_those_of_a_folder_bit_for_bit(engine, much, tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_MUCH", much)
    study = small(**ASKED, engine={"kind": engine})
    run(study, tmp_path)
    found = compute(study, threads=2)
    assert found.table.drop_columns(["seconds"]).equals(rows(tmp_path))
    there = Results(tmp_path)
    assert found.shape == there.shape and found.engine == there.engine == engine
    record, other = found.provenance, there.provenance
    assert record["study_sha256"] == other["study_sha256"] and record["code"] == other["code"]
    if engine == "law":
        return
    # An interval needs the blocks behind the rows.
    # BEFS over tuned ridge with brain data.
    cells = tuple(np.array(axis) for axis in ([0, 0], [0, 0], [1, 1], [3, 1], [0, 0]))
    ours, theirs = (r.measure(lambda x: x[..., :1] / x[..., 1:], cells) for r in (found, there))
    assert ours.value == theirs.value and ours.error == theirs.error > 0


def test_blocks_that_a_store_holds_already_are_not_computed_again(tmp_path):
    study = small(design__n_task=[6])
    run(study, tmp_path)
    store = BlockStore(tmp_path / "blocks", read_only=True)
    assert compute(study, store).table.drop_columns(["seconds"]).equals(rows(tmp_path))
    assert store.added == []


def test_a_value_measured_in_memory_is_that_of_a_folder(tmp_path):
    model = mb.Model(input_dim=6, latent_dim=2, n_channels=4, misalignment=0.3, neural_noise=0.5)
    table = {
        "name": "value",
        "seed": 3,
        "model": {k: v for k, v in model.given().items() if v is not None},
        "design": {"n_task": [30], "n_brain": [10]},
        "estimators": {"ridge": "optimal", "befs": "optimal"},
        "precision": {"relative": 0.05, "max_replicates": 5_000},
        "engine": {"kind": "raw"},
    }
    measured = mb.value(
        model,
        30,
        10,
        simulate=True,
        seed=3,
        engine="raw",
        precision=0.05,
        max_replicates=5_000,
        threads=1,
    )
    # The grid that was chosen is not told, but a law's answer lies in it.
    from mcbrain.worth.simulated import _grid

    grid = _grid(model, 30, mb.value(model, 30, 10), "ridge")
    table["design"]["n_task"] = grid
    run(study_from_table(table), tmp_path)
    found, note = value_in_results(Results(tmp_path), 0, grid.index(30), 0, "ridge")
    assert measured.task_samples == float(found.value) and measured.note == note
    assert measured.interval == (float(found.low), float(found.high))


def test_a_model_goes_into_its_study_as_it_is():
    model = mb.Model(input_dim=5, latent_dim=2, n_channels=3, latent_gains=[2.0, 1.0])
    study = adhoc_study(model, 10, 0, {"ols": 0.0}, ["id"], seed=1)
    assert study.models[0] is model
    assert study_from_table(study.table).models == (model,)


@pytest.mark.parametrize("engine", ["raw", "spectral", "law"])
def test_a_ratio_gives_the_rows_of_the_noise_that_it_stands_for(engine):
    sizes = {"input_dim": 5, "latent_dim": 2, "n_channels": 3}
    ratio = mb.Model(**sizes, snr_task=2.0, snr_brain=0.5)
    noise = mb.Model(**sizes, task_noise=ratio.task_noise, neural_noise=ratio.neural_noise)
    one, other = (
        mb.simulate(model, 9, 9, engine=engine, precision=0.0, max_replicates=64, threads=1)
        for model in (ratio, noise)
    )
    assert one.drop_columns(["seconds"]).equals(other.drop_columns(["seconds"]))


def test_results_in_memory_say_that_they_have_no_folder():
    found = compute(small(design__n_task=[6], design__n_brain=[0], estimators={"ols": 0.0}))
    with pytest.raises(InputError, match="in memory and have no folder"):
        _ = found.folder
    with pytest.raises(InputError, match=r"these results: .* needs the estimator 'befs'"):
        found.need("befs", "the value")


_NOTHING_WRITTEN = """
import sys
cache = sys.argv[1]

def refuse(event, arguments):
    if event in ("os.mkdir", "os.rename", "os.remove", "tempfile.mkdtemp", "tempfile.mkstemp"):
        path = str(arguments[0])
    elif event == "open" and isinstance(arguments[2], int) and arguments[2] & 0o3:
        path = str(arguments[0])
    else:
        return
    # Machine code is kept beside the package's other caches, whatever is computed.
    if not path.startswith((cache, "/dev/")) and not cache.startswith(path):
        raise SystemExit(f"{event}: {path}")

sys.addaudithook(refuse)
import mcbrain as mb
from mcbrain.certificate.engine_checks import spectral_scores
from mcbrain.certificate.design import Extent
model = mb.Model(input_dim=6, latent_dim=2, n_channels=4, neural_noise=0.5)
for engine in ("raw", "spectral"):
    table = mb.simulate(model, 12, 20, {"ridge": "optimal", "befs": 0.1}, engine=engine,
                        precision=0.0, max_replicates=64, seed=1, threads=1)
    assert table.num_rows == 2
mb.value(model, 30, 10, simulate=True, precision=0.2, max_replicates=500, seed=1, threads=1)
assert list(spectral_scores(Extent(1, 10, 1, 1, 1, (), 0, 0.1), 1, 1))
"""


def test_nothing_is_written_where_results_stay_in_memory(tmp_path):
    environment = {**os.environ, "TMPDIR": str(tmp_path / "missing"), "HOME": str(tmp_path)}
    environment |= {"MPLCONFIGDIR": str(tmp_path / "missing")}
    cache = os.environ["MCBRAIN_CACHE_DIR"]
    done = subprocess.run(
        [sys.executable, "-B", "-c", _NOTHING_WRITTEN, cache],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []
