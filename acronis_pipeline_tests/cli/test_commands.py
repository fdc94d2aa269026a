"""What the commands print when all goes well."""

import json
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from acronis_pipeline import __version__
from acronis_pipeline.cli import terminal
from acronis_pipeline.pairs import gold
from acronis_pipeline_tests.cli.conftest import Command
from acronis_pipeline_tests.evaluate.test_bench import TESTED_ON, TRAINED_ON, write_dataset
from acronis_pipeline_tests.finished_run import NOT_CRAWLED, RECIPE, UNSCORED, FinishedRun


def test_run_as_json_is_alone_on_standard_output_and_says_that_nothing_changed(command: Command, copied: FinishedRun):
    ended = command("run", "--site", "sample", "--data", copied.data_dir, "--recipe", RECIPE, "--json")
    assert ended.code == 0
    assert ended.err == ()
    result = json.loads(ended.out)
    assert result["changed"] == []
    assert len(result["run_ids"]) == 1
    assert [answer["question"] for answer in result["answers"]] == list(gold.CUSTOMER_QUESTIONS)
    assert result["champion"]["system"] == copied.outcome.champion.system.name
    assert "stays champion" in result["champion"]["reason"]
    assert result["champion"]["promoted_because"] == copied.outcome.champion.reason
    assert result["unscored"] == [UNSCORED]
    assert [question.startswith(NOT_CRAWLED) for question in result["unanswerable"]] == [True]
    assert {(row["system"], row["question_set"]) for row in result["table"]} >= {
        (system, question_set)
        for system in ("bm25", "base", "fine_tuned", "hybrid")
        for question_set in ("synthetic", "human")
    }
    row = result["table"][0]
    assert {"hit_rate_at_1", "hit_rate_at_10", "mrr_at_10", "ndcg_at_10", "ndcg_at_10_low", "n"} <= row.keys()


def test_answer_cites_the_pages_it_rests_on(command: Command, finished: FinishedRun):
    ended = command("ask", "Is there a trial period?")
    assert ended.code == 0
    assert "30 days" in ended.out
    assert "[1]" in ended.out
    assert f"{finished.site_url}" in ended.out


def test_answer_as_json_holds_text_citations_and_what_was_retrieved(command: Command, finished: FinishedRun):
    ended = command("ask", "Is there a trial period?", "--k", "3", "--json", "--data", finished.data_dir)
    assert ended.code == 0
    answer = json.loads(ended.out)
    assert answer["answered"]
    assert len(answer["passages"]) == 3
    assert all(f"[{citation['number']}]" in answer["answer"] for citation in answer["citations"])
    assert all(citation["url"].startswith(finished.site_url) for citation in answer["citations"])
    assert all(passage["url"] and passage["text"] for passage in answer["passages"])


def test_run_that_keeps_the_champion_says_so_in_words_and_not_why_it_once_came(
    finished: FinishedRun, capsys: pytest.CaptureFixture[str]
):
    kept = replace(finished.outcome, verdict="bm25 stays champion: no other system is better on validation.")
    terminal.print_outcome(kept, finished.settings())
    out = capsys.readouterr().out
    assert "Champion: bm25 stays champion" in out
    assert finished.outcome.champion.reason not in out


def test_outcome_in_words_shows_table_champion_answers_and_what_to_type_next(
    finished: FinishedRun, capsys: pytest.CaptureFixture[str]
):
    terminal.print_outcome(finished.outcome, finished.settings())
    out = capsys.readouterr().out
    for words in ("hit@1", "MRR@10", "nDCG@10", "bm25", "synthetic", "human", f"--data {finished.data_dir}", "Next:"):
        assert words in out
    for question in gold.CUSTOMER_QUESTIONS:
        assert question in out
    assert f"Not answerable, counted apart: {NOT_CRAWLED}" in out
    assert "Asked but not scored, for want of expected pages: 1 human question." in out
    assert f"Champion: {finished.outcome.champion.system.name}" in out


