"""Method `two_tower`: an encoder for questions and another for passages, as in DPR (arXiv 2004.04906).

Both start as the base, so that at step 0 they are one, and are trained against each other; a question no longer has to
look like a passage. What is published is a stock Router: `encode_query` and `encode_document` take a tower each.
"""

import itertools
import logging
from typing import TYPE_CHECKING, Any

from acronis_pipeline import encoders
from acronis_pipeline.core.errors import RecipeError
from acronis_pipeline.encoders import ModelIdentity, TorchEncoder
from acronis_pipeline.encoders.torch_encoder import assembled
from acronis_pipeline.finetune.method import Changed, Fitted, Method, Task
from acronis_pipeline.finetune.parameters import EncoderParameters
from acronis_pipeline.finetune.validation import CHOOSES, ValidationPool

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_log = logging.getLogger(__name__)

_TOWERS = ("0.sub_modules.query.", "0.sub_modules.document.")
"""How the names of the question and the passage tower's parameters begin."""

Shares = tuple[float, float]
"""Shares of the tuned weights in the question tower and in the passage tower; the rest is the base's."""


class Parameters(EncoderParameters):
    """Hyper-parameters of contrastive training of two encoders; `interpolation` is chosen for each tower."""


def check(base: ModelIdentity, parameters: Parameters, device: str | None) -> None:
    """Refuse a base that has two sides already."""
    del parameters, device
    if encoders.modules_of(encoders.find_base(base.base))[:1] == ["Router"]:
        raise RecipeError(
            f"base_model = {base.base!r}: method two_tower starts from one encoder, and this model is a Router of "
            "several already; name another base_model, or method full"
        )


def fit(task: Task, parameters: Parameters) -> Fitted:
    """Train two fresh copies of the base; each may then go part of the way back to it, the passage tower all the way.

    With the passage tower all the way back, passage vectors are the base's and are not embedded again.
    """
    from sentence_transformers.base.modules import Router

    from acronis_pipeline.finetune import contrastive_training as training
    from acronis_pipeline.finetune import devices
    from acronis_pipeline.finetune.encoder_training import weights_of
    from acronis_pipeline.finetune.gradient_step import cut_to

    pool = ValidationPool(task, parameters)
    questions, passages = task.load_base().model, task.load_base().model
    sides: list[Any] = [list(tower.children()) for tower in (questions, passages)]
    model = assembled([Router.for_query_document(*sides)], questions)
    encoder = TorchEncoder(model, task.base.identity, task.local_base.batch_size)
    base_state = weights_of(model)
    best, history = training.train_contrastively(
        task,
        training.Towers.of(model, task.precision),
        parameters,
        look=lambda: pool.look(encoder),
        base_look=pool.base_look,
    )
    if best.state is None:
        return Fitted(task.base.model, Changed.NOTHING, "step 0", history)
    tuned = best.state
    shares = devices.of_main(lambda: _choose(encoder, base_state, tuned, parameters.interpolation, pool))
    _mix(model, base_state, tuned, shares)
    mixed = (
        "" if shares == (1, 1) else f", {shares[0]:.0%} of its question tower and {shares[1]:.0%} of its passage tower"
    )
    if parameters.dimensions:
        return Fitted(cut_to(model, parameters.dimensions), Changed.BOTH, best.name + mixed, history)
    return Fitted(model, Changed.BOTH if shares[1] else Changed.QUERIES, best.name + mixed, history)


def _choose(
    encoder: TorchEncoder,
    base: dict[str, Any],
    tuned: dict[str, Any],
    interpolation: tuple[float, ...],
    pool: ValidationPool,
) -> Shares:
    """The best shares by validation, every share of one tower with every share of the other.

    Questions and passages are encoded once a share, whatever the number of combinations. Among equals the one nearer
    to the base wins.
    """
    tried = sorted({0.0, *interpolation, 1.0}) if interpolation else [1.0]
    queries, passages = {}, {}
    for share in tried:
        _mix(encoder.model, base, tuned, (share, share))
        queries[share] = encoder.encode_queries(pool.questions.queries)
        passages[share] = encoder.encode_windows(pool.passages)
    value = {
        shares: pool.measure(queries[shares[0]], passages[shares[1]])[CHOOSES]
        for shares in itertools.product(tried, tried)
        if any(shares)  # the base itself competes elsewhere
    }
    for shares, found in value.items():
        _log.info(
            "%.0f %% of the question tower, %.0f %% of the passage tower: %.4f", *(100 * s for s in shares), found
        )
    return max(value, key=lambda shares: (value[shares], -sum(shares)))


def _mix(model: "SentenceTransformer", base: dict[str, Any], tuned: dict[str, Any], shares: Shares) -> None:
    """Put weights between base and tuned into each tower."""
    import torch

    share_of = dict(zip(_TOWERS, shares, strict=True))
    for name, parameter in model.named_parameters():
        share = next(share for prefix, share in share_of.items() if name.startswith(prefix))
        parameter.data.copy_(torch.lerp(base[name], tuned[name], share))


METHOD = Method(Parameters, fit, check=check)
