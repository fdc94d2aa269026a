import json
import subprocess

import pytest
from dagster import DagsterExecutionInterruptedError

from acronis_pipeline.core.errors import SettingsError
from acronis_pipeline.tracking import Tracker
from acronis_pipeline.tracking import run as git_module
from acronis_pipeline.tracking.connection import sqlite_file
from acronis_pipeline.tracking.run import Dataset, flatten, metric_name


@pytest.fixture(scope="module")
def tracker(tmp_path_factory) -> Tracker:
    database = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    return Tracker(f"sqlite:///{database}", "experiment", "model", "http://127.0.0.1:5000")


def status(tracker: Tracker, run_id: str) -> str:
    return tracker.client.get_run(run_id).info.status


def test_run_whose_body_raises_ends_failed(tracker):
    with pytest.raises(RuntimeError), tracker.run("broken") as run:
        raise RuntimeError
    assert status(tracker, run.run_id) == "FAILED"


@pytest.mark.parametrize("stop", [KeyboardInterrupt, DagsterExecutionInterruptedError])
def test_run_that_is_told_to_stop_ends_killed_and_goes_on(tracker, stop):
    with pytest.raises(stop), tracker.run("stopped") as run:
        raise stop
    assert status(tracker, run.run_id) == "KILLED"
    with tracker.continued(run.run_id, tags={}):
        assert status(tracker, run.run_id) == "RUNNING"
    assert status(tracker, run.run_id) == "FINISHED"


def test_run_records_what_it_is_given(tracker):
    with tracker.run("whole", tags={"recipe": "full"}) as run:
        run.params({"full": {"epochs": 2}})
        run.metrics({"ndcg@10": 0.5})
        run.datasets([Dataset("pairs", "d" * 64, "lancedb://pairs", "training", 3)])
        run.table({"system": ["bm25"], "mrr": [0.5]}, "tables/comparison.json")
    stored = tracker.client.get_run(run.run_id)
    assert stored.info.status == "FINISHED"
    assert stored.data.params == {"full.epochs": "2"}
    assert stored.data.metrics == {"ndcg_at_10": 0.5}
    assert stored.data.tags["recipe"] == "full"
    assert stored.inputs.dataset_inputs[0].dataset.digest == "d" * 36


def test_child_run_names_its_parent(tracker):
    with tracker.run("parent") as parent, tracker.run("child", parent=parent) as child:
        pass
    assert tracker.client.get_run(child.run_id).data.tags["mlflow.parentRunId"] == parent.run_id


def test_artifacts_lie_beside_the_database_and_not_in_the_working_folder(tracker, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with tracker.run("artifacts") as run:
        run.text("hello", "note.txt")
    assert list(tmp_path.iterdir()) == []


def test_no_champion_before_anything_is_registered(tracker):
    assert tracker.champion_version() is None


@pytest.mark.parametrize("uri", ["mlruns", "sqlite:///relative.db"])
def test_uri_that_depends_on_the_working_folder_is_refused(uri):
    with pytest.raises(SettingsError, match="absolute"):
        sqlite_file(uri)


def test_names_that_mlflow_rejects_are_rewritten():
    assert metric_name("ndcg@10") == "ndcg_at_10"
    assert flatten({"a": {"b": {"c": 1}}, "d": 2}) == {"a.b.c": 1, "d": 2}


def test_more_values_than_mlflow_takes_at_once_are_all_recorded(tracker):
    with tracker.run("many") as run:
        run.params({f"p{n}": n for n in range(250)})
        run.metrics({f"m{n}": n for n in range(250)})
    stored = tracker.client.get_run(run.run_id).data
    assert (len(stored.params), len(stored.metrics)) == (250, 250)


def test_run_names_the_commit_and_whether_the_code_was_changed_since(tracker, tmp_path, monkeypatch):
    def git(*arguments: str) -> None:
        subprocess.run(
            ["git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@x", *arguments], check=True
        )

    monkeypatch.setattr(git_module, "_ROOT", tmp_path)
    git_module.git_tags.cache_clear()
    assert git_module.git_tags() == {}
    (tmp_path / "code.py").write_text("1")
    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    git_module.git_tags.cache_clear()
    clean = git_module.git_tags()
    assert len(clean["mlflow.source.git.commit"]) == 40
    assert clean["mlflow.source.git.dirty"] == "false"
    (tmp_path / "code.py").write_text("2")
    git_module.git_tags.cache_clear()
    assert git_module.git_tags() == clean | {"mlflow.source.git.dirty": "true"}
    git_module.git_tags.cache_clear()


def test_experiment_opens_on_training_runs_unless_a_person_chose_otherwise(tmp_path):
    def kind() -> str:
        tracker = Tracker(f"sqlite:///{tmp_path / 'mlflow.db'}", "experiment", "model", "http://127.0.0.1:5000")
        return tracker.client.get_experiment(tracker.experiment_id).tags["mlflow.experimentKind"]

    assert kind() == "custom_model_development"
    tracker = Tracker(f"sqlite:///{tmp_path / 'mlflow.db'}", "experiment", "model", "http://127.0.0.1:5000")
    for found, expected in (
        ("genai_development_inferred", "custom_model_development"),
        ("no_inferred_type", "custom_model_development"),
        ("genai_development", "genai_development"),
    ):
        tracker.client.set_experiment_tag(tracker.experiment_id, "mlflow.experimentKind", found)
        assert kind() == expected


def test_link_to_the_runs_names_a_view_with_hit_rate_and_mrr(tracker):
    key = tracker.runs_page.partition("viewStateShareKey=")[2]
    view = json.loads(tracker.client.get_experiment(tracker.experiment_id).tags[f"mlflow.sharedViewState.{key}"])
    assert {"metrics.`hit_rate_at_5`", "metrics.`mrr_at_10`"} <= set(view["selectedColumns"])
