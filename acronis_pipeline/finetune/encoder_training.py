"""What methods of one encoder for both sides share: validation, the best checkpoint, mixing with the base.

Imports torch: import this module inside functions.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from acronis_pipeline.embedding import Embedder
from acronis_pipeline.finetune import contrastive_training as training
from acronis_pipeline.finetune import devices
from acronis_pipeline.finetune.encoder_parameters import EncoderParameters
from acronis_pipeline.finetune.encoding import encoder_of
from acronis_pipeline.finetune.gradient_step import Loss
from acronis_pipeline.finetune.interpolate import between, choose_share
from acronis_pipeline.finetune.matryoshka import cut_to
from acronis_pipeline.finetune.method import Changed, Fitted, Task
from acronis_pipeline.finetune.validation import CHOOSES
from acronis_pipeline.finetune.validation_pool import ValidationPool

Mix = Callable[[training.Weights, float], object]
"""Puts a share of trained weights, and the rest of the base, into a model."""


def train_encoder(
    task: Task,
    parameters: EncoderParameters,
    embedder: Embedder,
    *,
    mix: Mix,
    finish: Callable[[training.Weights, float], Any] | None = None,
    loss: Loss | None = None,
    negatives: Sequence[Sequence[int]] = (),
) -> Fitted:
    """Train what of `embedder.model` requires gradients; its best checkpoint, and weights between that and the base.

    Parameters
    ----------
    mix
        Changes the weights of `embedder.model`.
    finish
        Gives the model to publish, from the best checkpoint and the share of it that was chosen; `embedder.model`, with
        that mixture in it, by default.
    loss, negatives
        As `train_contrastively` takes them.
    """
    pool = ValidationPool(
        task,
        parameters.validation_passages,
        dimensions=parameters.dimensions,
        matryoshka=parameters.matryoshka_dimensions,
    )
    model = embedder.model
    towers = training.Towers(
        model, encoder_of(model, "query", task.precision), encoder_of(model, "document", task.precision)
    )
    best, history = training.train_contrastively(
        task,
        towers,
        parameters,
        look=lambda: pool.look(embedder),
        base_look=pool.base_look,
        loss=loss,
        negatives=negatives,
    )
    tuned = best.state
    if tuned is None:
        return Fitted(task.base.model, Changed.NOTHING, "step 0", history)
    share = devices.of_main(
        lambda: choose_share(
            lambda share: mix(tuned, share),
            tuned_value=best.values[0],
            shares=parameters.interpolation,
            value=lambda: pool.look(embedder)[CHOOSES],
        )
    )
    mix(tuned, share)
    mixed = "" if share == 1 else f", {share:.0%} of it and {1 - share:.0%} base"
    published = finish(tuned, share) if finish else model
    published = cut_to(published, parameters.dimensions) if parameters.dimensions else published
    return Fitted(published, Changed.BOTH, best.name + mixed, history)


def train_every_weight(
    task: Task,
    parameters: EncoderParameters,
    *,
    loss: Loss | None = None,
    negatives: Sequence[Sequence[int]] = (),
) -> Fitted:
    """`train_encoder` of a fresh copy of the base, the whole of it."""
    embedder = task.load_base()
    model, base = embedder.model, weights_of(embedder.model)
    return train_encoder(
        task,
        parameters,
        embedder,
        mix=lambda tuned, share: training.load(model, between(base, tuned, share)),
        loss=loss,
        negatives=negatives,
    )


def weights_of(model: torch.nn.Module) -> training.Weights:
    """A copy of all parameters."""
    return {name: tensor.detach().clone() for name, tensor in model.named_parameters()}
