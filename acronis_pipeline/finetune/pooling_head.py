"""The trainable part of method `pooling`: a weight for every token of the vocabulary, and a residual map.

What is published consists of sentence-transformers' own modules (Transformer, WordWeights, Pooling, Dense, Normalize).
Imports torch: import this module inside functions.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, WordWeights

from acronis_pipeline.errors import RecipeError

_LEAST_IDF = 0.002
"""Of a token that every passage has, 1 being that of a token that none has."""

_POOLED_AT_ONCE = 64


@dataclass(frozen=True)
class Tokens:
    """The tokens of some texts as the frozen encoder sees them.

    Per text, ids of shape (n_tokens,) and float16 vectors of shape (n_tokens, dimension).
    """

    ids: list[torch.Tensor]
    vectors: list[torch.Tensor]

    def __len__(self) -> int:
        return len(self.ids)

    def find(self, text: int, part: Sequence[int]) -> slice:
        """Where the token ids `part` stand in a text; an empty slice where they do not."""
        ids, wanted = self.ids[text].tolist(), list(part)
        starts = range(len(ids) - len(wanted) + 1) if wanted else ()
        start = next((at for at in starts if ids[at] == wanted[0] and ids[at : at + len(wanted)] == wanted), None)
        return slice(0, 0) if start is None else slice(start, start + len(wanted))


class PoolingHead:
    """From token vectors to text vectors: a mean weighted by word, then x + Mx, L2-normalised."""

    def __init__(self, log_weights: torch.Tensor, residual: torch.Tensor) -> None:
        self.log_weights = log_weights.clone().requires_grad_()
        self.residual = residual.clone().requires_grad_()

    def copy(self) -> "PoolingHead":
        """The same head, no longer changed by training."""
        return PoolingHead(self.log_weights.detach(), self.residual.detach())

    def pool(self, tokens: Tokens, texts: Sequence[int], gone: Sequence[slice] | None = None) -> torch.Tensor:
        """Shape (n_texts, dimension), L2-normalised, with gradients.

        Parameters
        ----------
        gone
            Per text, tokens to leave out of its mean.
        """
        shape = (len(texts), max(len(tokens.ids[text]) for text in texts))
        ids, kept = torch.zeros(shape, dtype=torch.long), torch.zeros(shape)
        vectors = torch.zeros(*shape, self.residual.shape[0])
        for row, text in enumerate(texts):
            n = len(tokens.ids[text])
            ids[row, :n], vectors[row, :n], kept[row, :n] = tokens.ids[text], tokens.vectors[text], 1.0
            if gone is not None:
                kept[row, gone[row]] = 0.0
        mean = torch.einsum("bnd,bn->bd", vectors, kept * self.log_weights[ids].exp())
        mean = torch.nn.functional.normalize(mean, dim=1)
        return torch.nn.functional.normalize(mean + mean @ self.residual.T, dim=1)

    def pool_all(self, tokens: Tokens) -> torch.Tensor:
        """Shape (n_texts, dimension), L2-normalised, without gradients."""
        with torch.no_grad():
            parts = [
                self.pool(tokens, range(start, min(start + _POOLED_AT_ONCE, len(tokens))))
                for start in range(0, len(tokens), _POOLED_AT_ONCE)
            ]
        return torch.cat(parts)


def untrained_head(model: SentenceTransformer, ids: Sequence[Sequence[int]], idf_power: float) -> PoolingHead:
    """Weights of inverse document frequency over the passages' token ids, to a power, and no map."""
    highest, seen_in = math.log(len(ids) + 1), Counter(token for one in ids for token in set(one))
    log_weights = torch.zeros(len(model.tokenizer))
    for token, count in seen_in.items():
        idf = math.log((len(ids) + 1) / (count + 0.5)) / highest
        log_weights[token] = idf_power * math.log(max(_LEAST_IDF, idf))
    log_weights[model.tokenizer.all_special_ids] = idf_power * math.log(_LEAST_IDF)  # every text has them
    dimension = model.get_embedding_dimension()
    return PoolingHead(log_weights, torch.zeros(dimension, dimension))


def token_ids(model: SentenceTransformer, texts: Sequence[str]) -> list[list[int]]:
    """Ids of each text without special tokens, cut at the model's limit."""
    return model.tokenizer(list(texts), add_special_tokens=False, truncation=True, max_length=model.max_seq_length)[
        "input_ids"
    ]


@torch.no_grad()
def encode_tokens(model: SentenceTransformer, texts: Sequence[str], side: str, batch_size: int) -> Tokens:
    """Token vectors of texts under the frozen encoder, with the prompt of `side` ("query" or "document").

    Raises
    ------
    RecipeError
        If the model is more than a transformer, the mean of its tokens and a normalisation.
    """
    encoder = _encoder_of(model)
    ids: list[torch.Tensor] = [torch.empty(0)] * len(texts)
    vectors = list(ids)
    by_length = sorted(range(len(texts)), key=lambda text: len(texts[text]))
    for start in range(0, len(texts), batch_size):
        some = by_length[start : start + batch_size]
        features = model.preprocess([texts[text] for text in some], prompt=model.prompts.get(side) or None)
        on_device = {k: v.to(model.device) if isinstance(v, torch.Tensor) else v for k, v in features.items()}
        encoded = encoder(on_device)["token_embeddings"].half().cpu()
        ids_of_all, kept_of_all = features["input_ids"].cpu(), features["attention_mask"].bool().cpu()
        for text, row_ids, row, kept in zip(some, ids_of_all, encoded, kept_of_all, strict=True):
            ids[text], vectors[text] = row_ids[kept], row[kept]
    return Tokens(ids, vectors)


def with_head(model: SentenceTransformer, head: PoolingHead) -> SentenceTransformer:
    """The model with this head instead of its mean; it shares the encoder of `model`."""
    names = model.tokenizer.convert_ids_to_tokens(range(len(model.tokenizer)))
    weights = head.log_weights.detach().exp().tolist()
    residual = head.residual.detach()
    dimension = residual.shape[0]
    modules = [
        _encoder_of(model),
        WordWeights(names, dict(zip(names, weights, strict=True))),
        Pooling(dimension, "mean"),
        Normalize(),
        Dense(
            dimension,
            dimension,
            bias=False,
            activation_function=None,
            use_residual=True,
            init_weight=residual,
        ),
        Normalize(),
    ]
    return SentenceTransformer(
        modules=modules, prompts=model.prompts, similarity_fn_name="cosine", device=str(model.device)
    )


def _encoder_of(model: SentenceTransformer) -> torch.nn.Module:
    encoder, *after = model.children()
    match after:
        case [Pooling(pooling_mode="mean", include_prompt=True), *rest] if all(isinstance(m, Normalize) for m in rest):
            return encoder
    found = ", ".join(type(module).__name__ for module in after)
    raise RecipeError(
        f"method pooling: the base model ends in {found}, not in the plain mean of its tokens; use method full"
    )
