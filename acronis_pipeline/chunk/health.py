"""Whether the chunks are fit to work with: how many an encoder would cut, and how many pages gave none."""

from dataclasses import dataclass

from acronis_pipeline import schemas
from acronis_pipeline.chunk.table import TABLE
from acronis_pipeline.store import Store

MAX_CUT_SHARE = 0.01
MAX_DROPPED_SHARE = 0.1


@dataclass(frozen=True)
class Health:
    """`problems` are empty as long as what is cut and dropped stays below the shares above."""

    summary: str
    problems: tuple[str, ...]


def health(store: Store, encoder_tokens: int | None) -> Health:
    """Look at the stored chunks and pages.

    Parameters
    ----------
    encoder_tokens
        Longest input of the encoder; None if its files do not say.
    """
    rows = store.read(TABLE, schemas.CHUNKS, columns=["url", "n_tokens"]).to_pylist()
    live = store.count("pages", "gone_at IS NULL")
    n_cut = sum(row["n_tokens"] > encoder_tokens for row in rows) if encoder_tokens else 0
    n_dropped = max(0, live - len({row["url"] for row in rows}))
    limit = f"{encoder_tokens} tokens" if encoder_tokens else "an unknown length"
    problems: list[str] = []
    if n_cut > MAX_CUT_SHARE * len(rows):
        problems.append(
            f"{n_cut} of {len(rows)} passages are longer than the {limit} that the encoder reads: their ends are "
            "found by full-text search only; lower chunk.max_tokens, or use chunk.strategy headings"
        )
    if n_dropped > MAX_DROPPED_SHARE * live:
        problems.append(
            f"{n_dropped} of {live} live pages have no passage; see pages_without_chunks of the last "
            "materialization, and site.content_selector"
        )
    summary = f"{n_cut} of {len(rows)} passages over {limit}; {n_dropped} of {live} live pages without a passage"
    return Health(summary, tuple(problems))
