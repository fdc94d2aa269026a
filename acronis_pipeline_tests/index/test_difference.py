import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from acronis_pipeline.index.table import difference
from acronis_pipeline.store import tables

TEXT = st.one_of(st.none(), st.sampled_from(["", "a", "b", "a\x1fb"]))
ROW = st.fixed_dictionaries(
    {
        "title": TEXT,
        "heading_path": st.one_of(st.none(), st.lists(st.sampled_from(["", "a", "b", "a\x1fb"]), max_size=2)),
        "ordinal": st.one_of(st.none(), st.integers(0, 2)),
        "passage": TEXT,
    }
)
ROWS = st.dictionaries(st.sampled_from("abcdef"), ROW)


def table(rows: dict[str, dict]) -> pa.Table:
    return tables.CONTENT.rows(row | {"chunk_id": chunk_id} for chunk_id, row in rows.items())


@given(ROWS, ROWS)
def test_rows_that_are_new_or_differ_and_keys_that_went_are_found(before: dict, after: dict) -> None:
    changed, gone = difference(table(before), table(after), "chunk_id")
    assert changed.column("chunk_id").to_pylist() == [key for key, row in after.items() if before.get(key) != row]
    assert gone == sorted(before.keys() - after.keys())


def test_order_does_not_matter() -> None:
    row = {"title": "t", "heading_path": ["a"], "ordinal": 1, "passage": "p"}
    changed, gone = difference(table({"a": row, "b": row}), table({"b": row, "a": row}), "chunk_id")
    assert (changed.num_rows, gone) == (0, [])
