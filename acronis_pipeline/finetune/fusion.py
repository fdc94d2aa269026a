"""Two encoders side by side in one stock SentenceTransformer: its vector is theirs, one after the other.

The modules are the first encoder's, a Dense that only puts its vector aside as `cls_token_embeddings`, the second
encoder, which reads the same tokens, a Pooling of the modes ("cls", the second's own), which joins what was put aside
with what it pools, and a Dense that scales the first part. Hence both must cut texts into tokens alike.

The vectors are joined as they come out of pooling and normalised together. Two copies of a base give a text vectors of
nearly the same length, so a cosine of joined vectors is the weighted mean of the two cosines (with weights 2 % of their
spread apart, the ratio of lengths varied by .8 %). A second encoder of another kind counts for more in texts that it
gives longer vectors. Imports torch: import this module inside functions.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from sentence_transformers.base.modules import Dense, Transformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, WordWeights

from acronis_pipeline.core.errors import RecipeError
from acronis_pipeline.encoders import TorchEncoder
from acronis_pipeline.encoders.torch_encoder import assembled


class Fusion:
    """A trainable encoder and a frozen one, which is left without a trainable weight.

    Parameters
    ----------
    second
        A transformer and its pooling, with the tokenizer of `tuned`.

    Raises
    ------
    RecipeError
        If the second is anything else.
    """

    def __init__(self, tuned: TorchEncoder, second: TorchEncoder) -> None:
        self._first = tuned.identity.dimension
        dimension = self._first + second.identity.dimension
        self._scale = _same(dimension)
        frozen = [_same(self._first, "cls_token_embeddings"), *_joining(second.model), self._scale]
        for module in frozen:
            module.requires_grad_(False)
        model = assembled([*_unnormalised(tuned.model), *frozen, Normalize()], tuned.model)
        self.encoder = TorchEncoder(model, replace(tuned.identity, dimension=dimension), tuned.batch_size)

    def factor(self, weight: float, vectors: np.ndarray) -> float:
        """What the first encoder's part of `vectors` is to be multiplied by for it to count `weight`, from 0 to 1.

        Parameters
        ----------
        vectors
            Of the model as it is, (n_texts, dimension): how long the two parts are, relative to each other.
        """
        lengths = np.linalg.norm(vectors[:, : self._first], axis=1) / np.linalg.norm(vectors[:, self._first :], axis=1)
        return float(np.sqrt(weight / (1 - weight)) / lengths.mean())

    def scaled(self, vectors: np.ndarray, factor: float) -> np.ndarray:
        """Vectors as the model would give them after `scale(factor)`."""
        moved = vectors.copy()
        moved[:, : self._first] *= factor
        return moved / np.linalg.norm(moved, axis=1, keepdims=True)

    def scale(self, factor: float) -> None:
        """Multiply the first encoder's part of all vectors to come."""
        with torch.no_grad():
            self._scale.linear.weight[: self._first].mul_(factor)


def _same(dimension: int, output: str | None = None) -> Dense:
    """Gives the vector that it gets, maybe under another name."""
    return Dense(
        dimension,
        dimension,
        bias=False,
        activation_function=None,
        init_weight=torch.eye(dimension),
        module_output_name=output,
    )


def _unnormalised(model: Any) -> list[Any]:
    *before, last = model.children()
    return before if isinstance(last, Normalize) else [*before, last]


def _joining(second: Any) -> list[Any]:
    """The second encoder's modules, with a pooling that joins its vector to the one put aside."""
    modules = _unnormalised(second)
    if len(modules) != 2 or not isinstance(modules[0], Transformer) or not isinstance(modules[1], Pooling):
        found = ", ".join(type(module).__name__ for module in modules)
        raise RecipeError(f"an ensemble's frozen encoder is a Transformer and its Pooling, not {found}")
    transformer, pooling = modules
    mode = pooling.pooling_mode
    if not isinstance(mode, str):
        raise RecipeError(
            f"an ensemble's frozen encoder pools in one way, not {len(mode)}; name another one as parameters.second"
        )
    modes: list[Any] = ["cls", "mean" if mode == "cls" else mode]
    joined = Pooling(pooling.embedding_dimension, modes, include_prompt=pooling.include_prompt)
    return [transformer, *([_only_first(transformer.tokenizer)] if mode == "cls" else []), joined]


def _only_first(tokenizer: Any) -> Any:
    """Makes a mean over tokens the first token's vector: "cls" is taken by the vector put aside."""
    id_of = tokenizer.get_vocab()
    word_of = {index: word for word, index in id_of.items()}
    vocabulary = [word_of.get(index, f"[no token {index}]") for index in range(max(word_of) + 1)]
    return WordWeights(vocabulary, {tokenizer.cls_token: 1.0}, unknown_word_weight=0.0)
