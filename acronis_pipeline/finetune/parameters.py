"""Hyper-parameters of contrastive methods: how long, how fast and against what to train. Needs no torch."""

from dataclasses import dataclass

from pydantic import Field, field_validator

from acronis_pipeline.core.errors import RecipeError
from acronis_pipeline.finetune.examples import Examples, PassageBatches
from acronis_pipeline.finetune.method import MethodParameters, Task
from acronis_pipeline.finetune.negatives import HardNegatives


@dataclass(frozen=True)
class Schedule:
    """A linear warm-up over a share of the steps, then a linear fall to zero."""

    steps: int
    learning_rate: float
    warmup: float
    evaluations: int

    def rate_at(self, step: int) -> float:
        """Learning rate of a step, counted from 0."""
        warmup_steps = self.warmup * self.steps
        rising = (step + 1) / warmup_steps if warmup_steps else 1.0
        falling = (self.steps - step) / (self.steps - warmup_steps)
        return self.learning_rate * min(1.0, rising, falling)

    @property
    def looks(self) -> set[int]:
        """Steps, counted from 1, after which the validation questions are looked at; the last is one of them."""
        return {max(1, round(self.steps * (i + 1) / self.evaluations)) for i in range(self.evaluations)}


class ContrastiveParameters(MethodParameters):
    """How long, how fast and against what to train."""

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
    patience: int | None = Field(
        None, ge=1, description="Looks in a row without a better one before training stops; unset, it never does."
    )
    validation_passages: int = Field(
        384, ge=1, description="Corpus while training: the answers and a random sample up to this."
    )
    hard_negatives: HardNegatives = Field(HardNegatives(), description="Wrong passages that the base takes for right.")
    matryoshka_dimensions: tuple[int, ...] = Field(
        (), description="Vectors are trained to be of use cut to these lengths too; the whole is always among them."
    )
    gradient_cache: bool = Field(
        False, description="Encode texts twice, holding one mini-batch's activations at a time: any batch_size fits."
    )
    mini_batch_tokens: int = Field(
        2048, ge=1, description="Tokens encoded at once, padding included; bounds memory, changes no result."
    )

    @property
    def lengths(self) -> dict[str, tuple[int, ...]]:
        """What vectors are cut to, by the key that asks for it."""
        return {"matryoshka_dimensions": self.matryoshka_dimensions}

    @field_validator("matryoshka_dimensions")
    @classmethod
    def _at_least_one(cls, dimensions: tuple[int, ...]) -> tuple[int, ...]:
        if any(dimension < 1 for dimension in dimensions):
            raise ValueError(f"{min(dimensions)} is not a dimension; give numbers from 1 to the model's own")
        return dimensions


def refuse_misfits(parameters: ContrastiveParameters, examples: Examples) -> None:
    """Refuse parameters that ask for more than the data have; the error names the key."""
    n_distinct = len(set(examples.train.answers))
    if parameters.batch_size > n_distinct:
        raise RecipeError(
            f"parameters.batch_size = {parameters.batch_size}: the training questions are about {n_distinct} distinct "
            f"passages, near-duplicates counted once; use {n_distinct} at most, or add questions"
        )


def refuse_too_long(parameters: ContrastiveParameters, dimension: int) -> None:
    """Refuse vectors that are longer than the base's; the error names the key."""
    for key, lengths in parameters.lengths.items():
        if too_many := [length for length in lengths if length > dimension]:
            raise RecipeError(
                f"parameters.{key} = {too_many[0]}: the base model's vectors have {dimension} dimensions; "
                "use no more, or another base_model"
            )


def batches_of(task: Task, parameters: ContrastiveParameters) -> PassageBatches:
    """The batches of the training questions."""
    return PassageBatches(
        task.examples.train,
        passages=parameters.batch_size,
        questions_each=parameters.questions_per_passage,
        seed=task.seed,
    )


def schedule_of(parameters: ContrastiveParameters, batches: PassageBatches) -> Schedule:
    """Epochs as steps, not more than `max_steps`."""
    return Schedule(
        steps=min(parameters.epochs * len(batches), parameters.max_steps),
        learning_rate=parameters.learning_rate,
        warmup=parameters.warmup,
        evaluations=parameters.evaluations,
    )


class EncoderParameters(ContrastiveParameters):
    """Contrastive training that may end between the base and the tuned model."""

    interpolation: tuple[float, ...] = Field(
        (0.5, 0.75), description="Shares of the tuned weights to try against the base's; none turns it off."
    )

    dimensions: int | None = Field(
        None,
        ge=1,
        description="Publish vectors cut to this length, which index and queries then have; unset, all of it.",
    )

    @property
    def lengths(self) -> dict[str, tuple[int, ...]]:
        """What vectors are cut to, by the key that asks for it."""
        return super().lengths | {"dimensions": (self.dimensions,) if self.dimensions else ()}

    @field_validator("interpolation")
    @classmethod
    def _between_base_and_tuned(cls, shares: tuple[float, ...]) -> tuple[float, ...]:
        if outside := [share for share in shares if not 0 < share < 1]:
            raise ValueError(f"{outside[0]} is not between 0 (the base) and 1 (the tuned model), which always compete")
        return shares
