"""Bytes to text, the way the page means it."""

from w3lib.encoding import html_to_unicode


def decode_html(body: bytes, content_type: str | None) -> str:
    """Decode a page by byte-order mark, charset of the header, `<meta>`, or else a guess, as browsers do.

    Never fails: what the charset cannot express becomes U+FFFD.
    """
    return html_to_unicode(content_type, body, auto_detect_fun=_guess)[1]


def _guess(body: bytes) -> str:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        from charset_normalizer import from_bytes  # only for the few pages that say nothing and are not UTF-8

        best = from_bytes(body[:100_000]).best()
        return best.encoding if best else "cp1252"
    return "utf-8"
