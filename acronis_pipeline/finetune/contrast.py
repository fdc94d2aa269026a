"""The contrastive objective that all methods share."""

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
