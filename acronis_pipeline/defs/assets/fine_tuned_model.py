"""fine_tuned_model: a recipe's model, trained on the synthetic pairs."""

import dagster as dg

from acronis_pipeline.core.files import folder_size_bytes
from acronis_pipeline.core.settings import Settings
from acronis_pipeline.defs import display
from acronis_pipeline.defs.assets.synthetic_pairs import synthetic_pairs
from acronis_pipeline.defs.resources import RECIPES, StoreResource, TrackingResource, recipes_of
from acronis_pipeline.encoders.endpoint import ENDPOINT_FILE, is_endpoint
from acronis_pipeline.encoders.openvino_encoder import MANIFEST
from acronis_pipeline.models import records as model_records
from acronis_pipeline.models.indexed import require_model
from acronis_pipeline.models.records import ModelRecord
from acronis_pipeline.reporting.plots import learning_curves
from acronis_pipeline.stages import train_recipe


@dg.asset(
    deps=[synthetic_pairs],
    partitions_def=RECIPES,
    group_name=display.GROUP,
    kinds={"pytorch", "mlflow"},
    owners=display.OWNERS,
    code_version=model_records.VERSION,
    pool="train",
)
def fine_tuned_model(
    context: dg.AssetExecutionContext,
    store: StoreResource,
    tracking: TrackingResource,
    settings: dg.ResourceParam[Settings],
) -> dg.MaterializeResult:
    """The recipe's retrieval model, loadable with plain `SentenceTransformer(path)`.

    Trained on the train split; the validation split chooses the checkpoint, and the untouched base takes part in that
    choice. With the same data and recipe the model on record is kept, or the export of it that was put to use.
    """
    tracker, tags = tracking.open(), display.run_tags(context, settings.dagster_ui_url)
    record, is_new = train_recipe(store.open(), tracker, context.partition_key, settings, tags=tags)
    metadata = _metadata(record) | {"mlflow_run": dg.MetadataValue.url(tracker.url(record.mlflow_run_id or ""))}
    return display.result(record.identity.model_id, metadata, changed=is_new)


def _metadata(record: ModelRecord) -> dict[str, object]:
    validation = record.metrics["validation"]
    curves = learning_curves(record.metrics["history"], record.metrics["chosen"])
    return {
        "chosen": record.metrics["chosen"],
        "validation_ndcg_at_10": validation["best"]["ndcg_at_10"],
        "validation_ndcg_at_10_base": validation["base"]["ndcg_at_10"],
        "validation": display.table({"model": name, **values} for name, values in validation.items()),
        **({"learning_curves": display.plot(curves)} if curves else {}),
        "history": display.table(record.metrics["history"], limit=50),
        "n_train": record.metrics["n_train"],
        "n_validation": record.metrics["n_validation"],
        "training_s": round(record.metrics["seconds"], 1),
        "folder": dg.MetadataValue.path(str(record.folder)),
        **({"format": record.metrics["exported"]["format"]} if record.is_export else {}),
        "size_bytes": folder_size_bytes(record.folder),
        "base": record.identity.base,
        "registry_version": record.registry_version or "",
    }


@dg.asset_check(asset=fine_tuned_model, blocking=True)
def not_worse_than_its_base(
    context: dg.AssetCheckExecutionContext, store: StoreResource, settings: dg.ResourceParam[Settings]
) -> dg.AssetCheckResult:
    """The published folder is complete, and on validation the model is at least as good as the untouched base."""
    opened = store.open()
    records = [require_model(opened, recipe) for recipe in recipes_of(context, opened, settings)]
    problems = [problem for record in records for problem in _problems(record)]
    return display.check(bool(records) and not problems, "; ".join(map(_on_validation, records)), problems)


def _problems(record: ModelRecord) -> list[str]:
    folder = record.folder
    content = ENDPOINT_FILE if is_endpoint(folder) else MANIFEST if record.is_export else "modules.json"
    missing = [name for name in (content, "acronis_pipeline.json") if not (folder / name).exists()]
    problems = [f"{record.recipe}: {name} is missing in {record.folder}" for name in missing]
    best, base = (record.metrics["validation"][name]["ndcg_at_10"] for name in ("best", "base"))
    return problems if best >= base else [*problems, f"{record.recipe}: {best:.3f} is less than the base's {base:.3f}"]


def _on_validation(record: ModelRecord) -> str:
    best, base = (record.metrics["validation"][name]["ndcg_at_10"] for name in ("best", "base"))
    return f"{record.recipe}: validation nDCG@10 {best:.3f}, base {base:.3f}, n = {record.metrics['n_validation']}"
