"""Method `full`: every weight of the encoder, contrastive learning within the batch.

The objective is that of MultipleNegativesRankingLoss. Three things make it cheaper on a CPU (figures in
`acronis_pipeline/recipes/full.yaml`): questions about a passage share a batch and one encoding of it, passages are
encoded in mini-batches of similar length, and dropout is off, which lets attention use its fast kernel.
"""

from pydantic import Field, field_validator

from acronis_pipeline.finetune.batches import PassageBatches
from acronis_pipeline.finetune.interpolate import choose_share
from acronis_pipeline.finetune.method import Changed, Fitted, MethodParameters, Task
from acronis_pipeline.finetune.validation_pool import ValidationPool


class Parameters(MethodParameters):
    """Hyper-parameters of contrastive fine-tuning."""

    epochs: int = Field(3, ge=1)
    batch_size: int = Field(16, ge=2, description="Passages per step: each question is contrasted with all of them.")
    questions_per_passage: int = Field(4, ge=1, description="Per step and passage; others get their turn next epoch.")
    learning_rate: float = Field(4e-5, gt=0)
    warmup: float = Field(0.1, ge=0, lt=1, description="Share of the steps until the full learning rate; then linear.")
    weight_decay: float = Field(0.01, ge=0)
    scale: float = Field(30.0, gt=0, description="1 / temperature of the softmax over a batch's passages.")
    max_steps: int = Field(300, ge=1, description="Bounds the time on a large corpus: what a step costs is known.")
    evaluations: int = Field(
        3, ge=1, description="Looks at the validation questions, evenly spread, the last at the end."
    )
    validation_passages: int = Field(
        384, ge=1, description="Corpus while training: the answers and a random sample up to this."
    )
    interpolation: tuple[float, ...] = Field(
        (0.5, 0.75), description="Shares of the tuned weights to try against the base's; none turns it off."
    )

    @field_validator("interpolation")
    @classmethod
    def _between_base_and_tuned(cls, shares: tuple[float, ...]) -> tuple[float, ...]:
        if outside := [share for share in shares if not 0 < share < 1]:
            raise ValueError(f"{outside[0]} is not between 0 (the base) and 1 (the tuned model), which always compete")
        return shares


def fit(task: Task, parameters: Parameters) -> Fitted:
    """Train a fresh copy of the base; its best checkpoint, and weights between that and the base, compete."""
    from acronis_pipeline.finetune import contrastive_training as training

    pool = ValidationPool(task, parameters.validation_passages)
    embedder = task.load_base()
    base_state = training.copy_of(embedder.model)
    questions = task.examples.train
    batches = PassageBatches(
        questions, passages=parameters.batch_size, questions_each=parameters.questions_per_passage, seed=task.seed
    )
    best, history = training.train_contrastively(
        embedder.model,
        questions,
        task.examples.passages,
        batches,
        schedule=training.Schedule(
            steps=min(parameters.epochs * len(batches), parameters.max_steps),
            learning_rate=parameters.learning_rate,
            warmup=parameters.warmup,
            weight_decay=parameters.weight_decay,
            evaluations=parameters.evaluations,
        ),
        scale=parameters.scale,
        base_value=pool.base_value,
        value=lambda: pool.value_of(embedder),
    )
    if best.state is None:
        return Fitted(task.base.model, Changed.NOTHING, "step 0", history)
    share = choose_share(
        embedder.model,
        base_state,
        best.state,
        tuned_value=best.value,
        shares=parameters.interpolation,
        value=lambda: pool.value_of(embedder),
    )
    mixed = "" if share == 1 else f", {share:.0%} of it and {1 - share:.0%} base"
    return Fitted(embedder.model, Changed.BOTH, best.name + mixed, history)
