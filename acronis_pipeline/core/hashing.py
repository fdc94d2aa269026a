"""Content hashes: the identity of texts, rows and whole tables, the same on every machine.

Everything incremental in the pipeline compares these; Dagster shows them as data versions.
"""

import hashlib
from collections.abc import Iterable


def digest(*parts: str) -> str:
    """SHA-256 over the parts, in order, as 64 hex characters.

    Parts are length-prefixed, so `digest("ab", "c") != digest("a", "bc")`.
    """
    h = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        h.update(len(data).to_bytes(8, "big"))
        h.update(data)
    return h.hexdigest()


def digest_rows(rows: Iterable[Iterable[object]]) -> str:
    """Order-independent digest of a collection of rows (each an iterable of values)."""
    return digest(*sorted(digest(*(str(value) for value in row)) for row in rows))
