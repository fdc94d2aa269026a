"""Several devices: a process for each, how they are started, and how they come together in a step. Imports torch.

torch starts and watches the processes. Each runs the method as if alone; the first one reports and saves the model.
What they have to say (entries of the history, log records, a refusal, what was fitted) comes through one queue, so that
whatever libraries print disturbs nobody; it goes to stderr. If one of them dies, or this process, all end. Without them
there is one process, and what brings several together does nothing.
"""

import logging
import logging.handlers
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from multiprocessing.queues import Queue
from pathlib import Path
from queue import Empty
from types import ModuleType
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed
from torch.multiprocessing import get_context
from torch.multiprocessing.spawn import (
    ProcessContext,
    ProcessExitedException,
    ProcessRaisedException,
    start_processes,
)

from acronis_pipeline import encoders
from acronis_pipeline.core.errors import AcronisPipelineError, ModelError
from acronis_pipeline.finetune.method import Changed, Fitted, Method, MethodParameters, Task
from acronis_pipeline.store import Store

T = TypeVar("T")

_HANDED_AS_THEY_ARE = ("examples", "passage_vectors", "load_base", "seed", "device", "precision")
_POLL_S = 0.1
_STDOUT, _STDERR = 1, 2
_TIMEOUT = timedelta(hours=12)
"""How long the others wait for what only the first process does, such as a teacher's scores."""

_log = logging.getLogger(__name__)


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


@dataclass(frozen=True)
class _Handed:
    """What a process makes its own `Task` of; pickled by way of a pipe, since the store's options hold keys.

    `task` has the fields that can be pickled and are the same for all.
    """

    fit: Callable[[Task, Any], Fitted]
    parameters: MethodParameters
    task: dict[str, Any]
    query_vectors: np.ndarray
    store_uri: str
    store_options: Mapping[str, str]
    work: Path


@dataclass(frozen=True)
class _Saved:
    """What `Fitted` says of a model, which itself is in `folder`."""

    folder: Path
    dimension: int
    changed: Changed
    chosen: str
    history: list[dict[str, float]]


def fit_on_many(method: Method, parameters: MethodParameters, task: Task, n_processes: int) -> Fitted:
    """Train by a method in `n_processes` processes of this machine.

    Raises
    ------
    AcronisPipelineError
        What the method refuses, as if it ran in this process.
    ModelError
        If a process fails; its last words are in the log.
    """
    with nullcontext(task.work) if task.work else tempfile.TemporaryDirectory() as folder:
        handed = _Handed(
            fit=method.fit,
            parameters=parameters,
            task={name: getattr(task, name) for name in _HANDED_AS_THEY_ARE},
            # Each process would encode them for itself, and maybe not to the last digit alike.
            query_vectors=task.query_vectors,
            store_uri=task.store.uri,
            store_options=task.store.storage_options,
            work=Path(folder),
        )
        encoders.set_aside(task.base.model)
        _log.info("training in %d processes", n_processes)
        saved = _run(handed, n_processes, task)
        model = task.base.model
        if saved.changed is not Changed.NOTHING:
            identity = replace(task.base.identity, dimension=saved.dimension)
            model = encoders.load_in_torch(saved.folder, identity, device=task.device).model
    return Fitted(model, saved.changed, saved.chosen, saved.history)


def _run(handed: _Handed, n_processes: int, task: Task) -> _Saved:
    """Run the processes to their end, passing on what the first one reports."""
    queue, saved = get_context("spawn").Queue(), None
    with tempfile.TemporaryDirectory() as meeting:
        given = n_processes, Path(meeting) / "meeting", handed, queue
        with _program_hidden():
            processes = start_processes(_work_on, given, n_processes, join=False)
        assert processes is not None  # it is when it joins
        try:
            ended = False
            while not ended:
                ended = processes.join(timeout=_POLL_S)
                saved = _hear(queue, task) or saved
        except (ProcessExitedException, ProcessRaisedException) as error:
            _hear(queue, task)  # a process may have refused before another one failed
            _log.error("%s", error)
            raise ModelError(
                f"training on {n_processes} devices failed; see the lines above, or train on one device"
            ) from error
        finally:
            _end(processes)
    assert saved is not None
    return saved


def _hear(queue: "Queue[Any]", task: Task) -> _Saved | None:
    """Pass on what the processes have said by now; what was fitted, if that is among it.

    Raises
    ------
    AcronisPipelineError
        What one of them refused.
    """
    saved = None
    while True:
        try:
            said = queue.get(timeout=_POLL_S)
        except Empty:
            return saved
        if isinstance(said, AcronisPipelineError):
            raise said
        if isinstance(said, logging.LogRecord):
            if (logger := logging.getLogger(said.name)).isEnabledFor(said.levelno):
                logger.handle(said)
        elif isinstance(said, _Saved):
            saved = said
        else:
            task.report(said)


def _end(processes: ProcessContext) -> None:
    """Kill what still runs: one that waits for the others in C++ hears no other signal."""
    for process in processes.processes:
        if process.is_alive():
            process.kill()
        process.join()


@contextmanager
def _program_hidden() -> Iterator[None]:
    """Or each process would run the program that started this one, up to its `if __name__ == "__main__"`, if any."""
    program = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = program


def _work_on(rank: int, n_processes: int, meeting: Path, handed: _Handed, queue: "Queue[Any]") -> None:
    """What each of the processes does."""
    os.dup2(_STDERR, _STDOUT)  # where any library may print, and a command's result belongs
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # what it gets when its parent is gone
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // n_processes))
    device = _own_device(rank, handed.task["device"])
    torch.distributed.init_process_group(
        "nccl" if device.type == "cuda" else "gloo",
        init_method=meeting.as_uri(),
        rank=rank,
        world_size=n_processes,
        timeout=_TIMEOUT,
    )
    if rank == 0:
        logger = logging.getLogger("acronis_pipeline")
        logger.setLevel(logging.INFO)
        logger.addHandler(logging.handlers.QueueHandler(queue))
    try:
        _train(rank, handed, str(device), queue)
    except AcronisPipelineError as error:
        queue.put(error)
        return  # the others may wait for this one: the parent ends them
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


def _own_device(rank: int, device: str | None) -> torch.device:
    if device == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    torch.cuda.set_device(rank)
    return torch.device("cuda", rank)


def _train(rank: int, handed: _Handed, device: str, queue: "Queue[Any]") -> None:
    load_base = partial(handed.task["load_base"], device=device)
    own = {"base": load_base(), "load_base": load_base, "report": queue.put, "work": handed.work, "device": device}
    task = Task(store=Store(handed.store_uri, handed.store_options), **handed.task | own)
    vars(task)["query_vectors"] = handed.query_vectors
    fitted = handed.fit(task, handed.parameters)
    if rank:
        return
    folder = handed.work / "fitted"
    fitted.model.save_pretrained(str(folder), create_model_card=False)
    queue.put(_Saved(folder, fitted.dimension, fitted.changed, fitted.chosen, fitted.history))
