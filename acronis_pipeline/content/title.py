"""The title of a page without the name of the site."""

import re
from collections.abc import Sequence
from urllib.parse import unquote, urlsplit

from acronis_pipeline.content.markdown import Heading
from acronis_pipeline.content.metadata import PageMetadata

_SEPARATOR = re.compile(r"\s+(?:[|·•»«:>–—-]|::)\s+")
_SITE_WORDS = re.compile(
    r"\b(?:docs?|documentation|help cent(?:er|re)|support|knowledge ?base|kb|wiki|blog|portal|official site)\b",
    re.IGNORECASE,
)


def page_title(page: PageMetadata, headings: Sequence[Heading], url: str) -> str:
    """The page's own h1 where there is one, else its `<title>` without the site name, else words of its address."""
    for heading in headings:
        if heading.level == 1:
            return heading.text
    short = without_site_name(page.title or page.og_title, site_name=page.site_name, host=urlsplit(url).hostname or "")
    # A logo is often an h1 too, but it does not stand at the front of every page's title.
    if page.heading and short.casefold().startswith(page.heading.casefold()):
        return page.heading
    return short or page.heading or _from_address(url)


def without_site_name(title: str, *, site_name: str, host: str) -> str:
    """Strip a leading or trailing part that names the site, as in "Restore a disk | Example Docs"."""
    separators = _SEPARATOR.findall(title)
    parts = _SEPARATOR.split(title)
    if len(parts) == 1:
        return title.strip()
    if _names_site(parts[-1], site_name, host) or (separators[-1].strip() in {"|", "·", "•"} and not site_name):
        return title[: title.rindex(separators[-1] + parts[-1])].strip()
    if _names_site(parts[0], site_name, host):
        return title[len(parts[0]) + len(separators[0]) :].strip()
    return title.strip()


def _names_site(part: str, site_name: str, host: str) -> bool:
    if site_name:
        return part.casefold().strip() == site_name.casefold()
    squeezed = re.sub(r"\W", "", part).casefold()
    labels = [label for label in host.casefold().split(".")[:-1] if len(label) > 3]
    return bool(_SITE_WORDS.search(part)) or any(label.replace("-", "") in squeezed for label in labels)


def _from_address(url: str) -> str:
    parts = urlsplit(url)
    names = [name for name in parts.path.split("/") if name and not name.startswith("index.")]
    if not names:
        return parts.hostname or ""
    return " ".join(re.split(r"[-_]+", unquote(names[-1]).rsplit(".", 1)[0])).strip().capitalize()
