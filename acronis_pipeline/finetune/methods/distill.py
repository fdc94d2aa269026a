"""Method `distill`: learn from a teacher how well every passage answers, instead of which one is right.

Listwise KL divergence from the teacher over a question's answers and what the base takes for answers, plus a tenth of
InfoNCE, as in CADET (arXiv 2505.19274); GPL (arXiv 2112.07577) had cross-encoders teach before. No guard against false
negatives is needed: a passage that the teacher puts above the answer is one to be found.

One teacher needs no labels and no model of its own: the base and BM25 together, which find more than either. The other
is a cross-encoder, which is asked for each pair once.
"""

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import pyarrow as pa
from pydantic import Field, field_validator
from scipy.sparse import csc_array

from acronis_pipeline import encoders
from acronis_pipeline.core.errors import ModelError, RecipeError
from acronis_pipeline.core.hashing import digest
from acronis_pipeline.encoders import ModelIdentity, PassageVectors, cross_encoder
from acronis_pipeline.finetune.contrast import OUTSIDE, Contrast, shown_of
from acronis_pipeline.finetune.examples import Questions, with_same_answers
from acronis_pipeline.finetune.method import Fitted, Method, Task
from acronis_pipeline.finetune.negatives import HardNegatives
from acronis_pipeline.finetune.parameters import EncoderParameters
from acronis_pipeline.pairs.words import content_words, thinned
from acronis_pipeline.store import Store, quoted, tables

HYBRID = "hybrid"
Pair = tuple[str, str]
"""A question and a passage."""

_SLICE = 512
"""Pairs scored between two writes: what a kill can cost."""

_WORDS: Final = {"role": "parameters.teacher =", "otherwise": "write teacher: hybrid"}

_K1, _B = 1.5, 0.75

_STEM_CHARACTERS = 6
"""Words are compared by their beginning, a stemmer for any language that writes its endings last."""

_log = logging.getLogger(__name__)


class Parameters(EncoderParameters):
    """Hyper-parameters of distillation."""

    teacher: str = Field(
        HYBRID,
        min_length=1,
        description="A cross-encoder, hub name or folder; hybrid is cosine and BM25 together, which costs nothing.",
    )
    teacher_scale: float = Field(
        3.5, gt=0, description="1 / temperature of the teacher's softmax; scores have standard deviation 1."
    )
    contrastive: float = Field(0.1, ge=0, description="Weight of InfoNCE beside the teacher's 1.")
    negatives: int = Field(
        2, ge=0, description="Passages that the base finds, for the list of each answer's questions."
    )
    depth: int = Field(
        30, ge=1, description="Of the base's ranking: half of `negatives` are its first, half drawn from it at random."
    )

    @field_validator("hard_negatives")
    @classmethod
    def _not_mined(cls, mined: HardNegatives) -> HardNegatives:
        if mined.per_question:
            raise ValueError("a teacher's list is not mined and needs no guard; remove the key and set negatives")
        return mined


class Teacher(Protocol):
    """Knows how well texts answer training questions."""

    def scores(self, contrast: Contrast) -> np.ndarray:
        """Shape (n_questions, n_passages) float32, of standard deviation 1 over what it knows; NaN for the rest."""
        ...


def check(base: ModelIdentity, parameters: Parameters, device: str | None) -> None:
    """Refuse a teacher that cannot be reached."""
    del base, device
    reads(parameters)


def reads(parameters: Parameters) -> list[Path]:
    """The teacher's folder."""
    return [] if parameters.teacher == HYBRID else [find_teacher(parameters.teacher)]


def fit(task: Task, parameters: Parameters) -> Fitted:
    """Train a fresh copy of the base to rank as the teacher does."""
    from acronis_pipeline.finetune.encoder_training import train_every_weight
    from acronis_pipeline.finetune.losses import contrastive_loss, listwise_kl

    train = task.examples.train
    candidates = lists(
        train, task.query_vectors, task.passage_vectors, n=parameters.negatives, depth=parameters.depth, seed=task.seed
    )
    teacher = (
        HybridOverCorpus(task) if parameters.teacher == HYBRID else _cross_encoder(task, parameters.teacher, candidates)
    )

    def loss(query_vectors: Any, passage_vectors: Any, contrast: Contrast) -> Any:
        taught = parameters.teacher_scale * teacher.scores(contrast)
        learnt = listwise_kl(parameters.scale * query_vectors @ passage_vectors.T, taught)
        return learnt + parameters.contrastive * contrastive_loss(
            query_vectors, passage_vectors, contrast, parameters.scale
        )

    return train_every_weight(task, parameters, loss=loss, negatives=candidates)


