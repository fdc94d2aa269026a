"""Fine-tuning: recipes, the methods they name, and the models that come out.

recipe = load_recipe("query_adapter")
result = refresh(store, recipe, dataset, models_dir)   # trains only if recipe, base model or data changed
model = SentenceTransformer(str(result.record.folder))
"""

from acronis_pipeline.finetune.base_model import require_feasible
from acronis_pipeline.finetune.method import OnEntry
from acronis_pipeline.finetune.recipe import Recipe, load_recipe, recipe_names
from acronis_pipeline.finetune.training import TrainedModel, train

__all__ = ["OnEntry", "Recipe", "TrainedModel", "load_recipe", "recipe_names", "require_feasible", "train"]
