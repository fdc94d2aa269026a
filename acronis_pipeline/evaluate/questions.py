"""What is asked in an evaluation, which retrieved passages count as right, and what else is known of a question.

Synthetic questions are judged by near-duplicate cluster, human ones by page: whoever writes a gold question names the
page that answers it, not a passage that the chunker may cut otherwise tomorrow. Reports are cut into slices by a
question's traits.
"""

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Literal
from urllib.parse import urlsplit

import pyarrow as pa

from acronis_pipeline.core.dataset import Question
from acronis_pipeline.core.text import one_line
from acronis_pipeline.crawl.fetching.urls import canonical
from acronis_pipeline.pairs.gold import GoldQuestion
from acronis_pipeline.pairs.words import CUSTOMERS_LACK, content_words, normalise, stem, thinned, words

_NEARLY_ALL = 0.9
_Path = tuple[str, ...]


@dataclass(frozen=True)
class Traits:
    """Traits of a question and of its right passages, each a column of `tables.QUESTION_RESULTS`.

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


QuestionSet = Literal["synthetic", "human"]


@dataclass(frozen=True)
class EvalQuestion:
    """A question with the passages that answer it.

    `relevant` maps the chunk_id of every right passage to the unit it counts for; `group` names what makes questions
    dependent, normally the page.
    """

    question_id: str
    query: str
    question_set: QuestionSet
    style: str
    group: str
    relevant: Mapping[str, str]
    traits: Traits = field(default_factory=Traits)


@dataclass(frozen=True)
class GoldSet:
    """The human questions of an evaluation.

    `unanswerable` names those that no indexed passage can answer, with the reason (a page that was not crawled);
    `unscored` those for which nobody said which page answers them. Neither enters an average, and neither is lost.
    `partly_answerable` are scored on the expected pages that there are, and named with those that are missing.
    """

    questions: tuple[EvalQuestion, ...] = ()
    unanswerable: tuple[str, ...] = ()
    unscored: tuple[str, ...] = ()
    partly_answerable: tuple[str, ...] = ()


class Corpus:
    """Which page and which near-duplicate cluster every indexed passage belongs to.

    Parameters
    ----------
    rows
        Columns chunk_id, url, anchor, text, passage, cluster_id, language.
    """

    def __init__(self, rows: pa.Table) -> None:
        self._rows = {row["chunk_id"]: row for row in rows.to_pylist()}
        self.cluster_of: dict[str, str] = {key: row["cluster_id"] for key, row in self._rows.items()}
        self.page_of: dict[str, str] = {key: row["url"] for key, row in self._rows.items()}
        self._members: defaultdict[str, list[str]] = defaultdict(list)
        self._on_page: defaultdict[str, list[str]] = defaultdict(list)
        for chunk_id in self._rows:
            self._members[self.cluster_of[chunk_id]].append(chunk_id)
            self._on_page[self.page_of[chunk_id]].append(chunk_id)
        self._stems = cache(lambda chunk_id: stems(self._rows[chunk_id]["passage"]))

    @property
    def urls(self) -> Iterable[str]:
        return self._on_page.keys()

    def members(self, clusters: Iterable[str]) -> set[str]:
        """Every passage of the given near-duplicate clusters."""
        return {chunk_id for cluster in clusters for chunk_id in self._members[cluster]}

    def answering(self, url: str, anchor: str | None, text: str | None) -> set[str]:
        """Passages of a page, narrowed to a heading's anchor and a wording where given, and their near-duplicates."""
        wording = _squeezed(text or "")
        found = (self._rows[chunk_id] for chunk_id in self._on_page.get(url, ()))
        right = {
            row["cluster_id"]
            for row in found
            if (not anchor or row["anchor"] == anchor.lstrip("#")) and wording in _squeezed(row["text"])
        }
        return self.members(right)

    def traits(self, query: str, relevant: Mapping[str, str]) -> Traits:
        """Traits of a question; `relevant` as in `EvalQuestion`."""
        best: dict[str, tuple[float, str]] = {}
        for chunk_id, unit in sorted(relevant.items()):
            overlap = lexical_overlap(query, self._stems(chunk_id))
            if unit not in best or overlap > best[unit][0]:
                best[unit] = overlap, chunk_id
        ranked = sorted(best.values(), key=lambda found: -found[0])
        if not ranked:
            return Traits(n_words=n_words(query))
        overlap, chunk_id = ranked[0]
        return Traits(
            relevant=tuple(chunk_id for _, chunk_id in ranked),
            language=self._rows[chunk_id]["language"] or "",
            section=self._sections[self.page_of[chunk_id]],
            n_words=n_words(query),
            lexical_overlap=overlap,
        )

    @cached_property
    def _sections(self) -> dict[str, str]:
        return sections(self._on_page)

    def units(self, question_set: QuestionSet) -> dict[str, str]:
        """The unit that a passage counts for when it is not a right answer."""
        return self.cluster_of if question_set == "synthetic" else self.page_of


