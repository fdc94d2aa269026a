"""Pages that are built by JavaScript, run in a browser that has no network of its own.

Every request of the browser is answered by our own fetcher, so that guard, robots.txt, pace, retries and size caps hold
for what pages load as for pages. What is not answered that way (a socket, a beacon, a name look-up) fails: the browser
is started with a resolver that knows no name.
"""

import asyncio
import itertools
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from acronis_pipeline.core.errors import SettingsError
from acronis_pipeline.core.settings import SiteSettings
from acronis_pipeline.crawl.fetching.fetch import Answer, Ask, FetchError, RedirectRefusedError
from acronis_pipeline.crawl.fetching.urls import canonical
from acronis_pipeline.crawl.judging.non_pages import EMPTY_WITHOUT_SCRIPTS
from acronis_pipeline.crawl.running.session import Session

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page, Route

_log = logging.getLogger(__name__)

MAX_REQUESTS_PER_PAGE = 100
"""Of one page, beyond which its scripts get no more answers: a page that polls would keep the site busy."""

_LOADED = frozenset({"script", "xhr", "fetch"})
"""What text can come from; frames, other pages, pictures, fonts and styles are not asked for."""
_MAX_KEPT_BYTES = 50_000_000
"""Of scripts, which all pages of a site share: each is asked for once."""
_QUIET_S = 0.5
_GRACE_S = 5.0
"""On top of the time for scripts: opening a page and taking what it shows."""
_CHROMIUM_OPTIONS = (
    "--disable-background-networking",
    "--dns-prefetch-disable",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
)


class Renderer:
    """Runs pages, one at a time. Make it with `renderer`."""

    def __init__(self, session: Session, browser: "Browser") -> None:
        self._site, self._session, self._browser = session.site, session, browser
        self._hosts = frozenset(host.lower() for host in self._site.render_hosts)
        self._one_at_a_time = asyncio.Lock()
        self._scripts: dict[str, Answer] = {}
        self._kept_bytes = 0

    async def rendered(self, answer: Answer) -> Answer:
        """The same page after its scripts ran, without validators: the shell's say nothing of what it shows.

        Raises
        ------
        FetchError
            It did not come to an end within `site.render_timeout_s`, or the browser gave up.
        """
        from playwright.async_api import Error

        async with self._one_at_a_time:
            try:
                async with asyncio.timeout(self._site.render_timeout_s + _GRACE_S):
                    html = await self._run(answer)
            except (TimeoutError, Error) as error:
                reason = str(error).splitlines()[0] if str(error) else "time is up"
                raise FetchError("rendering", f"{answer.url} cannot be rendered ({reason})") from error
        headers = answer.headers.copy()
        for name in ("etag", "last-modified", "content-encoding", "content-length"):
            headers.pop(name, None)
        headers["content-type"] = "text/html; charset=utf-8"
        return replace(answer, headers=headers, body=html.encode("utf-8", "replace"))

    async def _run(self, shell: Answer) -> str:
        context = await self._browser.new_context(
            user_agent=self._site.full_user_agent, service_workers="block", accept_downloads=False
        )
        try:
            page = await context.new_page()
            requests = itertools.count()
            await context.route("**/*", lambda route: self._answer(route, shell, next(requests)))
            await page.goto(shell.url, wait_until="commit", timeout=self._site.render_timeout_s * 1000)
            await self._settle(page)
            return await page.content()
        finally:
            await context.close()

    async def _settle(self, page: "Page") -> None:
        """Until the page asks for nothing any more and stands still, or time is up: what is there by then is taken."""
        try:
            async with asyncio.timeout(self._site.render_timeout_s):
                await page.wait_for_load_state("networkidle", timeout=0)
                length = -1
                while length != (length := await page.evaluate("document.documentElement.innerHTML.length")):
                    await asyncio.sleep(_QUIET_S)
        except TimeoutError:
            _log.debug("%s is still busy after %g s", page.url, self._site.render_timeout_s)

    async def _answer(self, route: "Route", shell: Answer, number: int) -> None:
        """Answer the page's request of this number; the first is for the page itself, which is there already."""
        request = route.request
        if number == 0:
            await route.fulfill(status=200, headers=_headers(shell), body=shell.body)
            return
        if request.is_navigation_request():
            await route.fulfill(status=204)  # stays where it is; an error would replace the page
            return
        wanted = request.method == "GET" and request.resource_type in _LOADED
        if not wanted or number > MAX_REQUESTS_PER_PAGE or self._refuses(request.url):
            await route.abort("blockedbyclient")
            return
        try:
            answer = await self._ask(request.url, keep=request.resource_type == "script")
        except (FetchError, RedirectRefusedError) as error:
            _log.debug("rendering %s: %s: %s", shell.url, request.url, error)
            await route.abort("failed")
            return
        await route.fulfill(status=answer.status, headers=_headers(answer), body=answer.body)

    async def _ask(self, url: str, *, keep: bool) -> Answer:
        if url in self._scripts:
            return self._scripts[url]
        answer = await self._session.fetcher.get(url, Ask(hop=self._hop))
        if keep and self._kept_bytes + len(answer.body) <= _MAX_KEPT_BYTES:
            self._scripts[url] = answer
            self._kept_bytes += len(answer.body)
        return answer

    def _refuses(self, url: str) -> bool:
        spelt = canonical(url)
        if spelt is None:
            return True
        if self._session.scope.is_same_site(spelt):
            return not self._session.robots.allows(url)
        return urlsplit(spelt).hostname not in self._hosts

    def _hop(self, location: str, base: str) -> tuple[str, str | None]:
        target = canonical(location, base) or location
        return target, "not allowed" if self._refuses(target) else None


