"""Training in several processes, one for each device: how they are started, what they get and what they give back.

The parent hands over the task as files and starts the processes; each runs the recipe's method as if alone, and
`devices` brings them together in every step. The first one reports and saves the model. If the parent dies, they end.

Their stdin is a socket, the one line between them and the parent: they write to it as well, and it ends when the parent
does. Not stdout, where any library may print, and torchrun hands down no other open file. What is printed goes to the
parent's stderr.
"""

import json
import logging
import os
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import nullcontext, suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from acronis_pipeline import encoders
from acronis_pipeline.core import errors
from acronis_pipeline.core.errors import AcronisPipelineError, ModelError
from acronis_pipeline.encoders import ModelIdentity, PassageVectors
from acronis_pipeline.finetune.examples import Examples
from acronis_pipeline.finetune.method import Changed, Fitted, Task
from acronis_pipeline.finetune.methods import method_named
from acronis_pipeline.finetune.recipe import Recipe, parse_recipe
from acronis_pipeline.store import Store

_EXAMPLES = TypeAdapter(Examples)
_STORE_OPTIONS = "ACRONIS_PIPELINE_LAUNCHED_STORE_OPTIONS"
_STDIN, _STDERR = 0, 2
_TIMEOUT = timedelta(hours=12)
"""How long the others wait for what only the first process does, such as a teacher's scores."""

_log = logging.getLogger(__name__)


def fit_on_many(recipe: Recipe, task: Task, n_processes: int) -> Fitted:
    """Train a recipe's method in `n_processes` processes of this machine.

    Raises
    ------
    AcronisPipelineError
        What the method refuses, as if it ran in this process.
    ModelError
        If a process fails; its last words are in the log.
    """
    with nullcontext(task.work) if task.work else tempfile.TemporaryDirectory() as folder:
        shared = Path(folder)
        shared.mkdir(parents=True, exist_ok=True)
        _hand_over(recipe, task, shared)
        encoders.set_aside(task.base.model)
        _log.info("training in %d processes", n_processes)
        _run(shared, n_processes, task)
        return _take_back(task, shared)


def _hand_over(recipe: Recipe, task: Task, folder: Path) -> None:
    (folder / "examples.json").write_bytes(_EXAMPLES.dump_json(task.examples))
    np.savez(folder / "passage_vectors.npz", **vars(task.passage_vectors))
    np.save(folder / "query_vectors.npy", task.query_vectors)
    handed = {
        "recipe": json.loads(recipe.content),
        "store": task.store.uri,
        "base_folder": str(encoders.find_base(recipe.base_model)),
        "identity": task.base.identity.to_json(),
        "batch_size": task.local_base.batch_size,
        "device": task.device,
        "precision": task.precision,
    }
    (folder / "task.json").write_text(json.dumps(handed), "utf-8")


