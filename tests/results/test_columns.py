"""A column of the results has one record, and what a writer forgets of it is named."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import mcbrain as mb
from mcbrain.population.model import MODEL_FIELDS
from mcbrain.results import columns, numbers
from mcbrain.results.column import (
    BRAIN_ROWS,
    EVERY,
    FAILURES,
    GRID_ROWS,
    LAW_ROWS,
    POINT_ROWS,
    REAL,
    SIMULATED,
    Column,
)
from mcbrain.results.columns import RESULT_COLUMNS, RESULT_SCHEMA, from_replicates
from mcbrain.results.law_rows import law_table
from mcbrain.results.numbers import NOTHING, Estimates, Missing
from mcbrain.results.other_columns import BRAIN_COLUMNS, FAILURE_COLUMNS
from mcbrain.results.row_writers import ColumnWriter, RowWriter, checked_table
from mcbrain.results.tables import open_results
from mcbrain.running.computing import compute
from tests.support.columns_page import PAGE, page
from tests.support.small_study import study

OWN = {writer: [c for c in RESULT_COLUMNS if writer in c.by] for writer in EVERY}


def a_row(writer=POINT_ROWS, **changes):
    """Values for every column of a writer."""
    model = study().models[0].columns()
    words = {"status": "ok", "prediction": "none", "engine": "raw", "shift": "id"}
    words |= {"estimator": "ridge", "penalty_rule": "optimal"}
    row = {c.name: model.get(c.name, words.get(c.name)) for c in OWN[writer]}
    for column in OWN[writer]:
        if row[column.name] is None and not column.null:
            row[column.name] = 0
    return row | changes


@pytest.fixture(params=[RowWriter, ColumnWriter])
def write(request):
    """Whether a row is taken, by either kind of writer."""

    def taken(row, writer=POINT_ROWS):
        made = request.param(RESULT_COLUMNS, writer, study())
        if isinstance(made, ColumnWriter):
            return made.batch(1, row).to_pylist()[0]
        made.add(row)
        return made.take().to_pylist()[0]

    return taken


# The records ----------------------------------------------------------------------------------


@pytest.mark.parametrize("table", [RESULT_COLUMNS, BRAIN_COLUMNS, FAILURE_COLUMNS])
def test_a_table_has_each_column_once(table):
    names = [column.name for column in table]
    assert len(set(names)) == len(names)
    for column in table:
        # Failures are few, so their words are gathered from them.
        is_word = pa.types.is_dictionary(column.kind) and FAILURES not in column.by
        assert bool(column.words) == is_word, column.name
        assert column.by and not (column.needs and not column.null), column.name


def test_every_field_of_the_model_has_a_column():
    assert {c.name for c in RESULT_COLUMNS if c.source == "model"} == set(MODEL_FIELDS)


def test_what_is_printed_has_an_order():
    for turns in ([c.shown for c in RESULT_COLUMNS], [c.spare for c in RESULT_COLUMNS]):
        asked = sorted(turn for turn in turns if turn)
        assert asked == list(range(1, len(asked) + 1))
    assert all(c.shown for c in RESULT_COLUMNS if c.spare)


def test_the_page_of_columns_is_up_to_date():
    """Else run `python -m tests.support.columns_page`."""
    assert PAGE.read_text(encoding="utf-8") == page()


# Writers --------------------------------------------------------------------------------------


def test_a_whole_row_is_taken(write):
    found = write(a_row(mean=0.5))
    assert (found["mean"], found["status"], found["sd"]) == (0.5, "ok", None)
    assert write(a_row(LAW_ROWS, predicted=0.25), LAW_ROWS)["mean"] is None


@pytest.mark.parametrize("key", ["maen", "gain_mcs", "reasons"])
def test_a_key_that_is_no_column_is_refused(write, key):
    with pytest.raises(ValueError, match=f"point rows give '{key}', which is no column; did you"):
        write(a_row(**{key: 1.0}))


@pytest.mark.parametrize("writer", EVERY)
def test_a_forgotten_column_is_refused(write, writer):
    for column in OWN[writer]:
        row = a_row(writer)
        del row[column.name]
        with pytest.raises(ValueError, match=f"{writer} leave out column '{column.name}', whose"):
            write(row, writer)


@pytest.mark.parametrize(("writer", "name"), [(LAW_ROWS, "mean"), (GRID_ROWS, "median")])
def test_a_column_that_does_not_name_its_writer_is_refused(write, writer, name):
    with pytest.raises(ValueError, match=f"{writer} give column '{name}', whose record does not"):
        write(a_row(writer, **{name: 1.0}), writer)


@pytest.mark.parametrize("writer", EVERY)
def test_a_null_that_the_record_does_not_allow_is_refused(write, writer):
    for column in OWN[writer]:
        row = a_row(writer, **{column.name: None})
        if column.null:
            assert write(row, writer)[column.name] is None
            continue
        with pytest.raises(ValueError, match=f"{writer}: column '{column.name}' is null in a row"):
            write(row, writer)


@pytest.mark.parametrize("name", ["status", "prediction", "engine", "inputs"])
def test_a_word_that_its_column_does_not_know_is_refused(write, name):
    with pytest.raises(ValueError, match=f"column '{name}' does not know the word 'odd'"):
        write(a_row(**{name: "odd"}))


@pytest.mark.parametrize("name", ["mean", "replicates"])
def test_a_value_of_another_type_is_refused(write, name):
    with pytest.raises(ValueError, match=f"point rows: column '{name}' holds "):
        write(a_row(**{name: "many"}))


def test_a_brain_row_and_a_failure_have_every_key():
    writer = RowWriter(BRAIN_COLUMNS, BRAIN_ROWS, study())
    with pytest.raises(ValueError, match="brain rows leave out column 'rank'"):
        writer.add({c.name: None for c in BRAIN_COLUMNS if c.name != "rank"})
    row = {c.name: None for c in FAILURE_COLUMNS if c.name != "shift"}
    with pytest.raises(ValueError, match="failures leave out column 'shift'"):
        checked_table(FAILURE_COLUMNS, FAILURES, [row])


# What replicates say --------------------------------------------------------------------------


def test_a_column_without_a_number_is_named(monkeypatch):
    forgotten = Column("skewness", REAL, "of the excess risk", "replicates", SIMULATED, "ever")
    monkeypatch.setattr(columns, "RESULT_COLUMNS", (*RESULT_COLUMNS, forgotten))
    with pytest.raises(NotImplementedError, match=r"column 'skewness'.*results/numbers\.py"):
        numbers.numbers(NOTHING, POINT_ROWS, Missing.of(["ok"]))


def test_a_moment_that_nobody_knows_is_refused():
    odd = replace(RESULT_COLUMNS[0], needs="skewness")
    with pytest.raises(NotImplementedError, match="moment that a column needs 'skewness'"):
        Missing.of(["ok"]).lacks(odd)


ALL = dict.fromkeys(list(Estimates.__dataclass_fields__), 2.0)
WORDS = ("ok", "heavy_tail", "infinite_variance", "infinite_mean", "undefined")


@pytest.mark.parametrize("status", WORDS)
@pytest.mark.parametrize("baseline", WORDS)
def test_a_number_without_its_moment_is_null_row_by_row_or_a_column_at_a_time(status, baseline):
    one, missing = Estimates(**ALL), Missing.of([status], [baseline])
    row = next(numbers.numbers(one, GRID_ROWS, missing))
    many = Estimates(**{name: np.full(3, value) for name, value in ALL.items()})
    for name, values in numbers.arrays(many, GRID_ROWS, missing).items():
        assert {None if math.isnan(v) else v for v in values} == {row[name]}
    mean, variance = (status not in words for words in (WORDS[3:], WORDS[2:]))
    base_mean, base_variance = (baseline not in words for words in (WORDS[3:], WORDS[2:]))
    known = {name for name, value in row.items() if value is not None}
    assert known - {"replicates", "failed", "seconds"} == {
        *(["mean"] if mean else []),
        *(["mcse"] if variance else []),
        *(["gain"] if mean and base_mean else []),
        *(["gain_mcse"] if variance and base_variance else []),
    }


# The encoding of the study --------------------------------------------------------------------

ASKED = {"ridge": 0.3, "befs": 0.3, "befs-oracle": 0.3, "projection": 0.0}


@pytest.mark.parametrize("engine", ["raw", "spectral", "law"])
def test_rows_say_how_their_subspace_was_estimated(engine):
    model = mb.Model(input_dim=9, latent_dim=3, n_channels=5)
    table = mb.simulate(
        model, [12, 16], [0, 20], ASKED, ["id", "scale:2"], rank=2, encoding_penalty=0.25,
        precision=0, max_replicates=4, threads=1, engine=engine,
    )  # fmt: skip
    assert table.num_rows == 2 * 2 * 4 * 2
    for row in table.to_pylist():
        used = row["estimator"] in ("befs", "projection")
        expected = (2, 0.25) if used else (None, None)
        assert (row["rank"], row["encoding_penalty"]) == expected, row


def test_the_rank_follows_each_model():
    """The grid makes a column once for the models that share it."""
    asking = study(
        model={
            "input_dim": 9,
            "latent_dim": 3,
            "n_channels": 5,
            "measured_latents": [1, 2, 3],
            "task_noise": [0.5, 1.0],
        },
        estimators={"ridge": 0.3, "befs": 0.3},
        engine={"kind": "spectral"},
        precision={"relative": 0.0, "max_replicates": 4},
    )
    table, by_rows = compute(asking, threads=1).table, law_table(asking)
    for name in ("rank", "measured_latents", "point", "n_task", "n_brain", "shift", "estimator"):
        assert table[name].to_pylist() == by_rows[name].to_pylist(), name
    assert set(table["rank"].to_pylist()) == {None, 1, 2, 3}


def test_results_of_before_a_column_are_read():
    old = open_results(Path(__file__).parents[1] / "results_0_1")
    assert "rank" not in old.schema.names
    assert set(old.schema.names) < set(RESULT_SCHEMA.names)


def test_point_rows_fill_what_no_other_engine_can():
    own = {writer: {c.name for c in from_replicates(writer)} for writer in EVERY}
    assert own[LAW_ROWS] < own[GRID_ROWS] < own[POINT_ROWS]
    assert own[POINT_ROWS] - own[GRID_ROWS] == {
        "bias2",
        "bias2_mcse",
        "variance",
        "variance_mcse",
        "sd",
        "q05",
        "median",
        "q95",
        "p_better",
    }
