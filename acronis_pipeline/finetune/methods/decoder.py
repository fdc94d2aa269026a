"""Method `decoder`: a decoder language model as encoder, by e5-mistral's recipe (arXiv 2401.00368).

A text's vector is that of its last token, the end-of-text token (`embedding.decoder`); an instruction stands before
questions and never before passages; adapters of rank 16 are trained with InfoNCE at temperature 0.02 and merged before
publishing. On a GPU the frozen weights may be held in 4 bits while training (QLoRA, arXiv 2305.14314): the adapters are
merged into the full weights all the same.
"""

import importlib.util
import re
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from acronis_pipeline import encoders
from acronis_pipeline.core.errors import RecipeError
from acronis_pipeline.encoders import ModelIdentity, TorchEncoder
from acronis_pipeline.encoders.folder import is_decoder
from acronis_pipeline.finetune.method import Fitted, Method, Task
from acronis_pipeline.finetune.parameters import EncoderParameters

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_INSTRUCTION = re.compile(r"Instruct: \S.*\nQuery: ?")


class Parameters(EncoderParameters):
    """Hyper-parameters of low-rank fine-tuning of a decoder; the defaults are e5-mistral's where a corpus is small."""

    learning_rate: float = Field(1e-4, gt=0)
    scale: float = Field(50.0, gt=0, description="1 / temperature of the softmax over a batch's passages.")
    rank: int = Field(16, ge=1, description="Of each adapter.")
    alpha: float = Field(32.0, gt=0, description="What an adapter adds is scaled by alpha / rank.")
    quantize: Literal["4bit"] | None = Field(
        None, description="Hold the frozen weights in 4 bits while training; needs a GPU and bitsandbytes."
    )
    activation_checkpointing: bool = Field(
        True, description="Compute activations again in the backward pass: slower by a third, memory for one layer."
    )


def check(base: ModelIdentity, parameters: Parameters, device: str | None) -> None:
    """Refuse a base that is no decoder, other prompts than an instruction before questions alone, and 4 bits without a
    GPU or without bitsandbytes.
    """
    if not is_decoder(encoders.find_base(base.base)):
        raise RecipeError(
            f"base_model {base.base}: method decoder needs a causal language model (Mistral, Qwen, Llama …) or an "
            "encoder made of one, which takes the last token; name one, or use method full or lora"
        )
    if not _INSTRUCTION.fullmatch(base.query_prompt):
        raise RecipeError(
            f"query_prompt = {base.query_prompt!r}: method decoder puts an instruction before questions; write "
            r'query_prompt: "Instruct: Given a question, retrieve passages that answer it\nQuery: "'
        )
    if base.document_prompt:
        raise RecipeError(
            f"document_prompt = {base.document_prompt!r}: method decoder instructs before questions only; write "
            'document_prompt: ""'
        )
    if parameters.quantize and not (found := device or _usual_device()).startswith("cuda"):
        raise RecipeError(f"parameters.quantize = {parameters.quantize} needs a GPU, found {found}; remove the key")
    if parameters.quantize and not importlib.util.find_spec("bitsandbytes"):
        raise RecipeError(
            f"parameters.quantize = {parameters.quantize} needs bitsandbytes; pip install it, or remove the key"
        )


def _usual_device() -> str:
    from sentence_transformers.util import get_device_name

    return get_device_name()


def fit(task: Task, parameters: Parameters) -> Fitted:
    """Train adapters beside a fresh copy of the base and merge the best of them, whole or in part."""
    from acronis_pipeline.finetune.encoder_training import train_encoder
    from acronis_pipeline.finetune.low_rank import Adapted

    def adapt(encoder: TorchEncoder) -> Adapted:
        return Adapted(encoder, rank=parameters.rank, alpha=parameters.alpha, seed=task.seed)

    def finish(adapters: dict[str, Any], share: float) -> "SentenceTransformer":
        """Adapters that were trained beside 4 bits go into the weights that those were made from."""
        whole = adapt(task.load_base(device="cpu")) if parameters.quantize else trained
        whole.mix(adapters, share)
        return whole.merged()

    trained = adapt(_load_quantized(task) if parameters.quantize else task.load_base())
    if parameters.activation_checkpointing:
        # The other form needs inputs with gradients, and the embeddings are frozen.
        trained.transformer.activation_checkpointing_enable({"use_reentrant": False})
    return train_encoder(task, parameters, trained.encoder, mix=trained.mix, finish=finish)


def _load_quantized(task: Task) -> TorchEncoder:
    """The base with its linear maps in 4 bits (NF4, twice quantised), computing in bf16."""
    import torch
    from transformers import BitsAndBytesConfig

    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    device_map = {"": str(task.local_base.model.device)}
    return task.load_base(weights={"quantization_config": config, "dtype": torch.bfloat16, "device_map": device_map})


METHOD = Method(Parameters, fit, check=check)
