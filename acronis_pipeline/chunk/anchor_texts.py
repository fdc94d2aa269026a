"""anchor_texts: what people wrote on the links between a site's pages, describing each target in their own words."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from acronis_pipeline.content import Content
from acronis_pipeline.core.hashing import digest
from acronis_pipeline.crawl.fetching.urls import canonical, plain_path
from acronis_pipeline.store import Store, tables


def rows(content: Content, url: str, forwarded: Mapping[str, str]) -> list[dict[str, Any]]:
    """Links of one page to other places of the same host, as rows of the table.

    Parameters
    ----------
    forwarded
        Where addresses lead that are no page themselves (redirects, aliases), see `crawl.lookup.forwarding`.
    """
    host = urlsplit(url).netloc
    found: dict[str, dict[str, Any]] = {}
    for reference in content.references:
        asked = canonical(reference.target) or _file(reference.target)
        target = forwarded.get(asked, asked) if asked else None
        if target is None or urlsplit(target).netloc != host or (target == url and not reference.fragment):
            continue
        anchor_id = digest(url, target, reference.fragment or "", reference.text)[:20]
        found.setdefault(
            anchor_id,
            {
                "anchor_id": anchor_id,
                "source_url": url,
                "target_url": target,
                "target_fragment": reference.fragment,
                "text": reference.text,
                "title": reference.title,
            },
        )
    return list(found.values())


def _file(target: str) -> str | None:
    """Address of a local file as pages have it."""
    return f"file://{plain_path(urlsplit(target).path)}" if target.startswith("file:") else None


def update(store: Store, live: Collection[str], sources: Collection[str], fresh: Iterable[Mapping[str, Any]]) -> None:
    """Make the rows of the source pages `fresh`, and retire those of pages that are not live; others stay."""
    known = {row["anchor_id"]: row for row in store.read(tables.ANCHOR_TEXTS).to_pylist()}
    replaced = set(sources)
    wanted = {row["anchor_id"]: row for row in fresh}
    outdated = {key for key, row in known.items() if row["source_url"] in replaced or row["source_url"] not in live}
    changed = [row for key, row in wanted.items() if known.get(key) != row]
    rows_written = tables.ANCHOR_TEXTS.rows(changed)
    store.upsert(tables.ANCHOR_TEXTS, rows_written, delete_keys=outdated - wanted.keys())
