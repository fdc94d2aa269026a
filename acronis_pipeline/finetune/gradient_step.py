"""Gradients of one training step, whatever encodes, however little memory and on however many devices.

The loss sees only vectors. So texts are encoded in mini-batches, the loss is differentiated with respect to the
vectors, and each mini-batch turns its vectors' gradients into gradients of the weights. With `cached` the first pass
keeps no activations and each mini-batch is encoded again for its turn (GradCache, arXiv 2101.06983): one more forward
pass, and memory for one mini-batch however large the batch. Either way a question is contrasted with the whole batch;
accumulating gradients over several small batches would not do that: it adds no negatives.

On several devices each encodes its share of the mini-batches and all see all vectors, so the contrast spans them.
Imports torch: import this module inside functions.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from acronis_pipeline.finetune import devices
from acronis_pipeline.finetune.contrast import Contrast
from acronis_pipeline.finetune.encoding import Encode, mini_batches

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
