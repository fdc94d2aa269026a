"""Questions and answers that a page offers to search engines only (schema.org FAQPage in JSON-LD)."""

import json
import logging
import re
from collections.abc import Iterator, Sequence
from typing import Any

from selectolax.lexbor import LexborHTMLParser

from acronis_pipeline.content.markdown import Heading, plain_text, to_markdown
from acronis_pipeline.content.restructure import flattened

_log = logging.getLogger(__name__)
_VISIBLE_SHARE = 0.5
"""Share of an answer's words that must stand in the page for the answer to count as visible."""


def entries(tree: LexborHTMLParser) -> list[tuple[str, str]]:
    """(question, answer as Markdown) of every FAQPage on the page; malformed JSON-LD is left out."""
    found: dict[str, str] = {}
    for script in tree.css('script[type="application/ld+json" i]'):
        try:
            data = json.loads(script.text(), strict=False)
            questions = list(_questions(data))
        except (json.JSONDecodeError, RecursionError) as error:
            _log.debug("JSON-LD left out: %s", error)
            continue
        for question in questions:
            name = plain_text(to_markdown(_as_text(question.get("name"))))
            answer = to_markdown(flattened(_as_text(_answer(question)))).strip()
            if name and answer:
                found.setdefault(name, answer)
    return list(found.items())


def append_invisible(
    markdown: str, headings: tuple[Heading, ...], questions: Sequence[tuple[str, str]]
) -> tuple[str, tuple[Heading, ...]]:
    """Add, as sections at the end, the questions whose answers cannot be read in the page itself."""
    if not questions:
        return markdown, headings
    visible_text, visible_words = " ".join(_words(markdown)), set(_words(markdown))
    extra = [
        (question, answer)
        for question, answer in questions
        if " ".join(_words(question)) not in visible_text or not _mostly_in(answer, visible_words)
    ]
    sections = [markdown, *(f"## {question}\n\n{answer}" for question, answer in extra)]
    return "\n\n".join(sections), headings + tuple(Heading(2, question, None) for question, _ in extra)


def _questions(data: Any) -> Iterator[dict[str, Any]]:
    if isinstance(data, list):
        for item in data:
            yield from _questions(item)
    elif isinstance(data, dict):
        kinds = data.get("@type")
        if "FAQPage" in (kinds if isinstance(kinds, list) else [kinds]):
            asked = data.get("mainEntity") or []
            yield from (q for q in (asked if isinstance(asked, list) else [asked]) if isinstance(q, dict))
        else:
            yield from _questions(data.get("@graph"))


def _answer(question: dict[str, Any]) -> Any:
    answer = question.get("acceptedAnswer") or question.get("suggestedAnswer")
    if isinstance(answer, list):
        answer = answer[0] if answer else None
    return answer.get("text") if isinstance(answer, dict) else answer


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def _mostly_in(answer: str, visible: set[str]) -> bool:
    words = set(_words(answer))
    return len(words & visible) >= _VISIBLE_SHARE * len(words)
