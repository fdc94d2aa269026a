"""Method `distill`: learn from a teacher how well every passage answers, instead of which one is right.

Listwise KL divergence from the teacher over a question's answers and what the base takes for answers, plus a tenth of
InfoNCE, as in CADET (arXiv 2505.19274); GPL (arXiv 2112.07577) had cross-encoders teach before. No guard against false
negatives is needed: a passage that the teacher puts above the answer is one to be found.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from pydantic import Field, field_validator

from acronis_pipeline.embedding import ModelIdentity, PassageVectors
from acronis_pipeline.finetune.batches import with_same_answers
from acronis_pipeline.finetune.closest_windows import shown_of
from acronis_pipeline.finetune.contrast import OUTSIDE, Contrast, contrastive_loss
from acronis_pipeline.finetune.encoder_parameters import EncoderParameters
from acronis_pipeline.finetune.examples import Questions
from acronis_pipeline.finetune.hybrid_teacher import HybridTeacher
from acronis_pipeline.finetune.method import Fitted, Task
from acronis_pipeline.finetune.negatives import HardNegatives
from acronis_pipeline.finetune.teacher_scores import find_teacher, teacher_scores

VERSION = "2"
"""Part of the training key of this method's recipes."""

HYBRID = "hybrid"


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
    """Refuse a teacher that cannot be reached, before anything is trained.

    Raises
    ------
    RecipeError
        If there is none of that name, or it reads single texts.
    """
    del base, device
    if parameters.teacher != HYBRID:
        find_teacher(parameters.teacher)


def reads(parameters: Parameters) -> list[Path]:
    """The teacher's folder."""
    return [] if parameters.teacher == HYBRID else [find_teacher(parameters.teacher)]


def fit(task: Task, parameters: Parameters) -> Fitted:
    """Train a fresh copy of the base to rank as the teacher does."""
    from acronis_pipeline.finetune.encoder_training import train_every_weight

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


def listwise_kl(logits: Any, taught: np.ndarray) -> Any:
    """KL divergence of the student's softmax from the teacher's, each over what the teacher knows; mean over questions.

    Parameters
    ----------
    logits
        Tensor of shape (n_questions, n_passages).
    taught
        The teacher's logits, of the same shape; NaN leaves a passage out of that question's list.
    """
    import torch

    target = torch.from_numpy(np.nan_to_num(taught, nan=-np.inf)).to(logits.device)
    unknown = target.isneginf()
    wanted = target.log_softmax(dim=1).masked_fill(unknown, 0.0)
    found = logits.masked_fill(unknown, float("-inf")).log_softmax(dim=1).masked_fill(unknown, 0.0)
    shares = target.softmax(dim=1)
    return (shares * (wanted - found)).sum(dim=1).mean()


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
            task.store, name, pairs, device=str(task.base.model.device), batch_size=task.base.batch_size
        )
    )
    standard = logits / (logits.std() or 1.0)
    return _Lists(dict(zip(asked, standard.tolist(), strict=True)))
