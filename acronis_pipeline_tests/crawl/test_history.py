"""What became of a page and of the crawls, from tables that were planted."""

import datetime as dt
from collections import Counter

import pytest

from acronis_pipeline.core.errors import UnknownPageError
from acronis_pipeline.core.settings import SiteSettings
from acronis_pipeline.crawl import summary
from acronis_pipeline.crawl.history import changes_since, diff, find_page, moment, versions
from acronis_pipeline.crawl.memory.journal import Run, opened
from acronis_pipeline.crawl.memory.plan import History
from acronis_pipeline.crawl.status import failures, past_crawls, status
from acronis_pipeline.crawl.summary import changes_over_time
from acronis_pipeline.store import Store, tables
from acronis_pipeline_tests.crawl.records import SITE, day, html, plant, plant_change, plant_crawl, plant_page

THIRTY = "Versions are kept for thirty days, and then they are deleted for good by the nightly clean-up."
NINETY = THIRTY.replace("thirty", "ninety")
SAMPLE = SiteSettings(url="sample")  # pyright: ignore[reportCallIssue]


@pytest.fixture
def retention(store: Store) -> str:
    """A page that changed on the 5th, went on the 8th, and came back on the 10th as it was first."""
    url = plant_page(store, "retention/")
    plant_change(store, url, "new", day(1), html(THIRTY))
    plant_change(store, url, "changed", day(5), html(NINETY, "Ask support for more."))
    plant_change(store, url, "gone", day(8), html(NINETY, "Ask support for more."))
    plant_change(store, url, "returned", day(10), html(THIRTY))
    return url


@pytest.mark.parametrize(
    "pasted",
    [
        "https://docs.example.com/retention/",
        "https://docs.example.com/retention/#schedule",
        "https://docs.example.com/retention/?utm_source=mail&gclid=1",
        "https://docs.example.com/retention",
        "http://DOCS.example.com/retention/",
        "/retention/",
    ],
)
def test_page_is_found_as_a_person_pastes_it(store: Store, retention: str, pasted: str):
    assert find_page(store, pasted, SAMPLE) == retention


@pytest.mark.parametrize(
    "pasted", ["guide/retention.md", "{folder}/guide/retention.md", "file://{folder}/guide/retention.md"]
)
def test_page_of_a_local_folder_is_found_by_its_path(store: Store, tmp_path, pasted: str):
    url = f"{tmp_path.as_uri()}/guide/retention.md"
    for held in (f"{tmp_path.as_uri()}/index.md", url):
        plant(store, tables.PAGES, {"url": held})
    site = SiteSettings(url=str(tmp_path))  # pyright: ignore[reportCallIssue]
    assert find_page(store, pasted.format(folder=tmp_path), site) == url


def test_redirects_and_aliases_lead_to_their_page(store: Store, retention: str):
    for old, target in (("old/", SITE + "older/"), ("older/", retention)):
        visit = {"url": SITE + old, "outcome": "redirect", "target": target}
        plant(store, tables.VISITS, visit)
    assert find_page(store, SITE + "old/", SAMPLE) == retention


def test_redirects_in_a_circle_lead_nowhere(store: Store, retention: str):
    for a, b in (("a/", "b/"), ("b/", "a/")):
        plant(store, tables.VISITS, {"url": SITE + a, "outcome": "redirect", "target": SITE + b})
    with pytest.raises(UnknownPageError, match="not held"):
        find_page(store, SITE + "a/", SAMPLE)


def test_unknown_address_names_the_nearest_that_is_held(store: Store, retention: str):
    plant_page(store, "licensing/")
    with pytest.raises(UnknownPageError, match=r"nearest address that is: https://docs\.example\.com/retention/"):
        find_page(store, SITE + "retentoin/", SAMPLE)


def test_history_counts_versions_from_the_oldest_and_says_how_long_each_is(store: Store, retention: str):
    told = [(v.number, v.change.what, v.change.seen_at, v.n_words) for v in versions(store, retention)]
    assert [(number, what, seen) for number, what, seen, _ in told] == [
        (1, "new", day(1)),
        (2, "changed", day(5)),
        (None, "gone", day(8)),
        (3, "returned", day(10)),
    ]
    first, second, gone, returned = (words for *_, words in told)
    assert gone is None
    assert first == returned
    assert first is not None
    assert second == first + 4


def test_diff_is_of_the_last_two_versions_and_jumps_over_the_time_when_the_page_was_gone(store: Store, retention: str):
    found = diff(store, retention)
    assert (found.older.seen_at, found.newer.seen_at) == (day(5), day(10))
    assert f"-{NINETY}" in found.lines
    assert f"+{THIRTY}" in found.lines
    assert found.lines[0] == "--- version 2, changed 2026-11-05 03:00 UTC"


