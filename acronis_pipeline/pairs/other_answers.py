"""Passages besides its own that answer a question: where they are not gold, whoever finds them is marked down."""

from collections.abc import Mapping, Sequence

from acronis_pipeline.pairs.generator import Candidate, Chunk
from acronis_pipeline.pairs.sentences import pieces
from acronis_pipeline.pairs.site_words import SiteWords, asks_for_a_heading
from acronis_pipeline.pairs.words import content_words, stem, words

_ENOUGH_WORDS = 3
"""Fewer content words meet in a sentence without its answering anything."""


def said_elsewhere(
    candidate: Candidate, chunks: Mapping[str, Chunk], clusters: Mapping[str, Sequence[str]], site: SiteWords
) -> tuple[str, ...]:
    """Chunks of other near-duplicate clusters with one sentence that has all content words of the question.

    The product's name, which stands everywhere, may be in another sentence of the passage.
    Such a sentence states what a statement that became a question stated. What a heading or definition is about is
    mentioned in many sentences that explain nothing, so those have no other answers. `clusters` are the chunks of every
    near-duplicate cluster, of which one is looked at.
    """
    asked = {name for word in content_words(candidate.query) if not site.is_everywhere(name := stem(word))}
    if candidate.style != "question" or len(asked) < _ENOUGH_WORDS:
        return ()
    if asks_for_a_heading(candidate.query, chunks[candidate.chunk_id]):
        return ()
    own = chunks[candidate.chunk_id].cluster_id
    return tuple(
        clusters[cluster][0]
        for cluster in sorted(site.clusters_with_all(candidate.query) - {own})
        if any(asked <= _stems(sentence) for sentence in pieces(chunks[clusters[cluster][0]].text))
    )


def _stems(sentence: str) -> set[str]:
    return {stem(word) for word in words(sentence.lower())}
