"""Running a recipe's method where it trains: in this process, or in one for each of several devices."""

from dataclasses import replace

from acronis_pipeline.finetune.contrastive_parameters import ContrastiveParameters
from acronis_pipeline.finetune.method import Fitted, Task
from acronis_pipeline.finetune.methods import METHODS
from acronis_pipeline.finetune.recipe import Recipe


def fit(recipe: Recipe, task: Task, devices: int | None = None) -> Fitted:
    """Train by the recipe's method.

    Parameters
    ----------
    devices
        How many train together; by default every GPU, or the CPU as one. Methods that train on cached vectors are done
        in seconds and always take one.
    """
    if not isinstance(recipe.parameters, ContrastiveParameters):
        return METHODS[recipe.method].fit(task, recipe.parameters)
    from acronis_pipeline.finetune.devices import available
    from acronis_pipeline.finetune.launch import fit_on_many
    from acronis_pipeline.finetune.precision import chosen_precision

    task = replace(task, precision=chosen_precision(task.precision, task.base.model.device, task.work))
    n_devices = devices or available(task.device)
    if n_devices > 1:
        return fit_on_many(recipe, task, n_devices)
    return METHODS[recipe.method].fit(task, recipe.parameters)
