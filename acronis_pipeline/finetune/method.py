"""What a fine-tuning method is: a module with `Parameters` and `fit`, listed in `methods.py`.

A method gets the base encoder, what that encoder makes of the corpus, and the questions; it gives back a model and the
checkpoint it settled on. Everything else (recipes, publishing, records) is the same for all methods.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict

from acronis_pipeline.encoders import PassageVectors, TorchEncoder
from acronis_pipeline.encoders.endpoint import RememberedEndpoint
from acronis_pipeline.encoders.identity import FLOAT32
from acronis_pipeline.finetune.examples import Examples
from acronis_pipeline.store import Store


class MethodParameters(BaseModel):
    """Hyper-parameters of one method; each method derives its own. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Changed(Enum):
    """Which vectors of the base model a fitted model changes: what must be embedded again."""

    NOTHING = "nothing"
    QUERIES = "queries"
    BOTH = "both"


Report = Callable[[dict[str, float]], None]
"""Is called with every entry of a training's history as it comes."""


def unreported(entry: dict[str, float]) -> None:
    """Nobody watches the training."""


@dataclass(frozen=True)
class Task:
    """What a method learns from, and where it runs.

    `passage_vectors` are the base's vectors of `examples.passages`.
    `load_base` gives a fresh copy of the base for methods that change its weights: `base` itself must stay as it is.
    It takes `weights` as `load_in_torch` does. `store` keeps what is worth computing only once.
    `report` is called with every entry of the history as it comes. `work` is a folder for what must survive a kill, the
    same when the same training starts again and deleted once its model is published; None keeps nothing. `precision` is
    what a training step computes in; weights and published models are float32 always.
    """

    examples: Examples
    base: TorchEncoder | RememberedEndpoint
    passage_vectors: PassageVectors
    load_base: Callable[..., TorchEncoder]
    seed: int
    store: Store
    report: Report = unreported
    work: Path | None = None
    device: str | None = None
    precision: str = FLOAT32

    @property
    def local_base(self) -> TorchEncoder:
        """The base of a method that needs more of it than vectors, which none behind an endpoint gives."""
        assert isinstance(self.base, TorchEncoder)  # a recipe that asks for anything else is refused when it is read
        return self.base

    @cached_property
    def query_vectors(self) -> np.ndarray:
        """The base's vectors of the training questions, shape (n_questions, dimension) float32, L2-normalised."""
        return self.base.encode_queries(self.examples.train.queries)


@dataclass(frozen=True)
class Fitted:
    """A trained model in memory.

    `chosen` names the checkpoint ("step 0", "epoch 2"); `history` holds what was measured on the way, as mappings with
    `step`, `epoch`, `loss`, `lr` and `ndcg_at_10` (of the validation questions; absent between evaluations).
    """

    model: Any
    changed: Changed
    chosen: str
    history: list[dict[str, float]]


class Method(Protocol):
    """The interface of a method's module.

    A module may also have `check(base: ModelIdentity, parameters, device: str | None)`, which raises a RecipeError for
    what cannot work with that base or on that device (None is the best there is); it is called before anything is
    crawled, embedded or trained. With `VERSION`, a change of it trains the method's recipes again, and so does a change
    in the model folders that `reads(parameters)` gives, beside the base.
    """

    Parameters: type[MethodParameters]

    @staticmethod
    def fit(task: Task, parameters: Any) -> Fitted: ...
