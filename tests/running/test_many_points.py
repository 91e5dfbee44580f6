"""Studies of many points: what is asked for once must not be asked for again at each of them."""

import hashlib
import json
import tracemalloc
from collections import Counter
from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import pytest

from mcbrain.asking.from_toml import study_from_table
from mcbrain.blocks import canonical
from mcbrain.blocks.problem import data_problem
from mcbrain.blocks.series import Series
from mcbrain.blocks.sums import BlockSums
from mcbrain.cli import waiting
from mcbrain.plan.plans import all_works, pilots_of, spread
from mcbrain.results import samples
from mcbrain.results.jackknife import Jackknife
from mcbrain.results.opening import open_plan
from mcbrain.results.point_rows import PointRows
from mcbrain.results.view import Results
from mcbrain.running import computing
from mcbrain.running.merging import merge
from mcbrain.running.runner import Reporter, run
from mcbrain.store import parts
from mcbrain.store.blockstore import BlockStore
from mcbrain.store.memory import MemoryStore
from mcbrain.store.pairs import Pairs
from mcbrain.theory import exact
from mcbrain.worth import simulated
from mcbrain.worth.simulated import value_in_results


def study(models=3, tasks=4, brains=(0, 20, 40), blocks=1, **more):
    return study_from_table(
        {
            "name": "many",
            "model": {
                "input_dim": 4,
                "latent_dim": 1,
                "n_channels": 2,
                "misalignment": np.linspace(0.0, 0.5, models).tolist(),
            },
            "design": {"n_task": list(range(12, 12 + 4 * tasks, 4)), "n_brain": list(brains)},
            "estimators": {"ridge": "optimal", "befs": 0.1},
            "precision": {"relative": 0.5, "max_replicates": 512 * blocks},
            "engine": {"kind": "raw"},
            **more,
        }
    )


def made_up(asked, store):
    """The blocks of a study, none of them drawn."""
    plan, rng = open_plan(asked, "raw", store), np.random.default_rng(0)

    def block(index, width, size):
        mean = rng.uniform(0.1, 0.2, width)
        ones = np.ones(width, np.int64)
        return BlockSums(index, size, size * ones, mean, mean, ones, cross=mean, seconds=0.01)

    found = plan.problems()
    for pilot, statistics in pilots_of(plan, found):
        for i in range(64):
            width, size = len(statistics), pilot.block_size
            store.add(pilot, tuple(s.id for s in statistics), block(i, width, size))
    store.reload()
    for work in all_works(plan, found):
        for i in range(work.stopping.max_blocks):
            ids = tuple(q.id for q in work.queries)
            store.add(work.problem, ids, block(i, len(ids), work.problem.block_size))
    store.compact()
    return plan


def test_columns_of_a_segment_are_decoded_once_however_many_problems_it_holds(
    tmp_path, monkeypatch
):
    calls = []
    for name in ("flat", "numbers", "present"):
        real = getattr(parts, name)
        monkeypatch.setattr(
            parts, name, lambda table, c, n=name, real=real: calls.append((n, c)) or real(table, c)
        )
    sizes = {}
    for models in (2, 6):
        asked = study(models)
        made_up(asked, BlockStore(tmp_path / str(models)))
        store = BlockStore(tmp_path / str(models), read_only=True)
        calls.clear()
        rows = list(open_plan(asked, "raw", store).rows(store))
        assert sum(batch.num_rows for batch in rows) == asked.n_rows
        assert len(calls) == len(set(calls))  # one segment
        sizes[models] = len(calls)
    assert sizes[2] == sizes[6]


