"""Fine-tuning: recipes, the methods they name, and the models that come out.

    recipe = load_recipe("query_adapter")
    trained = train(recipe, dataset, store, folder)
    model = SentenceTransformer(str(trained.folder))

`models.records.refresh` does it only if recipe, base model or data changed.
"""

from acronis_pipeline.finetune.base_model import require_feasible
from acronis_pipeline.finetune.method import OnEntry
from acronis_pipeline.finetune.recipe import Recipe, load_recipe, recipe_names
from acronis_pipeline.finetune.training import TrainedModel, train

__all__ = ["OnEntry", "Recipe", "TrainedModel", "load_recipe", "recipe_names", "require_feasible", "train"]