def test_recipes_are_listed_with_method_and_description(command: Command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ended = command("recipes")
    lines = [line.split(maxsplit=2) for line in ended.out.splitlines()]
    assert {"full", "query_adapter"} <= {name for name, _, _ in lines}
    assert all(len(description) > 20 for _, _, description in lines)


def test_a_recipe_is_shown_with_all_its_keys(command: Command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    out = command("recipes", "full").out
    assert "base_model:" in out
    assert "tokens=64 overlap=32" in out
    (line,) = [line for line in out.splitlines() if line.startswith("  validation_passages:")]
    assert "192" in line
    assert "the answers and a random sample" in line


def test_every_faulty_recipe_is_named_after_the_sound_ones(command: Command, tmp_path, monkeypatch):
    (tmp_path / "one.yaml").write_text("method: magic\n")
    (tmp_path / "two.yaml").write_text("method: full\nparameters: {epochs: 0}\n")
    monkeypatch.setenv("ACRONIS_PIPELINE_RECIPES_DIR", str(tmp_path))
    ended = command("recipes")
    assert ended.code == 2
    assert ended.out.splitlines()[-1].startswith("two_tower")
    (line,) = ended.err
    assert all(word in line for word in ("one.yaml", "'magic' is unknown", "two.yaml", "epochs = 0"))


def test_version(command: Command):
    assert command("version").out.strip() == __version__


@pytest.mark.parametrize("name", ["demo", "run", "ask", "bench", "recipes", "ui", "version"])
def test_every_command_explains_itself(command: Command, name: str):
    ended = command(name, "--help")
    assert ended.code == 0
    assert "Usage: acronis-pipeline" in ended.out


@pytest.mark.server
def test_help_loads_neither_settings_nor_tables_nor_models():
    code = "import sys, acronis_pipeline.cli; print({'pydantic', 'pyarrow', 'lancedb', 'torch'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


def test_demo_is_a_run_on_the_sample_site_with_both_packaged_recipes(
    command: Command, finished: FinishedRun, monkeypatch: pytest.MonkeyPatch
):
    called = {}

    def run(settings, recipes, *, profile):
        called.update(site=settings.site.url, recipes=recipes, profile=profile)
        return finished.outcome

    monkeypatch.setattr("acronis_pipeline.api.run", run)
    ended = command("demo", "--json")
    assert called == {"site": "sample", "recipes": ["query_adapter", "full"], "profile": {"site": {"url": "sample"}}}
    assert json.loads(ended.out)["champion"]["recipe"] == RECIPE


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_run_that_is_interrupted_says_that_work_is_kept_and_shows_no_traceback(
    command: Command, copied: FinishedRun, monkeypatch: pytest.MonkeyPatch, sent: signal.Signals
):
    """A real signal while a stage works: Dagster turns it into an exception of its own."""
    monkeypatch.setattr("acronis_pipeline.stages.crawl", lambda *_, **__: signal.raise_signal(sent))
    ended = command("run", "--site", "sample")
    assert ended.code == 130
    assert ended.err == ("stopped; what is complete stays, and a run that is repeated continues from it",)
    assert command("ask", "Is there a trial period?").code == 0


@pytest.mark.model
def test_benchmark_as_json_is_alone_on_standard_output(command: Command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train = write_dataset(tmp_path / "train.json", TRAINED_ON)
    evaluation = write_dataset(tmp_path / "val.json", TESTED_ON)
    ended = command("bench", train, evaluation, "--recipes", "query_adapter", "--json")
    assert (ended.code, ended.err) == (0, ())
    result = json.loads(ended.out)
    assert {row["system"] for row in result["table"]} >= {"bm25", "base", "fine_tuned", "hybrid"}
    assert result["training_s"]["query_adapter"] > 0
    assert {file.name for file in tmp_path.iterdir()} == {"train.json", "val.json"}
