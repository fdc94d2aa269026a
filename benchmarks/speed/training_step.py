"""A training step of method `full`, done in any of the ways that `levers.py` compares."""

import ctypes
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from acronis_pipeline.encoders import TorchEncoder
from acronis_pipeline.encoders.identity import FLOAT32
from acronis_pipeline.finetune.contrast import Contrast, Shown, lay_out
from acronis_pipeline.finetune.contrastive_training import turn_dropout_off
from acronis_pipeline.finetune.examples import Examples
from acronis_pipeline.finetune.gradient_step import add_gradients, encoder_of
from acronis_pipeline.finetune.losses import contrastive_loss
from acronis_pipeline.finetune.parameters import ContrastiveParameters

_ONE_BATCH = 10**9


@dataclass(frozen=True)
class Way:
    """How a step is done; the defaults are the baseline's. Weights whose name holds one of `frozen` are not trained."""

    name: str
    once: bool = False
    tokens: int = _ONE_BATCH
    dropout: bool = True
    matmul: str = "highest"
    precision: str = FLOAT32
    cached: bool = False
    frozen: tuple[str, ...] = ()
    fixed: bool = False
    threads: int = field(default_factory=torch.get_num_threads)
    windows: bool = False


@dataclass(frozen=True)
class Cost:
    """Wall and CPU seconds of steps, and of tokenising within them."""

    total: np.ndarray = field(default_factory=lambda: np.zeros(2))
    tokenising: np.ndarray = field(default_factory=lambda: np.zeros(2))

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.total + other.total, self.tokenising + other.tokenising)


@dataclass(frozen=True)
class Gradient:
    """Loss, flattened gradient of all weights, and the memory that it took to get there, gradients among it."""

    loss: float
    flat: torch.Tensor
    peak_mb: int | None


def now() -> np.ndarray:
    return np.array([time.perf_counter(), time.process_time()])


class Tokeniser:
    """A model's `preprocess`, timed; with `fixed`, every text of a side is padded to the longest there can be."""

    def __init__(self, preprocess: Callable[..., dict[str, Any]], lengths: dict[str, int]) -> None:
        self.spent, self.fixed = np.zeros(2), False
        self._preprocess, self._lengths = preprocess, lengths

    def __call__(self, texts: list[str], *, prompt: str | None, task: str) -> dict[str, Any]:
        started = now()
        features = self._preprocess(texts, prompt=prompt, task=task)
        if self.fixed:
            features = {name: self._padded(part, self._lengths[task]) for name, part in features.items()}
        self.spent += now() - started
        return features

    def _padded(self, part: Any, length: int) -> Any:
        if not isinstance(part, torch.Tensor):
            return part
        return torch.nn.functional.pad(part, (0, length - part.shape[1]))  # 0 is MiniLM's padding, and masked


