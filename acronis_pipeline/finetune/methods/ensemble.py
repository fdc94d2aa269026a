"""Method `ensemble`: a trained encoder beside a frozen one, their vectors joined (frozen and adapted embeddings).

What the frozen one knows cannot be forgotten; the trained one learns what it lacks, since a step's loss sees the joined
vectors. By default the second is the untouched base. Vectors are as long as both together, and so are indexing time and
index; what is published is one stock SentenceTransformer (`finetune.fusion`).
"""

import logging
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from acronis_pipeline import encoders
from acronis_pipeline.core.errors import ModelError, RecipeError
from acronis_pipeline.core.files import read_json
from acronis_pipeline.encoders import ModelIdentity, TorchEncoder
from acronis_pipeline.finetune.method import Changed, Fitted, Method, Task
from acronis_pipeline.finetune.parameters import ContrastiveParameters
from acronis_pipeline.finetune.validation import CHOOSES, ValidationPool, measure

STOPS = "hit_rate_at_5"
"""Metric of the validation questions that stops training and chooses the checkpoint; nDCG@10 decides between equals.

The weight is chosen by nDCG@10: among few questions one more that is hit would outweigh all others' ranks.
"""

_EQUAL = 0.5

_log = logging.getLogger(__name__)


class Parameters(ContrastiveParameters):
    """Hyper-parameters of contrastive training beside a frozen encoder."""

    second: str | None = Field(
        None,
        description="The frozen encoder: folder or hub name of a model with the base's tokenizer; unset, the base.",
    )
    weights: tuple[float, ...] = Field(
        (0.3, 0.5, 0.7), min_length=1, description="Of the trained encoder, to choose from; the second has the rest."
    )
    evaluations: int = Field(6, ge=1, description="Looks at the validation questions, evenly spread.")
    patience: int | None = Field(2, ge=1, description="Looks in a row without a better hit rate before training stops.")

    @field_validator("weights")
    @classmethod
    def _of_two(cls, weights: tuple[float, ...]) -> tuple[float, ...]:
        if outside := [weight for weight in weights if not 0 < weight < 1]:
            raise ValueError(f"{outside[0]} is not between 0 and 1, where only one of the two would count")
        return weights

    @field_validator("matryoshka_dimensions")
    @classmethod
    def _whole(cls, dimensions: tuple[int, ...]) -> tuple[int, ...]:
        if dimensions:
            raise ValueError("cut vectors of an ensemble would lose the second encoder; remove the key")
        return dimensions


def check(base: ModelIdentity, parameters: Parameters, device: str | None) -> None:
    """Refuse a second encoder that cannot be had or cannot stand beside the base."""
    del device
    if parameters.second is None:
        _refuse_unjoinable(encoders.find_base(base.base), f"base_model = {base.base!r}")
        return
    (folder,) = reads(parameters)
    key = f"parameters.second = {parameters.second!r}"
    _refuse_unjoinable(folder, key)
    limit = encoders.position_limit(folder)
    if limit and limit < base.max_seq_length:
        raise RecipeError(
            f"{key}: reads {limit} tokens, the base {base.max_seq_length}; lower max_seq_length to {limit}"
        )
    if _tokens(folder) != _tokens(encoders.find_base(base.base)):
        raise RecipeError(f"{key}: cuts texts into other tokens than {base.base}; name a model with its tokenizer")


def reads(parameters: Parameters) -> list[Path]:
    """The second encoder's folder, if it is not the base's."""
    if parameters.second is None:
        return []
    try:
        return [encoders.find_model(parameters.second, role="parameters.second =", otherwise="remove the key")]
    except ModelError as error:
        raise RecipeError(str(error)) from error


def fit(task: Task, parameters: Parameters) -> Fitted:
    """Train a fresh copy of the base beside the second encoder, then weigh the two."""
    from acronis_pipeline.finetune import contrastive_training as training
    from acronis_pipeline.finetune import devices
    from acronis_pipeline.finetune.fusion import Fusion

    pool = ValidationPool(task, parameters)
    fusion = Fusion(task.load_base(), _second(task, parameters.second))
    fusion.scale(devices.of_main(lambda: fusion.factor(_EQUAL, fusion.encoder.encode_passages(pool.passages))))
    untrained = devices.of_main(lambda: pool.look(fusion.encoder))
    best, history = training.train_contrastively(
        task,
        training.Towers.of(fusion.encoder.model, task.precision),
        parameters,
        look=lambda: pool.look(fusion.encoder),
        base_look=untrained,
        chooses=(STOPS, CHOOSES),
    )
    if best.state is None and parameters.second is None:
        return Fitted(task.base.model, Changed.NOTHING, "step 0", history)
    if best.state is not None:
        training.load(fusion.encoder.model, best.state)
    weight, factor = devices.of_main(lambda: _weigh(fusion, pool, parameters.weights))
    fusion.scale(factor)
    return Fitted(fusion.encoder.model, Changed.BOTH, f"{best.name}, weight {weight:g}", history)


def _second(task: Task, name: str | None) -> TorchEncoder:
    """A frozen encoder with the base's length limit and prompts: it reads the very tokens that the base does."""
    if name is None:
        return task.load_base()
    identity = task.base.identity
    return encoders.load_base(
        name,
        max_seq_length=identity.max_seq_length,
        query_prompt=identity.query_prompt,
        document_prompt=identity.document_prompt,
        device=task.device,
        batch_size=task.local_base.batch_size,
    )


def _weigh(fusion: Any, pool: ValidationPool, weights: tuple[float, ...]) -> tuple[float, float]:
    """The best of the weights, and what gives it to the model (`Fusion.factor`)."""
    queries = fusion.encoder.encode_queries(pool.questions.queries)
    passages = fusion.encoder.encode_windows(pool.passages)
    factors = {weight: fusion.factor(weight, passages.matrix) for weight in weights}
    found = {
        weight: measure(
            fusion.scaled(queries, factor),
            passages.with_matrix(fusion.scaled(passages.matrix, factor)),
            pool.questions,
        )
        for weight, factor in factors.items()
    }
    for weight, metrics in found.items():
        _log.info("weight %g: validation hit rate@5 %.4f, nDCG@10 %.4f", weight, metrics[STOPS], metrics[CHOOSES])
    best = max(found, key=lambda weight: (found[weight][CHOOSES], found[weight][STOPS]))
    return best, factors[best]


def _refuse_unjoinable(folder: Path, key: str) -> None:
    """`fusion` joins what comes out of a pooling, and knows no other modules."""
    listed = encoders.modules_of(folder)
    # Without a list, sentence-transformers puts a mean over what the transformer gives.
    if listed and listed not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
        raise RecipeError(
            f"{key}: an ensemble's frozen encoder is a Transformer and its Pooling, not {', '.join(listed)}; name "
            "another one as parameters.second"
        )


def _tokens(folder: Path) -> dict[str, Any]:
    """A tokenizer's file but for how long texts may be."""
    return {
        key: value
        for key, value in read_json(folder / "tokenizer.json").items()
        if key not in {"truncation", "padding"}
    }


METHOD = Method(Parameters, fit, check=check, reads=reads)
