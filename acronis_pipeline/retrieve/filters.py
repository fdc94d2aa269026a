"""Narrowing a search by metadata, before passages are ranked: k of them come wherever k match.

Where none does, the first filter that nothing meets is named, with what would: a user would otherwise believe that
content is missing.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from acronis_pipeline.core.errors import SettingsError
from acronis_pipeline.crawl.fetching.urls import canonical
from acronis_pipeline.crawl.lookup import Addresses
from acronis_pipeline.index.rows import every_row
from acronis_pipeline.store import quoted

_LANGUAGE = re.compile(r"[a-z]{2,8}([-_][a-z0-9]{1,8})*", re.IGNORECASE)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_HOST = "http://any.host"
_SHOWN = 8
"""Names of folders or languages in an explanation."""


@dataclass(frozen=True)
class Filters:
    """A passage must meet every condition that is not empty.

    Parameters
    ----------
    paths
        Its URL's path begins with one of these (`/docs/`), or the URL itself (`https://docs.example.com/v2/`, which
        an index on the URL answers).
    languages
        Its page is in one of these: `en` stands for `en-GB` as well.
    edition_paths
        As `paths`: where the wanted product editions are documented.
    """

    paths: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    edition_paths: tuple[str, ...] = ()

    @classmethod
    def named(
        cls,
        paths: Iterable[str] = (),
        languages: Iterable[str] = (),
        editions: Iterable[str] = (),
        *,
        known_editions: Mapping[str, Sequence[str]] | None = None,
    ) -> "Filters":
        """Filters as users name them.

        Parameters
        ----------
        editions
            Names of product editions, of which one must match.
        known_editions
            The path prefixes of each edition (the setting `retrieval.editions`).

        Raises
        ------
        SettingsError
            If an edition is unknown, a path is empty, or a language is no language tag.
        """
        known = known_editions or {}
        languages, editions = tuple(languages), tuple(editions)
        for edition in editions:
            if edition not in known:
                names = ", ".join(sorted(known)) or "none; name some in the setting retrieval.editions"
                raise SettingsError(f"unknown product edition {edition!r}; known: {names}")
        for language in languages:
            if not _LANGUAGE.fullmatch(language):
                raise SettingsError(f"{language!r} is no language; name one like en or pt-BR")
        edition_paths = (path for edition in editions for path in known[edition])
        return cls(tuple(map(_prefix, paths)), languages, tuple(map(_prefix, edition_paths)))

    def located(self, addresses: Addresses) -> "Filters":
        """With paths as pages have them: one that begins no page's address but is another spelling of one is that."""
        return replace(
            self,
            paths=tuple(map(addresses.beginning, self.paths)),
            edition_paths=tuple(map(addresses.beginning, self.edition_paths)),
        )

    def sql(self) -> str | None:
        """The condition, as LanceDB's `where` takes it; None if there is none."""
        conditions = [_below(self.paths), _below(self.edition_paths), _in_languages(self.languages)]
        return " AND ".join(f"({condition})" for condition in conditions if condition) or None


def _prefix(path: str) -> str:
    """As indexed addresses are spelt."""
    path = path.strip()
    if not path:
        raise SettingsError("an empty path filters nothing; name the beginning of one, such as /docs/")
    if _SCHEME.match(path):
        return canonical(path) or path
    path = path if path.startswith("/") else f"/{path}"
    return (canonical(_HOST + path) or _HOST + path).removeprefix(_HOST)


def _below(prefixes: Sequence[str]) -> str:
    """Not by LIKE, in which `_` and `%`, common in addresses, are wildcards."""
    addresses = [f"starts_with(url, {quoted(prefix)})" for prefix in prefixes if _SCHEME.match(prefix)]
    paths = [prefix for prefix in prefixes if not _SCHEME.match(prefix)]
    if paths:
        addresses.append(f"regexp_like(url, {quoted(f'^[^:]+://[^/]*({_any(paths)})')})")
    return " OR ".join(addresses)


def _in_languages(languages: Sequence[str]) -> str:
    tags = _any([language.lower().replace("_", "-") for language in languages])
    return f"regexp_like(lower(language), {quoted(f'^({tags})([-_]|$)')})" if tags else ""


def _any(texts: Sequence[str]) -> str:
    """Regular expression of any of these texts."""
    return "|".join(re.escape(text) for text in texts)


def explain(table: Any, where: Filters) -> str | None:
    """The first condition that no passage of a LanceDB table meets, and what it has instead; None if one meets all."""
    if not _none(table, where):
        return None
    if _none(table, Filters(paths=where.paths)):
        return f"no page is below {_or(where.paths)}; the index has pages below {_beginnings(table, where.paths)}"
    if _none(table, Filters(edition_paths=where.edition_paths)):
        return (
            f"no page is below {_or(where.edition_paths)}, where retrieval.editions says that the edition is "
            f"documented; the index has pages below {_beginnings(table, where.edition_paths)}"
        )
    if _none(table, Filters(languages=where.languages)):
        return f"no page is in language {_or(where.languages)}; the index has pages in {_languages(table)}"
    parts = {"below": where.paths, "of an edition below": where.edition_paths, "in language": where.languages}
    asked = " and ".join(f"{how} {_or(names)}" for how, names in parts.items() if names)
    return f"no page is {asked} at once, though each alone is met; drop one of the filters"


def _none(table: Any, where: Filters) -> bool:
    return table.count_rows(where.sql()) == 0


def _or(names: Sequence[str]) -> str:
    return " or ".join(names)


def _beginnings(table: Any, asked: Sequence[str]) -> str:
    """First folders of the pages' paths, those of most pages first; with the host if one was asked for."""
    pages = map(urlsplit, set(_values(table, "url")))
    with_host = any("://" in prefix for prefix in asked)
    return _most_common(
        (f"{page.scheme}://{page.netloc}" if with_host else "") + _first_folder(page.path) for page in pages
    )


def _first_folder(path: str) -> str:
    first, separator, _ = path.removeprefix("/").partition("/")
    return f"/{first}/" if separator else "/"


def _languages(table: Any) -> str:
    language_of = dict(zip(_values(table, "url"), _values(table, "language"), strict=True))
    return _most_common(language or "no known language" for language in language_of.values())


def _values(table: Any, column: str) -> list[Any]:
    return every_row(table, [column]).column(column).to_pylist()


def _most_common(names: Iterable[str]) -> str:
    """`en (130), de (2), …`."""
    counts = sorted(Counter(names).items(), key=lambda named: (-named[1], named[0]))
    shown = [f"{name} ({n})" for name, n in counts[:_SHOWN]]
    return ", ".join([*shown, *(["…"] if len(counts) > _SHOWN else [])])
