"""Answers without an LLM: the retrieved sentences closest to the question, quoted and cited."""

from collections.abc import Sequence

import numpy as np

from acronis_pipeline.encoders import Encoder
from acronis_pipeline.pairs.sentences import TableRow, parse, sentences
from acronis_pipeline.pairs.words import content_words
from acronis_pipeline.retrieve import Hit

_WINDOW = 2
_PASSAGES = 2
_MIN_WORDS = 2
# A sentence of the best passage wins over an equally similar one further down; the cost of a rank was chosen by eye.
_RANK_COST = 0.02
_HEADING_SHARE = 0.5


def quote(question: str, hits: Sequence[Hit], encoder: Encoder | None) -> list[tuple[str, Hit]]:
    """The part of each of the two best passages that best answers the question, with the passage it stands in.

    A part is two sentences that follow one another: single sentences lose what "it" and "yes" refer to. Parts are
    scored by the cosine of the question with the part and with the heading above it, since a heading that asks the
    same question is the surest sign of its answer. Shared words stand in for the cosine where there is no encoder. A
    question without a letter or a digit has no answer.
    """
    candidates = [(window, hit) for hit in hits for window in _windows(quotable(hit.text))]
    if not candidates or not any(character.isalnum() for character in question):
        return []
    similar = _cosines if encoder else _shared_words
    texts = [" > ".join((hit.title, *hit.heading_path)) + f": {window}" for window, hit in candidates]
    headings = [_heading(hit) for _, hit in candidates]
    similarity = similar(encoder, question, texts) + _HEADING_SHARE * similar(encoder, question, headings)
    scores = similarity - _RANK_COST * np.array([hit.rank - 1 for _, hit in candidates])
    best: dict[str, tuple[str, Hit]] = {}
    for index in np.argsort(-scores, kind="stable"):
        window, hit = candidates[index]
        best.setdefault(hit.chunk_id, (_in_context(window, hit), hit))
    return list(best.values())[:_PASSAGES]


def _heading(hit: Hit) -> str:
    return hit.heading_path[-1] if hit.heading_path else hit.title


def _in_context(window: str, hit: Hit) -> str:
    """A quotation below a question is shown with it: "Yes" answers that question, perhaps not the customer's."""
    return f"{_heading(hit)} {window}" if _heading(hit).endswith("?") else window


def _windows(found: Sequence[str]) -> list[str]:
    starts = range(max(1, len(found) - _WINDOW + 1)) if found else ()
    return [" ".join(found[start : start + _WINDOW]) for start in starts]


def quotable(markdown: str) -> list[str]:
    """Sentences, list items and table rows of a passage as plain text; headings and code are left out."""
    parts = parse(markdown)
    found = [sentence for block in parts.blocks if block.kind != "heading" for sentence in sentences(block)]
    found += [_row(row) for row in parts.rows]
    return [sentence for sentence in found if len(sentence.split()) >= _MIN_WORDS]


def _row(row: TableRow) -> str:
    """`first cell: header value, header value`."""
    values = (f"{name} {value}".strip() for name, value in zip(row.header[1:], row.cells[1:], strict=False) if value)
    return f"{row.cells[0]}: {', '.join(values)}" if row.cells else ""


def _cosines(encoder: Encoder | None, question: str, texts: Sequence[str]) -> np.ndarray:
    assert encoder is not None
    return (encoder.encode_passages(texts) @ encoder.encode_queries([question]).T)[:, 0]


def _shared_words(_: Encoder | None, question: str, texts: Sequence[str]) -> np.ndarray:
    wanted = set(content_words(question))
    return np.array([len(wanted & set(content_words(text))) / max(1, len(wanted)) for text in texts])
