"""From a recipe and a data set to a published model folder, whatever the method.

The folder loads with plain `SentenceTransformer(folder)`, and says who it is. The method runs in this process, or in
one for each of several devices.
"""

import hashlib
import logging
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from acronis_pipeline import encoders
from acronis_pipeline.core.dataset import RetrievalDataset
from acronis_pipeline.core.errors import ModelError
from acronis_pipeline.core.hashing import digest
from acronis_pipeline.core.settings import EmbeddingEndpoint
from acronis_pipeline.encoders import Encoder, ModelIdentity, PassageVectors, with_adapted_queries, write_identity
from acronis_pipeline.encoders.vector_cache import embed_passages
from acronis_pipeline.finetune.base_model import naming, open_base, refuse_unfit_base, refuse_unfit_data
from acronis_pipeline.finetune.examples import Examples, read
from acronis_pipeline.finetune.method import Changed, Fitted, OnEntry, Task, unwatched
from acronis_pipeline.finetune.methods import method_named
from acronis_pipeline.finetune.parameters import ContrastiveParameters
from acronis_pipeline.finetune.recipe import Recipe
from acronis_pipeline.finetune.validation import CHOOSES, measure, summarise
from acronis_pipeline.store import Store

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainedModel:
    """A published model and how it came about.

    `validation` maps "base" and "best" to hit_rate_at_5, mrr_at_10 and ndcg_at_10 of the validation questions over the
    whole corpus, measured on the published folder. `seconds` counts from the embedded corpus to the published folder.
    """

    folder: Path
    identity: ModelIdentity
    base_identity: ModelIdentity
    chosen: str
    validation: dict[str, dict[str, float]]
    history: list[dict[str, float]]
    n_train: int
    n_validation: int
    seconds: float


def train(
    recipe: Recipe,
    dataset: RetrievalDataset,
    store: Store,
    folder: Path,
    *,
    device: str | None = None,
    batch_size: int = 32,
    endpoints: Sequence[EmbeddingEndpoint] = (),
    precision: str = "float32",
    devices: int | None = None,
    work: Path | None = None,
    report: OnEntry = unwatched,
) -> TrainedModel:
    """Train a recipe and publish the best checkpoint, the untouched base among them.

    Whatever a method settled on meets the base once more: as a reloaded folder, over the whole corpus. If it is not
    better there, the base is what is published, under the base's own identity; so it is, untrained, where there are too
    few questions to learn from or to choose by (`Examples.too_few`). Vectors of passages go through the
    store's cache, so that the index finds those of the published model ready.

    Parameters
    ----------
    precision
        What training steps compute in: "float32", "bfloat16", or "auto" for bfloat16 where it is faster.
    devices
        How many train together; by default every GPU, or the CPU as one.
    work
        Folder for checkpoints, of this recipe and data set alone; killed training goes on from there. None keeps none.
    report
        Called with every entry of the history as it comes.

    Raises
    ------
    EmptyCorpusError
        If there is no passage.
    RecipeError
        If the recipe does not fit the data or the base; nothing was embedded or trained.
    ModelError
        If the base does not load or the model cannot be written.
    """
    examples = read(dataset)
    base_model = open_base(recipe, store, device=device, batch_size=batch_size, endpoints=endpoints)
    identity = base_model.identity
    refuse_unfit_base(recipe, identity, device)
    refuse_unfit_data(recipe, examples)
    with naming(recipe):
        base = base_model.load()
        passage_vectors = embed_passages(store, base, examples.passages)
    started = time.monotonic()
    _log.info(
        "recipe %s: %d training and %d validation questions over %d passages",
        recipe.name, len(examples.train), len(examples.validation), len(examples.passages),
    )  # fmt: skip
    task = Task(
        examples=examples,
        base=base,
        passage_vectors=passage_vectors,
        load_base=base_model.load,  # pyright: ignore[reportArgumentType]  # no method loads one behind an endpoint
        seed=recipe.seed,
        store=store,
        report=report,
        work=work,
        device=device,
        precision=precision,
    )
    base_metrics = _measure(base, passage_vectors, examples)
    if examples.too_few:
        _log.warning("recipe %s: %s: nothing is trained, the base is published", recipe.name, examples.too_few)
        fitted = Fitted(base.model, Changed.NOTHING, "step 0", [])
    else:
        with naming(recipe):
            fitted = fit(recipe, task, devices)
    with staged(folder) as partial:
        published = write_model(fitted, identity, partial)
        best_metrics = base_metrics
        if fitted.changed is not Changed.NOTHING:
            encoders.set_aside(base.model)
            encoders.set_aside(fitted.model)
            reloaded = encoders.load(partial, published, device=device, batch_size=batch_size, endpoints=endpoints)
            best_metrics = _measure(reloaded, embed_passages(store, reloaded, examples.passages), examples)
            if best_metrics[CHOOSES] <= base_metrics[CHOOSES]:
                _log.info("%s does not beat the base on the whole corpus: the base is published", fitted.chosen)
                fitted, best_metrics = Fitted(base.model, Changed.NOTHING, "step 0", fitted.history), base_metrics
                published = write_model(fitted, identity, partial)
    seconds = time.monotonic() - started
    _log.info(
        "recipe %s: %s chosen, validation nDCG@10 over the whole corpus %.4f (base %.4f), %.0f s",
        recipe.name, fitted.chosen, best_metrics[CHOOSES], base_metrics[CHOOSES], seconds,
    )  # fmt: skip
    return TrainedModel(
        folder=folder,
        identity=published,
        base_identity=identity,
        chosen=fitted.chosen,
        validation={"base": base_metrics, "best": best_metrics},
        history=fitted.history,
        n_train=len(examples.train),
        n_validation=len(examples.validation),
        seconds=seconds,
    )


