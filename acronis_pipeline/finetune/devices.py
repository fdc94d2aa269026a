"""How many devices train together, and how they come together in a step.

The processes are started and told of each other by accelerate (`finetune.launch`); without that there is one, and every
function here does nothing. Imports torch: import this module inside functions.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import torch
import torch.distributed

from acronis_pipeline.errors import AcronisPipelineError

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
