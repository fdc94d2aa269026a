"""Whether a crawl reports exactly what changed: 20 pages edited, 5 added, 5 removed, and every footer's date changed.

    python benchmarks/crawl_changes.py SITE_FOLDER --out benchmarks/results/crawl-changes.json

SITE_FOLDER is a documentation site as HTML files (built by MkDocs, for example); it is copied, not touched. The edits
are one word in a paragraph; the added pages are linked from the front page's navigation only; a removed page is
reported as missing by the next crawl and as gone by the one after it (`site.gone_after` = 2).
"""

import argparse
import json
import random
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import crawl_child
from crawl_site import serving

from acronis_pipeline.core.settings import load_settings
from acronis_pipeline.crawl.history import changes_since
from acronis_pipeline.crawl.memory.plan import History
from acronis_pipeline.store import Store

EDITED, ADDED, REMOVED = 20, 5, 5
_WORD = re.compile(r"(<p>[^<]{40,}?\s)(\w{4,})(\s)")
_MAIN = re.compile(r"<(?:article|main)\b.*?</(?:article|main)>", re.DOTALL)


def date_footers(folder: Path, date: str) -> int:
    """Write a date into every page's footer, in place of the one before."""
    pages = [page for page in folder.rglob("*.html") if "</footer>" in page.read_text("utf-8")]
    for page in pages:
        text = re.sub(r'<p class="built">.*?</p>', "", page.read_text("utf-8"))
        page.write_text(text.replace("</footer>", f'<p class="built">Built on {date}</p></footer>'), "utf-8")
    return len(pages)


def edit(page: Path, number: int) -> None:
    """Another word in the first paragraph of the main content that has room for one."""
    text = page.read_text("utf-8")
    main = _MAIN.search(text)
    assert main
    changed = _WORD.sub(rf"\g<1>reworded{number}\g<3>", main[0], count=1)
    page.write_text(text[: main.start()] + changed + text[main.end() :], "utf-8")


def add(folder: Path, template: Path, number: int) -> Path:
    """A page of its own, made of an existing one, linked from the front page's navigation."""
    page = folder / f"added-{number}" / "index.html"
    page.parent.mkdir()
    shutil.copy(template, page)
    text = re.sub(r'<link rel="canonical"[^>]*>', "", page.read_text("utf-8"))
    prose = "".join(f"<p>Paragraph {n} of page {number}, which was not there the day before.</p>" for n in range(5))
    text = _MAIN.sub(f"<article><h1>Added {number}</h1>{prose}</article>", text, count=1)
    page.write_text(text, "utf-8")
    front = folder / "index.html"
    linked = front.read_text("utf-8").replace("</nav>", f'<a href="added-{number}/">Added {number}</a></nav>', 1)
    front.write_text(linked, "utf-8")
    return page


def editable(folder: Path) -> list[Path]:
    """Pages below the front page whose main content has a paragraph to edit."""
    found = []
    for page in sorted(folder.rglob("index.html")):
        main = _MAIN.search(page.read_text("utf-8"))
        if page.parent != folder and main and _WORD.search(main[0]):
            found.append(page)
    return found


def compare(what: str, expected: Sequence[str], reported: Sequence[str]) -> dict[str, Any]:
    """Expected and reported addresses, and whether they are the same."""
    missed, false = sorted(set(expected) - set(reported)), sorted(set(reported) - set(expected))
    print(f"{what}: {len(reported)} reported of {len(expected)}, {len(missed)} missed, {len(false)} false")
    return {"expected": len(expected), "reported": len(reported), "missed": missed, "false": false}


def measure(source: Path, folder: Path) -> dict[str, Any]:
    site, data = folder / "site", folder / "data"
    shutil.copytree(source, site)
    (site / "sitemap.xml").unlink(missing_ok=True)  # names another host
    date_footers(site, "20 November 2026")
    with serving("--folder", str(site)) as served:
        first = crawl_child.measured(served.url, data)
        pages = random.Random(3).sample(editable(site), EDITED + REMOVED)
        edited, removed = pages[:EDITED], pages[EDITED:]
        added = [add(site, edited[0], number) for number in range(ADDED)]
        for number, page in enumerate(edited):
            edit(page, number)
        for page in removed:
            page.unlink()
        n_footers = date_footers(site, "21 November 2026")
        served.control("reload")
        crawls = {"first": first, "second": crawl_child.measured(served.url, data)}
        crawls["third"] = crawl_child.measured(served.url, data)

        def urls(files: list[Path]) -> list[str]:
            return [f"{served.url}{file.parent.relative_to(site).as_posix()}/" for file in files]

        store = Store(load_settings(data).store_uri)
        first_done = min(crawl["finished_at"] for crawl in History.of(store).crawls)
        later = [change for change in changes_since(store) if change.seen_at > first_done]
        kinds = ("changed", "new", "gone", "returned")
        reported = {what: [change.url for change in later if change.what == what] for what in kinds}
        verdicts = {
            "changed": compare("changed", urls(edited), reported["changed"]),
            "new": compare("new", urls(added), reported["new"]),
            "gone": compare("gone", urls(removed), reported["gone"]),
            "returned": compare("returned", [], reported["returned"]),
        }
    exact = all(not verdict["missed"] and not verdict["false"] for verdict in verdicts.values())
    told = ("mode", "n_live", "new", "changed", "unchanged", "missing", "gone", "requests", "not_modified", "crawl_s")
    return {
        "exact": exact,
        "pages": first["n_live"],
        "footers_changed": n_footers,
        "verdicts": verdicts,
        "crawls": {name: {key: crawl[key] for key in told} for name, crawl in crawls.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("site", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        results = measure(options.site, Path(folder))
    options.out.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    print("exactly the pages that changed" if results["exact"] else "NOT exact")


if __name__ == "__main__":
    main()
