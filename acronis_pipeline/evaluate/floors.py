"""Below which similarity a question has no answer, for every model that is compared; learned on validation alone."""

import logging
from collections.abc import Sequence

from acronis_pipeline.evaluate.arena import Arena, Rankings
from acronis_pipeline.evaluate.questions import Corpus, EvalQuestion
from acronis_pipeline.retrieve.floor import learn_floor

_log = logging.getLogger(__name__)


def floors(
    validation: Arena, rankings: Rankings, questions: Sequence[EvalQuestion], corpus: Corpus
) -> dict[str, float]:
    """Smallest cosine at which to answer, by passages table; none where there are too few questions to tell.

    `rankings` are of `questions`, in their order.
    """
    hidden = [_pages(question, corpus) for question in questions]
    learned: dict[str, float] = {}
    for table, arm in validation.arms.items():
        floor = learn_floor(rankings.batch(arm), hidden)
        if floor is None:
            continue
        learned[table] = floor.min_similarity
        _log.info(
            "%s: no answer below cosine %.3f: refuses %.1f %% of %d questions, %.1f %% with their pages hidden",
            *(table, floor.min_similarity, 100 * floor.refused, floor.n, 100 * floor.refused_hidden),
        )
    return learned


def _pages(question: EvalQuestion, corpus: Corpus) -> set[str]:
    """Every passage of the pages that answer a question, and their near-duplicates."""
    urls = {corpus.page_of[chunk_id] for chunk_id in question.relevant}
    return {chunk_id for url in urls for chunk_id in corpus.answering(url, None, None)}
