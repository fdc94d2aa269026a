"""Texts to vectors with gradients. Imports torch: import this module inside functions."""

from collections.abc import Callable, Sequence

import torch
from sentence_transformers import SentenceTransformer

from acronis_pipeline.embedding.identity import BFLOAT16

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
