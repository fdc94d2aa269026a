"""The graph that Dagster loads: what is in it, how it hangs together, and that it loads without complaint."""

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import dagster as dg
import pytest

from acronis_pipeline import chunk, content, crawl, evaluate, index, pairs
from acronis_pipeline.core.settings import load_settings
from acronis_pipeline.defs import build_definitions
from acronis_pipeline.finetune.recipe import recipe_names
from acronis_pipeline.models import records


class Row(NamedTuple):
    deps: set[str]
    kinds: set[str]
    code_version: str | None
    per_recipe: bool
    blocking_checks: set[str]
    other_checks: set[str] = set()  # noqa: RUF012 - a default of a tuple


# fmt: off
GRAPH = {
    "website": Row(set(), {"html"}, None, False, set()),
    "raw_pages": Row(
        {"website"}, {"python", "lancedb"}, crawl.VERSION, False, {"site_is_there"}, {"most_pages_answer"}
    ),
    "chunks": Row(
        {"raw_pages"}, {"python", "lancedb"}, f"{content.VERSION}.{chunk.VERSION}", False,
        {"passages_fit_the_encoder"}, {"little_is_cut_or_dropped"},
    ),
    "synthetic_pairs": Row(
        {"chunks", "gold_questions"}, {"python", "lancedb"}, pairs.VERSION, False,
        {"nothing_leaks_between_splits", "enough_pairs_in_every_split"}, {"test_questions_tell_systems_apart"},
    ),
    "fine_tuned_model": Row(
        {"synthetic_pairs"}, {"pytorch", "mlflow"}, records.VERSION, True, {"not_worse_than_its_base"},
    ),
    "lancedb_index": Row(
        {"chunks", "fine_tuned_model"}, {"lancedb"}, index.VERSION, True,
        {"index_is_in_step", "recall_is_high_enough"},
    ),
    "gold_questions": Row(
        set(), {"yaml"}, "1", False, {"questions_are_distinct"}, {"expected_pages_were_crawled"}
    ),
    "eval_report": Row(
        {"lancedb_index", "synthetic_pairs", "gold_questions"}, {"mlflow"}, evaluate.VERSION, True,
        {"every_system_was_asked"}, {"tuned_beats_its_base"},
    ),
    "champion": Row(
        {"eval_report"}, {"mlflow", "lancedb"}, "2", False, {"all_name_the_same_champion"},
    ),
}
# fmt: on


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return build_definitions(load_settings())


@pytest.fixture(scope="module")
def specs(definitions: dg.Definitions) -> dict[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in definitions.resolve_all_asset_specs()}


def checks_of(definitions: dg.Definitions, asset: str) -> dict[str, dg.AssetCheckSpec]:
    return {
        spec.name: spec
        for check in definitions.asset_checks or ()
        if isinstance(check, dg.AssetChecksDefinition)
        for spec in check.check_specs
        if spec.asset_key.to_user_string() == asset
    }


def test_graph_holds_the_stages_and_nothing_else(specs):
    assert specs.keys() == GRAPH.keys()


@pytest.mark.parametrize("name", GRAPH)
def test_every_asset_says_what_it_is_and_what_it_rests_on(definitions, specs, name):
    spec, expected = specs[name], GRAPH[name]
    assert {dep.asset_key.to_user_string() for dep in spec.deps} == expected.deps
    assert spec.group_name == "pipeline"
    assert spec.kinds == expected.kinds
    assert spec.code_version == expected.code_version
    assert spec.partitions_def == (dg.StaticPartitionsDefinition(recipe_names()) if expected.per_recipe else None)
    assert list(spec.owners) == ["team:search"]
    assert len(spec.description or "") > 40


@pytest.mark.parametrize("name", GRAPH)
def test_checks_that_gate_are_blocking_and_all_are_described(definitions, name):
    checks = checks_of(definitions, name)
    assert {key for key, check in checks.items() if check.blocking} == GRAPH[name].blocking_checks
    assert {key for key, check in checks.items() if not check.blocking} == GRAPH[name].other_checks
    assert all(check.description for check in checks.values())


def test_lineage_is_one_group_because_dagster_collapses_several(specs):
    assert len({spec.group_name for spec in specs.values()}) == 1


def test_champion_waits_for_the_reports_of_all_recipes(specs):
    (dep,) = specs["champion"].deps
    assert isinstance(dep.partition_mapping, dg.AllPartitionMapping)


def test_recipes_of_the_settings_are_the_partitions(tmp_path):
    (tmp_path / "mine.yaml").write_text("method: query_adapter\n", "utf-8")
    for settings, expected in (
        (load_settings(), {"query_adapter", "full"}),
        (load_settings(recipes_dir=tmp_path), {"mine"}),
    ):
        graph = build_definitions(settings).resolve_asset_graph()
        partitions = graph.get(dg.AssetKey("lancedb_index")).partitions_def
        assert partitions
        assert expected <= set(partitions.get_partition_keys())


@pytest.mark.server
def test_importing_the_definitions_reads_no_setting(tmp_path):
    program = "import acronis_pipeline.defs, acronis_pipeline.api, acronis_pipeline.defs.launch"
    environment = os.environ | {"ACRONIS_PIPELINE_RECIPES_DIR": str(tmp_path / "gone"), "ACRONIS_PIPELINE_TYPO": "1"}
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, env=environment)


@pytest.mark.parametrize(
    ("job", "without"),
    [
        ("full_pipeline", set()),
        ("index_refresh", {"fine_tuned_model", "gold_questions", "eval_report", "champion"}),
    ],
)
def test_jobs_cover_the_stages_that_their_names_promise(definitions, job, without):
    selected = definitions.resolve_job_def(job).asset_layer.selected_asset_keys
    assert {key.to_user_string() for key in selected} == GRAPH.keys() - {"website"} - without


def test_writers_share_one_slot_a_pool(definitions):
    pools = {
        asset.key.to_user_string(): next(iter(asset.node_def.pools))
        for asset in definitions.assets or ()
        if isinstance(asset, dg.AssetsDefinition) and asset.is_executable
    }
    assert pools.pop("raw_pages") == "site"
    assert pools.pop("fine_tuned_model") == "train"
    assert pools.pop("synthetic_pairs") == "pairs"
    assert set(pools.values()) == {"lancedb_writer"}


def test_schedule_and_sensor_run_without_being_switched_on(definitions):
    schedule = definitions.resolve_schedule_def("nightly_recrawl")
    sensor = definitions.resolve_sensor_def("site_change_sensor")
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
    assert schedule.job_name == sensor.job_name == "index_refresh"


@pytest.mark.parametrize(("name", "executor"), [("in_process", "in_process"), ("multiprocess", "multiprocess")])
def test_executor_follows_the_settings(name, executor):
    built = build_definitions(load_settings(executor=name)).executor
    assert isinstance(built, dg.ExecutorDefinition)
    assert built.name == executor


@pytest.mark.server
def test_loading_warns_of_nothing_deprecated_or_unstable(tmp_path: Path):
    program = """
import warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    from acronis_pipeline.definitions import defs
    defs.resolve_all_asset_specs()
    dagster = [w for w in caught if type(w.message).__module__.startswith("dagster")]
    ours = [w for w in caught if issubclass(w.category, DeprecationWarning) and "acronis_pipeline" in w.filename]
for warning in dagster + ours:
    print(warning.category.__name__, warning.filename, warning.message)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == ""
