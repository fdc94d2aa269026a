"""What a fine-tuning method is: its hyper-parameters, and a function that trains.

A method gets the base encoder, what that encoder makes of the corpus, and the questions; it gives back a model and the
checkpoint it settled on. Everything else (recipes, publishing, records) is the same for all methods, those of other
packages among them: `finetune.methods` finds them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from acronis_pipeline.encoders import ModelIdentity, PassageVectors, TorchEncoder
from acronis_pipeline.encoders.endpoint import EndpointModel, RememberedEndpoint
from acronis_pipeline.encoders.identity import FLOAT32
from acronis_pipeline.finetune.examples import Examples
from acronis_pipeline.store import Store

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class MethodParameters(BaseModel):
    """Hyper-parameters of one method; each method derives its own. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Changed(Enum):
    """Which vectors of the base model a fitted model changes: what must be embedded again."""

    NOTHING = "nothing"
    QUERIES = "queries"
    BOTH = "both"


OnEntry = Callable[[dict[str, float]], None]
"""Is called with every entry of a training's history as it comes."""


def unwatched(entry: dict[str, float]) -> None:
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
    report: OnEntry = unwatched
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

    model: "SentenceTransformer | EndpointModel"
    changed: Changed
    chosen: str
    history: list[dict[str, float]]

    @property
    def dimension(self) -> int:
        """Length of the model's vectors."""
        found = self.model.get_embedding_dimension()
        assert found  # only a model that was never asked for text does not know
        return found


@dataclass(frozen=True)
class Method:
    """What a recipe names as its `method`.

    Parameters
    ----------
    parameters
        The class of its hyper-parameters, which the recipe's are checked against.
    fit
        Trains: `fit(task, parameters)`.
    check
        Raises a RecipeError, which names the key, for what cannot work with a base or on a device (None is the best
        there is); called before anything is crawled, embedded or trained. By default anything goes.
    reads
        Folders of the models that it reads beside the base, by default none. A change in one of them trains its recipes
        again.
    version
        Any change of it trains the method's recipes again.
    trains_weights
        Whether it needs more of its base than vectors: a model behind an endpoint gives no more.
    """

    parameters: type[MethodParameters]
    fit: Callable[[Task, Any], Fitted]
    check: Callable[[ModelIdentity, Any, str | None], None] = lambda base, parameters, device: None
    reads: Callable[[Any], Sequence[Path]] = lambda parameters: ()
    version: str = ""
    trains_weights: bool = True
