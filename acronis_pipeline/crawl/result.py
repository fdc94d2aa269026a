"""What a crawl reports."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class CrawlResult:
    """One finished crawl, in counts.

    `new + changed + unchanged + returned` are the pages that answered; `n_live` adds those kept although they failed
    or were missed once. `gone` were tombstoned by this crawl. `failed` and `skipped` count addresses by reason.
    `size_bytes` are the body bytes received. `examples` are a few pages, as dictionaries with `url`, `title`,
    `status` and `what` happened. `data_version` changes exactly when a live page appears, disappears or changes its
    main content.
    """

    site_url: str
    site_version: str
    n_live: int
    previous_n_live: int
    new: int
    changed: int
    unchanged: int
    returned: int
    gone: int
    failed: dict[str, int]
    skipped: dict[str, int]
    requests: int
    not_modified: int
    size_bytes: int
    duration_s: float
    table_version: int
    data_version: str
    examples: list[dict[str, object]] = field(default_factory=list)