def _run(folder: Path, n_processes: int, task: Task) -> None:
    """Run the processes to their end, passing on what the first one reports."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(n_processes)]
    threads = str(max(1, (os.cpu_count() or 1) // n_processes))
    ours, theirs = socket.socketpair()
    with ours, ours.makefile(encoding="utf-8") as heard:
        with theirs:
            process = subprocess.Popen(
                [*command, "-m", "acronis_pipeline.finetune.launch", str(folder)],
                stdin=theirs.fileno(),
                stdout=_STDERR,
                # Options hold keys, which are not for files.
                env={"OMP_NUM_THREADS": threads}
                | os.environ
                | {_STORE_OPTIONS: json.dumps(task.store.storage_options)},
            )
        try:
            for line in heard:
                _hear(json.loads(line), task)
            if process.wait():
                raise ModelError(
                    f"training on {n_processes} devices failed; see the lines above, or train on one device"
                )
        finally:
            # Asked to end, torchrun prints a traceback. The others leave by themselves once their stdin has ended.
            process.kill()
            process.wait()


def _hear(said: dict[str, Any], task: Task) -> None:
    if "refused" in said:
        raise _kind(said["refused"])(said["text"])
    if "entry" in said:
        task.report(said["entry"])
    else:
        _log.info("%s", said["log"])


def _kind(name: str) -> type[AcronisPipelineError]:
    found = vars(errors).get(name)
    return found if isinstance(found, type) and issubclass(found, AcronisPipelineError) else AcronisPipelineError


def _take_back(task: Task, folder: Path) -> Fitted:
    said = json.loads((folder / "fitted.json").read_text("utf-8"))
    changed = Changed(said["changed"])
    model = task.base.model
    if changed is not Changed.NOTHING:
        identity = replace(task.base.identity, dimension=said["dimension"])
        model = encoders.load_in_torch(
            folder / "fitted", identity, device=task.device, batch_size=task.local_base.batch_size
        ).model
    return Fitted(model, changed, said["chosen"], said["history"])


def work_on(folder: Path) -> None:
    """What each of the processes does."""
    from accelerate import PartialState

    from acronis_pipeline.finetune import devices

    end = _end_with_the_parent()
    handed = json.loads((folder / "task.json").read_text("utf-8"))
    state = PartialState(cpu=handed["device"] == "cpu", timeout=_TIMEOUT)
    if devices.is_main():
        _log_to_the_parent()
    try:
        _train(handed, folder, str(state.device))
    except AcronisPipelineError as error:
        _say(refused=type(error).__name__, text=str(error))
        end.join()  # The parent ends all. torchrun would report one that leaves first as a crash.
    state.wait_for_everyone()
    state.destroy_process_group()


def _train(handed: dict[str, Any], folder: Path, device: str) -> None:
    from acronis_pipeline.finetune import devices

    recipe = parse_recipe("launched", json.dumps(handed["recipe"]), where=str(folder / "task.json"))
    fitted = method_named(recipe.method).fit(_task(handed, folder, recipe, device), recipe.parameters)
    if not devices.is_main():
        return
    fitted.model.save_pretrained(str(folder / "fitted"), create_model_card=False)
    said = {
        "changed": fitted.changed.value,
        "chosen": fitted.chosen,
        "history": fitted.history,
        "dimension": fitted.model.get_embedding_dimension(),
    }
    (folder / "fitted.json").write_text(json.dumps(said), "utf-8")


def _task(handed: dict[str, Any], folder: Path, recipe: Recipe, device: str) -> Task:
    identity = ModelIdentity.from_json(handed["identity"])

    load_base = partial(
        encoders.load, Path(handed["base_folder"]), identity, device=device, batch_size=handed["batch_size"]
    )

    task = Task(
        examples=_EXAMPLES.validate_json((folder / "examples.json").read_bytes()),
        base=load_base(),
        passage_vectors=PassageVectors(**np.load(folder / "passage_vectors.npz")),
        load_base=load_base,
        seed=recipe.seed,
        store=Store(handed["store"], json.loads(os.environ[_STORE_OPTIONS])),
        report=lambda entry: _say(entry=entry),
        work=folder,
        device=device,
        precision=handed["precision"],
    )
    # Takes the place of what each process would encode for itself, and maybe not to the last digit alike.
    vars(task)["query_vectors"] = np.load(folder / "query_vectors.npy")
    return task


def _say(**said: Any) -> None:
    # A parent that has left ends this process at once.
    with suppress(ConnectionError), open(_STDIN, "w", encoding="utf-8", closefd=False) as parent:
        print(json.dumps(said), file=parent)


def _log_to_the_parent() -> None:
    class Said(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            _say(log=record.getMessage())

    logger = logging.getLogger("acronis_pipeline")
    logger.setLevel(logging.INFO)
    logger.addHandler(Said())


def _end_with_the_parent() -> threading.Thread:
    """The parent holds the other end of stdin: when it is killed, whatever the reason, stdin ends."""

    def wait() -> None:
        try:
            sys.stdin.read()
        finally:  # The end is an error where the parent left something unread.
            os._exit(1)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


if __name__ == "__main__":
    work_on(Path(sys.argv[1]))
