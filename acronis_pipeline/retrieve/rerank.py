"""Cross-encoders, which read question and passage together: better than any cosine, and too slow for a whole corpus."""

from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import Any

from acronis_pipeline import cross_encoder


class Reranker:
    """A cross-encoder by its hub name or folder, loaded when something is scored for the first time.

    Parameters
    ----------
    name
        A hub name (`cross-encoder/ms-marco-MiniLM-L6-v2`) or a local folder. Code in either is never run.
    device
        cpu, cuda, mps …; chosen automatically by default.
    batch_size
        Pairs of question and passage read at once.
    """

    def __init__(self, name: str, *, device: str | None = None, batch_size: int = 32) -> None:
        self.name = name
        self._device = device
        self._batch_size = batch_size

    def scores(self, query: str, passages: Sequence[str]) -> list[float]:
        """Relevance of each passage to the question: the model's logits, which no sigmoid has squeezed together.

        Raises
        ------
        ModelError
            If the model is neither here nor on the hub, needs code of its own, or gives more than one score a pair.
        """
        import torch

        if not passages:
            return []
        found = self._model.predict(
            [(query, passage) for passage in passages],
            batch_size=self._batch_size,
            activation_fn=torch.nn.Identity(),
            show_progress_bar=False,
        )
        return [float(score) for score in found]

    @cached_property
    def _model(self) -> Any:
        return cross_encoder.load(self.name, role="reranker", otherwise="unset retrieval.reranker", device=self._device)


@lru_cache(maxsize=4)
def reranker(name: str, device: str | None = None) -> Reranker:
    """The reranker of that name, one in a process: evaluation and latency share its weights."""
    return Reranker(name, device=device)
