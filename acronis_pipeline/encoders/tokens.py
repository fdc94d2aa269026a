"""From texts to token ids: counting them, batches of them, and how a model takes them in on each of its sides.

What is here is the same for every engine that runs a model.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from acronis_pipeline.core.errors import ModelError
from acronis_pipeline.core.hashing import digest

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Side = Literal["query", "document"]
PROMPT_NAMES: dict[Side, tuple[str, ...]] = {"query": ("query",), "document": ("document", "passage", "corpus")}
"""As `SentenceTransformer.encode_query` and `encode_document` look for them."""

_log = logging.getLogger(__name__)
_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
_SAMPLES = ("Restore", "What does  a Backup plan\tcost? 你好 É", "long " * 700)
"""Short, odd and long: what two ways of tokenising could disagree about."""

TYPICAL_TOKENS = 64
"""A batch of n holds n texts of this length, fewer longer ones, more shorter ones. On a CPU 1,000 to 4,000 tokens at
once are best: less does not fill the kernels, more falls out of the cache."""


class TokenCounter:
    """Counts tokens with a model's own tokenizer, without loading the model."""

    def __init__(self, folder: Path) -> None:
        from tokenizers import Tokenizer

        file = folder / "tokenizer.json"
        if not file.exists():
            raise ModelError(f"base model in {folder} has no tokenizer.json; save it with a fast tokenizer")
        self._tokenizer = Tokenizer.from_file(str(file))
        self.fingerprint = digest(file.read_text("utf-8"))
        # The packaged file truncates at 128 and pads, which would hide every longer text.
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    def count(self, text: str) -> int:
        """Tokens of one text, special tokens included."""
        return len(self._tokenizer.encode(text).ids)

    def count_many(self, texts: Sequence[str]) -> list[int]:
        return [len(encoding.ids) for encoding in self._tokenizer.encode_batch(list(texts))]


@dataclass(frozen=True)
class Batch:
    """Texts of similar length.

    `rows` are their positions among all; `inputs` maps a model's input names to (n_texts, n_tokens) int64.
    """

    rows: np.ndarray
    inputs: dict[str, np.ndarray]


@dataclass(frozen=True)
class Padding:
    """How a model wants short texts filled up; `names` are the inputs it takes."""

    token_id: int = 0
    type_id: int = 0
    left: bool = False
    names: tuple[str, ...] = ("input_ids", "attention_mask")


