"""Sources without a server: folders of documentation, and sitemaps in files."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from acronis_pipeline.core.errors import SettingsError, SiteError
from acronis_pipeline.core.settings import SiteSettings, load_settings
from acronis_pipeline.crawl import crawl, live_pages
from acronis_pipeline.crawl.fetching.fetch import Answer, Ask, FetchError
from acronis_pipeline.crawl.fetching.scope import Scope
from acronis_pipeline.crawl.fetching.sitemap import resolved
from acronis_pipeline.crawl.probe import probe
from acronis_pipeline.crawl.running.folder import FolderFetcher, address, scan
from acronis_pipeline.crawl.running.session import run
from acronis_pipeline.store import Store
from acronis_pipeline_tests.content.pdf_maker import Put, make, paragraph
from acronis_pipeline_tests.crawl.website import PROSE, Website

Write = Callable[..., Path]


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "our docs"
    folder.mkdir()
    return folder


@pytest.fixture
def write(docs: Path) -> Write:
    """Write a file of documentation, last modified long ago unless it says when."""

    def write(path: str, content: str | bytes | None = None, *, modified_s: float = 1_000_000_000.0) -> Path:
        file = docs / path
        file.parent.mkdir(parents=True, exist_ok=True)
        content = f"# Page {path}\n\n{PROSE}\n" if content is None else content
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        os.utime(file, (modified_s, modified_s))
        return file

    return write


def of(folder: Path, **settings: Any) -> SiteSettings:
    return SiteSettings(**{"url": str(folder), **settings})


def pages(store: Store, folder: Path) -> dict[str, str]:
    """Title of each live page by its path below the folder."""
    base = folder.resolve().as_uri() + "/"
    return {row["url"].removeprefix(base): row["title"] for row in live_pages(store).to_pylist()}


@pytest.mark.server
def test_a_folder_of_documentation_becomes_pages(store: Store, docs: Path, write: Write) -> None:
    write("index.md")
    write("guides/restore disk.html", f"<title>Restore</title><main><p>{PROSE}</p></main>")
    write("guides/manual.pdf", make([[Put("Manual", 700, size=20), *paragraph(PROSE[:80], y=660)]]))
    write("notes.txt", f"Notes\n\n{PROSE}")
    write("logo.png", b"\x89PNG")
    write("Makefile", "all:")
    result = crawl(store, of(docs))
    assert pages(store, docs) == {
        "index.md": "Page index.md",
        "guides/restore%20disk.html": "Restore",
        "guides/manual.pdf": "Manual",
        "notes.txt": "Notes",
    }
    assert (result.failed, result.skipped) == ({}, {})


def test_what_changed_is_read_and_nothing_else(store: Store, docs: Path, write: Write) -> None:
    for name in ("a.md", "b.md", "c.md", "d.md"):
        write(name)
    crawl(store, of(docs))
    write("b.md", f"# Another\n\n{PROSE}")
    os.utime(docs / "b.md", (1_100_000_000, 1_100_000_000))
    (docs / "d.md").unlink()
    write("e.md")
    result = crawl(store, of(docs))
    assert (result.changed, result.new, result.unchanged, result.requests) == (1, 1, 2, 2)
    assert (result.missing, result.gone) == (1, 0)
    assert crawl(store, of(docs)).gone == 1
    assert pages(store, docs).keys() == {"a.md", "b.md", "c.md", "e.md"}


def test_a_sweep_finds_every_file_unmodified(store: Store, docs: Path, write: Write) -> None:
    for name in ("a.md", "b.md"):
        write(name)
    crawl(store, of(docs))
    result = crawl(store, of(docs, full_sweep_days=0))
    assert (result.mode, result.requests, result.not_modified, result.size_bytes) == ("sweep", 2, 2, 0)


def test_a_quick_look_sees_what_changed(store: Store, docs: Path, write: Write) -> None:
    for name in ("a.md", "b.md", "c.md"):
        write(name)
    crawl(store, of(docs))
    assert not probe(store, of(docs), deadline_s=5).seen
    write("b.md", modified_s=1_100_000_000)
    write("d.md")
    (docs / "c.md").unlink()
    seen = probe(store, of(docs), deadline_s=5)
    base = docs.as_uri() + "/"
    assert (seen.changed, seen.added, seen.removed) == ((base + "b.md",), (base + "d.md",), (base + "c.md",))


def test_hidden_folders_and_other_peoples_code_hold_no_pages(store: Store, docs: Path, write: Write) -> None:
    write("a.md")
    for path in (".git/x.md", "node_modules/y/README.md", ".hidden.md", "SUMMARY.md", "_includes/footer.html"):
        write(path)
    assert crawl(store, of(docs)).n_live == 1


def test_include_and_exclude_apply_to_the_path_in_the_folder(store: Store, docs: Path, write: Write) -> None:
    for path in ("guides/a.md", "guides/draft/b.md", "our docs.md"):
        write(path)
    result = crawl(store, of(docs, include=("^/guides/",), exclude=("/draft/",)))
    assert pages(store, docs).keys() == {"guides/a.md"}
    assert result.skipped == {"not included": 1, "excluded": 1}


def test_links_do_not_lead_out_of_the_folder(store: Store, docs: Path, write: Write, tmp_path: Path) -> None:
    (tmp_path / "secret.md").write_text(f"# Secret\n\n{PROSE}")
    write("a.md", f"# A\n\n{PROSE} [secret](../secret.md) [file](file:///etc/passwd)")
    (docs / "inside.md").symlink_to(docs / "a.md")
    (docs / "outside.md").symlink_to(tmp_path / "secret.md")
    (docs / "nowhere.md").symlink_to(tmp_path / "nothing.md")
    (docs / "up").symlink_to(tmp_path)
    result = crawl(store, of(docs))
    assert pages(store, docs).keys() == {"a.md", "inside.md"}
    assert result.skipped == {"link out of the folder": 1, "link to a folder": 1, "no such file or directory": 1}


def test_a_file_made_a_link_after_the_listing_is_not_followed(docs: Path, write: Write, tmp_path: Path) -> None:
    (tmp_path / "secret.md").write_text("secret")
    fetcher, url = listed(docs, write("a.md"))
    (docs / "a.md").unlink()
    (docs / "a.md").symlink_to(tmp_path / "secret.md")
    with pytest.raises(FetchError, match="leads out"):
        run(fetcher.get(url, ask()))


def test_a_file_that_vanishes_is_absent(docs: Path, write: Write) -> None:
    fetcher, url = listed(docs, write("a.md"))
    (docs / "a.md").unlink()
    assert run(fetcher.get(url, ask())).status == 404


def test_a_file_that_grows_while_it_is_read_costs_itself_only(
    store: Store, docs: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("a.md")
    growing = write("log.md")
    real = os.fstat

    def fstat(file: int) -> os.stat_result:
        state = real(file)
        if os.readlink(f"/proc/self/fd/{file}") == str(growing.resolve()):
            with growing.open("a") as stream:
                stream.write("more\n")
        return state

    monkeypatch.setattr("acronis_pipeline.crawl.running.folder.os.fstat", fstat)
    result = crawl(store, of(docs))
    assert result.failed == {"changed while it was read": 1}
    assert pages(store, docs).keys() == {"a.md"}


def test_citations_lead_to_where_the_folder_is_published(store: Store, docs: Path, write: Write) -> None:
    write("index.md", f"# Home\n\n{PROSE} [guide](guide/restore.md)")
    write("guide/restore.md")
    crawl(store, of(docs, published_at="https://docs.example.com/acme"))
    urls = [row["url"] for row in live_pages(store).to_pylist()]
    assert sorted(urls) == ["https://docs.example.com/acme/guide/restore.md", "https://docs.example.com/acme/index.md"]


@pytest.mark.parametrize(
    ("template", "path", "url"),
    [
        (None, "a b.md", "file:///docs/a%20b.md"),
        ("https://h.example/", "a/b.md", "https://h.example/a/b.md"),
        ("https://h.example/{path}/", "a/b.md", "https://h.example/a/b/"),
        ("https://h.example/{path}/", "a/index.md", "https://h.example/a/"),
        ("https://h.example/{path}/", "README.md", "https://h.example/"),
        ("https://h.example/{path}/", "a/b.pdf", "https://h.example/a/b.pdf"),
        ("https://h.example/{path}.html", "a/index.md", "https://h.example/a/index.html"),
        ("https://h.example/v1/{path}", "a/b.md", "https://h.example/v1/a/b"),
    ],
)
def test_addresses_follow_the_template(template, path, url):
    site = SiteSettings.model_construct(url="file:///docs/", published_at=template)
    assert address(path, site) == url


def test_a_website_never_leads_to_files(site: Website, store: Store, settings, live, tmp_path: Path) -> None:
    secret = tmp_path / "secret.html"
    secret.write_text(f"<main><p>{PROSE}</p></main>")
    site.page("/", secret.as_uri(), "/moved", "FILE:///etc/passwd")
    site.redirect("/moved", secret.as_uri())
    site.sitemap(("/", None))
    site.routes["/sitemap.xml"].body = f"<urlset><url><loc>{secret.as_uri()}</loc></url></urlset>".encode()
    result = crawl(store, settings())
    assert live().keys() == {"/"}
    assert result.skipped == {"off-site": 1, "not an address": 1}
    assert Scope.of(settings()).canonical(secret.as_uri(), site.at("/")) is None


def test_only_what_a_sitemap_lists_is_a_page(site: Website, store: Store, settings, live) -> None:
    site.page("/docs/a", "/docs/b")
    site.page("/docs/b")
    site.page("/")
    site.sitemap(("/docs/a", None), path="/maps/docs-sitemap.xml")
    site.sitemap(("/docs/b", None))
    result = crawl(store, settings("/maps/docs-sitemap.xml"))
    assert live().keys() == {"/docs/a"}
    assert result.failed == {}
    assert site.asked().keys() == {"/robots.txt", "/maps/docs-sitemap.xml", "/docs/a"} | {
        path for path in site.asked() if "no-such-page" in path
    }


def test_a_page_taken_off_the_sitemap_goes_after_the_usual_confirmation(
    site: Website, store: Store, settings, live
) -> None:
    for path in ("/a", "/b", "/c"):
        site.page(path)
    site.sitemap(("/a", None), ("/b", None), ("/c", None))
    crawl(store, settings("/sitemap.xml"))
    site.sitemap(("/a", None), ("/b", None))
    crawl(store, settings("/sitemap.xml"))
    crawl(store, settings("/sitemap.xml"))
    assert live().keys() == {"/a", "/b"}


def test_a_sitemap_may_be_a_local_file(site: Website, store: Store, settings, live, tmp_path: Path) -> None:
    site.page("/a", "/c")
    site.page("/b")
    file = tmp_path / "sitemap.xml"
    file.write_bytes(site.sitemap(("/a", None), ("/b", None), path="/elsewhere").body or b"")
    del site.routes["/elsewhere"]
    result = crawl(store, settings().model_copy(update={"url": file.as_uri()}))
    assert live().keys() == {"/a", "/b"}
    assert result.site_url == site.url


def test_a_local_sitemap_can_be_added_to_a_website(site: Website, store: Store, settings, live, tmp_path: Path) -> None:
    site.page("/")
    site.page("/island")
    file = tmp_path / "more.txt"
    file.write_text(site.at("/island"))
    crawl(store, settings(sitemaps=(str(file),)))
    assert live().keys() == {"/", "/island"}


def test_two_folders_do_not_share_a_store(store: Store, docs: Path, write: Write, tmp_path: Path) -> None:
    write("a.md")
    crawl(store, of(docs))
    other = tmp_path / "other"
    other.mkdir()
    (other / "b.md").write_text(f"# B\n\n{PROSE}")
    with pytest.raises(SiteError, match="another folder"):
        crawl(store, of(other))


def test_a_folder_without_pages_is_an_error(store: Store, docs: Path, write: Write) -> None:
    with pytest.raises(SiteError, match="not a single page"):
        crawl(store, of(docs))
    write("a.txt")
    with pytest.raises(SiteError, match=r"\(html, 1 not a page: .txt\)"):
        crawl(store, of(docs, formats=("html",)))
    with pytest.raises(SiteError, match="there is no folder"):
        crawl(store, SiteSettings(url="file:///no/such/folder/"))  # pyright: ignore[reportCallIssue]
    with pytest.raises(SiteError, match="lists no web address"):
        resolved(of(write("a.md")))


@pytest.mark.parametrize("url", ["./no-such-folder", "docs.example.com", "ftp://h.example/", "", "file://host/share/"])
def test_what_is_neither_an_address_nor_there_is_refused(url):
    with pytest.raises(ValidationError, match="is not a website address"):
        SiteSettings(url=url)  # pyright: ignore[reportCallIssue]


def test_paths_are_kept_as_addresses(docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(docs.parent)
    site = load_settings(site={"url": "./our docs"}).site
    assert (site.url, site.folder) == (docs.as_uri() + "/", docs)
    with pytest.raises(SettingsError, match=r"site\.published_at"):
        load_settings(site={"url": "./our docs", "published_at": "docs.example.com"})


def ask() -> Ask:
    return Ask(hop=lambda location, base: (location, None))


def listed(docs: Path, file: Path) -> tuple[FolderFetcher, str]:
    site = of(docs)
    return FolderFetcher(docs, scan(docs, site, Scope.of(site)), site), file.as_uri()


def test_a_file_answers_like_a_server(docs: Path, write: Write) -> None:
    fetcher, url = listed(docs, write("a.md", "# A"))
    first: Answer = run(fetcher.get(url, ask()))
    assert (first.status, first.media_type, first.body) == (200, "text/markdown", b"# A")
    validators = {"If-None-Match": first.headers["etag"]}
    again = Ask(hop=ask().hop, validators=lambda url: validators)
    assert run(fetcher.get(url, again)).status == 304
    write("a.md", "# B", modified_s=1_100_000_000)
    assert run(fetcher.get(url, again)).body == b"# B"
