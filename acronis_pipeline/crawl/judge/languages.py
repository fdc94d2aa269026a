"""Pages in the wanted languages only; the others are not even asked for where the site says what they are."""

from collections.abc import Iterable

OTHER_LANGUAGE = "other language"

MAX_REMEMBERED = 500_000
"""Addresses in other languages kept in mind (some 60 MB); beyond these a page's own language decides."""

_GUESS_MIN_WORDS = 40
"""Less text, or mostly code, and a guess is no better than chance."""


class Languages:
    """What `site.languages` wants (nothing named: every language), and what the site says of its addresses.

    Fed from two threads: a set's own operations need no lock.
    """

    def __init__(self, wanted: Iterable[str] = ()) -> None:
        self._wanted = tuple(tag.lower().replace("_", "-") for tag in wanted)
        self._other: set[str] = set()

    @property
    def everything(self) -> bool:
        """Whether every language is wanted."""
        return not self._wanted

    def wants(self, tag: str) -> bool:
        """Whether a language tag is wanted: `en` stands for `en-GB`, and a page that says only `pt` may be `pt-BR`.

        `x-default` is the page for everyone else, which may be in any language.
        """
        tag = tag.strip().lower().replace("_", "-")
        if self.everything or tag == "x-default":
            return True
        return any(f"{tag}-".startswith(f"{wanted}-") or wanted.startswith(f"{tag}-") for wanted in self._wanted)

    def note(self, alternates: Iterable[tuple[str, str]]) -> None:
        """Remember which canonical addresses are in languages that are not wanted."""
        if self.everything:
            return
        for url, tag in alternates:
            if self.wants(tag):
                self._other.discard(url)  # in two languages at once, says the site; the page will tell
            elif len(self._other) < MAX_REMEMBERED:
                self._other.add(url)

    def why_not(self, url: str) -> str | None:
        """Reason not to ask for a canonical address, in words fit for counting."""
        return OTHER_LANGUAGE if url in self._other else None

    def wants_page(self, declared: str | None, header: str | None, text: str) -> bool:
        """Whether a page is in a wanted language, by `<html lang>`, else Content-Language, else a guess from its text.

        A header that names several languages is believed if one of them is wanted.
        """
        if self.everything:
            return True
        if declared:
            return self.wants(declared)
        if header and header.strip():
            return any(self.wants(tag) for tag in header.split(","))
        if len(text.split()) < _GUESS_MIN_WORDS:
            return True
        import py3langid  # a second of loading, and few pages fail to say what they are

        return self.wants(py3langid.classify(text[:5_000])[0])


ALL_LANGUAGES = Languages()
