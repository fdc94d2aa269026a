"""The contrastive objective that all methods share."""

from collections.abc import Sequence
from typing import Any


def info_nce(logits: Any, positive: Any) -> Any:
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
    logits: Any, positive: Any, negative_logits: Any, queries: Sequence[int], owners: Sequence[int]
) -> tuple[Any, Any]:
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
    import torch

    own = torch.tensor([[query == owner for owner in owners] for query in queries], device=logits.device)
    contrasted = negative_logits.masked_fill(~own, float("-inf"))
    return torch.cat([logits, contrasted], dim=1), torch.cat([positive, torch.zeros_like(own)], dim=1)
