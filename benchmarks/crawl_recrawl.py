"""What crawling again costs: nothing changed, 1 % changed; with and without dates in the sitemap.

    python benchmarks/crawl_recrawl.py [--pages 5000] --out benchmarks/results/crawl-recrawl.json

`dated`: a sitemap with lastmod. `undated`: links only, so that every page is asked, conditionally. `requests` are ours,
`asked` what the server counted; shares are of the first crawl. CPU and seconds are of the crawl, without imports.
"""

import argparse
import json
import os
import platform
import tempfile
from pathlib import Path
from typing import Any

import crawl_child
from crawl_site import Served, serving

_TOLD = (
    "mode new changed unchanged trusted requests not_modified failed crawl_s crawl_cpu_s peak_rss_mb size_bytes".split()
)


def crawl(served: Served, data: Path, concurrency: int) -> dict[str, Any]:
    result = crawl_child.measured(served.url, data, concurrency=concurrency)
    return {**{name: result[name] for name in _TOLD}, "asked": served.control("stats")}


def measure(n_pages: int, dates: str, concurrency: int) -> dict[str, Any]:
    """A first crawl and three more: nothing changed, 1 % changed, nothing changed again."""
    sitemap = ["--sitemap", "dated"] if dates == "dated" else []
    with serving("--pages", str(n_pages), *sitemap) as served, tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        crawls = {"first": crawl(served, data, concurrency), "unchanged": crawl(served, data, concurrency)}
        changed = served.control("change?share=0.01")["changed"]
        crawls["one_percent_changed"] = crawl(served, data, concurrency)
        crawls["unchanged_after_it"] = crawl(served, data, concurrency)
        stored_mb = sum(file.stat().st_size for file in data.rglob("*") if file.is_file()) / 1e6
    first = crawls["first"]
    for name, row in crawls.items():
        if name != "first":
            row["share_of_first"] = {
                what: round(row[what] / first[what], 4) for what in ("requests", "crawl_s", "crawl_cpu_s", "size_bytes")
            }
        print(
            f"{dates}, {name}: {row['requests']} requests, {row['crawl_s']} s, {row['crawl_cpu_s']} s CPU", flush=True
        )
    return {"pages": n_pages, "pages_changed": changed, "stored_mb": round(stored_mb, 1), "crawls": crawls}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=5_000)
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    results = {
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "concurrency": options.concurrency,
        **{dates: measure(options.pages, dates, options.concurrency) for dates in ("dated", "undated")},
    }
    options.out.write_text(json.dumps(results, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
