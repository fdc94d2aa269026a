"""What a crawl reports."""

from dataclasses import dataclass, field
from typing import Literal

Mode = Literal["sweep", "incremental", "changes"]
"""What a crawl asks for: everything; what the sitemap says has changed, and all that it does not say; named pages."""


@dataclass(frozen=True)
class CrawlResult:
    """One finished crawl, in counts.

    `new + changed + unchanged + returned` are the pages that answered, or that the sitemap vouches for (`trusted` of
    `unchanged`: not asked, as their lastmod is what it was); `n_live` adds those kept although they failed or were
    missed. `missing` are absent this time and not yet tombstoned, `gone` were tombstoned by this crawl. `outage` says
    why absences were not counted at all, if they were not; `accepted_vanished` that a person vouched for them.
    `resumed` visits were answered to a crawl that was killed and are taken from its journal. `lastmod_lies` are pages
    whose content changed under an unchanged lastmod; None unless this was a sweep. `failed` and `skipped` count
    addresses by reason. `size_bytes` are the body bytes received. `examples` are a few pages, as dictionaries with
    `url`, `title`, `status` and `what` happened. `data_version` changes exactly when a live page appears, disappears
    or changes its main content.
    """

    site_url: str
    site_version: str
    mode: Mode
    n_live: int
    previous_n_live: int
    new: int
    changed: int
    unchanged: int
    returned: int
    missing: int
    gone: int
    failed: dict[str, int]
    skipped: dict[str, int]
    trusted: int
    resumed: int
    requests: int
    not_modified: int
    size_bytes: int
    duration_s: float
    table_version: int
    data_version: str
    outage: str | None = None
    accepted_vanished: bool = False
    lastmod_lies: int | None = None
    examples: list[dict[str, object]] = field(default_factory=list)
