"""Which formats are pages, told by media type, ending and content; each as HTML, decoded as the page means it."""

import logging
import posixpath
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from w3lib.encoding import html_body_declared_encoding, http_content_type_encoding

from acronis_pipeline.content import markdown_page, pdf, plain_text, restructured_text
from acronis_pipeline.content.pdf import PdfLimits
from acronis_pipeline.core import charset
from acronis_pipeline.core.settings import PageFormat, SiteSettings
from acronis_pipeline.crawl.fetching.fetch import BEGINNING_BYTES, Answer

__all__ = ["BINARY", "LOG", "NOT_READ", "Formats", "NotAPageError", "media_type_of_file"]

_log = logging.getLogger(__name__)
BINARY = "not text"
LOG = "a log"
NOT_READ = "not a page"
"""Reasons why an answer is none, whatever its media type says; the last one is followed by what it is."""
_KINDS: dict[str, PageFormat] = {
    "text/html": "html",
    "application/xhtml+xml": "html",
    "application/pdf": "pdf",
    "application/x-pdf": "pdf",
    "text/markdown": "markdown",
    "text/x-markdown": "markdown",
    "text/plain": "text",
}
_MEDIA_TYPES: dict[PageFormat, str] = {
    "html": "text/html",
    "pdf": "application/pdf",
    "markdown": "text/markdown",
    "text": "text/plain",
}
_SAYS_NOTHING = frozenset({"", "application/octet-stream", "binary/octet-stream", "application/x-download"})
_ENDINGS: dict[str, PageFormat] = {
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".pdf": "pdf",
    ".md": "markdown",
    ".markdown": "markdown",
    ".mdx": "markdown",
    ".txt": "text",
    ".text": "text",
    ".rst": "text",
}
_SAMPLE_BYTES = 65_536
_MAX_CONTROL_SHARE = 0.03
"""Of control characters, NUL included: compressed data has a tenth, a page that was pasted together a few."""
_CONTROLS = bytes({*range(0x09), *range(0x0E, 0x1B), *range(0x1C, 0x20), 0x7F})
_WIDE_TEXT = (b"\xff\xfe", b"\xfe\xff")
_DECLARING_BYTES = 4_096
_LANG = re.compile(rb"<html\b[^>]*\slang\s*=\s*[\"']?([A-Za-z]{2,3})\b", re.IGNORECASE)


def decode_html(body: bytes, content_type: str | None) -> str:
    """Decode a page (see `core.charset`) that a header, an XML declaration or a `<meta>` says the charset of."""
    lang = _LANG.search(body[:_DECLARING_BYTES])
    declared = (http_content_type_encoding(content_type), html_body_declared_encoding(body))
    return charset.decode(body, declared, lang[1].decode("ascii").lower() if lang else None)


def decode_text(body: bytes, content_type: str | None) -> str:
    """Decode plain text or Markdown; many servers name their default charset whatever they send."""
    return charset.decode(body, (http_content_type_encoding(content_type),))


