"""Links of the main content with the words that people wrote for them: short descriptions of what they lead to."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urldefrag, urljoin, urlsplit

from selectolax.lexbor import LexborNode

from acronis_pipeline.content.metadata import absolute

_MAX_CHARS = 160
_SAYS_NOTHING = re.compile(
    r"(?:click |tap |see |look |read |go |right |over |available |found )?(?:it |more )?(?:here|there|this|that|now)"
    r"|(?:this |that |the |our )?"
    r"(?:page|link|article|section|topic|document|guide|post|site|website|example|image|file)s?"
    r"|(?:learn|read|find out|see|show|view|discover|know)(?: it)?(?: more| details| all)?"
    r"(?: here| details| information)?"
    r"|(?:for )?(?:more|further|additional)(?: details| info(?:rmation)?| about this)?|details|continue(?: reading)?"
    r"|source|next|prev(?:ious)?|back|top|home|up|edit|download|above|below|first|second|last|yes|no|ok|start|open|close",
    re.IGNORECASE,
)
_ADDRESS = re.compile(
    r"\w+://|www\.|mailto:|\S+@\S+\.\w|(?:[\w-]+\.)+(?:com|org|net|io|dev|gov|edu)\b|\S*/\S*/\S*$|\.{0,2}/"
)
_FILE_NAME = re.compile(r"\S+\.(?:html?|md|pdf|php|aspx?|png|jpe?g|gif|svg|zip|gz)")
_LETTERS = re.compile(r"[^\W\d_]{2}")
_UNSPACED_LETTER = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


@dataclass(frozen=True)
class Reference:
    """A link: its absolute `target` and the `fragment` in it, the words it shows, and its `title` attribute."""

    target: str
    fragment: str | None
    text: str
    title: str | None


def read(nodes: Iterable[LexborNode], base: str) -> tuple[Reference, ...]:
    """References within the elements that hold the content, in order, each once.

    Left out are links whose text describes nothing: "here", "read more", addresses, file names, numbers, images.
    """
    found: dict[Reference, None] = {}
    for node in nodes:
        for link in node.css("a[href]"):
            href = link.attributes["href"] or ""
            target = absolute(base, href) or _in_the_same_folder(base, href)
            text = " ".join(link.text().split()).strip(" .,:;»›→¶#")
            if target is None or not describes(text):
                continue
            title = " ".join((link.attributes.get("title") or "").split())
            own_words = title if describes(title) and title.casefold() != text.casefold() else None
            found[Reference(target, urlsplit(urljoin(base, href.strip())).fragment or None, text, own_words)] = None
    return tuple(found)


def _in_the_same_folder(base: str, href: str) -> str | None:
    """`href` resolved against a local file; None if it leads elsewhere, or the page is none."""
    try:
        target = urldefrag(urljoin(base, href.strip())).url
    except ValueError:
        return None
    return target if base.startswith("file:") and target.startswith("file:") else None


def describes(text: str) -> bool:
    """Whether the text of a link says what stands at its target."""
    if not text or len(text) > _MAX_CHARS or not (_LETTERS.search(text) or _UNSPACED_LETTER.search(text)):
        return False
    return not (_SAYS_NOTHING.fullmatch(text) or _ADDRESS.match(text) or _FILE_NAME.fullmatch(text))
