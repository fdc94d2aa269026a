"""Training on one labelled dataset and evaluating on another, as the command line does it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from acronis_pipeline.cli import terminal
from acronis_pipeline.core.errors import DatasetError, RecipeError
from acronis_pipeline.core.settings import load_settings
from acronis_pipeline.evaluate.bench import BenchResult, bench
from acronis_pipeline.store import Store

pytestmark = pytest.mark.model

SYSTEMS = {"bm25", "base", "fine_tuned", "hybrid"}
TRAINED_ON = {
    "heron": "grey", "otter": "brown", "magpie": "black", "salmon": "pink", "beetle": "green",
    "badger": "striped", "falcon": "swift", "lizard": "quick", "walrus": "heavy", "moth": "pale",
}  # fmt: skip
TESTED_ON = {
    "gecko": "tiny", "bison": "huge", "raven": "clever", "trout": "spotted", "hornet": "loud",
    "weasel": "slim", "osprey": "sharp", "newt": "shy", "seal": "round", "wasp": "yellow",
}  # fmt: skip


def write_dataset(file: Path, animals: Mapping[str, str]) -> Path:
    """Four passages and four questions an animal, as LlamaIndex writes them."""
    queries, corpus, relevant = {}, {}, {}
    for animal, looks in animals.items():
        told = {
            "food": (f"The {animal} feeds on what it finds near the river.", f"What does a {animal} eat?"),
            "looks": (f"A grown {animal} is {looks} from head to tail.", f"How does a {animal} look?"),
            "home": (f"In winter the {animal} sleeps below the roots of old trees.", f"Where is a {animal} in winter?"),
            "young": (f"Every spring the {animal} raises its young for ten weeks.", f"When has a {animal} offspring?"),
        }
        for topic, (passage, question) in told.items():
            key = f"{animal}-{topic}"
            corpus[key], queries[f"q-{key}"], relevant[f"q-{key}"] = passage, question, [key]
    file.write_text(json.dumps({"queries": queries, "corpus": corpus, "relevant_docs": relevant}))
    return file


def run(train: Path, evaluation: Path, recipes: Sequence[str], keep_in: Path | None = None) -> BenchResult:
    return bench(train, evaluation, recipes, settings=load_settings(keep_in), keep_in=keep_in)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("datasets")
    return write_dataset(folder / "train.json", TRAINED_ON), write_dataset(folder / "val.json", TESTED_ON)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench")


@pytest.fixture(scope="module")
def result(files: tuple[Path, Path], kept: Path) -> BenchResult:
    return run(*files, ["query_adapter"], kept)


def test_every_system_is_asked_every_question_of_the_evaluation_file_and_no_other(result: BenchResult):
    (report,) = result.reports
    assert {score.system.name for score in report.scores} >= SYSTEMS
    assert {score.n for score in report.scores} == {len(TESTED_ON) * 4}
    assert {score.question_set for score in report.scores} == {"synthetic"}


def test_result_says_how_long_training_took_and_what_was_chosen(result: BenchResult):
    assert result.training_s.keys() == result.chosen.keys() == {"query_adapter"}
    assert result.training_s["query_adapter"] > 0


def test_json_holds_the_table_the_differences_and_the_training_seconds(result: BenchResult):
    data = json.loads(json.dumps(terminal.bench_as_json(result)))
    assert {row["system"] for row in data["table"]} >= SYSTEMS
    assert {"hit_rate_at_5", "mrr_at_10", "ndcg_at_10", "ndcg_at_10_low", "n"} <= data["table"][0].keys()
    assert {"a", "b", "metric", "mean", "low", "high", "p_value"} <= data["comparisons"][0].keys()
    assert data["training_s"]["query_adapter"] > 0


def test_table_in_words_ends_with_the_training_seconds(result: BenchResult, capsys: pytest.CaptureFixture[str]):
    terminal.print_bench(result)
    out = capsys.readouterr().out
    assert all(words in out for words in (*SYSTEMS, "hit@5", "nDCG@10", "training query_adapter:"))


def test_kept_folder_is_reused_so_that_nothing_is_trained_or_embedded_twice(
    result: BenchResult, files: tuple[Path, Path], kept: Path
):
    store = Store(str(kept / "lancedb"))
    tables = {name: store.version(name) for name in store.names() if name.startswith(("passages", "vectors", "models"))}
    again = run(*files, ["query_adapter"], kept)
    assert {name: store.version(name) for name in tables} == tables
    assert [score.metrics for score in again.reports[0].scores] == [s.metrics for s in result.reports[0].scores]


def test_question_that_stands_in_both_files_is_not_trained_on(files: tuple[Path, Path]):
    with pytest.raises(DatasetError, match="every question also stands in"):
        run(files[1], files[1], ["query_adapter"])


def test_unknown_recipe_is_refused_before_anything_is_read(tmp_path: Path):
    with pytest.raises(RecipeError, match="'magic' is unknown"):
        run(tmp_path / "absent.json", tmp_path / "absent.json", ["query_adapter", "magic"])


def test_file_that_is_no_dataset_is_named(tmp_path: Path, files: tuple[Path, Path]):
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(DatasetError, match=r"broken\.json is not JSON"):
        run(files[0], tmp_path / "broken.json", ["query_adapter"])
