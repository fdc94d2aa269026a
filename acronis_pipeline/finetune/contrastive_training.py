"""The training loop of all methods that change an encoder: contrastive, the best checkpoint kept, step 0 in the race.

Our own loop instead of sentence-transformers' trainer, because that takes a passage per question: four questions about
one are four encodings of it, and encoding passages is nearly all the work. Its best checkpoint also never includes step
0. What is needed to go on is written down as it goes, so that a kill loses two minutes at most. Imports torch: import
this module inside functions.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

from acronis_pipeline.encoders import set_aside
from acronis_pipeline.finetune import devices
from acronis_pipeline.finetune.contrast import lay_out, shown_of
from acronis_pipeline.finetune.gradient_step import Encode, add_gradients, encoder_of
from acronis_pipeline.finetune.losses import Loss, at_every_dimension, contrastive_loss
from acronis_pipeline.finetune.method import Task
from acronis_pipeline.finetune.negatives import mine
from acronis_pipeline.finetune.parameters import ContrastiveParameters, batches_of, schedule_of
from acronis_pipeline.finetune.validation import CHOOSES

Weights = dict[str, torch.Tensor]

_MAX_GRADIENT_NORM = 1.0
_PROGRESS_LINES = 12
_EVERY_S = 120.0
_VERSION = 2
"""Of what a checkpoint holds; one of another version is of no use."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Towers:
    """What is trained and how it makes vectors.

    `weights` holds every trained parameter (`requires_grad`); the two encoders may be the same, share it or not.
    """

    weights: torch.nn.Module
    encode_queries: Encode
    encode_passages: Encode

    @classmethod
    def of(cls, model: SentenceTransformer, precision: str) -> "Towers":
        """What of `model` requires gradients, and how it encodes each side."""
        return cls(model, encoder_of(model, "query", precision), encoder_of(model, "document", precision))


@dataclass
class Best:
    """The best checkpoint so far; `state` (of the trained parameters) is None while that is step 0.

    `values` are of the metrics that choose; the first decides, each next one between equals.
    """

    values: tuple[float, ...]
    name: str = "step 0"
    state: Weights | None = None


@dataclass
class Progress:
    """Where training stands: with the weights and the optimizer, all that going on needs."""

    best: Best
    history: list[dict[str, float]]
    step: int = 0
    losses: list[float] = field(default_factory=list)
    looks_without_better: int = 0


