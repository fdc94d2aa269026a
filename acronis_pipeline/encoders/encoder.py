"""What every encoder is: texts in, vectors out, and an identity that says which model made them.

A backend is a subclass in a file of its own (`torch_encoder`, `openvino_encoder`, `endpoint`) and knows no other one;
`loading` knows them all. Your own needs an identity and the two methods that are abstract here. What a method takes and
gives is said here, and in a subclass only where it adds to that.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from acronis_pipeline.core.errors import IdentityMismatchError, ModelError
from acronis_pipeline.encoders.identity import ModelIdentity
from acronis_pipeline.encoders.windows import PassageVectors, WindowCutter, mixed

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class Encoder(ABC):
    """Encodes texts. Vectors are float32 and L2-normalised, so a dot product is the cosine.

    Parameters
    ----------
    identity
        Who the model is; its `windows`, if any, say how passages are cut.
    """

    def __init__(self, identity: ModelIdentity) -> None:
        self.identity = identity

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self.identity.dimension

    @abstractmethod
    def encode_queries(self, queries: Sequence[str]) -> np.ndarray:
        """Shape (n_queries, dimension) float32, L2-normalised; the query prompt is applied."""

    @abstractmethod
    def encode_passages(self, passages: Sequence[str]) -> np.ndarray:
        """Shape (n_passages, dimension) float32, L2-normalised; the document prompt is applied.

        One vector each, whatever the identity's windows: see `encode_windows`.
        """

    def encode_windows(self, passages: Sequence[str]) -> PassageVectors:
        """The vectors by which passages are found: of their windows, where the identity has some. Raises as `cut`."""
        whole = self.encode_passages(passages)
        if self.identity.windows is None:
            return PassageVectors.single(whole)
        cut = [parts if len(parts) > 1 else [] for parts in self.cut(passages)]
        own = self.encode_passages([part for parts in cut for part in parts])
        ends = np.cumsum([len(parts) for parts in cut])
        return mixed(whole, np.split(own, ends[:-1]) if cut else [], self.identity.windows.whole_share)

    def cut(self, passages: Sequence[str]) -> list[list[str]]:
        """The windows of each passage; the passage itself where the identity has none.

        Raises
        ------
        ModelError
            If there are windows to cut, and no tokenizer that says where tokens stand in a text.
        """
        if self.identity.windows is None:
            return [[passage] for passage in passages]
        return self._cutter.cut(passages)

    @cached_property
    def _cutter(self) -> WindowCutter:
        assert self.identity.windows is not None  # only asked for where it has some
        return WindowCutter(self.tokenizer(), self.identity.windows)

    def tokenizer(self) -> "Tokenizer":
        """The document side's, for whoever cuts passages into windows.

        Raises
        ------
        ModelError
            If there is none at hand that says where tokens stand in a text: the case unless a backend has one.
        """
        raise ModelError(
            f"base model {self.identity.base} has no fast tokenizer, so its passages cannot be cut into windows; "
            "remove windows from the recipe, or save the model with a fast tokenizer"
        )


class DeferredEncoder(Encoder):
    """Knows now who it is and loads its weights on first use: an index refresh with nothing new never imports torch.

    Parameters
    ----------
    identity
        Who the model is (read from its files, which is cheap).
    load
        Loads it; called at most once.
    """

    def __init__(self, identity: ModelIdentity, load: Callable[[], Encoder]) -> None:
        super().__init__(identity)
        self.n_encoded_passages = 0
        self._load = load

    def encode_queries(self, queries: Sequence[str]) -> np.ndarray:
        return self._loaded.encode_queries(queries)

    def encode_passages(self, passages: Sequence[str]) -> np.ndarray:
        self.n_encoded_passages += len(passages)
        return self._loaded.encode_passages(passages)

    def encode_windows(self, passages: Sequence[str]) -> PassageVectors:
        self.n_encoded_passages += len(passages)
        return self._loaded.encode_windows(passages)

    def cut(self, passages: Sequence[str]) -> list[list[str]]:
        return self._loaded.cut(passages)

    def tokenizer(self) -> "Tokenizer":
        return self._loaded.tokenizer()

    @cached_property
    def _loaded(self) -> Encoder:
        loaded = self._load()
        if loaded.identity.model_id != self.identity.model_id:
            raise IdentityMismatchError(
                f"expected model {self.identity.model_id} ({self.identity.base}), but {loaded.identity.model_id} "
                f"({loaded.identity.base}) was loaded; its folder changed since it was described: train it again"
            )
        return loaded
