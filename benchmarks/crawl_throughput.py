"""Pages per second and peak memory of a first crawl, ours against `scrapy runspider`, on one loopback site, in one run.

    python -m venv PEERS && PEERS/bin/pip install -r benchmarks/requirements.txt
    python benchmarks/crawl_throughput.py --peers PEERS/bin/python [--pages 1000,5000] [--rounds 2] --out FILE.json

Equal concurrency, no delay, robots.txt obeyed, links followed (no sitemap). Ours extracts every page's main content and
stores page, history and links; Scrapy does as little as it can (`scrapy`), or extracts with our function and writes the
pages to a file (`scrapy_extracting`). Seconds are of whole processes, start to end; `ratio` is pages per second of ours
over the peer's, the best round of each.
"""

import argparse
import json
import os
import platform
import site
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import crawl_child
from crawl_site import Served, serving

_SPIDER = Path(__file__).with_name("crawl_scrapy_spider.py")
_ROOT = Path(__file__).parent.parent


def ours(served: Served, folder: Path, concurrency: int) -> dict[str, Any]:
    return crawl_child.measured(served.url, folder / "data", concurrency=concurrency)


def scrapy(served: Served, folder: Path, concurrency: int, python: Path, *, extract: bool) -> dict[str, Any]:
    settings = {
        "ROBOTSTXT_OBEY": "True",
        "CONCURRENT_REQUESTS": concurrency,
        "CONCURRENT_REQUESTS_PER_DOMAIN": concurrency,
        "DOWNLOAD_DELAY": 0,
        "TELNETCONSOLE_ENABLED": "False",
        "LOG_LEVEL": "ERROR",
    }
    command = [str(python), "-m", "scrapy", "runspider", str(_SPIDER), "-a", f"url={served.url}"]
    for name, value in settings.items():
        command += ["-s", f"{name}={value}"]
    if extract:
        command += ["-a", "extract=1", "-o", str(folder / "pages.jsonl")]
    env = {"OURS": os.pathsep.join([str(_ROOT), *site.getsitepackages()])}
    process = crawl_child.run(command, env)
    return {"process_s": process.wall_s, "process_cpu_s": process.cpu_s, "peak_rss_mb": process.peak_rss_mb}


def measure(n_pages: int, rounds: int, concurrency: int, python: Path) -> dict[str, Any]:
    with serving("--pages", str(n_pages)) as served:
        found: dict[str, list[dict[str, Any]]] = {"ours": [], "scrapy": [], "scrapy_extracting": []}
        alone_per_s = served.pages_per_s(concurrency, n=min(n_pages, 2_000))
        for _ in range(rounds):
            for name, rows in found.items():
                with tempfile.TemporaryDirectory() as folder:
                    if name == "ours":
                        row = ours(served, Path(folder), concurrency)
                    else:
                        extract = name == "scrapy_extracting"
                        row = scrapy(served, Path(folder), concurrency, python, extract=extract)
                asked = served.control("stats")
                if asked["200"] < n_pages:
                    raise RuntimeError(f"{name} fetched {asked['200']} of {n_pages} pages")
                rows.append({"pages_per_s": round(n_pages / row["process_s"], 1), **row, "asked": asked})
                print(
                    f"{n_pages} pages, {name}: {rows[-1]['pages_per_s']} pages/s, {row['peak_rss_mb']} MB", flush=True
                )
    best = {name: max(row["pages_per_s"] for row in rows) for name, rows in found.items()}
    ratios = {name: round(best["ours"] / best[name], 2) for name in found if name != "ours"}
    return {"pages": n_pages, "server_alone_pages_per_s": round(alone_per_s), "ratio_to": ratios, "rounds": found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, required=True, help="python of the peers' virtual environment")
    parser.add_argument("--pages", default="1000,5000")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    version = subprocess.run([options.peers, "-m", "scrapy", "version"], capture_output=True, text=True, check=True)
    results = {
        "scrapy": version.stdout.strip(),
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "concurrency": options.concurrency,
        "sizes": [
            measure(int(pages), options.rounds, options.concurrency, options.peers)
            for pages in options.pages.split(",")
        ],
    }
    options.out.write_text(json.dumps(results, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
