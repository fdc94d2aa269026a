"""Gradients of one training step, whatever encodes, however little memory and on however many devices.

The loss sees only vectors. So texts are encoded in mini-batches, the loss is differentiated with respect to the
vectors, and each mini-batch turns its vectors' gradients into gradients of the weights. With `cached` the first pass
keeps no activations and each mini-batch is encoded again for its turn (GradCache, arXiv 2101.06983): one more forward
pass, and memory for one mini-batch however large the batch. Either way a question is contrasted with the whole batch;
accumulating gradients over several small batches would not do that: it adds no negatives.

On several devices each encodes its share of the mini-batches and all see all vectors, so the contrast spans them. What
is encoded is computed in bfloat16 where that is really faster; weights, vectors and loss stay float32.
Imports torch: import this module inside functions.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense
from sentence_transformers.sentence_transformer.modules import Normalize

from acronis_pipeline.encoders.identity import BFLOAT16, FLOAT32
from acronis_pipeline.encoders.torch_encoder import assembled
from acronis_pipeline.finetune import devices
from acronis_pipeline.finetune.contrast import Contrast
from acronis_pipeline.finetune.losses import Loss

Encode = Callable[[list[str]], torch.Tensor]
"""A mini-batch of texts to its vectors: (n_texts, dimension) float32, L2-normalised, with gradients if enabled."""

_WORTH = 1.3
"""A smaller gain would be within what a busy machine's timings vary by."""

_log = logging.getLogger(__name__)
_CHARACTERS_PER_TOKEN = 4
"""Rough, but mini-batches only need to be of similar cost."""


def chosen_precision(asked: str, device: torch.device, work: Path | None) -> str:
    """`asked`, or what a short probe of this device finds faster if that is "auto".

    A training that goes on after a kill goes on in the precision that it began in, which is noted in `work`.
    """
    note = work / "precision" if work else None
    if asked == "auto" and note and note.exists():
        return note.read_text("utf-8")
    chosen = _probe(device) if asked == "auto" else asked
    if note:
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(chosen, "utf-8")
    return chosen


@lru_cache(maxsize=4)
def _probe(device: torch.device) -> str:
    """Times a training step of one encoder layer in both precisions, within a second or so."""
    if device.type not in {"cpu", "cuda"}:
        return FLOAT32
    # On a GPU large enough that arithmetic is timed, and not how kernels are started.
    n_texts, width = (2, 384) if device.type == "cpu" else (64, 1024)
    layer = torch.nn.TransformerEncoderLayer(
        width, width // 32, 4 * width, dropout=0.0, batch_first=True, device=device
    )
    texts = torch.randn(n_texts, 256, width, device=device)
    seconds = {FLOAT32: float("inf"), BFLOAT16: float("inf")}
    for _ in range(3):
        for precision in seconds:
            seconds[precision] = min(seconds[precision], _step_s(layer, texts, precision))
    gain = seconds[FLOAT32] / seconds[BFLOAT16]
    chosen = BFLOAT16 if gain >= _WORTH else FLOAT32
    _log.info("training in %s: bfloat16 is %.1f times as fast on %s", chosen, gain, device)
    return chosen


def _step_s(layer: torch.nn.Module, texts: torch.Tensor, precision: str) -> float:
    started = time.monotonic()
    with torch.autocast(texts.device.type, dtype=torch.bfloat16, enabled=precision == BFLOAT16):
        made = layer(texts)
    made.float().square().mean().backward()
    next(layer.parameters()).grad.sum().item()  # waits for a device that works on its own  # pyright: ignore
    return time.monotonic() - started


def encoder_of(model: SentenceTransformer, side: str, precision: str) -> Encode:
    """How `model` encodes the "query" or the "document" side: with that side's prompt and, in a Router, its route."""

    def encode(texts: list[str]) -> torch.Tensor:
        features = model.preprocess(texts, prompt=model.prompts.get(side) or None, task=side)
        on_device = {k: v.to(model.device) if isinstance(v, torch.Tensor) else v for k, v in features.items()}
        with torch.autocast(model.device.type, dtype=torch.bfloat16, enabled=precision == BFLOAT16):
            vectors = model(on_device, task=side)["sentence_embedding"]
        return torch.nn.functional.normalize(vectors.float(), dim=1)

    return encode


def mini_batches(texts: Sequence[str], *, tokens: int, longest: int) -> list[list[int]]:
    """Indices of texts of similar length, the longest first, so many that padded they stay within `tokens`.

    Parameters
    ----------
    longest
        Tokens after which a text is cut.
    """
    lengths = [min(len(text) // _CHARACTERS_PER_TOKEN + 2, longest) for text in texts]
    parts: list[list[int]] = []
    for index in sorted(range(len(texts)), key=lambda i: -lengths[i]):
        if parts and (len(parts[-1]) + 1) * lengths[parts[-1][0]] <= tokens:
            parts[-1].append(index)
        else:
            parts.append([index])
    return parts


@dataclass(frozen=True)
class _Part:
    """A mini-batch: which rows of a side's vectors it makes, and how."""

    side: int
    rows: list[int]
    texts: list[str]
    encode: Encode


def add_gradients(
    contrast: Contrast,
    *,
    encode_queries: Encode,
    encode_passages: Encode,
    loss: Loss,
    cached: bool,
    tokens: int,
    longest: int,
) -> float:
    """Add the gradients of a step to those of the weights, as `backward` does; return the loss.

    On several devices each is left with the gradients of its own share: `devices.sum_gradients` adds them up.

    Parameters
    ----------
    tokens
        Size of a mini-batch, padding included.
    longest
        Tokens after which a text is cut.
    """
    sides = (contrast.queries, contrast.passages)
    parts = [
        _Part(side, rows, [sides[side][row] for row in rows], encode)
        for side, encode in enumerate((encode_queries, encode_passages))
        for rows in mini_batches(sides[side], tokens=tokens, longest=longest)
    ]
    mine = devices.my_share(parts)
    with torch.set_grad_enabled(not cached):
        vectors = [part.encode(part.texts) for part in mine]
    whole = [_assembled(side, len(sides[side]), mine, vectors).requires_grad_() for side in (0, 1)]
    value = loss(whole[0], whole[1], contrast)
    value.backward()
    for part, made in zip(mine, vectors, strict=True):
        gradient = whole[part.side].grad
        assert gradient is not None
        again = part.encode(part.texts) if cached else made
        again.backward(gradient[part.rows])
    return value.item()


def _assembled(side: int, n_texts: int, parts: Sequence[_Part], vectors: Sequence[torch.Tensor]) -> torch.Tensor:
    """All vectors of a side, shape (n_texts, dimension), those that other devices made among them."""
    dimension = devices.largest(max((made.shape[1] for made in vectors), default=0))
    device = vectors[0].device if vectors else devices.own_device()
    whole = torch.zeros(n_texts, dimension, device=device)
    for part, made in zip(parts, vectors, strict=True):
        if part.side == side:
            whole[part.rows] = made.detach()
    return devices.added_up(whole)


def cut_to(model: SentenceTransformer, dimension: int) -> SentenceTransformer:
    """A model of stock modules that gives the first `dimension` numbers of `model`'s vectors, normalised again."""
    selection = torch.eye(dimension, model.get_embedding_dimension())  # pyright: ignore[reportArgumentType]
    cut = Dense(selection.shape[1], dimension, bias=False, activation_function=None, init_weight=selection)
    return assembled([*model.children(), cut, Normalize()], model)
