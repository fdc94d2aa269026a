"""Texts to vectors with gradients. Imports torch: import this module inside functions.

Gradients of one training step, whatever encodes, however little memory and on however many devices.

The loss sees only vectors. So texts are encoded in mini-batches, the loss is differentiated with respect to the
vectors, and each mini-batch turns its vectors' gradients into gradients of the weights. With `cached` the first pass
keeps no activations and each mini-batch is encoded again for its turn (GradCache, arXiv 2101.06983): one more forward
pass, and memory for one mini-batch however large the batch. Either way a question is contrasted with the whole batch;
accumulating gradients over several small batches would not do that: it adds no negatives.

On several devices each encodes its share of the mini-batches and all see all vectors, so the contrast spans them.
Imports torch: import this module inside functions.

Vectors whose beginning is a vector too (Matryoshka, arXiv 2205.13147). Imports torch.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from sentence_transformers import SentenceTransformer

from acronis_pipeline.encoders.identity import BFLOAT16
from acronis_pipeline.finetune import devices
from acronis_pipeline.finetune.contrast import Contrast

Encode = Callable[[list[str]], torch.Tensor]
"""A mini-batch of texts to its vectors: (n_texts, dimension) float32, L2-normalised, with gradients if enabled."""

_CHARACTERS_PER_TOKEN = 4
"""Rough, but mini-batches only need to be of similar cost."""


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


Loss = Callable[[torch.Tensor, torch.Tensor, Contrast], torch.Tensor]
"""Of query vectors (n_questions, dimension) and passage vectors (n_passages, dimension), both L2-normalised."""


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


def at_every_dimension(loss: Loss, dimensions: Sequence[int]) -> Loss:
    """The mean of a loss of whole vectors and of what is left of them at each dimension, normalised again."""

    def nested(query_vectors: torch.Tensor, passage_vectors: torch.Tensor, contrast: Contrast) -> torch.Tensor:
        losses = [loss(query_vectors, passage_vectors, contrast)]
        losses += [
            loss(_cut(query_vectors, dimension), _cut(passage_vectors, dimension), contrast)
            for dimension in dimensions
            if dimension < query_vectors.shape[1]
        ]
        return torch.stack(losses).mean()

    return nested


def cut_to(model: Any, dimension: int) -> Any:
    """A model of stock modules that gives the first `dimension` numbers of `model`'s vectors, normalised again."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Dense
    from sentence_transformers.sentence_transformer.modules import Normalize

    selection = torch.eye(dimension, model.get_embedding_dimension())
    cut = Dense(selection.shape[1], dimension, bias=False, activation_function=None, init_weight=selection)
    return SentenceTransformer(
        modules=[*model.children(), cut, Normalize()],
        prompts=model.prompts,
        similarity_fn_name="cosine",
        device=str(model.device),
    )


def _cut(vectors: torch.Tensor, dimension: int) -> torch.Tensor:
    return torch.nn.functional.normalize(vectors[:, :dimension], dim=1)