class Checkpoints:
    """The last state of a training run in a folder of its own, replaced as a whole every two minutes.

    Only trained parameters are kept; the frozen ones are the base's. Batches follow from the seed and the step, and
    dropout is off, so there is no state of random numbers to keep.

    Parameters
    ----------
    folder
        Belongs to exactly one recipe, base and data set; None keeps nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self._file = folder / "checkpoint.pt" if folder else None
        self._saved = time.monotonic()

    def resume(self, weights: torch.nn.Module, optimizer: torch.optim.Optimizer) -> Progress | None:
        """Put the last state into `weights` and `optimizer`; None if there is none."""
        if self._file is None or not self._file.exists():
            return None

        saved = torch.load(self._file, map_location=next(weights.parameters()).device, weights_only=True)
        if saved.get("version") != _VERSION:
            _log.warning("%s is of another version of this program: training starts from the beginning", self._file)
            return None
        load(weights, saved["weights"])
        optimizer.load_state_dict(saved["optimizer"])
        run = Progress(Best(**saved["best"]), **saved["progress"])
        _log.info("training goes on after step %d (%s)", run.step, self._file)
        return run

    def save(self, run: Progress, weights: torch.nn.Module, optimizer: torch.optim.Optimizer, *, due: bool) -> None:
        """Write the state if it is `due` or the last one is old; a reader finds the old or the new, never half."""
        if self._file is None or not devices.is_main():
            return
        if not due and time.monotonic() - self._saved < _EVERY_S:
            return

        self._file.parent.mkdir(parents=True, exist_ok=True)
        partial = self._file.with_suffix(".partial")
        state = {
            "version": _VERSION,
            "weights": copy_of(weights),
            "optimizer": optimizer.state_dict(),
            "best": vars(run.best),
            "progress": {name: value for name, value in vars(run).items() if name != "best"},
        }
        torch.save(state, partial)
        partial.replace(self._file)
        self._saved = time.monotonic()


def train_contrastively(
    task: Task,
    towers: Towers,
    parameters: ContrastiveParameters,
    *,
    look: Callable[[], dict[str, float]],
    base_look: dict[str, float],
    loss: Loss | None = None,
    negatives: Sequence[Sequence[int]] = (),
    chooses: tuple[str, ...] = (CHOOSES,),
) -> tuple[Best, list[dict[str, float]]]:
    """Train `towers.weights` in place; return its best checkpoint and the history.

    The weights left are those of the last step: `load` puts the best's in. Training that was killed goes on from the
    last checkpoint in `task.work`, to the same weights as if it had not been.

    Parameters
    ----------
    look
        Measures the validation questions with the weights as they are; all of it goes into the history.
    base_look
        The same of the untouched base, step 0.
    chooses
        Metrics of a look that pick the checkpoint, each deciding between those equal in the ones before. The first
        alone is what `parameters.patience` waits for.
    loss
        InfoNCE at `parameters.scale` by default.
    negatives
        Rows of the corpus that do not answer each training question, by question; mined by default as
        `parameters.hard_negatives` says.
    """
    negatives = negatives or devices.of_main(lambda: _mined(task, parameters))
    turn_dropout_off(towers.weights)
    trained = [parameter for parameter in towers.weights.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(
        trained, lr=parameters.learning_rate, weight_decay=parameters.weight_decay, fused=True
    )
    batches = batches_of(task, parameters)
    schedule = schedule_of(parameters, batches)
    checkpoints = Checkpoints(task.work)
    run = checkpoints.resume(towers.weights, optimizer)
    if run is None:
        run = Progress(Best(_values(base_look, chooses)), [])
        _note(task, run, {"step": 0, "epoch": 0.0, **base_look})
    loss = loss or partial(contrastive_loss, scale=parameters.scale)
    gradients = partial(
        add_gradients,
        encode_queries=towers.encode_queries,
        encode_passages=towers.encode_passages,
        loss=at_every_dimension(loss, parameters.matryoshka_dimensions),
        cached=parameters.gradient_cache,
        tokens=parameters.mini_batch_tokens,
        longest=task.base.identity.max_seq_length,
    )
    shown = shown_of(task) if devices.is_main() else None
    contrast_of = partial(lay_out, task.examples.train, task.examples.passages, negatives=negatives, shown=shown)
    set_aside(task.base.model)
    clock = _Clock(schedule.steps, run.step)
    for step, batch in enumerate(batches.take(schedule.steps), start=1):
        if step <= run.step:
            continue
        if parameters.patience and run.looks_without_better >= parameters.patience:
            _log.info("no better in %d looks: training stops before step %d", run.looks_without_better, step)
            break
        rate = schedule.rate_at(step - 1)
        towers.weights.train()
        optimizer.zero_grad()
        run.losses.append(gradients(devices.of_main(partial(contrast_of, batch))))
        devices.sum_gradients(trained)
        torch.nn.utils.clip_grad_norm_(trained, _MAX_GRADIENT_NORM)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
        run.step, epoch = step, round(step / len(batches), 2)
        if step % max(1, schedule.steps // _PROGRESS_LINES) == 0:
            _note(task, run, {"step": step, "epoch": epoch, "loss": float(np.mean(run.losses)), "lr": rate})
            clock.log(step, float(np.mean(run.losses)))
            run.losses.clear()
        looked = step in schedule.looks
        if looked:
            with clock.stopped():
                _look(task, run, towers.weights, look, chooses, epoch)
        checkpoints.save(run, towers.weights, optimizer, due=looked)
    towers.weights.eval()
    return run.best, run.history


def copy_of(weights: torch.nn.Module) -> Weights:
    """The trained parameters as they are now."""
    return {name: tensor.detach().clone() for name, tensor in weights.named_parameters() if tensor.requires_grad}


def load(weights: torch.nn.Module, state: Weights) -> None:
    """Put what `copy_of` kept back."""
    weights.load_state_dict(state, strict=False)


def turn_dropout_off(weights: torch.nn.Module) -> None:
    """Attention with dropout has no fast kernel on a CPU: a step takes 1.7 to 1.9 times longer and twice the memory.

    A text encoded twice for gradient caching would also be two different ones.
    """
    for module in weights.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0


def _mined(task: Task, parameters: ContrastiveParameters) -> Sequence[Sequence[int]]:
    if not parameters.hard_negatives.per_question:
        return ()
    return mine(task.examples, task.query_vectors, task.passage_vectors, parameters.hard_negatives)


def _note(task: Task, run: Progress, entry: dict[str, float]) -> None:
    run.history.append(entry)
    if devices.is_main():
        task.report(entry)


def _look(
    task: Task,
    run: Progress,
    weights: torch.nn.Module,
    look: Callable[[], dict[str, float]],
    chooses: tuple[str, ...],
    epoch: float,
) -> None:
    """Measure the weights as they are, and keep them if they are the best so far."""
    weights.eval()
    found = devices.of_main(look)
    best = run.best
    _log.info(
        "epoch %g: %s of the validation questions over part of the corpus %.4f (best so far %.4f, %s)",
        epoch, chooses[0], found[chooses[0]], best.values[0], best.name,
    )  # fmt: skip
    _note(task, run, {"step": run.step, "epoch": epoch, **found})
    values = _values(found, chooses)
    run.looks_without_better = 0 if values[0] > best.values[0] else run.looks_without_better + 1
    if values > best.values:
        run.best = Best(values, f"epoch {epoch:g}", copy_of(weights))


def _values(found: dict[str, float], chooses: tuple[str, ...]) -> tuple[float, ...]:
    return tuple(found[metric] for metric in chooses)


class _Clock:
    """Tells how fast training goes and when its steps will end; what is looked at in between takes its own time."""

    def __init__(self, steps: int, done: int) -> None:
        self._steps, self._first, self._started = steps, done, time.monotonic()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """While something else than steps is done."""
        stopped = time.monotonic()
        yield
        self._started += time.monotonic() - stopped

    def log(self, done: int, loss: float) -> None:
        per_step = (time.monotonic() - self._started) / (done - self._first)
        _log.info(
            "step %d of %d, loss %.3f, %.2f s a step, about %.0f s of steps left, looks at validation apart",
            done, self._steps, loss, per_step, per_step * (self._steps - done),
        )  # fmt: skip
