"""How long our training takes to reach what LlamaIndex's tutorial reaches, and how long the tutorial takes.

    python benchmarks/speed/time_to_quality.py TRAIN.json VAL.json --peers .peers-llama/bin/python \\
        --recipes full --target .737 --keep FOLDER --out benchmarks/results/time-to-quality.json

The engine (`SentenceTransformersFinetuneEngine`, see `benchmarks/quality/peer_llama_index.py`) is trained in the same
run; with `--skip-peers` its seconds are those that FOLDER holds. Targets are `--target` and the engine's own nDCG@10 on
VAL, on the same questions by the same metric.

What is counted. Of the engine: `engine.finetune()`, not its imports, not loading the base. Of ours: everything from
`finetune.train`, which is loading the base, embedding the corpus with it into an empty store, every step, every look
at the validation questions that the recipe has itself, a checkpoint on disk at every look, the mixing with the base,
embedding the corpus once more with the result and publishing it; not imports. The clock stands still while the model
as it is is asked the questions of VAL, after each of `--looks` times as many looks as the recipe has. Those decide
nothing: the recipe chooses among its own looks, by its own validation questions.

`curve` holds (seconds, nDCG@10 on VAL) of the weights at each look, and last of the published model. A target's
`seconds` are those of the first point that reaches it; `ratio` is the engine's seconds over them, and `ratio_published`
over the seconds to the published model where that reaches the target. Methods that train on cached vectors have the
last point alone. `--parameters` changes values of a recipe, or `--recipes-dir` brings recipes.
"""

import argparse
import json
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).parents[1] / "quality"))

import peers

from acronis_pipeline import encoders, finetune
from acronis_pipeline.core.dataset import RetrievalDataset
from acronis_pipeline.core.settings import Settings, load_settings
from acronis_pipeline.encoders import Encoder, TorchEncoder
from acronis_pipeline.export import ndcg_by_question
from acronis_pipeline.finetune.method import Task
from acronis_pipeline.finetune.parameters import ContrastiveParameters, batches_of, schedule_of
from acronis_pipeline.finetune.recipe import Recipe
from acronis_pipeline.finetune.validation import CHOOSES
from acronis_pipeline.pairs import labelled_datasets
from acronis_pipeline.store import Store

ENGINE = "full"
_NEVER_BEST = -1.0

Point = dict[str, float | str]
"""`seconds` of training so far, `ndcg_at_10` of the evaluation questions, and `at`, which look it was."""


class Watch:
    """A clock that stands still while the model is measured on the evaluation questions."""

    def __init__(self, testing: RetrievalDataset) -> None:
        self.curve: list[Point] = []
        self._testing = testing
        self._passages = [passage.text for passage in testing.passages]
        self._started = time.monotonic()
        self._paused_s = 0.0

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started - self._paused_s

    @contextmanager
    def paused(self) -> Iterator[None]:
        """What happens within takes no time."""
        started = time.monotonic()
        try:
            yield
        finally:
            self._paused_s += time.monotonic() - started

    def measure(self, encoder: Encoder, at: str) -> None:
        """Add a point to the curve."""
        seconds = self.seconds
        with self.paused():
            value = float(np.mean(ndcg_by_question(encoder, self._testing, self._passages)))
        self.curve.append({"at": at, "seconds": round(seconds, 1), CHOOSES: round(value, 4)})
        logging.info("%s: %.1f s of training, nDCG@10 %.4f on the evaluation questions", at, seconds, value)


@contextmanager
def more_looks(watch: Watch, times: int) -> Iterator[None]:
    """Let contrastive training be looked at so many times as often; what it chooses and counts stays as it was.

    Training calls `look` after fixed steps. Here there are more of them, and only those of the recipe's own schedule
    reach its look; at the others it is told of a value that is never the best.
    """
    from acronis_pipeline.finetune import contrastive_training as training

    original = training.train_contrastively

    def watched(
        task: Task, towers: Any, parameters: Any, *, look: Callable[[], dict[str, float]], **others: Any
    ) -> Any:
        patience = parameters.patience and parameters.patience * times
        often = parameters.model_copy(update={"evaluations": parameters.evaluations * times, "patience": patience})
        batches = batches_of(task, parameters)
        own = schedule_of(parameters, batches).looks
        coming = iter(sorted(schedule_of(often, batches).looks))
        model = towers.weights
        identity = replace(task.base.identity, dimension=model.get_embedding_dimension())
        encoder = TorchEncoder(model, identity, task.base.batch_size)

        def look_more() -> dict[str, float]:
            step = next(coming)
            found = look() if step in own else {others.get("chooses", CHOOSES): _NEVER_BEST}
            watch.measure(encoder, f"step {step}")
            return found

        return original(task, towers, often, look=look_more, **others)

    training.train_contrastively = watched
    try:
        yield
    finally:
        training.train_contrastively = original


def measure(
    recipe: Recipe, learning: RetrievalDataset, testing: RetrievalDataset, settings: Settings, times: int, folder: Path
) -> dict[str, Any]:
    """Train once, watched."""
    store, model = Store(str(folder / "lancedb")), settings.model
    watch = Watch(testing)
    with more_looks(watch, times):
        trained = finetune.train(
            recipe,
            learning,
            store,
            folder / "model",
            device=model.device,
            batch_size=model.batch_size,
            precision=model.training_precision,
            devices=1,
            work=folder / "work",
        )
    seconds = watch.seconds
    published = encoders.load(trained.folder, trained.identity, device=model.device, batch_size=model.batch_size)
    value = float(np.mean(ndcg_by_question(published, testing, [passage.text for passage in testing.passages])))
    watch.curve.append({"at": "published", "seconds": round(seconds, 1), CHOOSES: round(value, 4)})
    return {
        "recipe": recipe.model_dump(mode="json"),
        "precision": model.training_precision,
        "chosen": trained.chosen,
        "validation": trained.validation,
        "curve": watch.curve,
    }


