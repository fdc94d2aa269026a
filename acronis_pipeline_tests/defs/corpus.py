"""What a finished run holds of each page, and running parts of it again."""

from typing import Any

import dagster as dg
import pyarrow as pa

from acronis_pipeline.champion import current_champion
from acronis_pipeline.defs import build_definitions
from acronis_pipeline.defs.instance import open_instance
from acronis_pipeline.store import tables
from acronis_pipeline_tests.finished_run import RECIPE, FinishedRun


def rows(table: pa.Table, key: str) -> dict[str, dict[str, Any]]:
    return {row[key]: row for row in table.to_pylist()}


def chunks_of(finished: FinishedRun) -> dict[str, dict[str, Any]]:
    return rows(finished.store.read(tables.CHUNKS), "chunk_id")


def pairs_of(finished: FinishedRun) -> dict[str, dict[str, Any]]:
    return rows(finished.store.read(tables.PAIRS), "pair_id")


def passages_of(finished: FinishedRun) -> dict[str, dict[str, Any]]:
    """Rows of the index that answers questions, vectors included."""
    champion = current_champion(finished.store)
    assert champion
    return rows(finished.store.read(tables.passages(champion.system.table, 384)), "chunk_id")


def changed_urls(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]) -> set[str]:
    """Pages of all rows that were added, removed or altered."""
    different = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    return {(before.get(key) or after[key])["url"] for key in different}


def execute(
    finished: FinishedRun,
    job: str,
    assets: list[str] | None = None,
    *,
    request: dg.RunRequest | None = None,
    raise_on_error: bool = True,
) -> dg.ExecuteInProcessResult:
    """Run a job of some assets, or of all, as the sensor requested it if it did."""
    with open_instance(finished.settings()) as instance:
        return (
            build_definitions(finished.settings())
            .resolve_job_def(job)
            .execute_in_process(
                instance=instance,
                partition_key=RECIPE,
                asset_selection=[dg.AssetKey(name) for name in assets] if assets else None,
                run_config=request.run_config if request else None,
                tags=dict(request.tags) if request else None,
                raise_on_error=raise_on_error,
            )
        )