@pytest.mark.parametrize(
    ("older", "newer", "expected"),
    [
        ("1", "2", (1, 5)),
        ("1", None, (1, 10)),
        (None, "2", (1, 5)),
        ("2026-11-04", "2026-11-05", (1, 5)),
        ("2026-11-05T02:59", "2026-11-09", (1, 5)),
        ("2026-11-05T04:00+01:00", "2026-12-24", (1, 10)),
        ("3", "1", (10, 1)),
    ],
)
def test_versions_are_named_by_number_or_by_a_date_on_which_they_stood(store, retention, older, newer, expected):
    found = diff(store, retention, older, newer)
    assert (found.older.seen_at, found.newer.seen_at) == tuple(map(day, expected))


def test_versions_that_say_the_same_have_no_lines_between_them(store: Store, retention: str):
    assert diff(store, retention, "1", "3").lines == ()


def test_diff_of_a_page_that_came_back_as_it_went_is_with_what_it_said_before(store: Store):
    url = plant_page(store, "faq/")
    plant_change(store, url, "new", day(1), html(THIRTY))
    for n, what in ((2, "changed"), (3, "gone"), (4, "returned")):
        plant_change(store, url, what, day(n), html(NINETY))
    found = diff(store, url)
    assert (found.older.seen_at, found.newer.seen_at) == (day(1), day(4))
    assert {f"-{THIRTY}", f"+{NINETY}"} <= set(found.lines)


def test_page_without_anything_on_record_has_nothing_to_compare(store: Store):
    with pytest.raises(UnknownPageError, match="nothing on record"):
        diff(store, plant_page(store, "faq/"))


def test_attempts_that_found_the_site_down_show_until_a_crawl_succeeds(store: Store, tmp_path):
    plant_crawl(store, day(1), mode="sweep", n_live=3, site_version="v1")
    plant_crawl(store, day(2), mode="sweep", down="cannot be reached")
    found = status(store, SAMPLE, tmp_path)
    assert [attempt.why for attempt in found.attempts] == ["cannot be reached"]
    assert [crawl.started_at for crawl in found.crawls] == [day(1)]
    assert found.next_sweep_at == day(8)
    plant_crawl(store, day(3), n_live=3)
    assert status(store, SAMPLE, tmp_path).attempts == ()


def test_failures_are_grouped_by_reason_and_say_what_is_held(store: Store):
    held = plant_page(store, "held/")
    for url, outcome, reason in (
        (held, "failed", "HTTP 500"),
        (SITE + "b/", "failed", "HTTP 404"),
        (SITE + "a/", "failed", "HTTP 404"),
        (SITE + "hidden/", "refused", "noindex"),
        (SITE + "old/", "redirect", None),
    ):
        visit = {"url": url, "asked_at": day(1), "outcome": outcome, "reason": reason}
        plant(store, tables.VISITS, visit)
    found = [(group.outcome, group.reason, [(f.url, f.held) for f in group.addresses]) for group in failures(store)]
    assert found == [
        ("failed", "HTTP 404", [(SITE + "a/", False), (SITE + "b/", False)]),
        ("failed", "HTTP 500", [(held, True)]),
        ("refused", "noindex", [(SITE + "hidden/", False)]),
    ]


def test_change_of_the_title_shows(store: Store):
    url = plant_page(store, "faq/")
    plant_change(store, url, "new", day(1), html(THIRTY, title="FAQ"))
    plant_change(store, url, "changed", day(2), html(THIRTY, title="Questions"))
    assert {"-FAQ", "+Questions"} <= set(diff(store, url).lines)


@pytest.mark.parametrize(
    ("older", "newer", "words"),
    [
        ("7", None, "no version 7; its history ends at 3"),
        ("0", None, "no version 0"),
        ("2026-10-01", None, "was not held yet at 2026-10-01; first seen: 2026-11-01 03:00"),
        ("yesterday", None, "'yesterday' is no date"),
        ("2026", None, "'2026' is no date"),
    ],
)
def test_version_that_cannot_be_shown_is_refused_with_the_reason(store, retention, older, newer, words):
    with pytest.raises(UnknownPageError, match=words):
        diff(store, retention, older, newer)


def test_page_that_never_changed_has_nothing_to_compare(store: Store):
    url = plant_page(store, "faq/")
    plant_change(store, url, "new", day(1), html(THIRTY))
    with pytest.raises(UnknownPageError, match="has not changed since it was first seen"):
        diff(store, url)


def test_version_that_was_trimmed_says_which_are_kept(store: Store):
    url = plant_page(store, "faq/")
    plant_change(store, url, "new", day(1), html(THIRTY, "One."), kept=False)
    plant_change(store, url, "changed", day(2), html(THIRTY, "Two."))
    plant_change(store, url, "changed", day(3), html(THIRTY, "Three."))
    assert [version.n_words is None for version in versions(store, url)] == [True, False, False]
    with pytest.raises(UnknownPageError, match=r"version 1 of .* is not kept any more .*; kept: 2, 3"):
        diff(store, url, "1", "3")