class Batcher:
    """Tokenises all texts in one call, sorts them by tokens and fills batches up to a number of tokens.

    A batch is padded to its longest text. sentence-transformers sorts by characters, takes the same number of short and
    long texts, and goes through the slower interface of its tokenizer for each batch.
    """

    def __init__(self, tokenizer: Any, max_length: int | None, padding: Padding) -> None:
        from tokenizers import Tokenizer

        # A copy: the model's own is set anew, under our feet, by whoever else uses it.
        self._tokenizer = Tokenizer.from_str(tokenizer.to_str())
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        if max_length:
            self._tokenizer.enable_truncation(max_length)
        self.max_length = max_length
        self._padding = padding

    def save(self, file: Path) -> None:
        """Write the tokenizer with its truncation, and its padding for those who batch without us."""
        from tokenizers import Tokenizer

        copy = Tokenizer.from_str(self._tokenizer.to_str())
        copy.enable_padding(
            direction="left" if self._padding.left else "right",
            pad_id=self._padding.token_id,
            pad_type_id=self._padding.type_id,
            pad_token=copy.id_to_token(self._padding.token_id),
        )
        copy.save(str(file))

    def batches(self, texts: Sequence[str], n_tokens: int, prompt: str = "") -> Iterator[Batch]:
        """Longest texts first, so that what does not fit into memory fails at once.

        Parameters
        ----------
        n_tokens
            Of a batch, padding included; a longer text is a batch of its own.
        """
        encodings = self._tokenizer.encode_batch_fast([prompt + text for text in texts])
        lengths = np.array([len(encoding.ids) for encoding in encodings])
        order = np.argsort(-lengths, kind="stable")
        start = 0
        while start < len(order):
            longest = max(1, int(lengths[order[start]]))
            rows = order[start : start + max(1, n_tokens // longest)]
            yield Batch(rows, self._padded([encodings[row] for row in rows], longest))
            start += len(rows)

    def _padded(self, encodings: Sequence[Any], length: int) -> dict[str, np.ndarray]:
        shape = (len(encodings), length)
        filled = {
            "input_ids": np.full(shape, self._padding.token_id, np.int64),
            "attention_mask": np.zeros(shape, np.int64),
            "token_type_ids": np.full(shape, self._padding.type_id, np.int64),
        }
        for row, encoding in enumerate(encodings):
            n = len(encoding.ids)
            where = slice(length - n, length) if self._padding.left else slice(0, n)
            filled["input_ids"][row, where] = encoding.ids
            filled["attention_mask"][row, where] = 1
            filled["token_type_ids"][row, where] = encoding.type_ids
        return {name: filled[name] for name in self._padding.names}


@dataclass(frozen=True)
class Route:
    """One side's way from texts to a model's inputs; `constants` are the inputs that no text changes."""

    batcher: Batcher
    prompt: str
    padding: Padding
    constants: dict[str, Any]


def input_module(model: "SentenceTransformer", side: Side) -> Any:
    """The module that tokenises on one side of a SentenceTransformer, which may be a Router."""
    from sentence_transformers.base.modules import Router

    first = model[0]
    if isinstance(first, Router) and side in first.sub_modules:
        return next(first.sub_modules[side].children())
    return first


def tokenizer_of(model: "SentenceTransformer", side: Side) -> Any:
    """What tokenises on one side, of whatever class; None where the model's first module has no tokenizer."""
    return getattr(input_module(model, side), "tokenizer", None)  # anybody may have written that module


def prompt_of(model: "SentenceTransformer", side: Side) -> str:
    """What a SentenceTransformer puts before every text of one side."""
    known = (model.prompts.get(name) for name in (*PROMPT_NAMES[side], model.default_prompt_name) if name)
    return next((prompt for prompt in known if prompt is not None), "")


def route_of(model: "SentenceTransformer", side: Side) -> Route | None:
    """The route, if texts can be tokenised for the model without it; None if only the model itself knows how.

    Found out by trying: models of images, of word vectors, or with instructions inside their pooling are not listed
    anywhere, but all give other inputs for a sample, or inputs of other names.
    """
    import torch
    from transformers import PreTrainedTokenizerFast

    tokenizer = tokenizer_of(model, side)
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        return None
    prompt = prompt_of(model, side)
    expected = model.preprocess(list(_SAMPLES), prompt=prompt or None, task=side)
    arrays = {name: value for name, value in expected.items() if isinstance(value, torch.Tensor)}
    padding = Padding(
        token_id=tokenizer.pad_token_id or 0,  # pyright: ignore[reportArgumentType]
        type_id=tokenizer.pad_token_type_id,
        left=tokenizer.padding_side == "left",
        names=tuple(name for name in _INPUTS if name in arrays),
    )
    if not set(arrays) <= set(_INPUTS) or tokenizer.truncation_side != "right":
        return None
    batcher = Batcher(tokenizer.backend_tokenizer, input_module(model, side).max_seq_length, padding)
    for batch in batcher.batches(_SAMPLES, 10**9, prompt):
        for name, found in batch.inputs.items():
            given = arrays[name].numpy()[batch.rows]
            if given.shape != found.shape or (given != found).any():
                _log.debug("%s is tokenised by the model itself: %s differs", side, name)
                return None
    constants = {name: value for name, value in expected.items() if name not in arrays}
    return Route(batcher, prompt, padding, constants)