def lists(
    questions: Questions, query_vectors: np.ndarray, passage_vectors: PassageVectors, *, n: int, depth: int, seed: int
) -> list[list[int]]:
    """Per question, rows of `n` passages among the base's first `depth` that are no answers to it.

    Half are the first of all, half drawn from the rest at random: a list of only the hardest says little about how far
    apart passages are. Questions with the same answers, which share batches, share a list, by the mean of their
    rankings: each passage of it is encoded once for all of them.

    Parameters
    ----------
    query_vectors, passage_vectors
        Of the questions, (n_questions, dimension), L2-normalised, and of the corpus.
    """
    rng, found = np.random.default_rng(seed), [[] for _ in range(len(questions))]
    for group in with_same_answers(questions):
        similarities = passage_vectors.similarities(query_vectors[group]).mean(axis=0)
        answers = questions.relevant(group[0])
        similarities[list(answers)] = -np.inf
        ranked = np.argsort(-similarities, kind="stable")[: min(depth, len(similarities) - len(answers))]
        first, rest = ranked[: (n + 1) // 2], ranked[(n + 1) // 2 :]
        drawn = rng.choice(rest, min(len(rest), n - len(first)), replace=False)
        for question in group:
            found[question] = [*first.tolist(), *drawn.tolist()]
    return found


class HybridOverCorpus:
    """The hybrid knows every passage of the corpus, or every window: it has to judge what the student is shown."""

    def __init__(self, task: Task) -> None:
        windows = task.base.cut(task.examples.passages)
        keys = [(row, text) for row, texts in enumerate(windows) for text in texts]
        self._place = {key: place for place, key in enumerate(keys)}
        self._teacher = HybridTeacher(
            task.query_vectors, task.passage_vectors.matrix, task.examples.train.queries, [text for _, text in keys]
        )

    def scores(self, contrast: Contrast) -> np.ndarray:
        places = [self._place.get(key, OUTSIDE) for key in zip(contrast.rows, contrast.shown, strict=True)]
        found = self._teacher.scores(contrast.questions)[:, places]
        found[:, np.array(places) == OUTSIDE] = np.nan
        return found


class HybridTeacher:
    """Half the sum of the standard scores of cosine and BM25, each over all texts of the corpus.

    BM25 sees each query without some of its content words (`thinned`), since queries made from a passage use its words
    far more than people do.

    Parameters
    ----------
    query_vectors, text_vectors
        Of the base, L2-normalised, of shape (n_queries, dimension) and (n_texts, dimension).
    queries, texts
        What they are the vectors of; texts are passages, or the windows of all of them.
    """

    def __init__(
        self, query_vectors: np.ndarray, text_vectors: np.ndarray, queries: Sequence[str], texts: Sequence[str]
    ) -> None:
        self._query_vectors, self._text_vectors = query_vectors, text_vectors
        column_of, self._weights = _bm25([_stems(text) for text in texts])
        stems_of = (_stems(thinned(query)) for query in queries)
        self._asked = [[column_of[stem] for stem in stems if stem in column_of] for stems in stems_of]

    def scores(self, queries: Sequence[int]) -> np.ndarray:
        """Shape (len(queries), n_texts) float32."""
        lexical = np.stack([self._weights[:, self._asked[query]].sum(axis=1) for query in queries])
        dense = self._query_vectors[list(queries)] @ self._text_vectors.T
        return (0.5 * _standardised(dense) + 0.5 * _standardised(lexical)).astype(np.float32)


def _stems(text: str) -> list[str]:
    return [word[:_STEM_CHARACTERS] for word in content_words(text)]


def _bm25(texts: Sequence[Sequence[str]]) -> tuple[dict[str, int], csc_array]:
    """The column of every stem, and what it adds to the score of each text, (n_texts, n_stems)."""
    lengths = np.array([max(1, len(stems)) for stems in texts])
    relative = _K1 * (1 - _B + _B * lengths / lengths.mean())
    column_of: dict[str, int] = {}
    columns = [column_of.setdefault(stem, len(column_of)) for stems in texts for stem in stems]
    rows = np.repeat(np.arange(len(texts)), [len(stems) for stems in texts])
    found = csc_array((np.ones(len(rows)), (rows, columns)), shape=(len(texts), len(column_of)))
    counts, n_with = found.data, np.diff(found.indptr)
    idf = np.repeat(np.log1p((len(texts) - n_with + 0.5) / (n_with + 0.5)), n_with)
    found.data = idf * counts * (_K1 + 1) / (counts + relative[found.indices])
    return column_of, found


def _standardised(scores: np.ndarray) -> np.ndarray:
    spread = scores.std(axis=1, keepdims=True)
    return (scores - scores.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1.0)


class _Lists:
    """A cross-encoder is asked about each question's list only, by the texts that stand before that question."""

    def __init__(self, scores: dict[tuple[int, int, str], float]) -> None:
        self._scores = scores

    def scores(self, contrast: Contrast) -> np.ndarray:
        columns = list(zip(contrast.rows, contrast.shown, strict=True))
        found = [[self._scores.get((q, *column), np.nan) for column in columns] for q in contrast.questions]
        return np.array(found, np.float32)


def _cross_encoder(task: Task, name: str, candidates: Sequence[Sequence[int]]) -> _Lists:
    from acronis_pipeline.finetune import devices

    train, passages = task.examples.train, task.examples.passages
    shown = shown_of(task) or (lambda _, row: passages[row])
    lists_of = (dict.fromkeys((*train.relevant(q), *rows)) for q, rows in enumerate(candidates))
    asked = [(q, row, shown(q, row)) for q, rows in enumerate(lists_of) for row in rows]
    pairs = [(train.queries[q], text) for q, _, text in asked]
    logits = devices.of_main(
        lambda: teacher_scores(
            task.store, name, pairs, device=str(task.local_base.model.device), batch_size=task.local_base.batch_size
        )
    )
    standard = logits / (logits.std() or 1.0)
    return _Lists(dict(zip(asked, standard.tolist(), strict=True)))


def find_teacher(name: str) -> Path:
    """Folder of a cross-encoder: a local one, or downloaded from the hub.

    Raises
    ------
    RecipeError
        If there is none, or it reads single texts and no pairs.
    """
    try:
        return cross_encoder.find(name, **_WORDS)
    except ModelError as error:
        raise RecipeError(str(error)) from error


def teacher_scores(
    store: Store, teacher: str, pairs: Sequence[Pair], *, device: str | None = None, batch_size: int = 32
) -> np.ndarray:
    """The teacher's logits of `pairs`, in their order: (n_pairs,) float32. With all known, no model is loaded.

    They are kept in the store under (teacher, question, passage): a re-run, another recipe with the same teacher, or a
    run continued after a kill scores only what is new.

    Raises
    ------
    RecipeError
        If the teacher is not found, does not load or gives more than one score a pair.
    """
    folder = find_teacher(teacher)
    fingerprint = encoders.describe(folder, base=teacher, max_seq_length=cross_encoder.MAX_LENGTH).document_fingerprint[
        :16
    ]
    pair_of = {digest(fingerprint, *pair): pair for pair in pairs}
    stored = store.read(tables.TEACHER_SCORES, columns=["score_id", "score"], where=f"teacher = {quoted(fingerprint)}")
    known = dict(zip(stored.column("score_id").to_pylist(), stored.column("score").to_pylist(), strict=True))
    # Similar lengths together: a batch is padded to its longest pair.
    missing = sorted(pair_of.keys() - known.keys(), key=lambda key: (sum(map(len, pair_of[key])), key))
    if missing:
        _log.info("teacher %s: %d of %d pairs to score", teacher, len(missing), len(pair_of))
        try:
            model = cross_encoder.load(teacher, **_WORDS, device=device)
        except ModelError as error:
            raise RecipeError(str(error)) from error
        started = time.monotonic()
    for start in range(0, len(missing), _SLICE):
        part = missing[start : start + _SLICE]
        scores = _score(model, [pair_of[key] for key in part], batch_size)
        known.update(zip(part, scores.tolist(), strict=True))
        rows = pa.table([part, [fingerprint] * len(part), scores], schema=tables.TEACHER_SCORES.schema)
        store.upsert(tables.TEACHER_SCORES, rows)
        done, seconds = start + len(part), time.monotonic() - started
        left = seconds / done * (len(missing) - done)
        _log.info("scored %d of %d pairs, %.0f/s, about %.0f s left", done, len(missing), done / seconds, left)
    if missing:
        store.compact(tables.TEACHER_SCORES)
    return np.array([known[digest(fingerprint, *pair)] for pair in pairs], np.float32)


def _score(model: Any, pairs: Sequence[Pair], batch_size: int) -> np.ndarray:
    import torch

    scores = model.predict(
        list(pairs), batch_size=batch_size, activation_fn=torch.nn.Identity(), show_progress_bar=False
    )
    return np.asarray(scores, np.float32)


METHOD = Method(Parameters, fit, check=check, reads=reads, version="2")
