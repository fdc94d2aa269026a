"""Narrowing a search by metadata, before passages are ranked: k of them come wherever k match."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from acronis_pipeline.crawl.judge.urls import canonical
from acronis_pipeline.errors import SettingsError
from acronis_pipeline.store import quoted

_LANGUAGE = re.compile(r"[a-z]{2,8}([-_][a-z0-9]{1,8})*", re.IGNORECASE)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_HOST = "http://any.host"


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
