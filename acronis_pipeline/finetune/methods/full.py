"""Method `full`: every weight of the encoder, contrastive learning within the batch.

The objective is that of MultipleNegativesRankingLoss. Three things make it cheaper on a CPU (figures in
`acronis_pipeline/recipes/full.yaml`): questions about a passage share a batch and one encoding of it, texts are encoded
in mini-batches of similar length, and dropout is off, which lets attention use its fast kernel.
"""

from acronis_pipeline.finetune.method import Fitted, Method, Task
from acronis_pipeline.finetune.parameters import EncoderParameters


class Parameters(EncoderParameters):
    """Hyper-parameters of contrastive fine-tuning."""


def fit(task: Task, parameters: Parameters) -> Fitted:
    """Train a fresh copy of the base."""
    from acronis_pipeline.finetune.encoder_training import train_every_weight

    return train_every_weight(task, parameters)


METHOD = Method(Parameters, fit)
