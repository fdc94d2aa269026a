"""Method `pooling`: how tokens become a vector, on both sides of a frozen encoder, taught by a hybrid search.

The mean over a text's tokens becomes a weighted one, with a weight for each token of the vocabulary, and a residual
linear map follows. Weights begin as a power of the inverse document frequency and training moves them from there; with
weights of 1 and no map it is the base. Both learn on cached token vectors, in seconds: from the questions, and from
what cosine and BM25 together think of similar passages (as GPL does with a cross-encoder, arXiv 2112.07577). What it
gained is in `acronis_pipeline/recipes/pooling.yaml`.
"""

import itertools
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from pydantic import Field

from acronis_pipeline.finetune.hybrid_teacher import HybridTeacher
from acronis_pipeline.finetune.method import Changed, Fitted, MethodParameters, Task
from acronis_pipeline.finetune.neighbour_batches import NeighbourBatches
from acronis_pipeline.finetune.validation import CHOOSES, measure
from acronis_pipeline.finetune.validation_pool import ValidationPool

_log = logging.getLogger(__name__)


class Parameters(MethodParameters):
    """Hyper-parameters of the weights and the map."""

    idf_power: float = Field(0.5, ge=0, le=1, description="Weights before training: idf to this power.")
    weight_learning_rate: float = Field(0.02, gt=0, description="Of the weights' logarithms; both rates fall to zero.")
    map_learning_rate: float = Field(2e-4, gt=0)
    map_weight_decay: float = Field(0.01, ge=0)
    scale: float = Field(30.0, gt=0, description="1 / temperature of the softmax over a batch's passages.")
    teaching: float = Field(0.7, ge=0, le=1, description="Share of the teacher in the loss; the rest is the labels'.")
    teacher_scale: float = Field(3.5, gt=0, description="Of the teacher's standard scores, in its softmax.")
    batch_size: int = Field(64, ge=2, description="Passages per step, with one question of each.")
    neighbours: int = Field(8, ge=1, description="Passages of a batch that are near each other.")
    max_steps: int = Field(150, ge=1)
    evaluations: int = Field(6, ge=1, description="Looks at the validation questions, evenly spread.")
    training_passages: int = Field(1500, ge=2, description="At most so many, drawn at random: 0.4 MB of memory each.")
    validation_passages: int = Field(
        384, ge=1, description="Corpus while training: the answers and a random sample up to this."
    )


def fit(task: Task, parameters: Parameters) -> Fitted:
    """Train weights and map; the untouched base and the untrained weights compete with every look."""
    from acronis_pipeline.finetune.pooling_head import token_ids, untrained_head, with_head

    started, model = time.monotonic(), task.base.model
    head = untrained_head(model, token_ids(model, task.examples.passages), parameters.idf_power)
    pool = ValidationPool(task, parameters.validation_passages)
    value = _value_of(task, pool)
    lesson = _Lesson(task, parameters)
    _log.info("pooling: token vectors of %d passages, %.0f s", len(lesson.rows), time.monotonic() - started)
    best, best_value, chosen = None, pool.base_value, "step 0"
    history: list[dict[str, float]] = [{"step": 0, "epoch": 0.0, CHOOSES: best_value}]
    if (untrained := value(head)) > best_value:
        best, best_value, chosen = head.copy(), untrained, "untrained weights"
    for step, loss in _trained(head, lesson, parameters):
        found = value(head)
        history.append({"step": step, "epoch": round(step / len(lesson.batches), 2), "loss": loss, CHOOSES: found})
        _log.info("step %d: loss %.3f, validation nDCG@10 %.4f (best %.4f)", step, loss, found, best_value)
        if found > best_value:
            best, best_value, chosen = head.copy(), found, f"step {step}"
    _log.info("pooling: %s is the best, %.0f s", chosen, time.monotonic() - started)
    if best is None:
        return Fitted(model, Changed.NOTHING, chosen, history)
    return Fitted(with_head(model, best), Changed.BOTH, chosen, history)


