"""What training makes smaller. Imports torch: import this module inside functions.

A loss is of a step's query and passage vectors, all L2-normalised, and of which of them belong together.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from acronis_pipeline.finetune.contrast import Contrast

Loss = Callable[[torch.Tensor, torch.Tensor, Contrast], torch.Tensor]
"""Of query vectors (n_questions, dimension) and passage vectors (n_passages, dimension), both L2-normalised."""


def info_nce(logits: torch.Tensor, positive: torch.Tensor) -> torch.Tensor:
    """InfoNCE with several positives: minus the log-probability that softmax gives to any of a query's answers.

    With one positive per row this is the usual cross-entropy (MultipleNegativesRankingLoss). Near-duplicates of an
    answer are answers too, so they are neither pushed away nor all pulled to the same distance.

    Parameters
    ----------
    logits
        Tensor of shape (n_queries, n_passages): cosine similarities times the scale (1 / temperature).
    positive
        Boolean tensor of the same shape; every row has at least one True.

    Returns
    -------
    Tensor
        Scalar, the mean over queries.
    """
    answered = logits.masked_fill(~positive, float("-inf")).logsumexp(dim=1)
    return (logits.logsumexp(dim=1) - answered).mean()


def with_own_negatives(
    logits: torch.Tensor,
    positive: torch.Tensor,
    negative_logits: torch.Tensor,
    queries: Sequence[int],
    owners: Sequence[int],
) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and positives of `info_nce` with each query's own hard negatives as further columns.

    A query is not contrasted with the negatives of another: what does not answer one question about a passage may well
    answer the next.

    Parameters
    ----------
    negative_logits
        Tensor of shape (n_queries, n_negatives).
    queries, owners
        The query of each row, and the query that each negative came with.
    """
    own = torch.tensor([[query == owner for owner in owners] for query in queries], device=logits.device)
    contrasted = negative_logits.masked_fill(~own, float("-inf"))
    return torch.cat([logits, contrasted], dim=1), torch.cat([positive, torch.zeros_like(own)], dim=1)


def contrastive_loss(
    query_vectors: torch.Tensor, passage_vectors: torch.Tensor, contrast: Contrast, scale: float
) -> torch.Tensor:
    """`info_nce` of a step's vectors, L2-normalised tensors of shape (n, dimension); a scalar tensor."""
    contrasted = torch.from_numpy(contrast.contrasted).to(query_vectors.device)
    positive = torch.from_numpy(contrast.positive).to(query_vectors.device)
    logits = scale * query_vectors @ passage_vectors.T
    return info_nce(logits.masked_fill(~contrasted, float("-inf")), positive)


def listwise_kl(logits: torch.Tensor, taught: np.ndarray) -> torch.Tensor:
    """KL divergence of the student's softmax from the teacher's, each over what the teacher knows; mean over questions.

    Parameters
    ----------
    logits
        Tensor of shape (n_questions, n_passages).
    taught
        The teacher's logits, of the same shape; NaN leaves a passage out of that question's list.
    """
    target = torch.from_numpy(np.nan_to_num(taught, nan=-np.inf)).to(logits.device)
    unknown = target.isneginf()
    wanted = target.log_softmax(dim=1).masked_fill(unknown, 0.0)
    found = logits.masked_fill(unknown, float("-inf")).log_softmax(dim=1).masked_fill(unknown, 0.0)
    shares = target.softmax(dim=1)
    return (shares * (wanted - found)).sum(dim=1).mean()


def at_every_dimension(loss: Loss, dimensions: Sequence[int]) -> Loss:
    """The mean of a loss of whole vectors and of what is left of them at each dimension, normalised again.

    So that a vector's beginning is a vector too (Matryoshka, arXiv 2205.13147).
    """

    def nested(query_vectors: torch.Tensor, passage_vectors: torch.Tensor, contrast: Contrast) -> torch.Tensor:
        losses = [loss(query_vectors, passage_vectors, contrast)]
        losses += [
            loss(_cut(query_vectors, dimension), _cut(passage_vectors, dimension), contrast)
            for dimension in dimensions
            if dimension < query_vectors.shape[1]
        ]
        return torch.stack(losses).mean()

    return nested


def _cut(vectors: torch.Tensor, dimension: int) -> torch.Tensor:
    return torch.nn.functional.normalize(vectors[:, :dimension], dim=1)
