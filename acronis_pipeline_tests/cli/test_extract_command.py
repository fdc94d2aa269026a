"""`extract`: what is read of one page, and what is taken out of it; no page is one line with the reason."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from acronis_pipeline.core.settings import ENV_PREFIX
from acronis_pipeline_tests.cli.conftest import Command, assert_one_line_error
from acronis_pipeline_tests.crawl.website import PROSE, Website
from acronis_pipeline_tests.needs import needs

PAGE = f"""<html lang=en><head><title>Retention | Docs</title><link rel=canonical href="/retention"></head><body><main>
<h1 id=retention>Retention</h1><p>{PROSE}</p><div class="breadcrumbs">Docs / Admin / Retention</div>
<h2 id=limits>Limits</h2><p>Ninety days at most. See <a href="/tape">tape drives</a>.</p></main></body></html>"""


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{ENV_PREFIX}SITE__RETRIES", "0")
    monkeypatch.delenv(f"{ENV_PREFIX}DATA_DIR", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
@needs("server")
def site() -> Iterator[Website]:
    website = Website()
    website.html("/retention", PAGE)
    yield website
    website.close()


def test_file_is_shown_with_headings_and_what_was_taken_out(command: Command):
    Path("page.html").write_text(PAGE)
    ended = command("extract", "page.html", "--url", "https://docs.example.com/en/retention")
    assert ended.code == 0
    for said in ("Limits  #limits", "https://docs.example.com/retention", "Ninety days at most."):
        assert said in ended.out
    assert "class or id (1): Docs / Admin / Retention" in ended.out


def test_json_tells_the_same(command: Command):
    Path("page.html").write_text(PAGE)
    ended = command("extract", "page.html", "--url", "https://docs.example.com/en/retention", "--json")
    told = json.loads(ended.out)
    assert told["title"] == "Retention"
    assert told["links"] == ["https://docs.example.com/tape"]
    assert told["removed"] == [{"rule": "class or id", "count": 1, "samples": ["Docs / Admin / Retention"]}]
    assert "chunks" not in told


@pytest.mark.model
def test_passages_come_with_their_tokens(command: Command):
    Path("page.md").write_text(f"# Retention\n\n{PROSE}\n\n## Limits\n\n{PROSE} Ninety days at most.\n")
    told = json.loads(command("extract", "page.md", "--chunks", "--json").out)
    assert [chunk["anchor"] for chunk in told["chunks"]] == ["retention", "limits"]
    assert all(chunk["n_tokens"] > 5 for chunk in told["chunks"])
    assert "tokens, #limits" in command("extract", "page.md", "--chunks").out


def test_address_is_asked_for_as_a_crawl_does(command: Command, site: Website):
    ended = command("extract", f"{site.url}retention", "--json")
    assert json.loads(ended.out)["title"] == "Retention"
    assert site.asked()["/robots.txt"] == 1


def test_address_that_robots_forbids_is_not_asked_for(command: Command, site: Website):
    site.robots("User-agent: *\nDisallow: /retention")
    assert_one_line_error(command("extract", f"{site.url}retention"), "robots.txt")
    assert site.asked()["/retention"] == 0


@pytest.mark.parametrize("path", ["missing", "elsewhere"])
def test_address_without_a_page_gives_the_reason(command: Command, site: Website, path: str):
    site.redirect("/elsewhere", "https://other.example.com/")
    assert_one_line_error(command("extract", site.url + path), "404" if path == "missing" else "other.example.com")


def test_missing_file_says_how_to_name_one(command: Command):
    assert_one_line_error(command("extract", "nowhere.html"), "nowhere.html", "https://")


@pytest.mark.parametrize(
    ("name", "body", "reason"),
    [
        ("noise.html", bytes(range(256)) * 8, "not text"),
        ("login.html", b"<title>Log in</title><form><input type=password></form>", "login wall"),
        ("empty.html", b"<title>x</title><main><p>Soon.</p></main>", "no content of its own"),
        ("gone.html", b"<title>Page not found</title><main><p>Sorry, try another one.</p></main>", "soft 404"),
        pytest.param("broken.pdf", b"%PDF-1.4 nothing", "PDF", marks=pytest.mark.server),
    ],
)
def test_file_that_is_no_page_gives_a_crawls_reason(command: Command, name: str, body: bytes, reason: str):
    Path(name).write_bytes(body)
    assert_one_line_error(command("extract", name), name, reason)


def test_address_does_not_go_with_another_address(command: Command):
    assert_one_line_error(command("extract", "https://a.example/", "--url", "https://b.example/"), "--url")
