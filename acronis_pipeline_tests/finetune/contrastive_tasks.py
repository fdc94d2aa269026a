"""Small tasks of contrastive training: the codename world and a model of one layer, made in a second."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from acronis_pipeline import encoders
from acronis_pipeline.finetune.examples import prepare
from acronis_pipeline.finetune.method import Task
from acronis_pipeline.finetune.recipe import Recipe, parse_recipe
from acronis_pipeline.store import Store
from acronis_pipeline_tests.finetune.worlds import codename_world

QUICK = {"epochs": 4, "batch_size": 6, "learning_rate": 0.002, "evaluations": 4, "interpolation": [0.5]}


def recipe_of(method: str, model: Path, **parameters: Any) -> Recipe:
    """A recipe that trains `model` within a second or two."""
    content = {"method": method, "base_model": str(model), "max_seq_length": 32, "parameters": QUICK | parameters}
    return parse_recipe(method, json.dumps(content), where=f"{method}.yaml")


def task_of(model: Path, store: Store, **changes: Any) -> Task:
    """The codename world for a model folder."""
    load = partial(encoders.load_base, str(model), max_seq_length=32, device="cpu")
    examples, base = prepare(codename_world()), load()
    task = Task(
        examples=examples,
        base=base,
        passage_vectors=base.encode_windows(examples.passages),
        load_base=load,
        seed=13,
        store=store,
        device="cpu",
    )
    return replace(task, **changes)
