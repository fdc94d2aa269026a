"""What a fine-tuning method is: a module with `Parameters` and `fit`, listed in `methods.py`.

A method gets the base encoder, what that encoder makes of the corpus, and the questions; it gives back a model and the
checkpoint it settled on. Everything else (recipes, publishing, records) is the same for all methods.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict

from acronis_pipeline.embedding import Embedder
from acronis_pipeline.finetune.examples import Examples


class MethodParameters(BaseModel):
    """Hyper-parameters of one method; each method derives its own. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Changed(Enum):
    """Which vectors of the base model a fitted model changes: what must be embedded again."""

    NOTHING = "nothing"
    QUERIES = "queries"
    BOTH = "both"


@dataclass(frozen=True)
class Task:
    """What a method learns from.

    `passage_vectors` are the base's vectors of `examples.passages`: (n_passages, dimension) float32, L2-normalised.
    `load_base` gives a fresh copy of the base for methods that change its weights: `base` itself must stay as it is.
    """

    examples: Examples
    base: Embedder
    passage_vectors: np.ndarray
    load_base: Callable[[], Embedder]
    seed: int


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
    """The interface of a method's module."""

    Parameters: type[MethodParameters]

    @staticmethod
    def fit(task: Task, parameters: Any) -> Fitted: ...
