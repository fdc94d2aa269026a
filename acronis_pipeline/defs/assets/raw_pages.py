"""raw_pages: the website, page by page, with its history of changes."""

from typing import Any

import dagster as dg
from pydantic import Field

from acronis_pipeline.core.settings import Settings
from acronis_pipeline.crawl import VERSION, CrawlResult, live_pages, summary
from acronis_pipeline.crawl.judging.non_pages import EMPTY_WITHOUT_SCRIPTS, LOGIN_WALL
from acronis_pipeline.crawl.memory.plan import History
from acronis_pipeline.crawl.status import PastCrawl, past_crawls
from acronis_pipeline.crawl.summary import changes_over_time
from acronis_pipeline.defs import display
from acronis_pipeline.defs.resources import StoreResource
from acronis_pipeline.stages import crawl_site
from acronis_pipeline.store import Store, tables

_ACCEPT = "if it is true, `acronis-pipeline crawl run --accept-vanished` or materialize raw_pages with accept_vanished"
_REMEDIES = {
    EMPTY_WITHOUT_SCRIPTS: " (built by JavaScript: site.render = auto runs it)",
    LOGIN_WALL: " (ask the site's owner for access, or exclude them)",
}

website = dg.AssetSpec(
    "website",
    group_name=display.GROUP,
    kinds={"html"},
    owners=display.OWNERS,
    description="The product's website. `site_change_sensor` records each version that it sees.",
)


class RawPagesConfig(dg.Config):
    """What a run should ask the site for."""

    urls: list[str] = Field([], description="Only these addresses and what they newly lead to; all by default.")
    full_sweep: bool = Field(False, description="Ask for every page, whatever the sitemap says of it.")
    accept_vanished: bool = Field(False, description="Most pages are gone for good: count them as missing.")


@dg.asset(
    deps=[website],
    group_name=display.GROUP,
    kinds={"python", "lancedb"},
    owners=display.OWNERS,
    code_version=VERSION,
    pool="site",
)
def raw_pages(
    config: RawPagesConfig, store: StoreResource, settings: dg.ResourceParam[Settings]
) -> dg.MaterializeResult:
    """Every page of the website within scope: HTML, validators for conditional requests, and when its content changed.

    A page that answers "not modified" costs one small request. A page that vanishes is tombstoned after repeated
    sightings, never lost at once.
    """
    crawled = crawl_site(
        store.open(),
        settings,
        only=config.urls,
        full_sweep=config.full_sweep,
        accept_vanished=config.accept_vanished,
    )
    changed = crawled.new + crawled.changed + crawled.gone + crawled.returned > 0
    return display.result(crawled.data_version, _metadata(crawled, store.open()), changed=changed)


def _metadata(crawled: CrawlResult, store: Store) -> dict[str, Any]:
    n_kept = crawled.new + crawled.changed + crawled.unchanged + crawled.returned
    return {
        "summary": dg.MetadataValue.md(summary.as_markdown(crawled)),
        "mode": crawled.mode,
        "pages": crawled.n_live,
        "pages_before": crawled.previous_n_live,
        "new": crawled.new,
        "content_changed": crawled.changed,
        "unchanged": crawled.unchanged,
        "returned": crawled.returned,
        "missing": crawled.missing,
        "gone": crawled.gone,
        "failed_addresses": sum(crawled.failed.values()),
        "failed": display.counts(crawled.failed, "reason"),
        "skipped": display.counts(crawled.skipped, "reason"),
        "removed_from_content": display.counts(crawled.removed, "rule"),
        "empty_without_javascript_share": round(summary.share(crawled.failed, n_kept, EMPTY_WITHOUT_SCRIPTS), 4),
        "trusted": crawled.trusted,
        "resumed": crawled.resumed,
        "requests": crawled.requests,
        "not_modified": crawled.not_modified,
        "size_bytes": crawled.size_bytes,
        "duration_s": round(crawled.duration_s, 2),
        "plot": display.plot(changes_over_time(store)),
        "site": dg.MetadataValue.url(crawled.site_url),
        "site_version": crawled.site_version,
        "table_version": crawled.table_version,
        "examples": display.table(crawled.examples),
    }


def fetching(urls: list[str]) -> dict[str, Any]:
    """Run configuration that names the addresses to ask for."""
    return {"ops": {raw_pages.op.name: {"config": {"urls": urls}}}}


@dg.asset_check(asset=raw_pages, blocking=True)
def site_is_there(store: StoreResource) -> dg.AssetCheckResult:
    """The last crawl was no outage, and there are at least half as many pages as the chunks were last made from.

    Pages whose end a person has accepted are not expected.
    """
    opened = store.open()
    pages = live_pages(opened, columns=["url"])
    crawls = past_crawls(History.of(opened))
    if crawls and crawls[0].outage:
        return display.check(False, f"{crawls[0].outage}; {_ACCEPT}")
    # Compared with the chunks, which a failed check leaves alone: compared with the crawl before, the second crawl
    # after an outage would pass.
    chunked = set(opened.read(tables.CHUNKS, columns=["url"]).column("url").to_pylist())
    expected = chunked - _accepted_as_gone(opened, crawls)
    found = f"{len(pages)} pages, {len(expected)} published"
    if not pages or len(pages) * 2 < len(expected):
        return display.check(False, f"{found}: looks like an outage; {_ACCEPT}")
    return display.check(True, found)


@dg.asset_check(asset=raw_pages)
def most_pages_answer(store: StoreResource, settings: dg.ResourceParam[Settings]) -> dg.AssetCheckResult:
    """At most `site.warn_failed_share` of the addresses failed in the last crawl. Warns otherwise, with the reasons."""
    crawls = past_crawls(History.of(store.open()))
    failed, n_kept = (crawls[0].failed, crawls[0].n_kept) if crawls else ({}, 0)
    share = summary.share(failed, n_kept)
    hidden = {reason: summary.share(failed, n_kept, reason) for reason in _REMEDIES}
    told = "; ".join(
        [f"{share:.1%} of the addresses failed", *(f"{reason}: {hidden[reason]:.1%}" for reason in hidden)]
    )
    problems = [f"{reason}: {count}{_REMEDIES.get(reason, '')}" for reason, count in failed.items()]
    return display.check(share <= settings.site.warn_failed_share, told, problems, warn=True)


def _accepted_as_gone(store: Store, crawls: list[PastCrawl]) -> set[str]:
    """Pages tombstoned by crawls that were told to believe it."""
    spans = [(crawl.started_at, crawl.finished_at) for crawl in crawls if crawl.count("accepted_vanished")]
    gone = store.read(tables.PAGES, columns=["url", "gone_at"], where="gone_at IS NOT NULL").to_pylist()
    return {row["url"] for row in gone if any(begin <= row["gone_at"] <= end for begin, end in spans)}
