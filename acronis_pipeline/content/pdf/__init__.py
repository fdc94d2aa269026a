"""PDF manuals as HTML that `content.extract` understands: headings, paragraphs, tables, and where each page begins.

PDFium reads the file (11 to 17 times faster than pypdf on Debian's manuals, and it keeps the spaces that LaTeX leaves
out). It is C++ that parses what strangers wrote, so it runs in a process of its own with a time and a memory limit.
One concern a file: `document` (PDFium), `roles` (running heads, headings), `blocks` (and their HTML), `__main__` (the
process).
"""

import json
import subprocess
import sys
from dataclasses import dataclass

__all__ = ["MAGIC", "BadPdfError", "PdfLimits", "to_html"]

MAGIC = b"%PDF-"
"""Stands at the very beginning, or after some rubbish within the first 1,024 bytes."""

ENCRYPTED = "PDF: encrypted"
SCANNED = "PDF: no text (scanned)"
BROKEN = "PDF: broken"
TRUNCATED = "PDF: truncated"
TOO_LONG = "PDF: too many pages"
TOO_SLOW = "PDF: too slow to read"


class BadPdfError(Exception):
    """A PDF that gives no text. `reason` is one of the constants above, the message has the details."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(detail or reason)
        self.reason = reason


@dataclass(frozen=True)
class PdfLimits:
    """What one PDF may cost: a longer one is refused, since half a manual would go unnoticed."""

    max_pages: int = 2_000
    timeout_s: float = 60.0


def to_html(body: bytes, limits: PdfLimits) -> str:
    """A PDF's text as an HTML document; takes about 0.3 s and 10 ms a page, in another process.

    Each page's first text stands behind a `<span data-page="7"></span>`, from which `content.extract` makes
    `Content.page_starts`. The same text gives the same HTML, whatever program wrote the PDF.

    Raises
    ------
    BadPdfError
        The file is encrypted, broken or has no text, or goes beyond the limits.
    """
    command = [sys.executable, "-m", __name__, str(limits.max_pages), str(limits.timeout_s)]
    try:
        done = subprocess.run(command, input=body, capture_output=True, timeout=limits.timeout_s, check=False)
    except subprocess.TimeoutExpired as error:
        raise BadPdfError(TOO_SLOW, f"not read within {limits.timeout_s:g} s") from error
    if done.returncode:
        last_words = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise BadPdfError(BROKEN, f"the reader ended with {done.returncode} {' '.join(last_words)}".rstrip())
    answer = json.loads(done.stdout)
    if "reason" in answer:
        raise BadPdfError(answer["reason"], answer["detail"])
    return answer["html"]
