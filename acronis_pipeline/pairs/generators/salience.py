"""Queries from what is distinctive in a chunk against the rest of the corpus: keywords and condensed statements.

Works in any language that puts spaces between its words.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from acronis_pipeline.pairs.english import is_form_of_verb
from acronis_pipeline.pairs.words import STOP_WORDS, words

_ODD = re.compile(r"[\d_/@:+]|\..")
_CLAUSE = re.compile(r"\s*[;:(–—]\s*|,\s+(?=(?:which|so|but|because|where|while|and|or|as)\b)")
_VERBISH = re.compile(r"(?:ly|ing|ed)$")
"""English forms that are seldom typed as keywords; the endings are rare elsewhere."""
_CONTRACTION = re.compile(r"['’](?:t|s|re|ll|ve|d|m)$", re.IGNORECASE)
"""English words that are two: "wouldn't", "that's", "Acme's"."""
_VERBISH_SHARE = 0.5
_COMMON = 0.12
"""A word in more than this share of the pages is one of the site's stop words (in every language)."""

_RARE = 0.05
"""A word in at most this share of the pages names something in particular."""


class TermWeights:
    """Inverse document frequency of words over pages, the corpus's own stop words included."""

    def __init__(self, page_texts: Iterable[str]) -> None:
        self._pages: Counter[str] = Counter()
        self._n_pages = 0
        for text in page_texts:
            self._n_pages += 1
            self._pages.update({word.lower() for word in words(text)})

    def idf(self, word: str) -> float:
        """log((1 + n) / (1 + pages with the word)); 0 for stop words."""
        word = word.lower()
        if word in STOP_WORDS or len(word) < 2:
            return 0.0
        return math.log((1 + self._n_pages) / (1 + self._pages[word])) + 0.1

    def is_rare(self, word: str) -> bool:
        """Whether few pages have the word, so that it says by itself what is meant."""
        return self._pages[word.lower()] <= max(2, _RARE * self._n_pages)

    def is_common(self, word: str) -> bool:
        return self._pages[word.lower()] > max(2, _COMMON * self._n_pages)

    def weight(self, word: str) -> float:
        """Worth of a word in a query: rare is good, but what occurs once, or is half digits, is hardly ever typed."""
        value = self.idf(word)
        if self._pages[word.lower()] <= 1:
            value *= 0.6
        if _ODD.search(word):
            value *= 0.4
        if len(word) > 24:
            value = 0.0
        return value


def keyword_query(context: str, text: str, weights: TermWeights, n_words: int) -> str | None:
    """The `n_words` weightiest words of a chunk, in the order of the text, as people type searches.

    A word of the heading or title (`context`) is among them, so that the query says what it is about.
    """
    order: dict[str, int] = {}
    counts: Counter[str] = Counter()
    for position, word in enumerate(words(f"{context} {text}")):
        order.setdefault(word.lower(), position)
        counts[word.lower()] += 1
    in_context = {word.lower() for word in words(context)}
    scores = {
        word: (1 + math.log(n)) * weights.weight(word) * (_VERBISH_SHARE if _is_verbish(word) else 1)
        for word, n in counts.items()
        if len(word) > 2 and not _CONTRACTION.search(word)
    }
    ranked = sorted((word for word, score in scores.items() if score > 0), key=lambda w: (-scores[w], order[w]))
    anchor = [word for word in ranked if word in in_context][:1]
    chosen: list[str] = list(anchor)
    for word in ranked:
        if len(chosen) >= n_words:
            break
        if not any(_same_stem(word, other) for other in chosen):
            chosen.append(word)
    return " ".join(sorted(chosen, key=order.__getitem__)) if len(chosen) >= 2 else None


def phrase_query(text: str, weights: TermWeights) -> str | None:
    """The weightiest repeated run of two to four words without a stop word, such as "volume snapshot class"."""
    best, best_score = None, 0.0
    counts: Counter[tuple[str, ...]] = Counter()
    for run in _runs(text):
        lowered = [word.lower() for word in run]
        for size in (2, 3, 4):
            counts.update(tuple(lowered[i : i + size]) for i in range(len(lowered) - size + 1))
    for phrase, n in counts.items():
        score = sum(weights.weight(word) for word in phrase) / math.sqrt(len(phrase)) * (1 + math.log(n))
        if n < 2 or len(set(phrase)) < len(phrase) or all(weights.is_common(word) for word in phrase):
            continue
        if score > best_score:
            best, best_score = " ".join(phrase), score
    return best


def claim(sentence: str, weights: TermWeights, max_words: int = 10) -> str | None:
    """A sentence condensed to its most specific words, in order; None where too little is left.

    Long tails go first, then stop words, then the least specific words: near to how a hurried person states what they
    look for, and no verbatim copy.
    """
    core = _CLAUSE.split(sentence)[0]
    kept = [(position, word) for position, word in enumerate(words(core)) if weights.idf(word) > 0]
    if len(kept) > max_words:
        strongest = sorted(kept, key=lambda item: -weights.weight(item[1]))[:max_words]
        kept = sorted(strongest)
    if len(kept) < 4 or not any(not weights.is_common(word) for _, word in kept):
        return None
    return " ".join(word for _, word in kept).lower()


def distinctiveness(sentence: str, weights: TermWeights) -> float:
    """Mean weight of a sentence's words, for choosing among the sentences of a chunk."""
    found = words(sentence)
    return sum(weights.weight(word) for word in found) / math.sqrt(len(found) + 4) if found else 0.0


def _runs(text: str) -> list[Sequence[str]]:
    """Runs of words within a clause that no stop word or verb interrupts."""
    runs: list[Sequence[str]] = []
    for clause in re.split(r"[.,;:!?()\[\]\"“”|\n]+", text):
        run: list[str] = []
        for word in words(clause):
            is_break = word.lower() in STOP_WORDS or is_form_of_verb(word)
            if is_break or _ODD.search(word) or _CONTRACTION.search(word):
                runs.append(run)
                run = []
            else:
                run.append(word)
        runs.append(run)
    return [run for run in runs if len(run) >= 2]


def _is_verbish(word: str) -> bool:
    return bool(_VERBISH.search(word)) or is_form_of_verb(word)


def _same_stem(left: str, right: str) -> bool:
    """Whether two words are forms of one (plural, -ing, -ed): a prefix of five letters and nearly the same length."""
    shortest = min(len(left), len(right))
    return left[:shortest] == right[:shortest] or (shortest >= 6 and left[: shortest - 1] == right[: shortest - 1])
