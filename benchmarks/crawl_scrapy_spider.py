"""The peer of crawl_throughput.py, for `scrapy runspider`: follows every link of a site.

    -a url=…  start page       -a extract=1  also extract the main content with our `content.extract`

Bare, it parses links only. Extracting, it takes links from the extraction, so that nothing is parsed twice, and writes
what a search needs of each page; our packages are found through OURS, behind Scrapy's own.
"""

import os
import sys

import scrapy
from scrapy.linkextractors import LinkExtractor

sys.path += os.environ.get("OURS", "").split(os.pathsep)


class SiteSpider(scrapy.Spider):
    name = "site"

    def __init__(self, url: str, extract: str = "", **options: str) -> None:
        super().__init__(**options)
        self.start_urls = [url]
        self.allowed_domains = [url.split("/")[2].split(":")[0]]
        self.read = self._extracted if extract else self._links_only
        self.extractor = LinkExtractor()

    def parse(self, response, **_):
        item, links = self.read(response)
        yield item
        for link in links:
            yield response.follow(link)

    def _links_only(self, response):
        item = {"url": response.url, "title": response.css("title::text").get()}
        return item, self.extractor.extract_links(response)

    def _extracted(self, response):
        from acronis_pipeline.content import extract

        content = extract(response.text, url=response.url)
        item = {"url": response.url, "title": content.title, "hash": content.content_hash, "html": response.text}
        return item, content.links
