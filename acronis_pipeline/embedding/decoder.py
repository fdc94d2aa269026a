"""Decoder language models as encoders: a text's vector is that of its last token, which must be the end of the text.

A token of a decoder sees only what stands before it, so the last one alone has read everything; e5-mistral (arXiv
2401.00368) appends the end-of-text token to have the same one last in every text.
"""

import json
from pathlib import Path
from typing import Any

from acronis_pipeline.errors import ModelError


def is_decoder(folder: Path) -> bool:
    """Whether the model in a folder takes the vector of the last token; reads its configuration only."""
    if (folder / "modules.json").exists():
        poolings = [json.loads(file.read_text("utf-8")) for file in folder.glob("*_Pooling/config.json")]
        return any(p.get("pooling_mode") == "lasttoken" or p.get("pooling_mode_lasttoken") for p in poolings)
    return is_language_model(folder)


def is_language_model(folder: Path) -> bool:
    """Whether a folder holds a causal language model as it was pre-trained, with nothing that makes it an encoder."""
    file = folder / "config.json"
    if (folder / "modules.json").exists() or not file.exists():
        return False
    config = json.loads(file.read_text("utf-8"))
    (architecture, *_) = config.get("architectures") or [""]
    return architecture.endswith("ForCausalLM") and config.get("is_causal", True)


def make_encoder_of(model: Any) -> None:
    """Have a language model, loaded by sentence-transformers, read plain texts and end each with the end-of-text token.

    Truncation leaves room for that token, and vectors are normalised. What is set here is saved with the model.

    Raises
    ------
    ModelError
        If its tokenizer knows no such token, or cannot append it.
    """
    tokenizer = model.tokenizer
    if tokenizer.eos_token is None:
        raise ModelError(f"{tokenizer.name_or_path}: the tokenizer has no end-of-text token; name another base model")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token  # masked wherever it pads
    ids = tokenizer("text")["input_ids"]
    if ids[-1] != tokenizer.eos_token_id:
        tokenizer.add_bos_token = ids[0] == tokenizer.bos_token_id
        tokenizer.add_eos_token = True
    if tokenizer("text")["input_ids"][-1] != tokenizer.eos_token_id:
        raise ModelError(
            f"{tokenizer.name_or_path}: the tokenizer does not append {tokenizer.eos_token}; save it as a fast "
            "tokenizer whose post-processor does"
        )
    from sentence_transformers.sentence_transformer.modules import Normalize

    model.append(Normalize())
    # A chat model's texts would be put into its chat template, and the query prompt would become a system message.
    model[0].modality_config.pop("message", None)
