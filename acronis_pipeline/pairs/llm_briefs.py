"""What kind of query is asked for: style, person, words, and in two steps also task, lengths, clarity, difficulty.

Every choice is made by the hash of the passage, so a second run asks the same; shares hold over the corpus and, as far
as they can, within each passage.
"""

from bisect import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeVar

from acronis_pipeline.fingerprint import digest
from acronis_pipeline.pairs.generator import Chunk
from acronis_pipeline.settings import LlmSettings

PARAPHRASE = "paraphrase"

PERSONAS = (
    "an administrator of a small company who looks after everything with a plug",
    "a technician of a service provider with many customers and little time",
    "someone at home who knows little about computers",
    "a security officer who must prove that requirements are met",
    "a buyer who compares products",
    "a support agent with a customer on the phone",
    "a developer who wants to automate things",
)
"""Who asks, unless `llm.personas` names others."""

_TWO_STEP_LENGTHS = {
    "short-long": ("fewer than 6 words", "6 to 12 words"),
    "short-short": ("fewer than 6 words", "6 to 12 words"),
    "long-long": ("20 to 35 words",),
    "long-short": ("20 to 35 words",),
    PARAPHRASE: ("10 to 30 words",),
}
# After table 7 and following of arXiv 2401.00368, fitted to a product's customers.
_FREQUENCIES = ("extremely long-tail", "long-tail", "common")
_CLARITIES = ("clear", "clear", "understandable with some effort")
_DIFFICULTIES = ("no prior knowledge", "some experience with such products", "expert knowledge")

Key = TypeVar("Key", bound=str)


@dataclass(frozen=True)
class Brief:
    """One query that is asked for. The fields of the second group are those of two steps."""

    style: str
    persona: str
    other_words: bool
    language: str | None

    kind: str | None = None
    task: str | None = None
    length: str | None = None
    frequency: str | None = None
    clarity: str | None = None
    difficulty: str | None = None


def of_passage(chunk: Chunk, settings: LlmSettings, tasks: Mapping[str, Sequence[str]] | None) -> list[Brief]:
    """The queries to ask for about one passage: `questions_per_chunk` of them, always the same.

    Parameters
    ----------
    tasks
        Retrieval tasks by kind of lengths, for two steps; None for one step.
    """
    n, passage = settings.questions_per_chunk, chunk.passage
    styles = spread(settings.styles, n, passage, "style")
    wording = {"other": settings.other_words_share, "own": 1 - settings.other_words_share}
    words = spread(wording, n, passage, "words")
    personas = _dealt(settings.personas or PERSONAS, n, passage, "persona")
    languages = _dealt(settings.languages or (None,), n, passage, "language")
    briefs = [
        Brief(style, persona, word == "other", language)
        for style, persona, word, language in zip(styles, personas, words, languages, strict=True)
    ]
    return briefs if tasks is None else _with_tasks(briefs, chunk, settings, tasks)


def _with_tasks(
    briefs: list[Brief], chunk: Chunk, settings: LlmSettings, tasks: Mapping[str, Sequence[str]]
) -> list[Brief]:
    n, passage = len(briefs), chunk.passage
    kinds = spread(settings.tasks, n, passage, "kind")
    frequencies = _dealt(_FREQUENCIES, n, passage, "frequency")
    clarities = _dealt(_CLARITIES, n, passage, "clarity")
    difficulties = _dealt(_DIFFICULTIES, n, passage, "difficulty")
    made = []
    for index, (brief, kind) in enumerate(zip(briefs, kinds, strict=True)):
        where = f"{kind} {index}"
        # Keywords are short by nature; a long text in their place is a question.
        style = "question" if brief.style == "keyword" and kind.startswith("long") else brief.style
        made.append(
            Brief(
                style=PARAPHRASE if kind == PARAPHRASE else style,
                persona=brief.persona,
                other_words=brief.other_words or kind == PARAPHRASE,
                language=brief.language,
                kind=kind,
                task=_dealt(tasks[kind], 1, passage, where)[0] if tasks.get(kind) else None,
                length=_dealt(_TWO_STEP_LENGTHS[kind], 1, passage, where)[0],
                frequency=frequencies[index],
                clarity=clarities[index],
                difficulty=difficulties[index],
            )
        )
    return made


def spread(shares: Mapping[Key, float], n: int, *parts: str) -> list[Key]:
    """`n` names in the proportion of their shares, in an order that the hash of `parts` decides.

    Systematic sampling: every `n`-th part of the shares is met once, so a passage gets different names where it can and
    over many passages each name has its share.
    """
    names = [name for name, share in shares.items() if share > 0]
    bounds = list(accumulate(shares[name] for name in names))
    offset = _unit(*parts)
    drawn = [names[min(bisect(bounds, bounds[-1] * (index + offset) / n), len(names) - 1)] for index in range(n)]
    return [drawn[index] for index in _order(n, *parts, "order")]


_Thing = TypeVar("_Thing")


def _dealt(things: Sequence[_Thing], n: int, *parts: str) -> list[_Thing]:
    """`n` of the things, different ones as far as they go, as the hash of `parts` decides."""
    order = _order(len(things), *parts)
    return [things[order[index % len(order)]] for index in range(n)]


def _order(n: int, *parts: str) -> list[int]:
    return sorted(range(n), key=lambda index: digest(*parts, str(index)))


def _unit(*parts: str) -> float:
    """A number in [0, 1)."""
    return int(digest(*parts)[:13], 16) / 16**13
