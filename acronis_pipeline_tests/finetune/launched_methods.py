"""Methods for processes that train together: what a process is told to run has to be importable in it."""

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import numpy as np
import torch.distributed

from acronis_pipeline.encoders import TorchEncoder
from acronis_pipeline.finetune import devices
from acronis_pipeline.finetune.method import Changed, Fitted, Task
from acronis_pipeline.finetune.methods import encoder, method_named
from acronis_pipeline.finetune.recipe import Recipe
from acronis_pipeline_tests.finetune.contrastive_tasks import task_of
from acronis_pipeline_tests.finetune.worlds import passages

TEXTS = [passage.text for passage in passages()]


def only_the_first_decides() -> None:
    """Have every process but the first fail where it measures, chooses or mines."""
    from acronis_pipeline.finetune import contrast, negatives

    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError("not the first process, and yet it measures and chooses")

    print("a library prints", flush=True)
    if not devices.is_main():
        TorchEncoder._encode = contrast.lay_out = negatives.mine = refuse  # pyright: ignore


def train_fully(task: Task, parameters: encoder.FullParameters) -> Fitted:
    only_the_first_decides()
    return encoder.fit_every_weight(task, parameters)


def train_each(task: Task, recipes: list[Recipe]) -> Fitted:
    """Train several recipes one after the other: a start costs more than such a training. Leaves their vectors."""
    assert task.work
    tasks = [task_of(Path(r.base_model), task.store, work=task.work / r.name) for r in recipes]
    for each in tasks:
        assert len(each.query_vectors)  # as if they had been handed over
    only_the_first_decides()
    for recipe, each in zip(recipes, tasks, strict=True):
        fitted = method_named(recipe.method).fit(each, recipe.parameters)
        if devices.is_main():
            work = task.work / recipe.name
            work.mkdir(parents=True, exist_ok=True)
            np.save(work / "vectors.npy", vectors_of(fitted, each))
            (work / "chosen").write_text(fitted.chosen, "utf-8")
    return Fitted(task.base.model, Changed.NOTHING, "step 0", [])


def vectors_of(fitted: Fitted, task: Task) -> np.ndarray:
    """Of all passages, as questions and as passages."""
    identity = replace(task.base.identity, dimension=fitted.model.get_embedding_dimension())
    encoder = TorchEncoder(fitted.model, identity)
    return np.concatenate([encoder.encode_queries(TEXTS), encoder.encode_passages(TEXTS)])


def be_killed(task: Task, parameters: object) -> Fitted:
    """The second process is; the first one waits for it."""
    del task, parameters
    if torch.distributed.get_rank() == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    torch.distributed.barrier()
    raise AssertionError("nobody came")
