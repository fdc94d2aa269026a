"""`crawl …`: a crawl by hand, and looking at what crawls did; JSON is alone on standard output."""

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from acronis_pipeline.core.settings import ENV_PREFIX, PROFILE_NAME, load_settings
from acronis_pipeline.crawl.memory.journal import Run, opened
from acronis_pipeline.store import Store
from acronis_pipeline_tests.cli.conftest import Command, assert_one_line_error
from acronis_pipeline_tests.crawl.records import SITE, day, html, plant_change, plant_crawl, plant_page
from acronis_pipeline_tests.crawl.website import Website
from acronis_pipeline_tests.finished_run import free_port
from acronis_pipeline_tests.needs import needs

THIRTY = "Versions are kept for thirty days, and then they are deleted for good by the nightly clean-up."


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, without settings from outside."""
    monkeypatch.setenv(f"{ENV_PREFIX}SITE__RETRIES", "0")
    monkeypatch.delenv(f"{ENV_PREFIX}DATA_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
@needs("server")
def site() -> Iterator[Website]:
    website = Website()
    website.page("/", "/retention")
    website.page("/retention", text="Kept for thirty days.")
    yield website
    website.close()


@pytest.fixture
def recorded(alone: Path) -> Path:
    """A data folder with two crawls, one changed page and one that went."""
    store = Store(load_settings("data").store_uri)
    retention, tape = plant_page(store, "retention/"), plant_page(store, "tape/", gone_at=day(2))
    plant_change(store, retention, "new", day(1), html(THIRTY))
    plant_change(store, tape, "new", day(1), html("Tape drives are supported in the Advanced edition only."))
    plant_change(store, retention, "changed", day(2), html(THIRTY.replace("thirty", "ninety")))
    plant_change(store, tape, "gone", day(2), html("Tape drives are supported in the Advanced edition only."))
    plant_crawl(store, day(1), mode="sweep", n_live=2, new=2, requests=4)
    plant_crawl(store, day(2), n_live=1, changed=1, gone=1, failed={"HTTP 500": 2, "timeout": 1}, requests=1234)
    return alone / "data"


def test_crawl_by_hand_says_what_it_did_and_the_folder_remembers_the_site(command: Command, site: Website):
    ended = command("crawl", "run", "--site", site.url, "--data", "data")
    assert ended.code == 0
    assert "2 pages are live (2 new), 0 before." in ended.out
    assert site.url in Path("data", PROFILE_NAME).read_text()
    again = command("crawl", "run", "--data", "data")
    assert "2 pages are live (nothing changed), 2 before." in again.out


def test_crawl_by_hand_as_json_holds_every_count(command: Command, site: Website):
    ended = command("crawl", "run", "--site", site.url, "--json")
    assert (ended.code, ended.err) == (0, ())
    result = json.loads(ended.out)
    assert (result["n_live"], result["new"], result["mode"]) == (2, 2, "sweep")
    assert result["examples"]


def test_crawl_of_another_site_into_the_same_folder_is_refused(command: Command, site: Website):
    command("crawl", "run", "--site", site.url)
    assert_one_line_error(command("crawl", "run", "--site", "https://example.com/"), "belongs to", "--data")


@pytest.mark.server
def test_crawl_of_an_unreachable_site_leaves_no_profile(command: Command):
    url = f"http://127.0.0.1:{free_port()}/"
    assert_one_line_error(command("crawl", "run", "--site", url, "--data", "new"), "cannot be reached")
    assert not Path("new", PROFILE_NAME).exists()


def test_edited_page_shows_in_history_diff_and_changes(command: Command, site: Website):
    command("crawl", "run", "--site", site.url)
    site.page("/retention", text="Kept for ninety days.")
    command("crawl", "run")
    pasted = site.at("/retention?utm_source=mail#days")
    history = json.loads(command("crawl", "history", pasted, "--json").out)
    assert [version["what"] for version in history["versions"]] == ["new", "changed"]
    shown = command("crawl", "diff", pasted).out
    assert "thirty days." in next(line for line in shown.splitlines() if line.startswith("-B"))
    assert "ninety days." in next(line for line in shown.splitlines() if line.startswith("+B"))
    changes = json.loads(command("crawl", "changes", "--json").out)
    assert sorted(change["what"] for change in changes) == ["changed", "new", "new"]


def test_status_in_words_has_pages_crawls_reasons_and_tables(command: Command, recorded: Path):
    out = command("crawl", "status").out
    assert f"{SITE}: 1 pages live, 0 of them not seen lately, 1 gone (kept)" in out
    assert "next crawl that asks for every page: from 2026-11-08 03:00 UTC on" in out
    (newest,) = (line for line in out.splitlines() if line.startswith("2026-11-02"))
    assert newest.split()[:3] == ["2026-11-02", "03:00", "incremental"]
    assert "1,234" in newest
    assert "failed in the last crawl: HTTP 500 (2), timeout (1)" in out
    assert "page_changes" in out


def test_status_as_json_spells_out_each_crawl(command: Command, recorded: Path):
    status = json.loads(command("crawl", "status", "--last", "1", "--json").out)
    (crawl,) = status["crawls"]
    assert (crawl["mode"], crawl["failed"]["HTTP 500"]) == ("incremental", 2)
    assert status["n_gone"] == 1
    assert {table["name"] for table in status["tables"]} >= {"pages", "page_versions"}


def test_history_in_words_is_a_line_a_version(command: Command, recorded: Path):
    lines = command("crawl", "history", "/retention").out.splitlines()
    assert lines[0] == f"{SITE}retention/"
    assert [line.split()[:4] for line in lines[1:]] == [
        ["1", "2026-11-01", "03:00", "new"],
        ["2", "2026-11-02", "03:00", "changed"],
    ]


def test_changes_since_a_date_leave_out_what_was_before(command: Command, recorded: Path):
    ended = command("crawl", "changes", "--since", "2026-11-02")
    assert [line.split()[2] for line in ended.out.splitlines()] == ["gone", "changed"]
    assert ended.err == ("2 changes of 2 pages",)


def test_diff_has_no_colour_codes_when_it_is_piped(command: Command, recorded: Path):
    assert "\x1b" not in command("crawl", "diff", SITE + "retention/").out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("history", "/retentoin"), ("nearest address", f"{SITE}retention/")),
        (("diff", "/retention/", "--from", "9"), ("no version 9",)),
        (("diff", "/retention/", "--to", "soon"), ("'soon' is no date",)),
        (("diff", "/tape/"), ("has not changed since",)),
        (("changes", "--since", "last week"), ("'last week' is no date", "2026-11-21")),
    ],
)
def test_bad_input_is_one_line_with_the_remedy(command: Command, recorded: Path, arguments, words):
    assert_one_line_error(command("crawl", *arguments), *words)


@pytest.mark.parametrize("arguments", [("status",), ("history", "/"), ("diff", "/"), ("changes",)])
def test_folder_that_holds_nothing_says_how_to_crawl_and_stays_empty(command: Command, alone: Path, arguments):
    assert_one_line_error(command("crawl", *arguments), "holds no pages", "crawl run --site")
    assert not (alone / "data").exists()


def test_site_that_is_down_ends_with_code_3_and_shows_in_status(command: Command, site: Website):
    command("crawl", "run", "--site", site.url)
    site.close()
    ended = command("crawl", "run", "--json")
    assert (ended.code, ended.out) == (3, "")
    assert "cannot be fetched" in ended.err[0]
    assert "site down at" in command("crawl", "status").out


def test_status_of_a_first_crawl_that_was_killed_shows_how_far_it_got(command: Command, alone: Path):
    now = dt.datetime.now(dt.UTC)
    with opened(load_settings("data").crawl_dir) as journal:
        journal.begin(Run("site", "store and site", "sweep", now, n_live=0))
        journal.add({"visits": [{"url": SITE, "asked_at": now, "outcome": "page"}]})
        at_work = command("crawl", "status").out
    killed = command("crawl", "status")
    assert "at work now: sweep" in at_work
    assert killed.code == 0
    assert "1 addresses answered so far; the next crawl goes on from there" in killed.out


def test_failed_addresses_are_listed_by_reason(command: Command, site: Website):
    site.page("/", "/retention", "/nothing")
    ended = command("crawl", "run", "--site", site.url)
    assert "Links to nothing: HTTP 404 (1)." in ended.out
    shown = command("crawl", "status", "--failed").out
    assert "failed: HTTP 404 (1)" in shown
    assert site.at("/nothing") in shown
    (group,) = json.loads(command("crawl", "status", "--failed", "--json").out)
    assert (group["reason"], group["addresses"][0]["url"]) == ("HTTP 404", site.at("/nothing"))


def test_outage_stands_above_the_crawls_and_marks_its_own(command: Command, recorded: Path):
    plant_crawl(Store(load_settings("data").store_uri), day(3), outage="9 of 10 pages vanished at once")
    lines = command("crawl", "status").out.splitlines()
    (said,) = (n for n, line in enumerate(lines) if "9 of 10 pages vanished" in line)
    (row,) = (n for n, line in enumerate(lines) if line.startswith("2026-11-03"))
    assert said < row
    assert "incremental !" in lines[row]


def test_fresh_folder_without_a_site_says_first_which_one_it_takes(
    command: Command, site: Website, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(f"{ENV_PREFIX}SITE__URL", site.url)
    assert command("crawl", "run").err == (f"crawling {site.url}, the site of the settings; --site URL names another",)
    assert command("crawl", "run").err == ()


def test_empty_site_is_refused(command: Command):
    assert_one_line_error(command("crawl", "run", "--site", ""), "site.url = ''")


def test_crawl_of_a_folder_speaks_of_files(command: Command, alone: Path):
    (alone / "docs").mkdir()
    (alone / "docs" / "retention.md").write_text(f"# Retention\n\n{THIRTY}\n")
    out = command("crawl", "run", "--site", "docs").out
    assert "every file was looked at. 1 files in" in out
    assert "requests" not in out