def _measure(model: Encoder, passage_vectors: PassageVectors, examples: Examples) -> dict[str, float]:
    if not examples.validation:
        return summarise(())
    return measure(model.encode_queries(examples.validation.queries), passage_vectors, examples.validation)


def fit(recipe: Recipe, task: Task, devices: int | None = None) -> Fitted:
    """Train by the recipe's method.

    Parameters
    ----------
    devices
        How many train together; by default every GPU, or the CPU as one. Methods that train on cached vectors are done
        in seconds and always take one.
    """
    method = method_named(recipe.method)
    if not isinstance(recipe.parameters, ContrastiveParameters):
        return method.fit(task, recipe.parameters)
    from acronis_pipeline.finetune.devices import available, fit_on_many
    from acronis_pipeline.finetune.gradient_step import chosen_precision

    task = replace(task, precision=chosen_precision(task.precision, task.local_base.model.device, task.work))
    n_devices = devices or available(task.device)
    if n_devices > 1:
        return fit_on_many(method, recipe.parameters, task, n_devices)
    return method.fit(task, recipe.parameters)


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """A temporary sibling of `folder` that takes its name when the block ends without an error.

    A run killed in between leaves no folder of the final name; the next one clears what is left.
    """
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        if folder.exists():  # an earlier model of the same key whose record was lost
            shutil.rmtree(folder)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_model(fitted: Fitted, base: ModelIdentity, folder: Path) -> ModelIdentity:
    """Save weights, configuration and identity; an earlier content of the folder is replaced.

    Raises
    ------
    ModelError
        If the disk refuses.
    """
    identity = identify(fitted, base)
    try:
        shutil.rmtree(folder, ignore_errors=True)
        fitted.model.save_pretrained(str(folder), create_model_card=False)
        write_identity(folder, identity)
    except OSError as error:
        raise ModelError(f"model cannot be written to {folder} ({error}); free space or check permissions") from error
    return identity


def identify(fitted: Fitted, base: ModelIdentity) -> ModelIdentity:
    """Identity of a fitted model: the base's, changed on the sides whose vectors changed."""
    if fitted.changed is Changed.NOTHING:
        return base
    parts: list[str] = []
    for name, tensor in sorted(fitted.model.state_dict().items()):
        parts += [name, hashlib.sha256(tensor.detach().cpu().contiguous().numpy().tobytes()).hexdigest()]
    weights = digest(*parts)
    if fitted.changed is Changed.QUERIES:
        return with_adapted_queries(base, weights)
    return replace(
        base,
        query_fingerprint=digest(base.query_fingerprint, weights),
        document_fingerprint=digest(base.document_fingerprint, weights),
        dimension=fitted.dimension,
    )
