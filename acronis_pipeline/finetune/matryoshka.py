"""Vectors whose beginning is a vector too (Matryoshka, arXiv 2205.13147). Imports torch."""

from collections.abc import Sequence
from typing import Any

import torch

from acronis_pipeline.finetune.contrast import Contrast
from acronis_pipeline.finetune.gradient_step import Loss


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
