"""How a stage's result becomes what a person sees in the Dagster UI."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import dagster as dg

from acronis_pipeline.tracking.tracker import DAGSTER_RUN, DAGSTER_URL

OWNERS = ["team:search"]
GROUP = "pipeline"
"""One for all: of several, Dagster's lineage shows the names, collapsed, and not one asset."""


def table(rows: Iterable[Mapping[str, Any]], limit: int = 20) -> dg.MetadataValue:
    """Rows as a table; long texts are cut, lists are joined."""
    shown = list(rows)[:limit]
    names = dict.fromkeys(name for row in shown for name in row)  # Dagster wants the same columns in every record
    records = [dg.TableRecord({name: _cell(row.get(name)) for name in names}) for row in shown]
    return dg.MetadataValue.table(records) if records else dg.MetadataValue.text("none")


def counts(values: Mapping[str, int], name: str) -> dg.MetadataValue:
    """A mapping of counts, largest first."""
    ordered = sorted(values.items(), key=lambda item: -item[1])
    return table([{name: key, "count": value} for key, value in ordered])


def plot(png: bytes) -> dg.MetadataValue:
    """An image, shown in place."""
    import base64

    return dg.MetadataValue.md(f"![plot](data:image/png;base64,{base64.b64encode(png).decode()})")


def run_tags(context: dg.AssetExecutionContext, ui_url: str) -> dict[str, str]:
    """What an MLflow run says of the Dagster run that made it, and of the data that came in; `ui_url` is Dagster's."""
    return {
        DAGSTER_RUN: context.run.run_id,
        DAGSTER_URL: f"{ui_url}/runs/{context.run.run_id}",
        "dagster.asset": context.asset_key.to_user_string(),
        "dagster.partition": context.partition_key,
        **{f"data_version.{name}": version for name, version in upstream_versions(context).items()},
    }


def upstream_versions(context: dg.AssetExecutionContext) -> dict[str, str]:
    """Current data version of every asset that this one was made from, directly or not; its own partition of each."""
    graph = context.job_def.asset_layer.asset_graph
    versions: dict[str, str] = {}
    for key in sorted(graph.get_ancestor_asset_keys(context.asset_key)):
        partitions = [context.partition_key] if graph.get(key).is_partitioned else None
        wanted = dg.AssetRecordsFilter(asset_key=key, asset_partitions=partitions)
        for record in context.instance.fetch_materializations(wanted, limit=1).records:
            tags = record.asset_materialization.tags if record.asset_materialization else None
            versions[key.to_user_string()] = (tags or {}).get("dagster/data_version", "")
    return versions


def result(data_version: str, metadata: Mapping[str, Any], *, changed: bool) -> dg.MaterializeResult:
    """A materialization whose data version says whether anything downstream is stale."""
    return dg.MaterializeResult(data_version=dg.DataVersion(data_version), metadata={"changed": changed, **metadata})


def check(passed: bool, summary: str, problems: Sequence[str] = (), *, warn: bool = False) -> dg.AssetCheckResult:
    """Outcome of a check, with the first problems spelled out."""
    metadata = {"problems": table([{"problem": problem} for problem in problems])} if problems else {}
    return dg.AssetCheckResult(
        passed=passed,
        description=summary,
        severity=dg.AssetCheckSeverity.WARN if warn else dg.AssetCheckSeverity.ERROR,
        metadata=metadata,
    )


def _cell(value: Any) -> str | int | float | bool | None:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return text if len(text) <= 300 else text[:297] + "…"
