"""Each stored sum has one record, and what is on disk keeps its place whatever is added."""

from dataclasses import MISSING, fields

import numpy as np
import pyarrow as pa
import pytest

from mcbrain.blocks.sums import SUMS, BlockSums
from mcbrain.store.columns import COLUMNS, FORMAT

# Their places salt the checksums of the blocks that are on disk.
FORMATS = {
    1: "key seed index replicates seconds statistics count mean m2 better bin_sizes bins "
    "bin_counts failures",
    2: "identity cross joint joint_sums atoms atom_values",
    3: "kept choosing chosen",
}


def test_columns_of_a_format_keep_their_places():
    assert max(FORMATS) == FORMAT
    assert [c.name for c in COLUMNS] == " ".join(FORMATS.values()).split()
    for since, names in FORMATS.items():
        assert {c.name for c in COLUMNS if c.since == since} == set(names.split())


@pytest.mark.parametrize("name", SUMS)
def test_a_sum_is_stored_as_its_record_says(name):
    record, (column,) = SUMS[name], [c for c in COLUMNS if c.name == name]
    assert column.meaning == record.meaning
    is_list = pa.types.is_list(column.kind)
    assert is_list == (record.per != "block")
    assert str(column.kind.value_type if is_list else column.kind).startswith(
        "double" if record.kind == "float64" else record.kind
    )


@pytest.mark.parametrize("field", fields(BlockSums), ids=lambda field: field.name)
def test_what_an_engine_does_not_know_is_empty(field):
    """And of the shape of its entries."""
    record = SUMS[field.name]
    if field.default_factory is not MISSING:
        empty = field.default_factory()
        assert empty.shape == ((0, record.width) if record.width > 1 else (0,))
        assert (empty.dtype == np.float64) == (record.kind == "float64")
    else:
        assert field.name == "seconds" or field.default is MISSING


def test_sums_of_the_first_format_are_needed_or_lists():
    """A block of an older format has null in what came later, so each of these must be optional."""
    for field in fields(BlockSums):
        if SUMS[field.name].since > 1:
            assert field.default_factory is not MISSING
