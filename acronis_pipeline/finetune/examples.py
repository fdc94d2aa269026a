"""A data set as training sees it: unique passages, the questions about them, and which questions meet in a step."""

import itertools
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from acronis_pipeline.core.dataset import Passage, Question, RetrievalDataset, gold_clusters
from acronis_pipeline.core.errors import DatasetError, EmptyCorpusError
from acronis_pipeline.core.hashing import digest, digest_rows

MIN_TRAIN = 8
MIN_VALIDATION = 4

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Questions:
    """Queries with the rows of the passages that answer them.

    `answers[i]` has an entry per gold cluster of question i: the rows of that cluster's passages. `origins[i]` is the
    row of the passage that the question was made from. `negatives[i]` are texts, not of the corpus, that look like an
    answer to it. `removed[i]` is the sentence that it was made from, taken out of its origin in training.
    """

    queries: tuple[str, ...]
    answers: tuple[tuple[tuple[int, ...], ...], ...]
    origins: tuple[int, ...]
    styles: tuple[str, ...]
    negatives: tuple[tuple[str, ...], ...] = ()
    removed: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.queries)

    def relevant(self, question: int) -> tuple[int, ...]:
        """Rows of every passage that answers a question."""
        return tuple(row for cluster in self.answers[question] for row in cluster)

    def negatives_of(self, question: int) -> tuple[str, ...]:
        """Texts that look like an answer to a question and are none."""
        return self.negatives[question] if self.negatives else ()

    def removed_from(self, row: int, questions: Iterable[int]) -> tuple[str, ...]:
        """Sentences to take out of a passage before these questions are asked about it."""
        if not self.removed:
            return ()
        return tuple(self.removed[q] for q in questions if self.origins[q] == row and self.removed[q])

    def within(self, rows: np.ndarray) -> "Questions":
        """The same questions over the corpus `rows`, which must hold every answer's rows."""
        position = {int(row): index for index, row in enumerate(rows)}
        return replace(
            self,
            answers=tuple(tuple(tuple(position[row] for row in c) for c in clusters) for clusters in self.answers),
            origins=tuple(position[row] for row in self.origins),
        )

    def take(self, indices: Sequence[int]) -> "Questions":
        """The questions at `indices`, in that order."""
        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        return Questions(**{name: tuple(column[i] for i in indices) for name, column in columns.items() if column})


@dataclass(frozen=True)
class Examples:
    """Unique passage texts (identical texts are one passage) with the page of each, and the questions of two splits."""

    passages: tuple[str, ...]
    train: Questions
    validation: Questions
    pages: tuple[str, ...] = ()

    @property
    def too_few(self) -> str | None:
        """Why these questions teach nothing, or cannot tell what was learned; None if they do."""
        for split, found, needed in (
            ("training", len(self.train), MIN_TRAIN),
            ("validation", len(self.validation), MIN_VALIDATION),
        ):
            if found < needed:
                return f"{found} {split} questions with an answer in the corpus, {needed} needed"
        if len(set(self.train.answers)) < 2:
            return f"all {len(self.train)} training questions have the same answer"
        return None


def prepare(dataset: RetrievalDataset) -> Examples:
    """Unique passages and resolved questions of a data set that can be trained on.

    Raises
    ------
    EmptyCorpusError
        If there is no passage.
    DatasetError
        If fewer than 8 training or 4 validation questions have an answer in the corpus, or all training questions
        are about the same passage, so that there is nothing to tell apart.
    """
    examples = read(dataset)
    if examples.too_few:
        raise DatasetError(f"fine-tuning: {examples.too_few}; add pages or questions, or use the base model as it is")
    return examples


