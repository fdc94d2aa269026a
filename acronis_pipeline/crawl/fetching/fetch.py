"""One request done well: paced, retried, capped in time and size, redirects followed by hand."""

import asyncio
import logging
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from types import TracebackType
from typing import Self
from urllib.parse import urldefrag, urljoin

import httpx2

from acronis_pipeline.core import retries
from acronis_pipeline.core.settings import SiteSettings
from acronis_pipeline.core.text import printable
from acronis_pipeline.crawl.fetching.guard import GuardedTransport, HostNotFoundError, PrivateAddressError, PrivateSite
from acronis_pipeline.crawl.fetching.pace import Pace

_log = logging.getLogger(__name__)

MAX_REDIRECTS = 5
BEGINNING_BYTES = 1_024
"""Of a body, to tell by what it is (see `Ask.cap`)."""

_ENCODINGS = ("gzip", "deflate")
"""One of them at a time: encodings in layers exist to multiply a small body into an endless one, and Brotli that was
not asked for would pass as text."""
_DRAINED_BYTES = 65_536
_SLOW_BODY_RETRIES = 1
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PERMANENT = frozenset({301, 308})


class FetchError(Exception):
    """A request without a usable answer. `reason` is short and fit for counting, the message has the details."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(printable(detail or reason))
        self.reason = printable(reason)


class SlowBodyError(FetchError):
    """The answer began, and did not end in time: it would hardly be faster a third time."""


class RedirectRefusedError(Exception):
    """A redirect led where the crawl does not go. `permanent` if every hop said that the page moved for good."""

    def __init__(self, reason: str, target: str, *, permanent: bool) -> None:
        super().__init__(printable(f"redirects to {target}: {reason}"))
        self.reason = reason
        self.target = target
        self.permanent = permanent


@dataclass(frozen=True)
class Answer:
    """A final answer: any status but a redirect.

    `url` is where it came from after redirects, `moved_for_good` if all of those were permanent ones. `body` is empty
    if it was not read, `truncated` if it was longer than the cap.
    """

    url: str
    status: int
    headers: httpx2.Headers
    body: bytes = b""
    truncated: bool = False
    moved_for_good: bool = True

    @property
    def content_type(self) -> str | None:
        return self.headers.get("content-type")

    @property
    def media_type(self) -> str:
        """`text/html` of `text/html; charset=utf-8`; empty if the server did not say."""
        return (self.content_type or "").split(";")[0].strip().lower()


@dataclass(frozen=True)
class Ask:
    """What a request may do.

    Parameters
    ----------
    hop
        Spells the target of a redirect and says why it may not be followed: (canonical address, reason or None).
    validators
        Headers that make the request for an address conditional; none by default.
    reads
        Whether a successful answer of this media type is worth reading.
    cap
        Bytes to read at most of a decoded body of this media type that begins like this; 0 if that is enough to know
        that it is of no use, None for `site.max_page_bytes`. Without a beginning, the most for any.
    max_bytes
        Cap of the decoded body, for files of which the beginning is of use. By default `site.max_page_bytes`, and a
        body that is announced as longer is not read at all.
    """

    hop: Callable[[str, str], tuple[str, str | None]]
    validators: Callable[[str], dict[str, str]] = field(default=lambda url: {})
    reads: Callable[[str], bool] = field(default=lambda media_type: True)
    cap: Callable[[str, bytes | None], int | None] = field(default=lambda media_type, beginning: None)
    max_bytes: int | None = None


class Fetcher:
    """Asks one host for pages. Use it as an asynchronous context manager.

    Parameters
    ----------
    site
        User agent, time-out, size cap and number of retries.
    private_site
        See `GuardedTransport`.
    pace
        Shared by everything that asks this host.
    """

    def __init__(self, site: SiteSettings, *, private_site: PrivateSite | None, pace: Pace) -> None:
        self.pace = pace
        self.requests = 0
        self.received_bytes = 0
        self._site = site
        self._client = httpx2.AsyncClient(
            transport=GuardedTransport(private_site=private_site, max_connections=site.concurrency),
            headers={
                "User-Agent": site.full_user_agent,
                "Accept": "text/html, application/xhtml+xml, */*;q=0.1",
                "Accept-Encoding": ", ".join(_ENCODINGS),
            },
            timeout=site.timeout_s,
            follow_redirects=False,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.__aexit__(kind, error, trace)

    async def get(self, url: str, ask: Ask) -> Answer:
        """Ask for an address and follow its redirects. A redirect from an address to itself is one to another spelling.

        Raises
        ------
        FetchError
            No answer after all retries, or too many redirects.
        RedirectRefusedError
            `ask.hop` refused the target of a redirect.
        """
        permanent = True
        spelling, spelt = url, ask
        asked = {(url, self._cookies)}
        for _ in range(MAX_REDIRECTS + 1):
            answer = await self._with_retries(spelling, spelt)
            location = answer.headers.get("location")
            if answer.status not in _REDIRECTS or not location:
                return replace(answer, url=url, moved_for_good=permanent)
            permanent = permanent and answer.status in _PERMANENT
            target, refusal = ask.hop(location, url)
            if refusal:
                raise RedirectRefusedError(refusal, target, permanent=permanent)
            spelling, spelt = target, ask
            if target == url:
                # A server that wants another spelling (with a session id, parameters in its own order) gets it.
                spelling, spelt = urldefrag(urljoin(url, location))[0], replace(ask, validators=_as(url, ask))
            # A site that wants its cookie back leads to where one was, which is no circle once there is one to give.
            if (spelling, self._cookies) in asked:
                raise FetchError("too many redirects", f"redirects in a circle, back to {spelling}")
            asked.add((spelling, self._cookies))
            url = target
        raise FetchError("too many redirects", f"more than {MAX_REDIRECTS} redirects, the last to {url}")

    @property
    def _cookies(self) -> frozenset[tuple[str, str | None]]:
        """What the site gave us and gets back, for as long as the crawl lasts."""
        return frozenset((cookie.name, cookie.value) for cookie in self._client.cookies.jar)

    async def _with_retries(self, url: str, ask: Ask) -> Answer:
        for attempt in range(self._site.retries + 1):
            last = attempt == self._site.retries
            try:
                async with self.pace.turn():
                    answer = await self._send(url, ask)
            except FetchError as error:
                hopeless = isinstance(error, SlowBodyError) and attempt >= _SLOW_BODY_RETRIES
                if last or hopeless or error.reason not in {"timeout", "connection"}:
                    raise
                _log.debug("%s: %s, trying again", url, error)
                await asyncio.sleep(retries.backoff_s(attempt))
                continue
            if answer.status not in retries.STATUSES:
                return answer
            retry_after = answer.headers.get("retry-after")
            hold_s = retries.hold_s(retry_after)
            if hold_s is not None:
                # The host is busy, not this page: everyone waits.
                self.pace.hold(hold_s)
            if last or (hold_s is None and retries.retry_after_s(retry_after) is not None):
                return answer
            if hold_s is None:
                await asyncio.sleep(retries.backoff_s(attempt))
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _send(self, url: str, ask: Ask) -> Answer:
        self.requests += 1
        sent, began = time.monotonic(), False
        try:
            # httpx's time-outs are per operation: a server that drips a byte a second would never hit one.
            async with (
                asyncio.timeout(self._site.timeout_s),
                self._client.stream("GET", url, headers=ask.validators(url)) as response,
            ):
                began = True
                told_when = retries.hold_s(response.headers.get("retry-after")) is not None
                self.pace.note(response.status_code, time.monotonic() - sent, told_when=told_when)
                answer = Answer(url, response.status_code, response.headers)
                if response.status_code != 200 or not ask.reads(answer.media_type):
                    await _spare_connection(response)
                    return answer
                most = ask.cap(answer.media_type, None) or self._site.max_page_bytes
                if ask.max_bytes is None and _announced_bytes(response) > most:
                    return replace(answer, truncated=True)
                body, truncated = await self._read(response, partial(self._limit, ask, answer.media_type))
                return Answer(url, answer.status, answer.headers, body, truncated)
        except (TimeoutError, httpx2.TimeoutException) as error:
            kind = SlowBodyError if began else FetchError
            raise kind("timeout", f"no complete answer within {self._site.timeout_s:g} s") from error
        except HostNotFoundError as error:
            raise FetchError("host not found", str(error)) from error
        except PrivateAddressError as error:
            raise FetchError("private address", str(error)) from error
        except httpx2.DecodingError as error:
            raise FetchError("broken encoding", str(error)) from error
        except (httpx2.RequestError, httpx2.InvalidURL) as error:
            reason = "TLS" if _caused_by_tls(error) else "connection"
            raise FetchError(reason, str(error) or type(error).__name__) from error

    def _limit(self, ask: Ask, media_type: str, beginning: bytes) -> int:
        if ask.max_bytes is not None:
            return ask.max_bytes
        limit = ask.cap(media_type, beginning)
        return self._site.max_page_bytes if limit is None else limit

    async def _read(self, response: httpx2.Response, limit: Callable[[bytes], int]) -> tuple[bytes, bool]:
        """The decoded body, cut at the size cap: a small compressed body can unfold to gigabytes.

        The cap follows from the first kilobyte; where it is 0, that is all that is read.
        """
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in {*_ENCODINGS, "identity", ""}:
            raise FetchError("content encoding", f"its content is encoded as {encoding!r}, which was not asked for")
        body = bytearray()
        cap: int | None = None
        async for piece in response.aiter_bytes():
            body += piece
            if cap is None and len(body) >= BEGINNING_BYTES:
                cap = limit(bytes(body[:BEGINNING_BYTES]))
            if cap is not None and len(body) > cap:
                break
        self.received_bytes += response.num_bytes_downloaded
        cap = limit(bytes(body)) if cap is None else cap
        return (bytes(body[:cap]), len(body) > cap) if cap else (bytes(body[:BEGINNING_BYTES]), False)


def conditional(etag: str | None, last_modified: str | None) -> dict[str, str]:
    """Headers that ask for an address only if it is not what it was with these validators."""
    headers = {"If-None-Match": etag, "If-Modified-Since": last_modified}
    return {name: value for name, value in headers.items() if value}


def _as(url: str, ask: Ask) -> Callable[[str], dict[str, str]]:
    """The validators of `url` for whatever spelling of it."""
    return lambda _: ask.validators(url)


async def _spare_connection(response: httpx2.Response) -> None:
    """Read an answer that is of no use to its end if that is near: hanging up on it costs the next request a handshake.

    A 304 has no body, but only its end frees the connection.
    """
    if response.status_code == 304 or 0 < _announced_bytes(response) <= _DRAINED_BYTES:
        async for _ in response.aiter_raw():
            pass


def _announced_bytes(response: httpx2.Response) -> int:
    length = response.headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() else 0


def _caused_by_tls(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False