@pytest.mark.parametrize("blocks", [1, 3])
def test_what_is_computed_for_the_rows_is_computed_for_all_points_at_once(blocks, monkeypatch):
    """Sums, gains, quantiles and laws of six times as many points take as many calls."""
    calls = []

    def count(owner, name):
        real = getattr(owner, name)
        counted = lambda *given, **more: calls.append(name) or real(*given, **more)  # noqa: E731
        monkeypatch.setattr(owner, name, counted)

    count(Series, "totals")
    count(Pairs, "gain")
    count(samples, "quantiles")
    count(exact, "excess_risk")
    numbers = {}
    for models, tasks in ((1, 2), (3, 4)):
        asked, store = study(models, tasks, blocks=blocks), MemoryStore()
        made_up(asked, store)
        plan = open_plan(asked, "raw", store)
        for point in asked.points():
            plan.queries(point)  # the pilots' own moments are a matter of each model
        calls.clear()
        assert sum(batch.num_rows for batch in plan.rows(store)) == asked.n_rows
        numbers[models] = Counter(calls)
    assert numbers[1] == numbers[3] and set(numbers[1]) == {
        "totals", "gain", "quantiles", "excess_risk"
    }  # fmt: skip


def test_rows_do_not_depend_on_how_many_are_made_at_once(monkeypatch):
    asked, store = study(3, 3), MemoryStore()
    made_up(asked, store)
    whole = pa.Table.from_batches(open_plan(asked, "raw", store).rows(store))
    with monkeypatch.context() as few:
        few.setattr(samples, "_MOST", 10)
        assert pa.Table.from_batches(open_plan(asked, "raw", store).rows(store)).equals(whole)
    monkeypatch.setattr("mcbrain.results.point_rows._TOGETHER", 1)
    assert pa.Table.from_batches(open_plan(asked, "raw", store).rows(store)).equals(whole)


def test_a_merge_says_how_far_it_is(tmp_path):
    asked, said = study(), []

    class Ear(Reporter):
        @contextmanager
        def steps(self, name, total):
            told = []
            yield told.append
            said.append((name, total, max(told)))

    shards = [tmp_path / "1", tmp_path / "2"]
    for i, shard in enumerate(shards):
        run(asked, shard, threads=1, shard=f"{i + 1}/2")
    merge(shards, tmp_path / "whole", reporter=Ear())
    n = asked.n_points
    assert said == [("reading shards", 2, 2), ("looking for gaps", n, n), ("rows", n, n)]


def test_a_finished_folder_is_neither_planned_nor_are_its_rows_made(tmp_path, monkeypatch):
    asked, folder = study(), tmp_path / "a"
    first = run(asked, folder, threads=2)
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    with monkeypatch.context() as nothing:
        nothing.setattr(PointRows, "problems", lambda self: pytest.fail("planned"))
        nothing.setattr(PointRows, "rows", lambda self, store, tell: pytest.fail("rows"))
        nothing.setattr(computing, "warm", lambda *_: pytest.fail("compiled"))
        again = run(asked, folder, threads=1)
    assert (again.reused, again.computed) == (first.reused + first.computed, 0)
    assert (again.results.rows, again.results.unmet) == (first.results.rows, first.results.unmet)
    assert again.problems == first.problems and not again.results.changed
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize("change", ["results", "blocks", "damage", "study", "note"])
def test_a_folder_that_was_changed_is_not_taken_for_finished(tmp_path, change):
    asked, folder = study(), tmp_path / "a"
    run(asked, folder, threads=2)
    whole = (folder / "results.arrow").read_bytes()
    more = asked
    match change:
        case "results":
            (folder / "results.arrow").write_bytes(whole[:-1])
        case "blocks":
            next((folder / "blocks").glob("*.arrow")).unlink()
        case "damage":
            segment = next((folder / "blocks").glob("*.arrow"))
            segment.write_bytes(segment.read_bytes()[:100])
        case "study":
            more = study(estimators={"ridge": "optimal"})
        case "note":
            (folder / ".finished").write_text('{"of": 3}')
    made = []

    class Ear(Reporter):
        def steps(self, name, total):
            made.append(name)
            return super().steps(name, total)

    again = run(more, folder, threads=2, reporter=Ear())
    assert "rows" in made and (again.computed > 0) == (change in ("blocks", "damage"))
    assert again.results.changed == (change != "note")
    if change == "note":
        assert (folder / "results.arrow").read_bytes() == whole