def _value_of(task: Task, pool: ValidationPool) -> Callable[[Any], float]:
    """nDCG@10 of a head on the validation pool."""
    from acronis_pipeline.finetune.pooling_head import encode_tokens

    size = task.base.batch_size
    queries = encode_tokens(task.base.model, pool.questions.queries, "query", size)
    passages = encode_tokens(task.base.model, pool.passages, "document", size)
    return lambda head: measure(head.pool_all(queries).numpy(), head.pool_all(passages).numpy(), pool.questions)[
        CHOOSES
    ]


def _trained(head: Any, lesson: "_Lesson", parameters: Parameters) -> Iterator[tuple[int, float]]:
    """Train `head` in place; after every so many steps, the step and the mean loss since the last."""
    import torch

    rates = (parameters.weight_learning_rate, parameters.map_learning_rate)
    optimizer = torch.optim.AdamW(
        [
            {"params": [head.log_weights], "lr": rates[0], "weight_decay": 0.0},
            {"params": [head.residual], "lr": rates[1], "weight_decay": parameters.map_weight_decay},
        ]
    )
    looks = {
        max(1, round(parameters.max_steps * (i + 1) / parameters.evaluations)) for i in range(parameters.evaluations)
    }
    losses: list[float] = []
    batches = itertools.islice(lesson.batches.endless(), parameters.max_steps)
    for step, batch in enumerate(batches, start=1):
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * (1 - (step - 1) / parameters.max_steps)
        loss = lesson.loss(head, batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if step in looks:
            yield step, float(np.mean(losses))
            losses.clear()


class _Lesson:
    """What there is to learn: the questions about the passages that were drawn, and the teacher's view of them."""

    def __init__(self, task: Task, parameters: Parameters) -> None:
        from acronis_pipeline.finetune.pooling_head import encode_tokens, token_ids

        model, size = task.base.model, task.base.batch_size
        drawn = np.unique(task.examples.train.origins)
        if len(drawn) > parameters.training_passages:
            drawn = np.random.default_rng(task.seed).choice(drawn, parameters.training_passages, replace=False)
        self.rows = np.sort(drawn)
        asked = np.flatnonzero(np.isin(task.examples.train.origins, self.rows))
        self._questions = questions = task.examples.train.take(asked.tolist())
        self._answers = [set(questions.relevant(question)) for question in range(len(questions))]
        self._position = {int(row): position for position, row in enumerate(self.rows)}
        self._queries = encode_tokens(model, questions.queries, "query", size)
        texts = [task.examples.passages[row] for row in self.rows]
        self._passages = encode_tokens(model, texts, "document", size)
        self._removed = token_ids(model, questions.removed or [""] * len(questions))
        self._teacher = HybridTeacher(
            task.base.encode_queries(questions.queries),
            task.passage_vectors,
            questions.queries,
            task.examples.passages,
        )
        self.batches = NeighbourBatches(
            questions.origins,
            task.passage_vectors,
            size=parameters.batch_size,
            neighbours=parameters.neighbours,
            seed=task.seed,
        )
        self._scale, self._teaching, self._teacher_scale = (
            parameters.scale, parameters.teaching, parameters.teacher_scale
        )  # fmt: skip

    def loss(self, head: Any, batch: list[int]) -> Any:
        """Over the batch's passages, cross-entropy with each question's own and KL divergence from the teacher.

        Another passage of the batch that answers the question as well is left out of the cross-entropy.
        """
        import torch
        from torch.nn.functional import cross_entropy, kl_div

        rows = [self._questions.origins[question] for question in batch]
        positions = [self._position[row] for row in rows]
        gone = [self._passages.find(at, self._removed[q]) for at, q in zip(positions, batch, strict=True)]
        logits = self._scale * head.pool(self._queries, batch) @ head.pool(self._passages, positions, gone).T
        answers = torch.tensor([[row in self._answers[question] for row in rows] for question in batch])
        others = answers & ~torch.eye(len(batch), dtype=torch.bool)
        labelled = cross_entropy(logits.masked_fill(others, float("-inf")), torch.arange(len(batch)))
        taught = torch.from_numpy(self._teacher_scale * self._teacher.scores(batch)[:, rows]).softmax(dim=1)
        learnt = kl_div(logits.log_softmax(dim=1), taught, reduction="batchmean")
        return (1 - self._teaching) * labelled + self._teaching * learnt
