"""Small corpora for the tests of this package."""

from collections.abc import Sequence
from typing import Any

from acronis_pipeline.core.hashing import digest
from acronis_pipeline.pairs.generator import Chunk
from acronis_pipeline.store import Store, tables


def chunk(
    text: str,
    *,
    url: str = "https://docs.example/page",
    title: str = "Retention rules",
    heading_path: Sequence[str] = (),
    ordinal: int = 0,
    cluster_id: str | None = None,
    language: str = "en",
) -> Chunk:
    chunk_id = digest(url, " > ".join(heading_path), text)[:20]
    passage = f"{' > '.join([title, *heading_path])}\n\n{text}"
    return Chunk(chunk_id, url, title, tuple(heading_path), ordinal, text, passage, cluster_id or chunk_id, language)


def write_chunks(store: Store, chunks: Sequence[Chunk]) -> None:
    """Make the chunks table hold exactly these."""
    rows: list[dict[str, Any]] = [
        {
            "chunk_id": c.chunk_id,
            "url": c.url,
            "title": c.title,
            "heading_path": list(c.heading_path),
            "anchor": None,
            "ordinal": c.ordinal,
            "text": c.text,
            "passage": c.passage,
            "n_tokens": len(c.passage.split()),
            "cluster_id": c.cluster_id,
            "language": c.language,
            "page_key": "",
        }
        for c in chunks
    ]
    store.sync(tables.CHUNKS, tables.CHUNKS.rows(rows))


_THINGS = (
    "retention rules", "backup schedules", "encryption keys", "recovery points", "mobile agents", "cloud storage",
    "license quotas", "email notifications", "antivirus scans", "tape libraries", "virtual machines", "user roles",
)  # fmt: skip


def site(n_pages: int, *, chunks_per_page: int = 2) -> list[Chunk]:
    """Pages about different things, each with headings, an instruction and statements to ask about."""
    chunks = []
    for number in range(n_pages):
        thing = f"{_THINGS[number % len(_THINGS)]} {chr(65 + number // len(_THINGS))}{number}"
        url = f"https://docs.example/{number}"
        for part in range(chunks_per_page):
            text = (
                f"You can change {thing} part{part} by opening the console of node{number}. "
                f"The default interval of {thing} part{part} is {number + 3} minutes. "
                f"Every collector{number} stores summaries{part} of {thing} in a separate vault for safety."
            )
            heading = f"Configuring {thing} part{part}"
            chunks.append(chunk(text, url=url, title=f"About {thing}", heading_path=[heading], ordinal=part))
    return chunks
