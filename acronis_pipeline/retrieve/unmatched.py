"""Why no passage meets a filter, and what would: said to a user who would otherwise believe that content is missing."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

from acronis_pipeline.retrieve.filters import Filters

_SHOWN = 8


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
    # Without a limit LanceDB answers 10 rows.
    query = table.search().select([column]).limit(max(1, table.count_rows()))
    return query.to_arrow().column(column).to_pylist()


def _most_common(names: Iterable[str]) -> str:
    """`en (130), de (2), …`."""
    counts = sorted(Counter(names).items(), key=lambda named: (-named[1], named[0]))
    shown = [f"{name} ({n})" for name, n in counts[:_SHOWN]]
    return ", ".join([*shown, *(["…"] if len(counts) > _SHOWN else [])])