class NotAPageError(Exception):
    """The body is nothing that can be read as a page; `reason` is fit for counting."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(detail or reason)
        self.reason = reason


@dataclass(frozen=True)
class Formats:
    """The formats that a site's settings want, and how much of each is read, in bytes of the decoded body."""

    site: SiteSettings

    @property
    def pdf_limits(self) -> PdfLimits:
        return PdfLimits(self.site.max_pdf_pages, self.site.pdf_timeout_s)

    def reads(self, media_type: str) -> bool:
        """Whether a body of this media type is worth a look; one that says nothing gets the benefit of the doubt."""
        return media_type in _SAYS_NOTHING or _KINDS.get(media_type) in self.site.formats

    def is_pdf(self, answer: Answer) -> bool:
        """Whether `read` will read a PDF, which takes its time."""
        return "pdf" in self.site.formats and _is_pdf_answer(answer)

    def cap(self, media_type: str, beginning: bytes | None = None) -> int:
        """How many bytes to read at most of a body that begins like this, 0 if what it begins with is of no use.

        Without a beginning, the most that any body of this media type may have.
        """
        kind = _KINDS.get(media_type)
        if beginning is None:
            return self._cap(kind) if kind else max(self._cap(wanted) for wanted in self.site.formats)
        if _is_pdf(beginning):
            return self.site.max_pdf_bytes if "pdf" in self.site.formats else 0
        return 0 if kind != "pdf" and is_binary(beginning) else self._cap(kind)

    def _cap(self, kind: PageFormat | None) -> int:
        if kind == "pdf":
            return self.site.max_pdf_bytes
        most = self.site.max_page_bytes
        return min(self.site.max_text_bytes, most) if kind in {"markdown", "text"} else most

    def read(self, answer: Answer) -> tuple[str, str]:
        """(media type, HTML) of a page as it is, not as it was said to be; a PDF is read in another process.

        Raises
        ------
        NotAPageError
            It is not text, of a format that is not wanted, or a PDF without text.
        """
        kind = _kind(answer)
        if kind is None or kind not in self.site.formats:
            raise NotAPageError(f"{NOT_READ}: {_MEDIA_TYPES[kind] if kind else answer.media_type}")
        if kind == "html":
            media_type = answer.media_type if _KINDS.get(answer.media_type) == kind else _MEDIA_TYPES[kind]
            return media_type, decode_html(answer.body, answer.content_type)
        if kind == "pdf":
            return _MEDIA_TYPES[kind], self._pdf(answer)
        text = decode_text(answer.body, answer.content_type)
        if kind == "markdown":
            return _MEDIA_TYPES[kind], markdown_page.to_html(text)
        if plain_text.is_log(text):
            raise NotAPageError(LOG)
        if restructured_text.is_restructured(text):
            return _MEDIA_TYPES[kind], markdown_page.restructured_to_html(text)
        return _MEDIA_TYPES[kind], plain_text.to_html(text)

    def _pdf(self, answer: Answer) -> str:
        try:
            return pdf.to_html(answer.body, self.pdf_limits)
        except pdf.BadPdfError as error:
            _log.info("%s: %s (%s)", answer.url, error.reason, error)
            raise NotAPageError(error.reason, str(error)) from error


def media_type_of_file(name: str) -> str | None:
    """Media type of a file by its ending; None for those that are no pages."""
    kind = _ENDINGS.get(posixpath.splitext(name.lower())[1])
    return _MEDIA_TYPES[kind] if kind else None


def is_binary(body: bytes) -> bool:
    """Whether a body is no text in any charset, going by its control characters."""
    sample = body[:_SAMPLE_BYTES]
    if sample.startswith(_WIDE_TEXT) or charset.wide_charset(sample):
        return False
    controls = len(sample) - len(sample.translate(None, _CONTROLS))
    return controls > _MAX_CONTROL_SHARE * len(sample)


def _is_pdf(body: bytes) -> bool:
    """A page about PDFs may say `%PDF-` too, but it does not begin with it."""
    beginning = body[:BEGINNING_BYTES]
    return beginning.lstrip().startswith(pdf.MAGIC) or (pdf.MAGIC in beginning and is_binary(body))


def _is_pdf_answer(answer: Answer) -> bool:
    return _KINDS.get(answer.media_type) == "pdf" or _is_pdf(answer.body)


def _kind(answer: Answer) -> PageFormat | None:
    """What a body is; raises NotAPageError if it is not text, and no PDF either."""
    declared = _KINDS.get(answer.media_type)
    if _is_pdf_answer(answer):
        return "pdf"
    # UTF-16 without a byte-order mark is half NULs, but then the server says so.
    if is_binary(answer.body) and "utf-16" not in (answer.content_type or "").lower():
        raise NotAPageError(BINARY)
    by_ending = _ENDINGS.get(posixpath.splitext(urlsplit(answer.url).path.lower())[1])
    if answer.media_type in _SAYS_NOTHING:
        return by_ending or ("html" if answer.media_type == "" or _looks_like_html(answer.body) else None)
    if declared == "text":
        return "html" if _looks_like_html(answer.body) else ("markdown" if by_ending == "markdown" else "text")
    return declared


def _looks_like_html(body: bytes) -> bool:
    beginning = body[:BEGINNING_BYTES].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return beginning.startswith((b"<!doctype html", b"<html"))
