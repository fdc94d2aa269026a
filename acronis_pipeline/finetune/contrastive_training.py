"""The training loop of whole-encoder methods: contrastive, the best checkpoint kept, step 0 among the candidates.

Our own loop instead of sentence-transformers' trainer, because that takes a passage per question: four questions about
one are four encodings of it, and encoding passages is nearly all the work. Its best checkpoint also never includes step
0. Imports torch: import this module inside functions.
"""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

from acronis_pipeline.finetune.batches import PassageBatches
from acronis_pipeline.finetune.contrast import info_nce, with_own_negatives
from acronis_pipeline.finetune.examples import Questions
from acronis_pipeline.finetune.validation import CHOOSES

_SIMILAR_LENGTHS = 8
"""Texts encoded at once: small enough that padding to the longest costs little, large enough for full speed."""

_MAX_GRADIENT_NORM = 1.0
_PROGRESS_LINES = 12

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train: a linear warm-up over a share of the steps, then a linear fall to zero."""

    steps: int
    learning_rate: float
    warmup: float
    weight_decay: float
    evaluations: int

    def rate_at(self, step: int) -> float:
        """Learning rate of a step, counted from 0."""
        warmup_steps = self.warmup * self.steps
        rising = (step + 1) / warmup_steps if warmup_steps else 1.0
        falling = (self.steps - step) / (self.steps - warmup_steps)
        return self.learning_rate * min(1.0, rising, falling)

    @property
    def looks(self) -> set[int]:
        """Steps, counted from 1, after which the validation questions are looked at; the last is one of them."""
        return {max(1, round(self.steps * (i + 1) / self.evaluations)) for i in range(self.evaluations)}


@dataclass
class Best:
    """The best checkpoint so far; `state` is None while that is step 0."""

    value: float
    name: str = "step 0"
    state: dict[str, torch.Tensor] | None = None


def train_contrastively(
    model: SentenceTransformer,
    questions: Questions,
    passages: tuple[str, ...],
    batches: PassageBatches,
    *,
    schedule: Schedule,
    scale: float,
    base_value: float,
    value: Callable[[], float],
) -> tuple[Best, list[dict[str, float]]]:
    """Train `model` in place; return its best checkpoint by `value` (validation nDCG@10) and the history.

    The weights left in `model` are those of the last step.
    """
    _turn_dropout_off(model)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay, fused=True
    )
    best, history = Best(base_value), [{"step": 0, "epoch": 0.0, CHOOSES: base_value}]
    losses: list[float] = []
    started, every = time.monotonic(), max(1, schedule.steps // _PROGRESS_LINES)
    for step, batch in enumerate(batches.take(schedule.steps), start=1):
        epoch = round(step / len(batches), 2)
        rate = schedule.rate_at(step - 1)
        for group in optimizer.param_groups:
            group["lr"] = rate
        model.train()
        losses.append(_step(model, optimizer, contrastive_loss(model, questions, passages, batch, scale)))
        if step % every == 0:
            history.append({"step": step, "epoch": epoch, "loss": float(np.mean(losses)), "lr": rate})
            _log_progress(step, schedule.steps, float(np.mean(losses)), time.monotonic() - started)
            losses.clear()
        if step in schedule.looks:
            model.eval()
            found = value()
            _log.info("epoch %g: validation nDCG@10 %.4f (best so far %.4f, %s)", epoch, found, best.value, best.name)
            history.append({"step": step, "epoch": epoch, CHOOSES: found})
            if found > best.value:
                best = Best(found, f"epoch {epoch:g}", copy_of(model))
    model.eval()
    return best, history


def copy_of(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The model's weights as they are now."""
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def contrastive_loss(
    model: SentenceTransformer, questions: Questions, passages: tuple[str, ...], batch: list[int], scale: float
) -> torch.Tensor:
    """InfoNCE of a batch's questions over the passages that they were made from, each passage encoded once.

    A question is also contrasted with the hard negatives that came with it. A sentence that a question was made from is
    taken out of its passage, so that the passage is found by what else it says.
    """
    rows = sorted({questions.origins[question] for question in batch})
    answers = [set(questions.relevant(question)) for question in batch]
    positive = torch.tensor([[row in rows_of_one for row in rows] for rows_of_one in answers], device=model.device)
    query_vectors = _encode(model, [questions.queries[question] for question in batch], "query")
    texts = [_without(passages[row], questions.removed_from(row, batch)) for row in rows]
    passage_vectors = _encode(model, texts, "document")
    logits = scale * query_vectors @ passage_vectors.T
    if negatives := [(question, text) for question in batch for text in questions.negatives_of(question)]:
        owners, texts = zip(*negatives, strict=True)
        contrasted = scale * query_vectors @ _encode(model, list(texts), "document").T
        logits, positive = with_own_negatives(logits, positive, contrasted, batch, owners)
    return info_nce(logits, positive)


def _without(passage: str, sentences: Iterable[str]) -> str:
    """The passage without these sentences; the whole passage where nothing would be left of it."""
    rest = passage
    for sentence in sentences:
        rest = rest.replace(sentence, " ")
    return rest if rest.strip() else passage


def _encode(model: SentenceTransformer, texts: list[str], prompt: str) -> torch.Tensor:
    """Shape (n_texts, dimension), L2-normalised, with gradients."""
    by_length = sorted(range(len(texts)), key=lambda index: len(texts[index]))
    parts = []
    for start in range(0, len(texts), _SIMILAR_LENGTHS):
        some = [texts[index] for index in by_length[start : start + _SIMILAR_LENGTHS]]
        features = model.preprocess(some, prompt=model.prompts.get(prompt) or None)
        on_device = {k: v.to(model.device) if isinstance(v, torch.Tensor) else v for k, v in features.items()}
        parts.append(model(on_device)["sentence_embedding"])
    back = torch.from_numpy(np.argsort(by_length)).to(model.device)
    return torch.nn.functional.normalize(torch.cat(parts)[back], dim=1)


def _step(model: SentenceTransformer, optimizer: Any, loss: torch.Tensor) -> float:
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), _MAX_GRADIENT_NORM)
    optimizer.step()
    return loss.item()


def _turn_dropout_off(model: torch.nn.Module) -> None:
    """Attention with dropout has no fast kernel on a CPU: a step takes 1.7 to 1.9 times longer and twice the memory."""
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0


def _log_progress(done: int, total: int, loss: float, elapsed_s: float) -> None:
    per_step = elapsed_s / done
    _log.info(
        "step %d of %d, loss %.3f, %.2f s a step, about %.0f s left",
        done,
        total,
        loss,
        per_step,
        per_step * (total - done),
    )