def from_pairs(questions: Sequence[Question], corpus: Corpus) -> tuple[EvalQuestion, ...]:
    """Synthetic questions; right is every passage of the clusters that hold a gold passage.

    Questions whose gold passages are not indexed keep an empty `relevant` and score zero, as they must.
    """
    asked: list[EvalQuestion] = []
    for question in questions:
        clusters = {corpus.cluster_of[chunk_id] for chunk_id in question.chunk_ids if chunk_id in corpus.cluster_of}
        relevant = {key: corpus.cluster_of[key] for key in corpus.members(clusters)}
        traits = corpus.traits(question.query, relevant)
        asked.append(
            EvalQuestion(
                question.question_id, question.query, "synthetic", question.style, question.group, relevant, traits
            )
        )
    return tuple(asked)


def from_gold(questions: Sequence[GoldQuestion], corpus: Corpus) -> GoldSet:
    """Human questions; right is every passage on an expected page, or with a near-duplicate there.

    Their addresses are those of pages already (`pairs.gold.located`), or no page's.
    """
    asked: list[EvalQuestion] = []
    unanswerable: list[str] = []
    partly_answerable: list[str] = []
    unscored: list[str] = []
    for question in questions:
        if not question.expected_urls:
            unscored.append(question.question)
            continue
        pages = {url: canonical(url) or url for url in question.expected_urls}  # as they are indexed
        right = {url: corpus.answering(page, question.anchor, question.text) for url, page in pages.items()}
        missing = [_why_missing(url, page, corpus) for url, page in pages.items() if not right[url]]
        if len(missing) == len(pages):
            unanswerable.append(f"{question.question} ({'; '.join(missing)})")
            continue
        if missing:
            partly_answerable.append(f"{question.question} ({'; '.join(missing)})")
        relevant, group = _unit_of_each(right), min(pages.values())
        traits = corpus.traits(question.question, relevant)
        asked.append(EvalQuestion(question.question_id, question.question, "human", "human", group, relevant, traits))
    return GoldSet(tuple(asked), tuple(unanswerable), tuple(unscored), tuple(partly_answerable))


def ranked_units(
    ranking: Iterable[str], question: EvalQuestion, units: Mapping[str, str], limit: int | None = None
) -> dict[str, str]:
    """The first `limit` units of a ranking, best first, each with the passage that stands for it (its first).

    `units` gives the unit of passages that are not right (see `Corpus.units`).
    """
    found: dict[str, str] = {}
    for chunk_id in ranking:
        found.setdefault(question.relevant.get(chunk_id) or units[chunk_id], chunk_id)
        if len(found) == limit:
            break
    return found


def _unit_of_each(right: Mapping[str, set[str]]) -> dict[str, str]:
    """Unit of each right passage: its expected page, or, where one passage answers for several, those pages as one.

    Editions of one page are often expected together; a single passage must then be able to earn the full score.
    """
    unit_of: dict[str, str] = {}
    for url, chunk_ids in sorted(right.items()):
        known = {unit_of[chunk_id] for chunk_id in chunk_ids if chunk_id in unit_of}
        unit = min(known, default=f"expected {url}")
        unit_of = {chunk_id: unit if other in known else other for chunk_id, other in unit_of.items()}
        unit_of.update(dict.fromkeys(sorted(chunk_ids), unit))
    return unit_of


def _why_missing(url: str, page: str, corpus: Corpus) -> str:
    return f"{url} has no passage with this anchor or text" if page in corpus.urls else f"{url} was not crawled"


def _squeezed(text: str) -> str:
    return one_line(text).casefold()


def as_customers_would(query: str, share: float = CUSTOMERS_LACK) -> str:
    """The query without `share` of its content words, the same ones every time; a single one is kept.

    Fusion weights and systems chosen on questions made from the passage would lean on words that customers do not use,
    so on validation BM25 sees each structural question thinned like this. The encoder, which also knows synonyms, sees
    it whole.
    """
    return thinned(query, share)