def read(dataset: RetrievalDataset) -> Examples:
    """As `prepare`, however few questions there are (`Examples.too_few`)."""
    if not dataset.passages:
        raise EmptyCorpusError("fine-tuning: the corpus has no passages; crawl and chunk a site first")
    page_of: dict[str, str] = {}
    for passage in dataset.passages:
        page_of.setdefault(passage.text, passage.url)
    texts = tuple(page_of)
    row_of = {text: row for row, text in enumerate(texts)}
    clusters: dict[str, dict[int, None]] = {}
    for passage in dataset.passages:
        clusters.setdefault(passage.cluster_id, {})[row_of[passage.text]] = None
    rows_of_cluster = {cluster: tuple(rows) for cluster, rows in clusters.items()}
    by_id = dataset.by_id
    train = _resolve("training", dataset.train, by_id, row_of, rows_of_cluster)
    validation = _resolve("validation", dataset.validation, by_id, row_of, rows_of_cluster)
    return Examples(texts, train, validation, tuple(page_of.values()))


def digest_of(dataset: RetrievalDataset) -> str:
    """Digest of all that training reads: passages, clusters, pages, and both splits' questions with their gold."""
    passages = digest_rows((p.chunk_id, p.text, p.cluster_id, p.url) for p in dataset.passages)
    splits = [
        digest_rows((q.query, q.style, *q.chunk_ids, *q.negatives, q.removed) for q in split)
        for split in (dataset.train, dataset.validation)
    ]
    return digest(passages, *splits)


def _resolve(
    split: str,
    questions: Sequence[Question],
    by_id: dict[str, Passage],
    row_of: dict[str, int],
    rows_of_cluster: dict[str, tuple[int, ...]],
) -> Questions:
    answered = [question for question in questions if any(chunk_id in by_id for chunk_id in question.chunk_ids)]
    if missing := len(questions) - len(answered):
        _log.warning("%d of %d %s questions have no answer in the corpus: left out", missing, len(questions), split)
    return Questions(
        queries=tuple(question.query for question in answered),
        answers=tuple(
            tuple(rows_of_cluster[cluster] for cluster in sorted(gold_clusters(question, by_id)))
            for question in answered
        ),
        origins=tuple(
            next(row_of[by_id[chunk_id].text] for chunk_id in question.chunk_ids if chunk_id in by_id)
            for question in answered
        ),
        styles=tuple(question.style for question in answered),
        negatives=tuple(question.negatives for question in answered),
        removed=tuple(question.removed for question in answered),
    )


def with_same_answers(questions: Questions) -> list[list[int]]:
    """Question indices, those with the same answers together."""
    groups: dict[tuple[tuple[int, ...], ...], list[int]] = {}
    for question, answers in enumerate(questions.answers):
        groups.setdefault(answers, []).append(question)
    return list(groups.values())


class PassageBatches:
    """Batches of question indices, fresh in every epoch: so many passages, with up to `questions_each` of each.

    Questions about one passage stand together, so that the passage, which costs ten times a question, is encoded once
    for all of them. Near-duplicate passages count as one. A passage with more questions gives others in the next epoch,
    so a cap on the steps costs every passage some questions rather than some passages all of them.
    """

    def __init__(self, questions: Questions, *, passages: int, questions_each: int, seed: int) -> None:
        self._groups = with_same_answers(questions)
        self._passages = passages
        self._questions_each = questions_each
        self._seed = seed

    def __len__(self) -> int:
        """Batches in an epoch."""
        # A last batch of a single passage would have nothing to tell it from: it joins the one before.
        return max(1, (len(self._groups) + self._passages - 2) // self._passages)

    def epoch(self, number: int) -> Iterator[list[int]]:
        """The batches of one epoch; the same number gives the same batches."""
        rng = np.random.default_rng((self._seed, number))
        order = rng.permutation(len(self._groups))
        for index in range(len(self)):
            start = index * self._passages
            stop = None if index == len(self) - 1 else start + self._passages
            yield [question for group in order[start:stop] for question in self._some_of(self._groups[group], rng)]

    def take(self, n_batches: int) -> Iterator[list[int]]:
        """So many batches, over as many epochs as that takes."""
        endless = itertools.chain.from_iterable(self.epoch(number) for number in itertools.count())
        return itertools.islice(endless, n_batches)

    def _some_of(self, group: list[int], rng: np.random.Generator) -> list[int]:
        if len(group) <= self._questions_each:
            return group
        return rng.choice(group, self._questions_each, replace=False).tolist()