@asynccontextmanager
async def renderer(session: Session) -> AsyncIterator[Renderer | None]:
    """A renderer for the length of a crawl, or None where `site.render` says never and for a folder's files.

    Raises
    ------
    SettingsError
        The extra `render` or a browser is missing.
    """
    site = session.site
    if site.render == "never" or site.folder is not None:
        yield None
        return
    if site.browser and not site.browser.exists():
        raise SettingsError(f"site.browser = {str(site.browser)!r} does not exist; set it to a Chromium, or to nothing")
    try:
        from playwright.async_api import Error, async_playwright
    except ImportError as error:
        raise SettingsError(
            "site.render = 'auto' needs the extra: pip install 'acronis-pipeline[render]' "
            "&& playwright install --only-shell chromium; or set site.render to never"
        ) from error
    async with async_playwright() as playwright:
        try:
            browser = await playwright.chromium.launch(
                executable_path=str(site.browser) if site.browser else None,
                args=list(_CHROMIUM_OPTIONS),
                chromium_sandbox=os.geteuid() != 0,  # as root it cannot
            )
        except Error as error:
            found = f"{site.browser} does not start" if site.browser else "there is no browser"
            raise SettingsError(
                f"site.render = 'auto', but {found} ({str(error).strip().splitlines()[0]}); run playwright install "
                "--only-shell chromium, or set site.browser to a Chromium"
            ) from error
        try:
            yield Renderer(session, browser)
        finally:
            await browser.close()


def advice(site: SiteSettings, failed: dict[str, int], n_pages: int) -> str | None:
    """What to do about pages that stay empty without JavaScript; None if there are none."""
    n_empty = failed.get(EMPTY_WITHOUT_SCRIPTS, 0)
    if not n_empty:
        return None
    share = f"{n_empty} of {n_empty + n_pages} pages ({n_empty / (n_empty + n_pages):.0%}) are empty without JavaScript"
    if site.render == "auto":
        return f"{share}, even when it is run: name the hosts that they load from in site.render_hosts"
    return f"{share}: set site.render to auto (extra render) to run it, or point site.url at a static version"


def _headers(answer: Answer) -> dict[str, str]:
    """Of an answer whose body was decoded already."""
    dropped = {"content-encoding", "content-length", "transfer-encoding", "connection", "set-cookie"}
    return {name: value for name, value in answer.headers.items() if name.lower() not in dropped}
