"""Results open in the tools that people use, and as the README says."""

import re

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from mcbrain.errors import InputError
from mcbrain.results.columns import RESULT_SCHEMA
from mcbrain.results.tables import export_results, open_results
from tests.support.small_study import rows


def test_results_open_in_polars_and_pandas_with_every_column(small_results):

    path = small_results / "results.arrow"
    frame = pl.read_ipc(path)
    assert frame.columns == RESULT_SCHEMA.names
    with pa.memory_map(str(path)) as source:
        table = pa.ipc.open_file(source).read_all()
        frame2 = table.to_pandas()
    assert isinstance(frame2, pd.DataFrame) and len(frame2) == len(frame)
    np.testing.assert_array_equal(frame["mean"].to_numpy(), frame2["mean"].to_numpy())
    assert b"mcbrain.provenance" in table.schema.metadata


def test_results_open_by_the_lines_of_the_readme(small_results, tmp_path, monkeypatch, repository):
    pytest.importorskip("duckdb")
    text = (repository / "README.md").read_text()
    lines = re.search(r"<!-- opening results -->\n```python\n(.*?)```", text, re.DOTALL)[1]
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "my-study").symlink_to(small_results)
    monkeypatch.chdir(tmp_path)
    found: dict = {}
    exec(lines, found)
    table = open_results(small_results)
    assert found["rows"].equals(table) and len(found["frame"]) == table.num_rows
    means: dict = {}
    for row in table.to_pylist():
        if row["mean"] is not None:
            key = row["point"], row["shift"]
            means.setdefault(key, []).append((row["mean"], row["estimator"]))
    best = found["best"].fetchall()
    assert len(best) == len(means)
    for point, shift, estimator in best:
        lowest, _ = min(means[point, shift])
        assert (lowest, estimator) in means[point, shift]


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_exported_results_hold_the_same_rows(small_results, form):

    path = export_results(small_results, form)
    frame = pd.read_parquet(path) if form == "parquet" else pd.read_csv(path)
    table = rows(small_results)
    assert len(frame) == table.num_rows
    np.testing.assert_array_equal(frame["mean"].to_numpy(), table["mean"].to_numpy())
    assert list(frame["estimator"]) == table["estimator"].to_pylist()
    path.unlink()


def test_a_damaged_name_of_a_column_is_said_in_a_sentence(tmp_path):
    path = tmp_path / "results.arrow"
    table = pa.table({"estimator_name": [1.0]})
    with pa.ipc.new_file(path, table.schema) as sink:
        sink.write_table(table)
    path.write_bytes(path.read_bytes().replace(b"estimator_name", b"estimator\xb4name"))
    with pytest.raises(InputError, match=r"not a readable Arrow file \('utf-8' codec"):
        open_results(path)
