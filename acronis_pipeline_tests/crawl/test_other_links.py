"""Sites whose pages are not joined by links alone are found all the same."""

from collections.abc import Callable

import pytest

from acronis_pipeline.content import extract
from acronis_pipeline.core.settings import SiteSettings
from acronis_pipeline.crawl import crawl
from acronis_pipeline.store import Store
from acronis_pipeline_tests.crawl.conftest import Rows
from acronis_pipeline_tests.crawl.website import Reply, Request, Website

Build = Callable[..., SiteSettings]
HERE = "http://h.example/docs/"


@pytest.mark.parametrize(
    "body",
    [
        '<frameset cols="20%,80%"><frame src="a.html"><noframes>This document uses frames.</noframes></frameset>',
        '<iframe src="a.html"></iframe>',
        '<iframe data-src="/docs/a.html" src="about:blank"></iframe>',
        '<object data="a.html" type="text/html"></object>',
        '<link rel="next" href="a.html">',
        '<link rel="Contents" href="a.html">',
        '<map><area href="a.html"></map>',
        '<div data-href="a.html">A</div>',
        """<table><tr onclick="window.location='a.html'"><td>A</td></tr></table>""",
        """<li onclick="location.href = &quot;a.html&quot;; return false">A</li>""",
        """<button onclick="window.open('a.html')">A</button>""",
        '<form><button formaction="a.html">A</button></form>',
        '<form action="a.html"><button>A</button></form>',
        '<select onchange="location = this.value"><option value="">Choose<option value="a.html">A</select>',
        "<script>window.location.replace('a.html');</script>",
        '<script>top.location.href = "a.html"</script>',
        "<script>document.location = 'http:\\/\\/h.example\\/docs\\/a.html';</script>",
        "<script>location.assign(`a.html`)</script>",
        '<meta http-equiv="Refresh" content="0; URL=a.html">',
    ],
)
def test_what_leads_somewhere_is_a_link(body: str) -> None:
    assert extract(f"<html><head><title>x</title></head>{body}</html>", url=HERE).links == (HERE + "a.html",)


@pytest.mark.parametrize(
    "body",
    [
        "<script>location.href = 'a' + name + '.html'</script>",
        "<script>if (location.href == 'a.html') go()</script>",
        "<script>location.href = `/a/${name}`</script>",
        '<form action="a.html"><input name="q"></form>',
        '<form action="a.html" method="post"><button>A</button></form>',
        '<select name="size"><option value="a/b">A</select>',
        '<iframe src="about:blank"></iframe>',
        """<a onclick="alert('a.html')">A</a>""",
    ],
)
def test_what_leads_nowhere_for_certain_is_none(body: str) -> None:
    assert extract(f"<html><head><title>x</title></head><body>{body}</body></html>", url=HERE).links == ()


def test_an_article_with_a_script_that_could_lead_elsewhere_stays_one() -> None:
    prose = "Backups are kept for thirty days and can be restored to other hardware at any time by an administrator. "
    script = "<script>function out() { location.href = '/logout'; }</script>"
    assert "thirty days" in extract(f"<main><p>{prose * 2}</p></main>{script}", url=HERE).markdown


def test_a_site_of_frames_is_crawled(site: Website, store: Store, settings: Build, live: Rows) -> None:
    site.html("/", "<frameset cols='20%,80%'><frame src='/toc.html'><frame src='/a'></frameset>")
    site.page("/toc.html", "/b")
    site.page("/a")
    site.page("/b", text="More.")
    crawl(store, settings())
    assert live().keys() == {"/toc.html", "/a", "/b"}


def test_a_start_page_that_only_sends_on_by_script_is_no_failure(
    site: Website, store: Store, settings: Build, live: Rows
) -> None:
    site.html("/", "<html><body><p>Redirecting…</p><script>location.replace('/a');</script></body></html>")
    site.page("/a")
    assert crawl(store, settings()).failed == {}
    assert live().keys() == {"/a"}


@pytest.mark.parametrize("by_way_of", ["{}", "/check?to={}"])
def test_a_site_that_wants_its_cookie_back_gets_it(
    site: Website, store: Store, settings: Build, live: Rows, by_way_of: str
) -> None:
    def walled(path: str) -> Callable[[Request], Reply]:
        page = site.page(path, "/b", text=path)

        def answer(request: Request) -> Reply:
            if "seen=yes" in request.headers.get("cookie", ""):
                return page
            return Reply(302, b"", {"Location": by_way_of.format(path), "Set-Cookie": "seen=yes; Path=/"})

        return answer

    site.page("/")
    for path in ("/", "/b"):
        site.routes[path] = walled(path)
        site.redirect(f"/check?to={path}", path, 302)
    crawl(store, settings())
    assert live().keys() == {"/", "/b"}


def test_a_circle_without_a_cookie_is_still_one(site: Website, store: Store, settings: Build) -> None:
    site.page("/", "/a")
    site.redirect("/a", "/a", 302)
    assert crawl(store, settings()).failed == {"too many redirects": 1}
    assert site.asked()["/a"] == 1
