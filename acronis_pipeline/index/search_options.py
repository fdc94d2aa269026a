"""How the vectors of a passages table are to be searched, kept in the table and versioned with it.

The build of an approximate index measures what it misses and writes down the parameters that miss little enough. A
table without such a note, also while its index is built or replaced, is searched exactly.
"""

import json
import math
from dataclasses import asdict, dataclass
from typing import Any

_KEY = "acronis_pipeline.search"
"""In the metadata of the vector column: unlike the schema's own it can be changed, and it stays through merges, index
builds and `optimize` (LanceDB 0.40, tested)."""


@dataclass(frozen=True)
class SearchOptions:
    """Parameters of a vector search.

    Parameters
    ----------
    exact
        Compare the query with every vector.
    index_type
        For example `IVF_RQ`; None for an exact search.
    nprobes
        Partitions of the index to look into.
    n_refined
        So many neighbours by the index's compressed vectors are re-ranked by their full ones, at least as many as are
        asked for; 0 where the index keeps full vectors.
    recall_at_10
        Share of the ten exact neighbours that these parameters found when they were measured.
    n_trained
        Rows that the index's partitions were made from.
    """

    exact: bool = True
    index_type: str | None = None
    nprobes: int = 0
    n_refined: int = 0
    recall_at_10: float = 1.0
    n_trained: int = 0

    def apply(self, query: Any, depth: int) -> Any:
        """A LanceDB vector query (`table.search(vector)`) that gives `depth` rows, found this way."""
        query = query.limit(depth)
        if self.exact:
            return query.bypass_vector_index()
        # No upper bound (0): under a filter more partitions may be needed to find as many rows as were asked for.
        query = query.minimum_nprobes(self.nprobes).maximum_nprobes(0)
        return query.refine_factor(math.ceil(max(self.n_refined, depth) / depth)) if self.n_refined else query


EXACT = SearchOptions()


def search_options(table: Any) -> SearchOptions:
    """How an opened passages table (at whichever version) is to be searched; costs next to nothing."""
    note = (table.schema.field("vector").metadata or {}).get(_KEY.encode())
    return SearchOptions(**json.loads(note)) if note else EXACT


def write_search_options(table: Any, options: SearchOptions) -> None:
    """Note the options in the table (one version), unless they stand there already."""
    if search_options(table) != options:
        table.update_field_metadata({"path": "vector", "metadata": {_KEY: json.dumps(asdict(options))}})
