"""`acronis-pipeline champion …` on a finished run."""

import asyncio
import json
import os
import time

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest

from acronis_pipeline.champion import current_champion
from acronis_pipeline.defs import build_definitions
from acronis_pipeline.defs.assets import champion
from acronis_pipeline.defs.instance import open_instance
from acronis_pipeline.evaluate.stored import latest_report
from acronis_pipeline.store import Store
from acronis_pipeline_tests.cli.conftest import Command, assert_one_line_error
from acronis_pipeline_tests.defs.corpus import execute
from acronis_pipeline_tests.defs.test_checks import outcome
from acronis_pipeline_tests.finished_run import RECIPE, FinishedRun, free_port


def other_system(finished: FinishedRun) -> str:
    """One that could be champion and is not."""
    now, report = current_champion(finished.store), latest_report(finished.store, RECIPE)
    assert now
    assert report
    return next(name for name in ("fine_tuned", "hybrid") if name != now.system.name)


def shown(command: Command) -> dict:
    ended = command("champion", "show", "--json")
    assert ended.code == 0, ended.err
    return json.loads(ended.out)


def test_show_says_which_champion_why_how_well_and_that_all_agree(command: Command, finished: FinishedRun) -> None:
    now = current_champion(finished.store)
    assert now
    ended = command("champion", "show")
    assert ended.code == 0
    for words in (str(now.contender), now.reason, now.system.table, now.promotion_id, "nDCG@10", "n = "):
        assert words in ended.out
    assert "MLflow's alias and LanceDB's tag agree." in ended.out
    values = shown(command)
    assert values["problems"] == []
    assert values["system"]["table"] == now.system.table
    assert {"mean", "low", "high", "n"} <= values["ndcg_at_10"]["synthetic"].keys()
    assert values["registry_version"] == finished.tracker.champion_version()


def test_by_hand_and_back_again(command: Command, copied: FinishedRun) -> None:
    before, name = shown(command), other_system(copied)
    promoted = command("champion", "promote", RECIPE, name, "--reason", "a demonstration", "--json")
    assert promoted.code == 0, promoted.err
    now = shown(command)
    assert (now["system"]["name"], now["move"], now["reason"], now["problems"]) == (
        name,
        "by_hand",
        "a demonstration",
        [],
    )
    started = time.monotonic()
    ended = command("champion", "rollback", "--reason", "it was one")
    assert time.monotonic() - started < 20
    assert ended.code == 0, ended.err
    assert f"instead of {name} of recipe {RECIPE}" in ended.out
    now = shown(command)
    assert (now["system"], now["move"], now["problems"]) == (before["system"], "rollback", [])
    assert command("ask", "Is there a trial period?").code == 0
    assert outcome(copied, champion.all_name_the_same_champion).passed  # Dagster was told, too
    listed = json.loads(command("champion", "history", "--json").out)
    assert [row["move"] for row in listed] == ["rollback", "by_hand", "first"]
    assert [row["number"] for row in listed] == [3, 2, 1]
    assert "it was one" in command("champion", "history").out
    # The next materialization keeps what a person brought back, and all agree.
    assert execute(copied, "full_pipeline", ["champion"]).success
    assert shown(command)["promotion_id"] == now["promotion_id"]


def test_rollback_of_the_first_champion_and_unknown_names_are_refused_in_a_line(
    command: Command, copied: FinishedRun
) -> None:
    assert_one_line_error(command("champion", "rollback"), "first champion", "champion promote")
    assert_one_line_error(command("champion", "rollback", "--to", "nobody"), "no promotion is called 'nobody'")
    assert_one_line_error(command("champion", "promote", RECIPE, "bm26", "--reason", "typo"), "bm26", "fine_tuned")
    assert_one_line_error(command("champion", "promote", "unheard", "bm25", "--reason", "typo"), "has no report")