def test_changes_of_the_site_since_a_moment_come_newest_first(store: Store, retention: str):
    other = plant_page(store, "faq/")
    plant_change(store, other, "new", day(6), html(THIRTY))
    assert [(c.what, c.seen_at) for c in changes_since(store, day(6))] == [
        ("returned", day(10)),
        ("gone", day(8)),
        ("new", day(6)),
    ]
    assert len(changes_since(store)) == 5
    assert changes_since(store, moment("2026-12-01")) == []


def test_status_counts_pages_and_crawls_and_says_when_the_next_sweep_is_due(store: Store, retention: str, tmp_path):
    plant_page(store, "missed/", missing_count=1)
    plant_page(store, "buried/", gone_at=day(3))
    plant_crawl(store, day(1), mode="sweep", n_live=3, new=3)
    plant_crawl(store, day(2), n_live=2, gone=1, failed={"HTTP 500": 2})
    site = SiteSettings(url=SITE, full_sweep_days=7)  # pyright: ignore[reportCallIssue]
    found = status(store, site, tmp_path)
    assert (found.n_live, found.n_missing, found.n_gone) == (2, 1, 1)
    assert [crawl.mode for crawl in found.crawls] == ["incremental", "sweep"]
    assert found.crawls[0].failed == {"HTTP 500": 2}
    assert found.next_sweep_at == day(8)
    assert {table.name: table.rows for table in found.tables} == {
        "pages": 3,
        "page_versions": 2,
        "page_changes": 4,
        "crawls": 2,
    }
    assert all(table.size_bytes > 0 for table in found.tables)


def test_status_shows_the_last_crawls_only(store: Store, tmp_path):
    for n in range(1, 6):
        plant_crawl(store, day(n))
    found = status(store, SAMPLE, tmp_path, n_crawls=2)
    assert [crawl.started_at for crawl in found.crawls] == [day(5), day(4)]
    assert found.next_sweep_at is None


def test_interrupted_crawl_shows_how_far_it_got_and_whether_it_will_be_continued(store: Store, tmp_path):
    now = dt.datetime.now(dt.UTC)
    with opened(tmp_path) as journal:
        journal.begin(Run("site", "store and site", "sweep", now - dt.timedelta(hours=1), n_live=0))
        journal.begin(Run("changes-1", "store and site", "changes", now - dt.timedelta(hours=30), n_live=0))
        for path, hours_ago in (("a", 0.5), ("b", 2.0)):
            visit = {"url": SITE + path, "asked_at": now - dt.timedelta(hours=hours_ago), "outcome": "page"}
            plant(store, tables.VISITS, visit)
        journal.add({"visits": [{"url": SITE + "c", "asked_at": now, "outcome": "page"}]})
        at_work = [crawl.at_work for crawl in status(store, SAMPLE, tmp_path).unfinished]
    sweep, changes = sorted(status(store, SAMPLE, tmp_path).unfinished, key=lambda crawl: crawl.mode, reverse=True)
    assert (sweep.n_answered, sweep.continued, sweep.at_work) == (2, True, False)
    assert (changes.n_answered, changes.continued) == (3, False)
    assert at_work == [True, True]


def test_lastmod_that_lied_makes_the_next_crawl_a_sweep(store: Store, tmp_path):
    plant_crawl(store, day(1), mode="sweep", n_live=100, lastmod_lies=30)
    found = status(store, SAMPLE, tmp_path)
    assert (found.lastmod_is_believed, found.next_sweep_at) == (False, None)


def test_crawl_recorded_before_a_count_existed_counts_as_none(store: Store):
    plant_crawl(store, day(1))
    (crawl,) = past_crawls(History.of(store))
    assert (crawl.count("trusted"), crawl.outage, crawl.n_kept) == (0, None, 0)


@pytest.mark.parametrize("days", [1, 3, 200])
def test_plot_is_drawn_from_one_crawl_or_many(store: Store, retention: str, days: int):
    for n in range(1, days + 1, max(1, days // 5)):
        plant_crawl(store, day(n), n_live=n)
    image = changes_over_time(store)
    assert image.startswith(b"\x89PNG")


def test_plot_has_no_bar_for_the_pages_of_a_first_crawl(store: Store, monkeypatch: pytest.MonkeyPatch):
    bars: list[Counter[tuple[str, dt.date]]] = []
    monkeypatch.setattr(summary, "_stack", lambda axes, days, counts: bars.append(counts))
    url = plant_page(store, "faq/")
    plant_crawl(store, day(1), n_live=1, new=1, previous_n_live=0)
    plant_change(store, url, "new", day(1) + dt.timedelta(minutes=1), html(THIRTY))
    plant_crawl(store, day(2), n_live=1, changed=1, previous_n_live=1)
    plant_change(store, url, "changed", day(2) + dt.timedelta(minutes=1), html(NINETY))
    changes_over_time(store)
    assert +bars[0] == {("changed", day(2).date()): 1}


def test_moment_without_a_zone_is_utc():
    assert moment("2026-11-21") == dt.datetime(2026, 11, 21, tzinfo=dt.UTC)
