"""How many devices train together, and how they come together in a step.

The processes are started and told of each other by `finetune.launch`; without that there is one, and every function
here does nothing. Imports torch: import this module inside functions.

Which precision a training step computes in: bfloat16 where it is really faster. Imports torch.
"""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed

from acronis_pipeline.core.errors import AcronisPipelineError
from acronis_pipeline.encoders.identity import BFLOAT16, FLOAT32

T = TypeVar("T")


def count() -> int:
    """Processes that train together."""
    return torch.distributed.get_world_size() if torch.distributed.is_initialized() else 1


def is_main() -> bool:
    """Whether this process looks at the validation questions, reports and writes."""
    return not torch.distributed.is_initialized() or torch.distributed.get_rank() == 0


def my_share(items: Sequence[T]) -> list[T]:
    """Every n-th item: of items sorted by cost, every process gets about the same."""
    if count() == 1:
        return list(items)
    return list(items[torch.distributed.get_rank() :: count()])


def added_up(tensor: torch.Tensor) -> torch.Tensor:
    """Sum of every process's tensor, in place; all of one shape."""
    if count() > 1:
        torch.distributed.all_reduce(tensor)
    return tensor


def largest(number: int) -> int:
    """The largest of every process's number."""
    if count() == 1:
        return number
    found = torch.tensor(number, device=own_device())
    torch.distributed.all_reduce(found, op=torch.distributed.ReduceOp.MAX)
    return int(found)


def sum_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Give every process the sum of all processes' gradients."""
    if count() == 1:
        return
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    for parameter in trained:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        torch.distributed.all_reduce(parameter.grad)


def of_main(make: Callable[[], T]) -> T:
    """What `make` gives in the main process, in all of them; only that one calls it.

    Whatever steers training goes through here: two processes that see a number differ in its last digit would part, and
    each wait for the other. `make` must not come here itself. What it refuses, all refuse.
    """
    if count() == 1:
        return make()
    box: list[Any] = [None, None]
    if is_main():
        try:
            box[0] = make()
        except AcronisPipelineError as refusal:
            box[1] = refusal
    torch.distributed.broadcast_object_list(box, src=0)
    made, refusal = box
    if refusal is not None:
        raise refusal
    return made


def own_device() -> torch.device:
    """Where this process's tensors meet those of the others."""
    if torch.distributed.is_initialized() and torch.distributed.get_backend() == "nccl":
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("cpu")


def available(device: str | None) -> int:
    """Devices that could train together: GPUs, unless a device is named."""
    return torch.cuda.device_count() if device is None and torch.cuda.is_available() else 1


_WORTH = 1.3
"""A smaller gain would be within what a busy machine's timings vary by."""

_log = logging.getLogger(__name__)


def chosen_precision(asked: str, device: torch.device, work: Path | None) -> str:
    """`asked`, or what a short probe of this device finds faster if that is "auto".

    A training that goes on after a kill goes on in the precision that it began in, which is noted in `work`.
    """
    note = work / "precision" if work else None
    if asked == "auto" and note and note.exists():
        return note.read_text("utf-8")
    chosen = _probe(device) if asked == "auto" else asked
    if note:
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(chosen, "utf-8")
    return chosen


@lru_cache(maxsize=4)
def _probe(device: torch.device) -> str:
    """Times a training step of one encoder layer in both precisions, within a second or so."""
    if device.type not in {"cpu", "cuda"}:
        return FLOAT32
    # On a GPU large enough that arithmetic is timed, and not how kernels are started.
    n_texts, width = (2, 384) if device.type == "cpu" else (64, 1024)
    layer = torch.nn.TransformerEncoderLayer(
        width, width // 32, 4 * width, dropout=0.0, batch_first=True, device=device
    )
    texts = torch.randn(n_texts, 256, width, device=device)
    seconds = {FLOAT32: float("inf"), BFLOAT16: float("inf")}
    for _ in range(3):
        for precision in seconds:
            seconds[precision] = min(seconds[precision], _step_s(layer, texts, precision))
    gain = seconds[FLOAT32] / seconds[BFLOAT16]
    chosen = BFLOAT16 if gain >= _WORTH else FLOAT32
    _log.info("training in %s: bfloat16 is %.1f times as fast on %s", chosen, gain, device)
    return chosen


def _step_s(layer: torch.nn.Module, texts: torch.Tensor, precision: str) -> float:
    started = time.monotonic()
    with torch.autocast(texts.device.type, dtype=torch.bfloat16, enabled=precision == BFLOAT16):
        made = layer(texts)
    made.float().square().mean().backward()
    next(layer.parameters()).grad.sum().item()  # waits for a device that works on its own  # pyright: ignore
    return time.monotonic() - started
