"""raw_pages: the website, page by page, with its history of changes."""

import dagster as dg

from acronis_pipeline import chunk, sample_site, schemas
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
def site_is_there(store: StoreResource) -> dg.AssetCheckResult:
    """The crawl holds pages, and at least half as many as the chunks were last made from."""
    opened = store.open()
    pages = live_pages(opened, columns=["url"])
    # Compared with the chunks, which a failed check leaves alone: compared with the crawl before, the second crawl
    # after an outage would pass.
    chunked = opened.read(chunk.TABLE, schemas.CHUNKS, columns=["url"]).column("url").unique()
    summary = f"{len(pages)} pages, {len(chunked)} published"
    if not pages or len(pages) * 2 < len(chunked):
        return reporting.check(
            False, f"{summary}: looks like an outage; if the site did shrink, materialize `chunks` by itself once"
        )
    return reporting.check(True, summary)