def reached(curve: list[Point], target: float, peer_s: float | None) -> dict[str, Any]:
    """When a curve first reaches a target, and how many times sooner that is."""
    first = next((point for point in curve if float(point[CHOOSES]) >= target), None)
    published = curve[-1] if float(curve[-1][CHOOSES]) >= target else None
    return {
        "target": round(target, 4),
        "seconds": first and first["seconds"],
        "at": first and first["at"],
        "ratio": _ratio(peer_s, first),
        "ratio_published": _ratio(peer_s, published),
    }


def _ratio(peer_s: float | None, point: Point | None) -> float | None:
    return round(peer_s / float(point["seconds"]), 2) if peer_s and point else None


def changed(recipe: Recipe, parameters: dict[str, Any]) -> Recipe:
    """The recipe with other values: of its parameters, or `max_seq_length` of itself."""
    own = {key: parameters[key] for key in parameters.keys() & Recipe.model_fields.keys()}
    others = {key: value for key, value in parameters.items() if key not in own}
    new = type(recipe.parameters).model_validate(recipe.parameters.model_dump() | others)
    return recipe.model_copy(update={**own, "parameters": new})


def engine(arguments: argparse.Namespace, folder: Path, testing: RetrievalDataset) -> dict[str, Any] | None:
    """The engine's report with its nDCG@10; None without one."""
    place = folder / "llama_index" / ENGINE
    files = peers.Files(arguments.train, arguments.evaluation, arguments.max_seq_length)
    if arguments.peers and not arguments.skip_peers:
        peers.train(ENGINE, files, place, arguments.peers)
    elif not arguments.skip_peers:
        return None
    given = peers.GivenVectors(f"llama_index {ENGINE}", place, arguments.evaluation)
    value = float(np.mean(ndcg_by_question(given, testing, [passage.text for passage in testing.passages])))
    return {**peers.trained(files, place), CHOOSES: round(value, 4)}


def run(arguments: argparse.Namespace, folder: Path) -> Iterator[dict[str, Any]]:
    """The result so far, after each training."""
    import sentence_transformers  # noqa: F401  # imports are nobody's training time

    settings = load_settings(folder, recipes_dir=arguments.recipes_dir, model=arguments.model)
    recipes = [
        changed(finetune.load_recipe(name, settings.recipes_dir), arguments.parameters)
        for name in arguments.recipes.split(",")
    ]
    learning, testing = labelled_datasets.load(arguments.train, arguments.evaluation)
    started = peers.machine()
    peer = engine(arguments, folder, testing)
    targets = [arguments.target, *([peer[CHOOSES]] if peer else [])]
    trainings: list[dict[str, Any]] = []
    for recipe in recipes:
        times = arguments.looks if isinstance(recipe.parameters, ContrastiveParameters) else 1
        with tempfile.TemporaryDirectory(dir=folder) as place:  # nothing is known before, so nothing is reused
            found = measure(recipe, learning, testing, settings, times, Path(place))
        found["reached"] = [reached(found["curve"], target, peer and peer["seconds"]) for target in targets]
        trainings.append(found)
        yield {"peer": peer, "ours": trainings, "machine": {"start": started, "end": peers.machine()}}


def as_text(found: dict[str, Any]) -> str:
    peer = found["peer"]
    lines = [f"{peer['engine']}: {peer['seconds']} s, nDCG@10 {peer[CHOOSES]}"] if peer else []
    for training in found["ours"]:
        lines.append(training["recipe"]["name"])
        lines += [f"  {point['seconds']:>8} s  {point[CHOOSES]:.4f}  {point['at']}" for point in training["curve"]]
        for goal in training["reached"]:
            when = "never" if goal["seconds"] is None else f"after {goal['seconds']} s"
            lines.append(
                f"  {goal['target']} {when}; ratio {goal['ratio']}, to the published model {goal['ratio_published']}"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train", type=Path)
    parser.add_argument("evaluation", type=Path)
    parser.add_argument("--peers", type=Path, help="python of the peers' virtual environment; ours alone without it")
    parser.add_argument("--skip-peers", action="store_true", help="take the engine that --keep holds as it is")
    parser.add_argument("--max-seq-length", type=int, default=512, help="of the engine; recipes have their own")
    parser.add_argument("--target", type=float, default=0.737, help="nDCG@10 to reach")
    parser.add_argument("--recipes", default="full", help="comma-separated")
    parser.add_argument("--recipes-dir", type=Path, help="folder with recipes of your own")
    parser.add_argument("--parameters", type=json.loads, default={}, help="JSON of recipe values to change")
    parser.add_argument("--model", type=json.loads, default={}, help='JSON, such as {"training_precision": "auto"}')
    parser.add_argument("--looks", type=int, default=4, help="times as many as the recipe has itself")
    parser.add_argument("--keep", type=Path, help="folder for the engine's vectors; shared with quality/tutorial.py")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    arguments = parser.parse_args()
    if arguments.skip_peers and not arguments.keep:
        parser.error("--skip-peers needs the --keep folder of the run that trained the engine")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with ExitStack() as stack:
        folder = arguments.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        found: dict[str, Any] = {}
        for found in run(arguments, folder):
            if arguments.out:
                arguments.out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    print(as_text(found))


if __name__ == "__main__":
    main()