@pytest.mark.parametrize("name", ["show", "rollback", "repair", "history"])
def test_folder_without_a_champion_is_refused_in_a_line(command: Command, tmp_path, name: str) -> None:
    assert_one_line_error(command("champion", name, "--data", tmp_path / "none"), "has no champion", "--data")
    Store(str(tmp_path / "begun" / "lancedb"))  # what a first run has before anybody is promoted
    assert_one_line_error(command("champion", name, "--data", tmp_path / "begun"), "has no champion")
    assert not (tmp_path / "none").exists()


def test_what_a_killed_run_left_behind_is_shown_and_repaired(command: Command, copied: FinishedRun) -> None:
    now = current_champion(copied.store)
    assert now
    copied.store.untag(now.system.table, "champion")
    ended = command("champion", "show")
    assert "its tag champion at none" in ended.out
    assert "champion repair" in ended.out
    assert command("champion", "repair").code == 0
    assert shown(command)["problems"] == []


def test_registry_that_is_down_does_not_keep_the_pointer_from_moving(
    command: Command, copied: FinishedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: object) -> None:
        raise ConnectionError("connection refused")

    name = other_system(copied)
    with monkeypatch.context() as broken:
        broken.setattr("acronis_pipeline.tracking.Tracker.set_champion", down)
        ended = command("champion", "promote", RECIPE, name, "--reason", "MLflow is down")
    assert_one_line_error(ended, f"{name} of recipe {RECIPE} answers questions now", "champion repair")
    assert command("champion", "repair").code == 0
    assert (shown(command)["system"]["name"], shown(command)["problems"]) == (name, [])


@pytest.mark.server
def test_server_that_is_down_costs_seconds_and_is_named(
    command: Command, copied: FinishedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, before = other_system(copied), dict(os.environ)
    uri = f"http://127.0.0.1:{free_port()}"
    with monkeypatch.context() as down:
        down.setenv("ACRONIS_PIPELINE_MLFLOW_TRACKING_URI", uri)
        started = time.monotonic()
        ended = command("champion", "promote", RECIPE, name, "--reason", "MLflow is down")
        assert_one_line_error(ended, f"{name} of recipe {RECIPE} answers questions now", uri, "champion repair")
        assert_one_line_error(command("champion", "show"), uri, "does not answer")
        assert time.monotonic() - started < 20
    assert {key: value for key, value in os.environ.items() if key.startswith("MLFLOW_HTTP")} == {
        key: value for key, value in before.items() if key.startswith("MLFLOW_HTTP")
    }
    assert command("champion", "repair").code == 0
    assert (shown(command)["system"]["name"], shown(command)["problems"]) == (name, [])


def in_dagster(finished: FinishedRun) -> tuple[dg.AssetCheckEvaluation | None, StaleStatus]:
    """What the UI shows of `champion`: its check's outcome on the latest materialization, and whether it is in sync."""
    (spec,) = champion.all_name_the_same_champion.check_specs
    graph = build_definitions(finished.settings()).resolve_asset_graph()
    with open_instance(finished.settings()) as instance:
        loading = LoadingContextForTest(instance)
        (record,) = instance.event_log_storage.get_asset_check_execution_history(spec.key, limit=1)
        evaluation = record.evaluation if asyncio.run(record.targets_latest_materialization(loading)) else None
        return evaluation, CachingStaleStatusResolver(instance, graph, loading).get_status(spec.asset_key)


def test_dagster_shows_a_move_by_hand_as_checked_and_in_sync(command: Command, copied: FinishedRun) -> None:
    evaluation, status = in_dagster(copied)
    assert evaluation
    assert status == StaleStatus.FRESH
    for move in (["promote", RECIPE, other_system(copied), "--reason", "why not"], ["rollback"], ["repair"]):
        assert command("champion", *move).code == 0
        evaluation, status = in_dagster(copied)
        assert evaluation, move
        assert evaluation.passed
        assert evaluation.blocking
        assert evaluation.description
        assert str(current_champion(copied.store).contender) in evaluation.description  # pyright: ignore[reportOptionalMemberAccess]
        assert status == StaleStatus.FRESH, move
