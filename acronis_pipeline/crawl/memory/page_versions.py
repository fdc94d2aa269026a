"""What pages say and said: every content of every page, by address and content hash."""

from collections.abc import Mapping

from acronis_pipeline import schemas
from acronis_pipeline.fingerprint import digest
from acronis_pipeline.store import Store, is_in

TABLE = "page_versions"


def version_id(url: str, content_hash: str) -> str:
    """Key of one content of one page, 40 hex characters; a page that goes A, B, A has two."""
    return digest(url, content_hash)[:40]


def html_of(store: Store, pages: Mapping[str, str]) -> dict[str, str]:
    """HTML of pages, given as address to content hash; pages whose version is not kept any more are missing."""
    ids = [version_id(url, content_hash) for url, content_hash in pages.items()]
    if not ids:
        return {}
    rows = store.read(TABLE, schemas.PAGE_VERSIONS, columns=["url", "html"], where=is_in("version_id", ids))
    return dict(zip(*rows.to_pydict().values(), strict=True))
