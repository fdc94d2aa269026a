"""What a splitting strategy makes of a page: passages before they get an identity."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from acronis_pipeline.chunk.packing import Counter

SEPARATOR = " > "


@dataclass(frozen=True)
class Draft:
    """`path` are the headings that the text stands under, `prefix` is what is embedded before it."""

    path: tuple[str, ...]
    anchor: str | None
    prefix: str
    text: str

    @property
    def passage(self) -> str:
        return f"{self.prefix}\n\n{self.text}" if self.prefix else self.text


def breadcrumb(title: str, path: Sequence[str], max_tokens: int, counter: Counter) -> str:
    """ "Title > Heading > Sub", a heading that repeats the name above it left out.

    When too long, without its middle, then with its longest name cut.
    """
    names = [name for name in (title, *path) if name]
    names = [name for above, name in pairwise(["", *names]) if name.casefold() != above.casefold()]
    while len(names) > 2 and counter.count(SEPARATOR.join(names)) > max_tokens:
        del names[1]
    while names and counter.count(SEPARATOR.join(names)) > max_tokens:
        longest = max(range(len(names)), key=lambda index: len(names[index]))
        cut = names[longest][: len(names[longest]) * 3 // 4]
        names[longest] = cut.rsplit(" ", 1)[0] if " " in cut else cut
        names = [name for name in names if name.strip()]
    return SEPARATOR.join(names)
