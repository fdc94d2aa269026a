"""What is known of a question besides its text: what reports are cut into slices by."""

from collections import Counter
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from acronis_pipeline.pairs.words import content_words, normalise, stem, words

_NEARLY_ALL = 0.9
_Path = tuple[str, ...]


@dataclass(frozen=True)
class Traits:
    """Traits of a question and of its right passages, each a column of `schemas.QUESTION_RESULTS`.

    `relevant` names, for each right unit, the passage that shares most words with the question; `language` and
    `section` are those of the first.
    """

    relevant: tuple[str, ...] = ()
    language: str = ""
    section: str = ""
    n_words: int = 0
    lexical_overlap: float = 0.0


def lexical_overlap(query: str, passage_stems: Iterable[str]) -> float:
    """Share of the query's content words, endings aside, that a passage has (0 to 1); of all words if it has none."""
    asked = stems(query) or frozenset(normalise(query).split())
    return len(asked.intersection(passage_stems)) / len(asked) if asked else 0.0


def stems(text: str) -> frozenset[str]:
    """Content words without their endings."""
    return frozenset(map(stem, content_words(text)))


def n_words(query: str) -> int:
    return len(words(query))


def sections(urls: Iterable[str]) -> dict[str, str]:
    """Section of the site for every page: the folder below the one that nearly all of them share.

    On a site under `/docs/en/`, `/docs/en/backup/plans/weekly` is in `/docs/en/backup/`; a page that lies in no such
    folder is in `/docs/en/`.
    """
    paths = {url: tuple(part for part in urlsplit(url).path.split("/") if part) for url in urls}
    folders = {path[:depth] for path in paths.values() for depth in range(len(path))}
    shared = _shared_folder(list(paths.values()))
    return {url: _section(path, shared, folders) for url, path in paths.items()}


def _shared_folder(paths: Sequence[_Path]) -> _Path:
    """The deepest folder that holds nearly all pages; the odd page elsewhere does not count."""
    shared: _Path = ()
    while True:
        below = Counter(path[: len(shared) + 1] for path in paths if len(path) > len(shared) + 1)
        deeper, n = next(iter(below.most_common(1)), ((), 0))
        if not below or n < _NEARLY_ALL * len(paths) or deeper[: len(shared)] != shared:
            return shared
        shared = deeper


def _section(path: _Path, shared: _Path, folders: Container[_Path]) -> str:
    depth = len(shared) + 1 if path[: len(shared)] == shared else 1
    folder = path[:depth] if path[:depth] in folders else path[: depth - 1]
    return "/".join(("", *folder, ""))
