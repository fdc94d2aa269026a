"""Small pages, a page table in a real store, and the packaged model's token counter."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from acronis_pipeline.content import Content, extract
from acronis_pipeline.core.settings import ChunkSettings
from acronis_pipeline.crawl.memory.records import version_id
from acronis_pipeline.encoders import PACKAGED_BASE, TokenCounter, find_base
from acronis_pipeline.store import Store, tables

SITE = "https://docs.example.com/"


@lru_cache(maxsize=1)
def counter() -> TokenCounter:
    return TokenCounter(find_base(PACKAGED_BASE))


def budget(max_tokens: int, min_tokens: int = 24) -> ChunkSettings:
    return ChunkSettings.model_validate({"max_tokens": max_tokens, "min_tokens": min_tokens})


def html_page(body: str, title: str = "Backup", language: str | None = "en") -> str:
    lang = f' lang="{language}"' if language else ""
    return f"<html{lang}><head><title>{title}</title></head><body><main>{body}</main></body></html>"


def content_of(body: str, title: str = "Backup") -> Content:
    return extract(html_page(body, title), url=SITE)


def put_pages(store: Store, bodies: dict[str, str], *, gone: tuple[str, ...] = ()) -> None:
    """Upsert pages by path; those in `gone` are tombstoned."""
    now = datetime(2026, 11, 21, tzinfo=UTC)
    rows: list[dict[str, Any]] = []
    versions: dict[str, dict[str, Any]] = {}
    for path, body in bodies.items():
        page = extract(body, url=SITE + path)
        rows.append(
            {
                **dict.fromkeys(tables.PAGES.schema.names),
                "url": SITE + path,
                "title": page.title,
                "content_hash": page.content_hash,
                "status": 200,
                "fetched_at": now,
                "gone_at": now if path in gone else None,
            }
        )
        versions[version_id(SITE + path, page.content_hash)] = {
            "version_id": version_id(SITE + path, page.content_hash),
            "url": SITE + path,
            "content_hash": page.content_hash,
            "html": body,
            "first_seen_at": now,
        }
    contents = tables.PAGE_VERSIONS.rows(list(versions.values()))
    store.upsert(tables.PAGE_VERSIONS, contents)
    store.upsert(tables.PAGES, tables.PAGES.rows(rows))
