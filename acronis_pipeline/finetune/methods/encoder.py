"""Methods `full` and `lora`: one encoder for both sides, contrastive learning within the batch.

The objective is that of MultipleNegativesRankingLoss. Three things make it cheaper on a CPU (figures in
`acronis_pipeline/recipes/full.yaml`): questions about a passage share a batch and one encoding of it, texts are encoded
in mini-batches of similar length, and dropout is off, which lets attention use its fast kernel.

`full` trains every weight, `lora` low-rank adapters (arXiv 2106.09685) beside frozen weights. A small share of the
weights is trained then, so the optimizer's state and the checkpoints are small; the passes through the encoder are the
same, so on a CPU it is hardly faster. The adapters are merged before publishing: what is published is a plain model of
the base's architecture.
"""

from pydantic import Field

from acronis_pipeline import encoders
from acronis_pipeline.core.errors import RecipeError
from acronis_pipeline.encoders import ModelIdentity
from acronis_pipeline.finetune.method import Fitted, Method, Task
from acronis_pipeline.finetune.parameters import EncoderParameters


class FullParameters(EncoderParameters):
    """Hyper-parameters of contrastive fine-tuning."""


class LoraParameters(EncoderParameters):
    """Hyper-parameters of low-rank fine-tuning."""

    learning_rate: float = Field(5e-4, gt=0)
    rank: int = Field(16, ge=1, description="Of each adapter.")
    alpha: float = Field(32.0, gt=0, description="What an adapter adds is scaled by alpha / rank.")


def fit_every_weight(task: Task, parameters: FullParameters) -> Fitted:
    """Train a fresh copy of the base."""
    from acronis_pipeline.finetune.encoder_training import train_every_weight

    return train_every_weight(task, parameters)


def refuse_other_than_transformers(base: ModelIdentity, parameters: LoraParameters, device: str | None) -> None:
    """Refuse a base that is no transformer, such as static embeddings."""
    del parameters, device
    (first, *_) = encoders.modules_of(encoders.find_base(base.base)) or ["Transformer"]
    if first != "Transformer":
        raise RecipeError(
            f"base_model = {base.base!r}: method lora puts adapters into transformer layers, and this model starts "
            f"with {first}; name another base_model, or method full"
        )


def fit_adapters(task: Task, parameters: LoraParameters) -> Fitted:
    """Train adapters in a fresh copy of the base and merge the best."""
    from acronis_pipeline.finetune.encoder_training import train_encoder
    from acronis_pipeline.finetune.low_rank import Adapted

    adapted = Adapted(task.load_base(), rank=parameters.rank, alpha=parameters.alpha, seed=task.seed)
    return train_encoder(
        task, parameters, adapted.encoder, mix=adapted.mix, finish=lambda tuned, share: adapted.merged()
    )


FULL = Method(FullParameters, fit_every_weight)
LORA = Method(LoraParameters, fit_adapters, check=refuse_other_than_transformers)
