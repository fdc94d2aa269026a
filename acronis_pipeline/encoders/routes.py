"""How a model takes texts in on its query side and on its document side."""

import logging
from dataclasses import dataclass
from typing import Any, Literal

from acronis_pipeline.encoders.tokens import Batcher, Padding

Side = Literal["query", "document"]

_log = logging.getLogger(__name__)
PROMPT_NAMES: dict[Side, tuple[str, ...]] = {"query": ("query",), "document": ("document", "passage", "corpus")}
"""As `SentenceTransformer.encode_query` and `encode_document` look for them."""
_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
_SAMPLES = ("Restore", "What does  a Backup plan\tcost? 你好 É", "long " * 700)
"""Short, odd and long: what two ways of tokenising could disagree about."""


@dataclass(frozen=True)
class Route:
    """One side's way from texts to a model's inputs; `constants` are the inputs that no text changes."""

    batcher: Batcher
    prompt: str
    padding: Padding
    constants: dict[str, Any]


def input_module(model: Any, side: Side) -> Any:
    """The module that tokenises on one side of a SentenceTransformer, which may be a Router."""
    first = model[0]
    routes = getattr(first, "sub_modules", None)
    return routes[side][0] if routes is not None and side in routes else first


def prompt_of(model: Any, side: Side) -> str:
    """What a SentenceTransformer puts before every text of one side."""
    known = (model.prompts.get(name) for name in (*PROMPT_NAMES[side], model.default_prompt_name))
    return next((prompt for prompt in known if prompt is not None), "")


def route_of(model: Any, side: Side) -> Route | None:
    """The route, if texts can be tokenised for the model without it; None if only the model itself knows how.

    Found out by trying: models of images, of word vectors, or with instructions inside their pooling are not listed
    anywhere, but all give other inputs for a sample, or inputs of other names.
    """
    module = input_module(model, side)
    tokenizer: Any = getattr(module, "tokenizer", None)
    if not getattr(tokenizer, "is_fast", False):
        return None
    prompt = prompt_of(model, side)
    expected = model.preprocess(list(_SAMPLES), prompt=prompt or None, task=side)
    arrays = {name: value for name, value in expected.items() if hasattr(value, "shape")}
    padding = Padding(
        token_id=tokenizer.pad_token_id or 0,
        type_id=tokenizer.pad_token_type_id,
        left=tokenizer.padding_side == "left",
        names=tuple(name for name in _INPUTS if name in arrays),
    )
    if not set(arrays) <= set(_INPUTS) or tokenizer.truncation_side != "right":
        return None
    batcher = Batcher(tokenizer.backend_tokenizer, module.max_seq_length, padding)
    for batch in batcher.batches(_SAMPLES, 10**9, prompt):
        for name, found in batch.inputs.items():
            given = arrays[name].numpy()[batch.rows]
            if given.shape != found.shape or (given != found).any():
                _log.debug("%s is tokenised by the model itself: %s differs", side, name)
                return None
    constants = {name: value for name, value in expected.items() if name not in arrays}
    return Route(batcher, prompt, padding, constants)
