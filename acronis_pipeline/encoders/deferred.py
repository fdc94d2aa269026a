"""An encoder whose identity is known now and whose weights are loaded when a text really has to be encoded."""

from collections.abc import Callable, Sequence

import numpy as np

from acronis_pipeline.core.errors import IdentityMismatchError
from acronis_pipeline.encoders.identity import ModelIdentity
from acronis_pipeline.encoders.torch_encoder import Embedder
from acronis_pipeline.encoders.windows import PassageVectors


class DeferredEmbedder(Embedder):
    """Stands in for an `Embedder` and loads it on first use: an index refresh with nothing new never imports torch.

    Parameters
    ----------
    identity
        Who the model is (read from its files, which is cheap).
    load
        Loads it; called at most once.
    """

    def __init__(self, identity: ModelIdentity, load: Callable[[], Embedder]) -> None:
        self.identity = identity
        self.n_encoded_passages = 0
        self._load = load
        self._loaded: Embedder | None = None

    def encode_queries(self, queries: Sequence[str]) -> np.ndarray:
        """Shape (n_queries, dimension) float32, L2-normalised."""
        return self._embedder().encode_queries(queries)

    def encode_passages(self, passages: Sequence[str]) -> np.ndarray:
        """Shape (n_passages, dimension) float32, L2-normalised."""
        self.n_encoded_passages += len(passages)
        return self._embedder().encode_passages(passages)

    def encode_windows(self, passages: Sequence[str]) -> PassageVectors:
        """The vectors by which passages are found."""
        self.n_encoded_passages += len(passages)
        return self._embedder().encode_windows(passages)

    def cut(self, passages: Sequence[str]) -> list[list[str]]:
        """The windows of each passage."""
        return self._embedder().cut(passages)

    def _embedder(self) -> Embedder:
        if self._loaded is None:
            loaded = self._load()
            if loaded.identity.model_id != self.identity.model_id:
                raise IdentityMismatchError(
                    f"expected model {self.identity.model_id} ({self.identity.base}), but {loaded.identity.model_id} "
                    f"({loaded.identity.base}) was loaded; its folder changed since it was described: train it again"
                )
            self._loaded = loaded
        return self._loaded