def test_kernels_are_loaded_only_where_a_block_is_lacking(tmp_path, monkeypatch):
    asked, folder = study(), tmp_path / "a"
    run(asked, folder, threads=2)
    (folder / "results.arrow").unlink()
    monkeypatch.setattr(computing, "compile_pieces", None, raising=False)
    monkeypatch.setattr("mcbrain.running.runner.warm", lambda *_: pytest.fail("compiled"))
    assert run(asked, folder, threads=2).results.changed


def test_values_read_the_blocks_of_a_row_once_and_search_each_curve_once(tmp_path, monkeypatch):
    asked = study(blocks=5)
    store = BlockStore(tmp_path / "blocks")
    plan = made_up(asked, store)
    results = Results.in_memory(asked, pa.Table.from_batches(plan.rows(store)), store)
    read, searched = [], []
    whole, search = Jackknife._computed, simulated.samples_for
    monkeypatch.setattr(
        Jackknife, "_computed", lambda self, *row: read.append(row) or whole(self, *row)
    )
    monkeypatch.setattr(
        simulated,
        "samples_for",
        lambda twin, risk, name: searched.append(np.size(risk)) or search(twin, risk, name),
    )
    for task in range(len(asked.n_task)):
        value_in_results(results, 0, task, 1)
    assert len(read) == len(set(read)) == 2 * len(asked.n_task)
    # The centre of four rows and BEFS, and all moves at once: ten blocks of each.
    assert searched == [5, 10 * 5 + 5] * len(asked.n_task)


def test_a_planned_point_takes_less_than_half_a_kilobyte():
    """A million raw points: 0.5 GB."""
    asked = study(models=20, tasks=50, brains=range(1, 21))
    open_plan(study(), "raw", MemoryStore()).problems()
    tracemalloc.start()
    found = open_plan(asked, "raw", MemoryStore()).problems()
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found) == 20_000 and used < 500 * len(found)


def test_the_key_of_a_problem_is_the_hash_of_its_content_as_json():
    for point in study(5, model={"input_dim": 5, "latent_dim": 2, "n_channels": 3,
                                 "latent_gains": [[2.0, 1.0]], "inputs": ["student:5", "uniform"],
                                 "misalignment": [0.1, 1e-17]}).points():  # fmt: skip
        for kind in ("raw", "sufficient"):
            one = data_problem(kind, point.model, point.n_task, point.n_brain, 3)
            text = json.dumps([kind, sorted(one.content.items())], separators=(",", ":"))
            assert one.key == hashlib.blake2b(text.encode(), digest_size=16).digest()


def test_what_a_model_fixes_is_found_once_for_neighbouring_points():
    asked, found = study(), []
    known = canonical.latest(lambda model: found.append(model) or len(found))
    for point in asked.points():
        known(point.model)
    assert found == list(asked.models)


@pytest.mark.parametrize("size", [0, 1, 2, 10, 1000])
def test_the_first_of_a_spread_order_lie_evenly(size):
    order = spread(size)
    assert sorted(order.tolist()) == list(range(size))
    for few in (5, 20, 100):
        if few < size:
            gaps = np.diff(np.sort(np.concatenate([[-1], order[:few], [size]])))
            assert gaps.max() <= 3 * size / few


def test_stages_are_silent_at_first_and_then_say_how_far_they_are(monkeypatch, capsys):
    with waiting.steps("rows", 3) as tell:
        tell(1)
    assert not capsys.readouterr().err
    monkeypatch.setattr(waiting, "_FIRST_SECONDS", 0.0)
    with waiting.steps("rows", 3000) as tell:
        tell(1000)
        tell(2000)
    assert capsys.readouterr().err == "rows: 1,000/3,000\n"
    said = []
    monkeypatch.setattr(waiting, "Timer", lambda seconds, say, texts: Now(said, texts))
    with waiting.patience("planning 7 points"):
        pass
    assert said == ["planning 7 points", "cancelled"]


class Now:
    """A timer whose time has come."""

    def __init__(self, said, texts):
        self.said, self.texts = said, texts

    def start(self):
        self.said += self.texts

    def cancel(self):
        self.said.append("cancelled")