class Bench:
    """One model on which any way can do any step."""

    def __init__(self, base: TorchEncoder, examples: Examples, shown: Shown, parameters: ContrastiveParameters) -> None:
        self._model, self._examples, self._shown, self._parameters = base.model, examples, shown, parameters
        self._longest = base.identity.max_seq_length
        queries = base.model.preprocess(list(examples.train.queries), prompt=None, task="query")
        lengths = {"query": queries["input_ids"].shape[1], "document": self._longest}
        self._tokeniser = base.model.preprocess = Tokeniser(base.model.preprocess, lengths)
        self._dropouts = [(m, m.p) for m in base.model.modules() if isinstance(m, torch.nn.Dropout)]
        self._optimizers: dict[tuple[str, ...], torch.optim.Optimizer] = {}

    def step(self, way: Way, batch: Sequence[int]) -> Cost:
        """A whole training step."""
        self._set_up(way)
        contrast = self._contrast(way, batch)
        optimizer = self._optimizer(way)
        trained = optimizer.param_groups[0]["params"]
        self._tokeniser.spent, started = np.zeros(2), now()
        optimizer.zero_grad()
        self._add_gradients(way, batch, contrast)
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        return Cost(now() - started, self._tokeniser.spent)

    def gradient(self, way: Way, batch: Sequence[int]) -> Gradient:
        """The gradient of a step."""
        self._set_up(way)
        contrast = self._contrast(way, batch)
        before = _reset_peak_kb()
        loss = self._add_gradients(way, batch, contrast)
        peak_mb = None if before is None else (_status_kb("VmHWM") - before) // 1024
        weights = list(self._model.parameters())
        flat = torch.cat([(torch.zeros_like(w) if w.grad is None else w.grad).flatten() for w in weights])
        return Gradient(loss, flat, peak_mb)

    def _optimizer(self, way: Way) -> torch.optim.Optimizer:
        """One that has its moments already: to make them is not part of a step."""
        if way.frozen not in self._optimizers:
            trained = [weight for weight in self._model.parameters() if weight.requires_grad]
            decay = self._parameters.weight_decay
            made = self._optimizers[way.frozen] = torch.optim.AdamW(trained, lr=0.0, weight_decay=decay, fused=True)
            for weight in trained:
                weight.grad = torch.zeros_like(weight)
            made.step()
        return self._optimizers[way.frozen]

    def _set_up(self, way: Way) -> None:
        torch.set_float32_matmul_precision(way.matmul)
        torch.set_num_threads(way.threads)
        torch.manual_seed(0)
        self._tokeniser.fixed = way.fixed
        self._model.train().zero_grad()
        for module, share in self._dropouts:
            module.p = share
        if not way.dropout:
            turn_dropout_off(self._model)
        for name, weight in self._model.named_parameters():
            weight.requires_grad_(not any(part in name for part in way.frozen))

    def _contrast(self, way: Way, batch: Sequence[int]) -> Contrast:
        shown = self._shown if way.windows else None
        return lay_out(self._examples.train, self._examples.passages, batch, shown=shown)

    def _add_gradients(self, way: Way, batch: Sequence[int], contrast: Contrast) -> float:
        loss = partial(contrastive_loss, scale=self._parameters.scale)
        encoded = contrast
        if not way.once:
            columns = self._columns(way, batch, contrast)
            encoded = replace(contrast, passages=[contrast.passages[column] for column in columns])
            loss = partial(_loss_of_means, columns=columns, contrast=contrast, loss=loss)
        return add_gradients(
            encoded,
            encode_queries=encoder_of(self._model, "query", way.precision),
            encode_passages=encoder_of(self._model, "document", way.precision),
            loss=loss,
            cached=way.cached,
            tokens=way.tokens,
            longest=self._longest,
        )

    def _columns(self, way: Way, batch: Sequence[int], contrast: Contrast) -> list[int]:
        """Which passage of the contrast each question brings."""
        place = {pair: column for column, pair in enumerate(zip(contrast.rows, contrast.passages, strict=True))}
        origins = [self._examples.train.origins[question] for question in batch]
        if not way.windows:
            return [place[row, self._examples.passages[row]] for row in origins]
        return [place[row, self._shown(question, row)] for question, row in zip(batch, origins, strict=True)]


def _loss_of_means(
    queries: Any, passages: Any, _: Contrast, *, columns: list[int], contrast: Contrast, loss: Any
) -> Any:
    """The loss of passages that were encoded several times."""
    counts = torch.bincount(torch.tensor(columns), minlength=len(contrast.passages))
    sums = torch.zeros(len(counts), passages.shape[1]).index_add(0, torch.tensor(columns), passages)
    return loss(queries, sums / counts[:, None], contrast)


def _reset_peak_kb() -> int | None:
    """Memory of the process, from which on its peak counts; None where the system does not tell."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM
    except (AttributeError, OSError):
        return None
    return _status_kb("VmRSS")


def _status_kb(key: str) -> int:
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(key)))
