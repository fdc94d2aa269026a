"""Bytes to text, the way the page means it."""

from w3lib.encoding import html_to_unicode, http_content_type_encoding, read_bom, to_unicode

_WESTERN = frozenset({"cp1252", "iso8859-1", "iso8859-15", "latin-1"})
_ON_THE_WEB = "cp1252 cp1250 cp1251 koi8_r shift_jis euc_jp gb18030 big5 euc_kr cp1253 cp1254 cp1255 cp1256".split()
"""What a guess may come to: of all charsets there are, short texts fit the Macintosh's and the mainframe's best."""
_FEW_ERRORS, _FEW_ERRORS_SHARE = 3, 0.001
"""Errors that are a slip in a page of UTF-8, rather than a page in another charset."""


def decode_html(body: bytes, content_type: str | None) -> str:
    """Decode a page by byte-order mark, charset of the header, `<meta>`, or else a guess, as browsers do.

    Unlike browsers, a charset that is plainly wrong is not believed: UTF-8 that fails to decode is guessed at, and what
    is declared as a Western single-byte charset but decodes as UTF-8 beyond ASCII is UTF-8 (by chance, almost nothing
    does). Never fails: what the charset cannot express becomes U+FFFD.
    """
    charset, text = html_to_unicode(content_type, body, auto_detect_fun=_guess)
    if charset in _WESTERN and not body.isascii() and _guess(body) == "utf-8":
        return body.decode("utf-8")
    if charset == "utf-8" and text.count("\ufffd") > max(_FEW_ERRORS, len(text) * _FEW_ERRORS_SHARE):
        return body.decode(_guess(body), "replace")
    return text


def _guess(body: bytes) -> str:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        from charset_normalizer import from_bytes  # only for the few pages that say nothing and are not UTF-8

        best = from_bytes(body[:100_000], cp_isolation=list[str](_ON_THE_WEB)).best()
        return best.encoding if best else "cp1252"
    return "utf-8"


def decode_text(body: bytes, content_type: str | None) -> str:
    """Decode plain text or Markdown: by byte-order mark, as UTF-8 if that is what it is, else as the header says.

    UTF-8 comes before the header because many servers name their default charset whatever they send. Never fails.
    """
    encoding, mark = read_bom(body)
    body = body[len(mark or b"") :]
    if encoding is None:
        guess = _guess(body)
        encoding = guess if guess == "utf-8" else http_content_type_encoding(content_type) or guess
    return to_unicode(body, encoding)
