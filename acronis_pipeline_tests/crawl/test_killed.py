"""A crawl that is killed at any moment goes on where it was: nothing is lost, and nothing is asked for twice."""

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from acronis_pipeline.core.errors import SiteError
from acronis_pipeline.core.settings import SiteSettings
from acronis_pipeline.crawl import crawl
from acronis_pipeline.crawl.memory.journal import opened
from acronis_pipeline.crawl.running import crawl_run, crawler
from acronis_pipeline.store import Store, tables
from acronis_pipeline_tests.crawl.conftest import Rows
from acronis_pipeline_tests.crawl.website import Reply, Request, Website

Build = Callable[..., SiteSettings]

TABLES = (tables.PAGES, tables.PAGE_VERSIONS, tables.PAGE_CHANGES, tables.VISITS, tables.LINK_LISTS)
CONCURRENCY = 2
IN_FLIGHT = 3 * CONCURRENCY
"""Requests lost by a kill, at most: a visit under way may have followed two redirects."""
N_PAGES = 60


def large(site: Website, *, changed: bool = False) -> None:
    """Pages in a tree, with everything between them that a crawl can meet."""
    text = "Changed." if changed else ""
    for n in range(N_PAGES):
        children = [f"/{child}" for child in (3 * n + 1, 3 * n + 2, 3 * n + 3) if child < N_PAGES]
        oddities = [f"/alias/{n}", f"/old/{n}"] if n % 4 == 0 else [f"/hidden/{n}", f"/missing/{n}"]
        site.page(f"/{n or ''}", *children, *oddities, text=f"{n} {text}")
        canonical = f"/{n}" if n % 8 else "/nowhere"
        site.page(f"/alias/{n}", "/behind", head=f'<link rel=canonical href="{canonical}">', text=f"alias {n}")
        site.redirect(f"/old/{n}", f"/older/{n}")
        site.redirect(f"/older/{n}", f"/{(n + 7) % N_PAGES}")
        site.page(f"/hidden/{n}", "/behind", head='<meta name="robots" content="noindex">')
    site.page("/behind")


def contents(store: Store) -> dict[str, list[dict[str, Any]]]:
    """Everything but times, and how a page was found: two workers may find it in either order."""

    def plain(row: dict[str, Any]) -> dict[str, Any]:
        volatile = {
            "change_id",
            "depth",
            "source",
            *(name for name in row if name.endswith("_at") and name != "gone_at"),
        }
        return {name: value for name, value in row.items() if name not in volatile} | {
            "gone_at": bool(row.get("gone_at"))
        }

    return {table.name: sorted((plain(row) for row in store.read(table).to_pylist()), key=str) for table in TABLES}


_SCRIPT = f"""
import sys
from pathlib import Path
from acronis_pipeline.crawl.memory import archive
from acronis_pipeline.crawl import crawl
from acronis_pipeline.core.settings import SiteSettings
from acronis_pipeline.store import Store
archive.BATCH_VISITS = 7
site = SiteSettings(url=sys.argv[2], concurrency={CONCURRENCY}, delay_s=0.004, max_depth=50, gone_after=1)
crawl(Store(sys.argv[1]), site, journal_dir=Path(sys.argv[3]))
"""


@pytest.fixture
def killed_often(site: Website, tmp_path: Path) -> Callable[[str, int], int]:
    """Crawls in a process that is killed after about so many requests, again and again; how often it was."""
    dice = random.Random(5)

    def crawl_to_the_end(uri: str, n_requests: int) -> int:
        for kills in range(20):
            command = [sys.executable, "-c", _SCRIPT, uri, site.url, str(tmp_path / "crawl")]
            process = subprocess.Popen(command)
            until = len(site.requests) + n_requests + dice.randint(-15, 15)
            while process.poll() is None and len(site.requests) < until:
                time.sleep(0.002)
            time.sleep(dice.random() * 0.01)
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            if process.wait() == 0:
                return kills
        raise AssertionError("it never ends")

    return crawl_to_the_end


def asked_twice(site: Website) -> int:
    every_time = {"/", "/robots.txt", "/sitemap.xml"}
    counts = Counter({path: n for path, n in site.asked().items() if path not in every_time and "no-such" not in path})
    return sum(n - 1 for n in counts.values())


