"""Low-rank adapters in any transformer: put in, trained alone, merged away. Imports torch and peft."""

import re
from typing import Any

import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from peft.tuners.tuners_utils import BaseTunerLayer
from sentence_transformers import SentenceTransformer

from acronis_pipeline.encoders import TorchEncoder

_IN_A_LAYER = re.compile(r"\.\d+\.")
"""Layers are numbered (`encoder.layer.0.attention.self.query`, `layers.0.self_attn.q_proj`), poolers and heads not."""


def linear_maps(transformer: torch.nn.Module) -> list[str]:
    """Names of the linear maps within a transformer's layers, attention and feed-forward, whatever they are called."""
    return [
        name
        for name, module in transformer.named_modules()
        if isinstance(module, torch.nn.Linear) and _IN_A_LAYER.search(name)
    ]


def add_adapters(transformer: torch.nn.Module, *, rank: int, alpha: float, seed: int) -> None:
    """Freeze a transformer and put a trainable low-rank map, zero at first, beside each of its linear ones.

    Parameters
    ----------
    alpha
        What the low-rank map adds is scaled by `alpha / rank`.
    """
    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,  # pyright: ignore[reportArgumentType]
        lora_dropout=0.0,
        bias="none",
        target_modules=linear_maps(transformer),
    )
    for parameter in transformer.parameters():
        parameter.requires_grad_(False)
    # By default this opens every GPU to keep its state, those that other processes train on included.
    own = {parameter.device for parameter in transformer.parameters() if parameter.device.type == "cuda"}
    with torch.random.fork_rng(own, device_type="cuda"):
        torch.manual_seed(seed)  # half of each adapter starts at random
        inject_adapter_in_model(config, transformer)


class Adapted:
    """An encoder, changed in place: its weights are frozen, and adapters in its transformer's layers are all it trains.

    The other parameters are those of `add_adapters`.
    """

    def __init__(self, encoder: TorchEncoder, *, rank: int, alpha: float, seed: int) -> None:
        self.encoder = encoder
        self.transformer: Any = encoder.model[0].model
        for parameter in encoder.model.parameters():
            parameter.requires_grad_(False)
        add_adapters(self.transformer, rank=rank, alpha=alpha, seed=seed)

    def mix(self, adapters: dict[str, torch.Tensor], share: float) -> None:
        """Put trained adapters in and have each add this share of what it learnt: weights between base and tuned."""
        self.encoder.model.load_state_dict(adapters, strict=False)
        for module in self.transformer.modules():
            if isinstance(module, LoraLayer):
                for name in module.active_adapters:
                    module.set_scale(name, share)

    def merged(self) -> SentenceTransformer:
        """The model without adapters, what they add being in its weights."""
        merge_adapters(self.transformer)
        return self.encoder.model


def merge_adapters(transformer: torch.nn.Module) -> None:
    """Add every adapter to the map beside it and leave a plain transformer, under the names it had before."""
    for name, module in list(transformer.named_modules()):
        if isinstance(module, BaseTunerLayer):
            module.merge()  # pyright: ignore[reportCallIssue]
            transformer.set_submodule(name, module.get_base_layer())  # pyright: ignore[reportCallIssue]
