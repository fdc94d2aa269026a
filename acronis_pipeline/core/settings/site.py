"""Settings of the crawl."""

import re
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from acronis_pipeline.core.addresses import address_of, path_of
from acronis_pipeline.core.settings.group import Group

SAMPLE_SITE = "sample"
"""The value of `site.url` that means the bundled sample site, served on loopback while it is needed."""

_LANGUAGE_TAG = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{1,8})*")

PageFormat = Literal["html", "pdf", "markdown", "text"]


class SiteSettings(Group):
    """What to crawl and how politely."""

    url: str = Field(
        "https://www.acronis.com/en-us/",
        description="Start page, a sitemap's address or file, a folder, or `sample` for the bundled site.",
    )
    formats: tuple[PageFormat, ...] = Field(
        ("html", "pdf", "markdown", "text"), min_length=1, description="What becomes a page."
    )
    published_at: str | None = Field(
        None,
        description="Where a folder's pages are on the web: a base address, or one with `{path}` for the file's path "
        "without its ending.",
    )
    follow_links: bool = Field(True, description="Off: only what the sitemaps list; so it is where `url` is a sitemap.")
    include: tuple[str, ...] = Field(
        (), description="Regular expressions; a URL must match one of them if any is given."
    )
    exclude: tuple[str, ...] = Field(
        (), description="Regular expressions; a URL that matches one of them is not fetched."
    )
    path_prefix: str | None = Field(
        None, description="Only URLs below this path; by default the folder of the start page."
    )
    languages: tuple[str, ...] = Field(
        (), description="Only pages in these, for example `en` or `pt-BR`; all by default."
    )
    drop_parameters: tuple[str, ...] = Field(
        (), description="Query parameters without a meaning of their own (`*` for any ending), beside the usual ones."
    )
    max_query_variants: int = Field(
        100, ge=1, description="Of one path, with two or more query parameters, unless the sitemap lists them."
    )
    max_similar_urls: int | None = Field(
        None,
        ge=1,
        description="That differ in numbers and ids only, beside the sitemap's; by default half of `max_pages`.",
    )
    sitemaps: tuple[str, ...] = Field((), description="Addresses of sitemaps that robots.txt does not name.")
    robots_cache_h: float = Field(
        24.0, ge=0, le=24, description="For so long robots.txt holds for quick looks, and while it does not answer."
    )
    max_pages: int = Field(5_000, ge=1)
    max_depth: int = Field(12, ge=0, description="Links followed from the start page or the sitemap.")
    concurrency: int = Field(4, ge=1, le=64, description="Requests in flight at once.")
    delay_s: float = Field(0.0, ge=0, description="Pause between requests to the host; robots.txt may ask for more.")
    max_crawl_delay_s: float = Field(
        30.0, ge=0, description="A longer Crawl-delay in robots.txt is cut to this, with a warning."
    )
    timeout_s: float = Field(20.0, gt=0, description="For one whole request, body included.")
    max_page_bytes: int = Field(10_000_000, ge=1_000)
    max_text_bytes: int = Field(1_000_000, ge=1_000, description="Longer text and Markdown files are data or logs.")
    max_pdf_bytes: int = Field(50_000_000, ge=1_000)
    max_pdf_pages: int = Field(2_000, ge=1, le=9_999, description="A longer PDF is left out as a whole.")
    pdf_timeout_s: float = Field(60.0, gt=0, description="For reading one PDF; 100 pages take about 0.6 s.")
    retries: int = Field(3, ge=0, description="Per page, for time-outs, 429 and 5xx.")
    user_agent: str = Field("acronis-pipeline/0.1", description="`site.contact` is added to it.")
    contact: str | None = Field(
        None, description="A page or an address of yours, for site owners who want to know who asks."
    )
    render: Literal["never", "auto"] = Field(
        "never", description="`auto` runs the JavaScript of pages that are empty without it (extra `render`)."
    )
    render_hosts: tuple[str, ...] = Field((), description="Other hosts that rendered pages may load from.")
    render_timeout_s: float = Field(15.0, gt=0, description="For one rendered page, everything that it loads included.")
    browser: Path | None = Field(None, description="Chromium for rendering; the one Playwright installed by default.")
    content_selector: str | None = Field(
        None, description="CSS selector of the main content; found automatically by default."
    )
    gone_after: int = Field(
        2, ge=1, description="A page is tombstoned after this many sightings of 404/410 or absence."
    )
    max_vanishing_share: float = Field(
        0.5, gt=0, le=1, description="More of the live pages missing at once is an outage: none is counted as missing."
    )
    full_sweep_days: float = Field(
        7.0, ge=0, description="Between crawls that ask for everything; those between trust the sitemap's lastmod."
    )
    resume_within_h: float = Field(
        12.0,
        ge=0,
        description="A crawl killed less than so long ago is continued; what answered is not asked again.",
    )
    warn_failed_share: float = Field(
        0.05, ge=0, le=1, description="`raw_pages` warns if more of the addresses fail, 404 and 410 apart."
    )
    keep_versions: int = Field(10, ge=1, description="Contents kept of each page, for its history.")

    @field_validator("url")
    @classmethod
    def _address(cls, value: str) -> str:
        return value if value == SAMPLE_SITE else address_of(value)

    @field_validator("sitemaps")
    @classmethod
    def _sitemap_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(address_of, value))

    @field_validator("languages")
    @classmethod
    def _language_codes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for tag in value:
            if not _LANGUAGE_TAG.fullmatch(tag):
                raise ValueError(f"{tag!r} is no language code; write it as `en` or `pt-BR`")
        return value

    @field_validator("content_selector")
    @classmethod
    def _css_selector(cls, value: str | None) -> str | None:
        from selectolax.lexbor import LexborHTMLParser, SelectolaxError

        try:
            LexborHTMLParser("").css(value or "*")
        except SelectolaxError as error:
            raise ValueError(f"{value!r} is no CSS selector; write it as `main` or `div.content`") from error
        return value

    @field_validator("published_at")
    @classmethod
    def _http_url(cls, value: str | None) -> str | None:
        if value is not None and (urlsplit(value).scheme not in {"http", "https"} or value.count("{path}") > 1):
            raise ValueError(f"{value!r} is no base of addresses; write it as https://host/docs/ or …/docs/{{path}}/")
        return value

    @property
    def full_user_agent(self) -> str:
        """What requests carry: `acronis-pipeline/0.1 (+https://example.com/bot)`."""
        return f"{self.user_agent} (+{self.contact})" if self.contact else self.user_agent

    @property
    def is_sample(self) -> bool:
        return self.url == SAMPLE_SITE

    @property
    def folder(self) -> Path | None:
        """The local folder that is crawled, if it is one."""
        return path_of(self.url) if self.url.endswith("/") else None

    @property
    def base_url(self) -> str:
        """What relative addresses of pages are relative to, in gold questions for example."""
        published = (self.published_at or "").partition("{path}")[0]
        return published if self.folder and published else self.url