def test_a_first_crawl_that_is_killed_again_and_again_ends_like_an_undisturbed_one(
    site: Website, store: Store, settings: Build, tmp_path: Path, killed_often: Callable[[str, int], int]
) -> None:
    large(site)
    undisturbed = Store(str(tmp_path / "undisturbed"))
    crawl(undisturbed, settings(max_depth=50, gone_after=1))
    site.forget()
    kills = killed_often(store.uri, 75)
    assert kills >= 2
    assert asked_twice(site) <= kills * IN_FLIGHT
    assert contents(store) == contents(undisturbed)
    assert store.count(tables.CRAWLS) == 1
    assert not list((tmp_path / "crawl").glob("journal*"))


def test_a_recrawl_that_is_killed_counts_changes_and_absences_once(
    site: Website, store: Store, settings: Build, tmp_path: Path, killed_often: Callable[[str, int], int]
) -> None:
    large(site)
    undisturbed = Store(str(tmp_path / "undisturbed"))
    for each in (store, undisturbed):
        crawl(each, settings(max_depth=50, gone_after=1))
    large(site, changed=True)
    for n in range(5, 12):
        site.routes[f"/{n}"] = Reply(404)
    crawl(undisturbed, settings(max_depth=50, gone_after=1))
    site.forget()
    kills = killed_often(store.uri, 110)
    assert kills >= 1
    assert asked_twice(site) <= kills * IN_FLIGHT
    assert contents(store) == contents(undisturbed)


class KilledError(BaseException):
    """Stands for the end of the process where a test cannot afford one."""


@pytest.fixture
def interrupted(site: Website, store: Store, settings: Build, tmp_path: Path) -> Callable[..., None]:
    """Crawls until the server has answered so many pages."""

    def run(n_pages: int, **options: Any) -> None:
        with pytest.MonkeyPatch.context() as patch:
            taken = []
            take = crawler.Crawler._take

            async def dying(self: crawler.Crawler, *args: Any) -> None:
                if len(taken) == n_pages:
                    raise KilledError
                taken.append(args)
                await take(self, *args)

            patch.setattr(crawler.Crawler, "_take", dying)
            patch.setattr(crawl_run, "save", lambda *args: None)
            with pytest.raises(KilledError):
                crawl(store, settings(**options), journal_dir=tmp_path / "crawl")
        site.forget()

    return run


def chain(site: Website, n: int = 8) -> None:
    for number in range(n):
        site.page(f"/{number or ''}", f"/{number + 1}" if number + 1 < n else "/")


def test_what_was_answered_is_reported_as_resumed(
    site: Website, store: Store, settings: Build, tmp_path: Path, interrupted: Callable[..., None]
) -> None:
    chain(site)
    interrupted(5)
    assert store.count(tables.PAGES) == 0
    result = crawl(store, settings(), journal_dir=tmp_path / "crawl")
    assert (result.resumed, result.new, result.n_live, result.previous_n_live) == (5, 8, 8, 0)
    assert site.asked()["/3"] == 0


def test_a_crawl_killed_long_ago_is_not_continued_but_its_answers_are_kept(
    site: Website, store: Store, settings: Build, tmp_path: Path, interrupted: Callable[..., None]
) -> None:
    chain(site)
    interrupted(5)
    result = crawl(store, settings(resume_within_h=0), journal_dir=tmp_path / "crawl")
    assert (result.resumed, result.not_modified, result.new) == (0, 5, 3)


def test_failures_without_an_answer_are_tried_again(
    site: Website, store: Store, settings: Build, tmp_path: Path, interrupted: Callable[..., None]
) -> None:
    site.page("/", "/busy", "/gone", "/a", "/b")
    for path in ("/a", "/b"):
        site.page(path)
    site.routes["/busy"] = Reply(503)
    interrupted(4, retries=0, concurrency=1)
    site.page("/busy")
    crawl(store, settings(), journal_dir=tmp_path / "crawl")
    assert (site.asked()["/busy"], site.asked()["/gone"]) == (1, 0)


