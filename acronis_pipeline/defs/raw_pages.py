"""raw_pages: the website, page by page, with its history of changes."""

import dagster as dg

from acronis_pipeline import sample_site
from acronis_pipeline.crawl import VERSION, crawl, live_pages
from acronis_pipeline.defs import reporting
from acronis_pipeline.defs.resources import StoreResource
from acronis_pipeline.settings import Settings

website = dg.AssetSpec(
    "website",
    group_name="source",
    kinds={"html"},
    owners=reporting.OWNERS,
    description="The product's website. `site_change_sensor` records each version that it sees.",
)


@dg.asset(
    deps=[website],
    group_name="corpus",
    kinds={"python", "lancedb"},
    owners=reporting.OWNERS,
    code_version=VERSION,
    pool="site",
)
def raw_pages(store: StoreResource, settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
    """Every page of the website within scope: HTML, validators for conditional requests, and when its content changed.

    A page that answers "not modified" costs one small request. A page that vanishes is tombstoned after repeated
    sightings, never lost at once.
    """
    with sample_site.serving(settings.site) as site:
        crawled = crawl(store.open(), site)
    changes = crawled.new + crawled.changed + crawled.gone + crawled.returned
    metadata = {
        "pages": crawled.n_live,
        "pages_before": crawled.previous_n_live,
        "new": crawled.new,
        "content_changed": crawled.changed,
        "unchanged": crawled.unchanged,
        "gone": crawled.gone,
        "returned": crawled.returned,
        "failed": reporting.counts(crawled.failed, "reason"),
        "skipped": reporting.counts(crawled.skipped, "reason"),
        "requests": crawled.requests,
        "not_modified": crawled.not_modified,
        "size_bytes": crawled.size_bytes,
        "duration_s": round(crawled.duration_s, 2),
        "site": dg.MetadataValue.url(crawled.site_url),
        "site_version": crawled.site_version,
        "table_version": crawled.table_version,
        "examples": reporting.table(crawled.examples),
    }
    return reporting.result(crawled.data_version, metadata, changed=changes > 0)


@dg.asset_check(asset=raw_pages, blocking=True)
def site_is_there(context: dg.AssetCheckExecutionContext, store: StoreResource) -> dg.AssetCheckResult:
    """The crawl holds pages with a title and content, and at least half of what the crawl before it held."""
    pages = live_pages(store.open(), columns=["url", "title", "content_hash"]).to_pylist()
    event = context.instance.get_latest_materialization_event(dg.AssetKey("raw_pages"))
    materialization = event.asset_materialization if event else None
    before = materialization.metadata["pages_before"].value if materialization else 0
    n_before = int(before) if isinstance(before, int) else 0
    empty = [page["url"] for page in pages if not page["content_hash"]]
    if not pages or len(pages) * 2 < n_before:
        return reporting.check(False, f"{len(pages)} pages, {n_before} before: an outage, not a change")
    return reporting.check(not empty, f"{len(pages)} pages, {n_before} before", empty)
