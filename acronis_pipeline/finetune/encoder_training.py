"""Training one encoder for both sides: its best checkpoint by validation, and weights between that and the base.

Averaging with the base keeps most of what was learnt and undoes much of what was forgotten (WiSE-FT, LM-Cocktail); with
few training questions the middle is often better than either end. Imports torch: import this module inside functions.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import torch
from sentence_transformers import SentenceTransformer

from acronis_pipeline.encoders import TorchEncoder
from acronis_pipeline.finetune import contrastive_training as training
from acronis_pipeline.finetune import devices
from acronis_pipeline.finetune.gradient_step import cut_to
from acronis_pipeline.finetune.losses import Loss
from acronis_pipeline.finetune.method import Changed, Fitted, Task
from acronis_pipeline.finetune.parameters import EncoderParameters
from acronis_pipeline.finetune.validation import CHOOSES, ValidationPool

_log = logging.getLogger(__name__)


def between(base: dict[str, Any], tuned: dict[str, Any], share: float) -> dict[str, Any]:
    """State dict `(1 - share) * base + share * tuned`; what is not floating point stays the tuned one's."""
    return {
        name: torch.lerp(base[name], tensor, share) if tensor.is_floating_point() else tensor
        for name, tensor in tuned.items()
    }


def choose_share(
    mix: Callable[[float], object], *, tuned_value: float, shares: Sequence[float], value: Callable[[], float]
) -> float:
    """The share of the tuned weights in the best of them and the mixtures; the last that was tried stays in the model.

    The base itself is in the race elsewhere: every method's result meets it on the whole corpus.

    Parameters
    ----------
    mix
        Puts a share of what was learnt, and the rest of the base, into the model.
    value
        Measures the model as it is; `tuned_value` is what it gave for the tuned weights.
    """
    best_share, best_value = 1.0, tuned_value
    for share in shares:
        mix(share)
        found = value()
        _log.info("%.0f %% tuned and %.0f %% base: validation nDCG@10 %.4f", 100 * share, 100 * (1 - share), found)
        if found > best_value:
            best_share, best_value = share, found
    return best_share


Mix = Callable[[training.Weights, float], object]
"""Puts a share of trained weights, and the rest of the base, into a model."""


def train_encoder(
    task: Task,
    parameters: EncoderParameters,
    encoder: TorchEncoder,
    *,
    mix: Mix,
    finish: Callable[[training.Weights, float], SentenceTransformer] | None = None,
    loss: Loss | None = None,
    negatives: Sequence[Sequence[int]] = (),
) -> Fitted:
    """Train what of `encoder.model` requires gradients; its best checkpoint, and weights between that and the base.

    Parameters
    ----------
    mix
        Changes the weights of `encoder.model`.
    finish
        Gives the model to publish, from the best checkpoint and the share of it that was chosen; `encoder.model`, with
        that mixture in it, by default.
    loss, negatives
        As `train_contrastively` takes them.
    """
    pool = ValidationPool(task, parameters)
    model = encoder.model
    best, history = training.train_contrastively(
        task,
        training.Towers.of(model, task.precision),
        parameters,
        look=lambda: pool.look(encoder),
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
            value=lambda: pool.look(encoder)[CHOOSES],
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
    encoder = task.load_base()
    model, base = encoder.model, weights_of(encoder.model)
    return train_encoder(
        task,
        parameters,
        encoder,
        mix=lambda tuned, share: training.load(model, between(base, tuned, share)),
        loss=loss,
        negatives=negatives,
    )


def weights_of(model: torch.nn.Module) -> training.Weights:
    """A copy of all parameters."""
    return {name: tensor.detach().clone() for name, tensor in model.named_parameters()}