def test_a_crawl_of_changes_leaves_a_killed_sweep_to_be_continued(
    site: Website, store: Store, settings: Build, tmp_path: Path, interrupted: Callable[..., None]
) -> None:
    chain(site)
    interrupted(5)
    changes = crawl(store, settings(), journal_dir=tmp_path / "crawl", only=[site.at("/2")])
    assert (changes.mode, changes.resumed, changes.not_modified) == ("changes", 0, 1)
    result = crawl(store, settings(), journal_dir=tmp_path / "crawl")
    assert (result.mode, result.resumed, result.n_live) == ("sweep", 5, 8)


def test_a_crawl_of_changes_is_continued_too(
    site: Website, store: Store, settings: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.page("/", "/a")
    site.page("/a")
    crawl(store, settings())
    site.page("/a", "/new")
    site.page("/new", "/newer")
    attempts = []

    def newer(request: Request) -> Reply:
        if not attempts:
            attempts.append(request)
            raise_in_crawl()
        return page

    def raise_in_crawl() -> None:
        monkeypatch.setattr(crawler.Crawler, "_take", dying)

    async def dying(self: crawler.Crawler, *args: Any) -> None:
        raise KilledError

    page = site.page("/newer")
    site.routes["/newer"] = newer
    with pytest.raises(KilledError):
        crawl(store, settings(), journal_dir=tmp_path / "crawl", only=[site.at("/a")])
    monkeypatch.undo()
    site.forget()
    result = crawl(store, settings(), journal_dir=tmp_path / "crawl", only=[site.at("/a")])
    assert (result.resumed, result.n_live) == (2, 4)
    assert (site.asked()["/a"], site.asked()["/new"]) == (0, 0)


@pytest.mark.parametrize("moment", ["write", "tidy"])
def test_a_crawl_killed_at_the_very_end_is_finished_without_a_request(
    site: Website,
    store: Store,
    settings: Build,
    live: Rows,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
) -> None:
    chain(site)
    crawl(store, settings())
    site.routes["/7"] = Reply(404)

    def die(*args: Any, **options: Any) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(crawl_run, moment, die)
        with pytest.raises(KilledError):
            crawl(store, settings(), journal_dir=tmp_path / "crawl")
    site.forget()
    result = crawl(store, settings(), journal_dir=tmp_path / "crawl")
    assert not site.requests
    assert (result.missing, live()["/7"]["missing_count"], store.count(tables.CRAWLS)) == (1, 1, 2)
    assert crawl(store, settings(), journal_dir=tmp_path / "crawl").gone == 1


def test_a_site_that_fell_silent_is_gone_on_with_where_it_did(
    site: Website, store: Store, settings: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crawler, "MAX_FAILURES_IN_A_ROW", 2)
    paths = [f"/{n}" for n in range(8)]
    site.page("/", *paths)
    for path in paths:
        site.page(path)
        if path > "/3":
            site.routes[path] = Reply(body=None)
    silent = crawl(store, settings(retries=0, concurrency=1), journal_dir=tmp_path / "crawl")
    assert silent.outage
    for path in paths:
        site.page(path)
    site.forget()
    result = crawl(store, settings(), journal_dir=tmp_path / "crawl")
    assert (result.outage, result.resumed, result.n_live) == (None, 5, 9)
    assert site.asked()["/2"] == 0


def test_what_another_store_was_to_get_is_not_written_here(
    site: Website, store: Store, settings: Build, tmp_path: Path, interrupted: Callable[..., None]
) -> None:
    chain(site)
    interrupted(5)
    result = crawl(Store(str(tmp_path / "elsewhere")), settings(), journal_dir=tmp_path / "crawl")
    assert (result.resumed, result.new) == (0, 8)


def test_two_crawls_at_once_are_refused(site: Website, store: Store, settings: Build, tmp_path: Path) -> None:
    site.page("/")
    with opened(tmp_path / "crawl"), pytest.raises(SiteError, match=r"another crawl \(process \d+\) is at work"):
        crawl(store, settings(), journal_dir=tmp_path / "crawl")
    crawl(store, settings(), journal_dir=tmp_path / "crawl")


def test_without_a_journal_nothing_is_left_behind(site: Website, store: Store, settings: Build, tmp_path: Path) -> None:
    site.page("/")
    crawl(store, settings())
    assert [path.name for path in tmp_path.iterdir()] == ["lancedb"]
