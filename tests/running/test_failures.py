"""Replicates that fail are counted, kept with block, place and reason, listed, and drawn again."""

import subprocess
import sys

import numpy as np
import pytest

from mcbrain.asking.from_toml import study_from_table
from mcbrain.blocks.sums import BlockSums
from mcbrain.errors import InputError
from mcbrain.population.model import Model
from mcbrain.results.failures import failures
from mcbrain.results.opening import open_plan
from mcbrain.results.tables import open_results
from mcbrain.running.replaying import replay
from mcbrain.running.runner import run
from mcbrain.running.simulation import simulate
from mcbrain.store.blockstore import BlockStore
from mcbrain.store.identity import code_identity
from mcbrain.store.segments import to_table, write_segment

# A negative penalty near the smallest eigenvalue of X'X/n: some replicates have no minimum.
TABLE = {
    "name": "negative",
    "seed": 5,
    "model": {"input_dim": 12, "latent_dim": 2, "n_channels": 6, "misalignment": 0.2},
    "design": {"n_task": [40, 80], "n_brain": [60]},
    "estimators": {"ols": 0.0, "ridge": [-0.2, 0.1], "befs": -0.2},
    "shifts": {"id": {}, "scale": {"factor": 2.0}},
    "precision": {"relative": 0.0, "max_replicates": 1000},
    "engine": {"kind": "raw"},
}
NAMES = ("point", "estimator", "penalty", "shift")


@pytest.fixture(scope="module", params=["raw", "sufficient"])
def folder(tmp_path_factory, request):
    home = tmp_path_factory.mktemp("failed") / request.param
    run(study_from_table({**TABLE, "engine": {"kind": request.param}}), home)
    return home


def test_every_failure_that_a_row_counts_is_listed_once(folder):
    counted = {tuple(r[n] for n in NAMES): r["failed"] for r in open_results(folder).to_pylist()}
    listed = failures(folder).to_pylist()
    assert sum(counted.values()) == len(listed) > 100
    assert len({(tuple(r[n] for n in NAMES), r["replicate"]) for r in listed}) == len(listed)
    for name, count in counted.items():
        assert sum(tuple(r[n] for n in NAMES) == name for r in listed) == count
    assert {r["reason"] for r in listed} == {"not positive definite"}
    assert {r["penalty"] for r in listed} == {-0.2}


def test_the_means_are_those_of_the_replicates_that_succeeded(folder):
    for row in open_results(folder).to_pylist():
        assert row["replicates"] == 1024
        if row["failed"]:
            assert row["status"] in ("failed_replicates", "infinite_mean")


def test_a_failed_replicate_fails_again_for_the_same_reason_and_by_plain_numpy(folder):
    listed = failures(folder).to_pylist()
    ridge = [r for r in listed if r["estimator"] == "ridge" and r["shift"] == "id"][::30]
    assert ridge
    if folder.name != "raw":
        with pytest.raises(InputError, match="only raw keeps data sets"):
            replay(folder, ridge[0]["point"], ridge[0]["replicate"])
        return
    for failed in ridge:
        again = replay(folder, failed["point"], failed["replicate"])
        assert again.block == failed["block"]
        mine = [r for r in again.rows if (r["estimator"], r["penalty"]) == ("ridge", -0.2)]
        assert all(r["failure"] == failed["reason"] and np.isnan(r["excess"]) for r in mine)
        X = again.data["X"]
        assert np.linalg.eigvalsh(X.T @ X / len(X))[0] < 0.2
        good = [r for r in again.rows if r["penalty"] == 0.1]
        assert all(np.isfinite(r["excess"]) for r in good)


