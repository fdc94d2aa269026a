"""How similar the best passage must be for a question to have an answer here, learned on validation questions.

The floor keeps out questions that have nothing to do with the site. It does not tell that a question about the product
is answered nowhere: without the page that answers it, its best passage is about as similar (area under the curve .66 on
73 questions by people about the sample site; six other signals reach .59 to .68 there). Shared words tell more on
structural questions, .88, but a floor on them that refuses 5 % of those refuses 96 % of what people ask.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from acronis_pipeline.retrieve.batch import Batch
from acronis_pipeline.retrieve.ranking import Ranking

REFUSED_SHARE = 0.025
"""Of the validation questions. Chosen with these figures in view, so they flatter it somewhat: 2 of 73, 0 of 100 and 2
of 236 questions that people asked about three corpora are refused, and of 25 about anything else 23, 24 and 6 (the last
corpus is general knowledge). At twice the share it is 6 of the 73."""
_MIN_QUESTIONS = 40
"""Fewer say nothing of their lowest fortieth."""


@dataclass(frozen=True)
class Floor:
    """The smallest cosine of question and best passage at which an answer is given, and what it does to `n` questions.

    `refused_hidden` is the share refused when the pages that answer them are hidden.
    """

    min_similarity: float
    n: int
    refused: float
    refused_hidden: float


def learn_floor(batch: Batch, hidden: Sequence[Collection[str]]) -> Floor | None:
    """The floor that refuses `REFUSED_SHARE` of the questions of `batch`; None from fewer than 40 of them.

    Parameters
    ----------
    batch
        Validation questions. Only its dense rankings are used, whatever the system.
    hidden
        For each question the passages without which it has no answer: those of the right pages and their
        near-duplicates. A question with none of them in the table is left out.
    """
    asked = [(ranking, away) for ranking, away in zip(batch.dense_lists, hidden, strict=True) if away]
    if len(asked) < _MIN_QUESTIONS:
        return None
    shown = np.array([_best(ranking, ()) for ranking, _ in asked])
    without = np.array([_best(ranking, away) for ranking, away in asked])
    floor = round(float(np.quantile(shown, REFUSED_SHARE, method="lower")), 3)
    return Floor(floor, len(asked), float(np.mean(shown < floor)), float(np.mean(without < floor)))


def _best(ranking: Ranking, hidden: Collection[str]) -> float:
    """Cosine of the best passage that is not hidden; -1 if there is none."""
    return next((cosine for chunk_id, cosine in ranking if chunk_id not in hidden), -1.0)
