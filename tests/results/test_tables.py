"""Results as tables: conditions keep what they say, and wrong ones are refused in a sentence."""

import sys

import pyarrow as pa
import pytest

from mcbrain.errors import InputError
from mcbrain.results.printing import print_results, print_table
from mcbrain.results.tables import export_results, select

TABLE = pa.table(
    {
        "estimator": pa.array(["ridge", "befs", "befs"]).dictionary_encode(),
        "n_task": [20, 20, 40],
        "mean": [0.5, 0.25, None],
        "failed": [0, 0, 3],
    }
)


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        (["estimator=befs"], 2),
        (["estimator!=befs"], 1),
        (["n_task>=40"], 1),
        (["estimator = befs", "n_task<40"], 1),
        (["mean<0.4"], 1),
        (["failed"], 1),
        (["n_task=7"], 0),
    ],
)
def test_conditions_keep_what_they_say(where, rows):
    assert select(TABLE, where).num_rows == rows


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("estimator=bef", "befs"),
        ("estimator>befs", "= and != alone"),
        ("n_task==40", "NAME=VALUE"),
        ("n_task=many", "not a whole number"),
        ("mean=0.2 and n_task=20", "not a number"),
        ("n_tsk=40", "n_task"),
        ("befs", "NAME=VALUE"),
    ],
)
def test_a_wrong_condition_is_refused_with_what_is_allowed(condition, words):
    with pytest.raises(InputError, match=r"--where|column") as error:
        select(TABLE, [condition])
    assert words in str(error.value)


def test_a_summary_shows_the_first_and_the_last_point_under_the_first_shift(tmp_path, capsys):
    points, shifts = 50, ["id", "scale:2"]
    table = pa.table(
        {
            "point": pa.array([p for p in range(points) for _ in shifts], pa.int32()),
            "shift": pa.array(shifts * points).dictionary_encode(),
            "mean": [float(p) for p in range(points) for _ in shifts],
        }
    )
    with pa.ipc.new_file(tmp_path / "results.arrow", table.schema) as sink:
        sink.write_table(table)
    print_results(tmp_path, columns="point,shift,mean", limit=5, spread=True)
    printed = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[0] for line in printed[1:6]] == ["0", "12", "24", "37", "49"]
    assert {line[1] for line in printed[1:6]} == {"id"}
    assert printed[6][:2] == ["...", "95"]


@pytest.mark.parametrize("width", [24, 30, 200])
def test_a_terminal_too_narrow_loses_columns_and_never_digits(monkeypatch, capsys, width):
    """No line is wider than the terminal unless nothing more may be left out."""
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    table = TABLE.set_column(2, "mean", [[0.12345, 0.54321, None]])
    print_table(table, table.column_names, spare=("failed", "estimator"))
    out = capsys.readouterr().out
    assert "0.12345" in out
    assert ("failed" in out.split("left out")[0]) == (width == 200)
    assert ("befs" in out) == (width > 24)
    assert ("left out for width" in out) == (width < 200)


def test_what_is_not_a_terminal_gets_every_digit_of_every_column(capsys):
    wide = pa.table({f"column_{i}": [1.2345] for i in range(60)})
    print_table(wide, wide.column_names)
    assert capsys.readouterr().out.count("1.2345") == 60


def _written(table, file):
    with pa.ipc.new_file(file, table.schema) as sink:
        sink.write_table(table)
    return file


def test_columns_are_named_once_and_at_least_one(tmp_path, capsys):
    file = _written(TABLE, tmp_path / "rows.arrow")
    print_results(file, columns="mean,mean, n_task")
    assert capsys.readouterr().out.split()[:4] == ["mean", "n_task", "0.5", "20"]
    with pytest.raises(InputError, match="--columns , ,: names separated by commas"):
        print_results(file, columns=", ,")


def test_a_table_without_what_is_asked_of_it_is_refused_by_the_name_of_the_column(tmp_path):
    lists = pa.table({"latent_gains": [[1.0, 0.5]]})
    with pytest.raises(InputError, match="column 'failed' does not exist"):
        select(lists, ["failed"])
    file = _written(lists, tmp_path / "brain.arrow")
    with pytest.raises(InputError, match=r"--format csv: column latent_gains of .* holds lists"):
        export_results(file, "csv")
    assert list(tmp_path.iterdir()) == [file]
    assert export_results(file, "parquet").exists()