def test_a_shard_lists_its_failures_and_draws_them_again(tmp_path):
    study = study_from_table(TABLE)
    for number in (1, 2):
        run(study, tmp_path / str(number), shard=f"{number}/2")
    listed = [failures(tmp_path / str(number)).to_pylist() for number in (1, 2)]
    run(study, tmp_path / "whole")
    assert sorted([*listed[0], *listed[1]], key=str) == sorted(
        failures(tmp_path / "whole").to_pylist(), key=str
    )
    place, first = next((n, rows[0]) for n, rows in zip((1, 2), listed, strict=True) if rows)
    again = replay(tmp_path / str(place), first["point"], first["replicate"])
    assert first["reason"] in {row["failure"] for row in again.rows}


def test_fewer_blocks_in_a_row_are_fewer_failures_in_the_list(tmp_path):
    few = {**TABLE, "precision": {"relative": 0.0, "max_replicates": 300}}
    run(study_from_table(few), tmp_path / "few")
    run(study_from_table(TABLE), tmp_path / "more")
    run(study_from_table(few), tmp_path / "more")
    assert failures(tmp_path / "more").equals(failures(tmp_path / "few"))


def test_a_failure_of_a_brain_replicate_is_listed_for_the_spectral_engine(tmp_path):
    """None is known to fail by itself, so a block that says it did is put in its place."""
    table = {**TABLE, "estimators": {"befs": 0.1}, "engine": {"kind": "spectral"}}
    study = study_from_table({**table, "precision": {"relative": 0.0, "max_replicates": 64}})
    run(study, tmp_path)
    plan = open_plan(study, "spectral", BlockStore(tmp_path / "blocks"))
    (problem, users), *_ = plan.problems().items()
    (work,) = plan.works(problem, users)
    ids, n = tuple(q.id for q in work.queries), len(work.queries)
    sums = BlockSums(
        4, 16, np.full(n, 15), np.ones(n), np.ones(n), np.zeros(n, int),
        failures=np.array([(7, j, 1) for j in range(n)]),
    )  # fmt: skip
    write_segment(
        tmp_path / "blocks", to_table([(problem, ids, sums)], code_identity().text).to_batches()
    )
    (row,) = failures(tmp_path).to_pylist()
    assert (row["block"], row["replicate"], row["reason"]) == (4, 4 * 16 + 7, "singular")
    assert (row["point"], row["n_brain"], row["estimator"]) == (0, 60, None)


def test_the_command_lists_them_and_the_run_says_so(folder):
    def mcbrain(*words):
        command = [sys.executable, "-m", "mcbrain", *words]
        return subprocess.run(command, capture_output=True, text=True, check=True)

    shown = mcbrain("show", str(folder), "--where", "failed", "--where", "estimator=befs")
    header, first, *_ = shown.stdout.splitlines()
    assert header.split() == failures(folder).column_names
    assert "befs" in first and "not positive definite" in first and "ridge" not in shown.stdout
    none = mcbrain("show", str(folder), "--where", "failed", "--where", "estimator=ols")
    assert none.stdout == "no replicate failed\n"
    again = mcbrain("run", str(folder / "study.toml"), "--out", str(folder))
    assert f"have failed replicates: mcbrain show {folder} --where failed" in again.stderr


@pytest.mark.parametrize("engine", ["raw", "sufficient"])
@pytest.mark.parametrize(("input_dim", "n_brain"), [(5, 4), (4, 4), (6, 4)])
def test_a_penalised_encoding_from_as_many_samples_as_the_rank_loses_none(
    engine, input_dim, n_brain
):
    """One or two in a hundred were lost once, where a sample adds little to the others."""
    model = Model(
        input_dim=input_dim, latent_dim=4, n_channels=7, latent_gains=[2.0, 1.0, 0.6, 1.5],
        neural_noise=0.5,
    )  # fmt: skip
    (row,) = simulate(
        model, 9, n_brain, {"projection": 0.0}, max_replicates=4096, encoding_penalty=1.0,
        engine=engine, precision=0, threads=1, seed=3,
    ).to_pylist()  # fmt: skip
    assert row["replicates"] == 4096 and row["failed"] == 0
