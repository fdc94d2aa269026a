"""Gold questions: written by people, only ever evaluated on.

A YAML list or JSON Lines file of `question`, `expected_urls`, and optionally `anchor`, `text` and `answer`. A question
without `expected_urls` is asked in every report, but cannot be scored. Several entries of one question are one, with
the pages of all. An entry that cannot be used is left out, counted and named; other keys, such as an id, are passed
over, and named too.
"""

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from acronis_pipeline.core.errors import DatasetError
from acronis_pipeline.core.files import MalformedError, json_lines, parse_yaml, read_text
from acronis_pipeline.core.hashing import digest
from acronis_pipeline.core.text import normal_form
from acronis_pipeline.crawl.lookup import Addresses
from acronis_pipeline.pairs.words import normalise
from acronis_pipeline.store import Store, WriteResult, tables

CUSTOMER_QUESTIONS = (
    "How quickly can the software restore data during a crisis?",
    "What is the service's recovery point objective (RPO)?",
    "Is there a trial period?",
    "Does the software offer versioning support, i.e. can it keep multiple versions of the same file?",
)
"""What customers asked first. Every site is asked them; they are scored where a gold file says where the answer is."""
_NAMED = 3
"""Entries that cannot be used and are shown."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class GoldQuestion:
    """A question and the pages that answer it.

    `anchor` (a heading's id) or `text` (a phrase) narrows the answer to a part of the page.
    """

    question_id: str
    question: str
    expected_urls: tuple[str, ...] = ()
    anchor: str | None = None
    text: str | None = None
    answer: str | None = None


class _Entry(BaseModel):
    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)

    question: str = Field(min_length=3)
    expected_urls: list[str] = []
    anchor: str | None = None
    text: str | None = None
    answer: str | None = None

    @field_validator("*", mode="before")
    @classmethod
    def _in_normal_form(cls, value: object) -> object:
        return normal_form(value).strip() if isinstance(value, str) else value

    @field_validator("expected_urls", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        return [value] if isinstance(value, str) and value else value or []


def read_gold_file(path: Path, *, site_url: str) -> tuple[GoldQuestion, ...]:
    """Questions of a `.yaml`, `.yml`, `.jsonl` or `.json` file; relative URLs are resolved against the site.

    A fragment in an expected URL (`/trial/#how-long`) becomes the question's anchor.

    Raises
    ------
    DatasetError
        If the file is not what its format says, or not one of its entries is; names the first and its fault.
    """
    found: dict[str, list[GoldQuestion]] = {}
    unusable: list[str] = []
    passed_over: set[str] = set()
    entries = _parse(path)
    for number, raw in enumerate(entries, start=1):
        try:
            question = _question(raw, site_url)
        except ValueError as error:
            unusable.append(f"entry {number}: {error}")
            continue
        passed_over |= _other_keys(raw)
        found.setdefault(normalise(question.question) or question.question, []).append(question)
    if not found:
        why = unusable[0] if unusable else "no question in it"
        raise DatasetError(f"gold questions {path}, {why}; write a list of question and expected_urls")
    if unusable:
        _log.warning(
            "gold questions %s: %d of %d entries left out: %s", path, len(unusable), len(entries),
            "; ".join(unusable[:_NAMED]) + (" …" if len(unusable) > _NAMED else ""),
        )  # fmt: skip
    if passed_over:
        _log.warning("gold questions %s: keys that are not read: %s", path, ", ".join(sorted(passed_over)))
    return tuple(_merged(path, same) for same in found.values())


def customer_questions() -> tuple[GoldQuestion, ...]:
    """The four customer questions, without expected pages."""
    return tuple(GoldQuestion(_identify(text), text) for text in CUSTOMER_QUESTIONS)


def sync(store: Store, questions: tuple[GoldQuestion, ...]) -> WriteResult:
    """Make the table hold exactly these questions."""
    rows = [asdict(question) | {"expected_urls": list(question.expected_urls)} for question in questions]
    return store.sync(tables.GOLD_QUESTIONS, tables.GOLD_QUESTIONS.rows(rows))


def load(store: Store) -> tuple[GoldQuestion, ...]:
    """The questions last written to the table, in a fixed order."""
    rows = store.read(tables.GOLD_QUESTIONS).to_pylist()
    questions = (GoldQuestion(**row | {"expected_urls": tuple(row["expected_urls"] or ())}) for row in rows)
    return tuple(sorted(questions, key=lambda question: question.question_id))


def located(questions: Iterable[GoldQuestion], addresses: Addresses) -> tuple[GoldQuestion, ...]:
    """The questions with the addresses of the pages that are meant; an address that is no page's stays as written."""
    return tuple(
        replace(
            question, expected_urls=tuple(dict.fromkeys(addresses.page(url) or url for url in question.expected_urls))
        )
        for question in questions
    )


def data_version(questions: tuple[GoldQuestion, ...]) -> str:
    """Digest of everything that scoring depends on."""
    return digest(*sorted(json.dumps(asdict(question), sort_keys=True) for question in questions))


def _merged(path: Path, same: list[GoldQuestion]) -> GoldQuestion:
    """One question with the pages of all its entries.

    What narrows the answer on one entry's pages would rule out another's: it stays where they agree, or where all name
    the same pages.
    """
    first, *others = same
    if not others:
        return first
    _log.warning("gold questions %s: %r stands there %d times: merged", path, first.question, len(same))
    pages = {frozenset(one.expected_urls) for one in same}
    narrowings = {(one.anchor, one.text) for one in same}
    if len(pages) == 1:
        narrowings -= {(None, None)}
    anchor, text = narrowings.pop() if len(narrowings) == 1 else (None, None)
    return replace(
        first,
        expected_urls=tuple(dict.fromkeys(url for one in same for url in one.expected_urls)),
        anchor=anchor,
        text=text,
        answer=next((one.answer for one in same if one.answer), None),
    )


def _parse(path: Path) -> list[Any]:
    remedy = "name a YAML or JSON Lines file of questions, in UTF-8"
    text = read_text(path, DatasetError, remedy)
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        lines: list[Any] = []
        for value, _ in json_lines(path, text, lambda where, problem: lines.append(MalformedError(problem))):
            lines.append(value)
        return lines
    try:
        parsed = parse_yaml(text)  # YAML reads JSON too
    except MalformedError as error:
        place = f" (line {error.line})" if error.line else ""
        raise DatasetError(f"gold questions {path}: {error}{place}; {remedy}") from error
    if isinstance(parsed, dict) and isinstance(parsed.get("questions"), list):
        return parsed["questions"]
    if not isinstance(parsed, list):
        raise DatasetError(f"gold questions {path}: expected a list of questions, found {type(parsed).__name__}")
    return parsed


def _question(raw: object, site_url: str) -> GoldQuestion:
    """Raises a ValueError that says what is wrong with the entry."""
    if isinstance(raw, MalformedError):
        raise raw
    other = _other_keys(raw)
    if other and isinstance(raw, Mapping) and "expected_urls" not in raw:
        raise ValueError(f"{', '.join(sorted(other))}: not a key that is read, and there is no expected_urls")
    try:
        entry = _Entry.model_validate(raw)
        pages = [urldefrag(urljoin(site_url, url)) for url in entry.expected_urls if url.strip()]
    except ValidationError as error:
        problem = error.errors()[0]
        field = ".".join(str(part) for part in problem["loc"]) or "entry"
        raise ValueError(f"{field}: {problem['msg']}") from error
    # What stands behind ":~:" is for browsers, which mark it.
    fragments = {anchor for page in pages if (anchor := unquote(page.fragment.partition(":~:")[0]))}
    return GoldQuestion(
        _identify(entry.question),
        entry.question,
        tuple(dict.fromkeys(page.url for page in pages)),
        entry.anchor or (fragments.pop() if len(pages) == len(fragments) == 1 else None),
        entry.text,
        entry.answer,
    )


def _other_keys(raw: object) -> set[str]:
    return {str(key) for key in raw if key not in _Entry.model_fields} if isinstance(raw, Mapping) else set()


def _identify(text: str) -> str:
    return digest(" ".join(text.lower().split()))[:16]
