"""Whatever the user gets wrong costs one line with the remedy and exit code 2, and leaves what was there intact."""

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from acronis_pipeline.api import Answerer
from acronis_pipeline.core.settings import ENV_PREFIX, PROFILE_NAME
from acronis_pipeline.crawl import live_pages
from acronis_pipeline_tests.cli.conftest import Command, assert_one_line_error
from acronis_pipeline_tests.finished_run import FinishedRun, free_port
from acronis_pipeline_tests.needs import needs

QUESTION = "Is there a trial period?"


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, without settings from outside."""
    for name, value in {"DAGSTER_HOME": "", f"{ENV_PREFIX}DATA_DIR": str(tmp_path / "data")}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(f"{ENV_PREFIX}SITE__RETRIES", "0")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
@needs("server")
def empty_site() -> Iterator[str]:
    """A server that answers, but with a picture only."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/" else 404)
            self.send_header("Content-Type", "image/png" if self.path == "/" else "text/plain")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 - http.server's name

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


def assert_intact(finished: FinishedRun, profile: str) -> None:
    """The folder still holds its pages and its profile, and answers."""
    assert (finished.data_dir / PROFILE_NAME).read_text() == profile
    assert live_pages(finished.store, columns=["url"]).num_rows == 23
    assert Answerer(finished.settings()).ask(QUESTION, k=3).citations


@pytest.fixture
def profile(copied: FinishedRun) -> str:
    return (copied.data_dir / PROFILE_NAME).read_text()


def test_no_site_anywhere(command: Command, alone: Path):
    assert_one_line_error(command("run", "--data", "new"), "knows no site yet", "--site")
    assert not (alone / "new").exists()


def test_the_site_that_the_folder_knows_is_asked_again(command: Command, alone: Path, empty_site: str):
    (alone / "known").mkdir()
    (alone / "known" / PROFILE_NAME).write_text(f"site: {{url: {empty_site!r}}}\n")
    assert_one_line_error(command("run", "--data", "known"), f"{empty_site}", "not a single page")


@pytest.mark.server
def test_unreachable_site(command: Command, alone: Path):
    url = f"http://127.0.0.1:{free_port()}/"
    ended = command("run", "--site", url, "--data", "new")
    assert_one_line_error(ended, "cannot be reached", "check the address")
    assert not Path("new", PROFILE_NAME).exists()


def test_folder_of_a_failed_first_run_can_be_used_for_another_site(command: Command, alone: Path, empty_site: str):
    command("run", "--site", f"http://127.0.0.1:{free_port()}/", "--data", "new")
    assert_one_line_error(command("run", "--site", empty_site, "--data", "new"), "not a single page")


def test_site_without_pages(command: Command, alone: Path, empty_site: str):
    assert_one_line_error(command("run", "--site", empty_site, "--data", "new"), "not a single page", "check site.url")


@pytest.mark.parametrize("address", ["docs.example.com", "ftp://docs.example.com/", "", "https://"])
def test_address_that_is_none(command: Command, alone: Path, address: str):
    ended = command("run", "--site", address, "--data", "new")
    assert_one_line_error(ended, "is not a website address", "https://host/path")
    assert not Path("new").exists()


def test_settings_that_exclude_nearly_every_page_are_stopped_before_the_index(
    command: Command, copied: FinishedRun, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(f"{ENV_PREFIX}SITE__INCLUDE", '["nothing-like-this"]')
    assert_one_line_error(command("run", "--site", "sample"), "gave not a single page: not included", "site.include")
    assert Answerer(copied.settings()).ask(QUESTION, k=3).citations


def test_unknown_recipe_lists_the_known_ones_and_touches_nothing(command: Command, copied: FinishedRun, profile: str):
    ended = command("run", "--site", "sample", "--recipe", "magic")
    assert_one_line_error(ended, "'magic' is unknown", "full", "query_adapter")
    assert (copied.data_dir / PROFILE_NAME).read_text() == profile


def test_malformed_recipe_of_ones_own_costs_no_crawl(
    command: Command, alone: Path, monkeypatch: pytest.MonkeyPatch, empty_site: str
):
    folder = alone / "recipes"
    folder.mkdir()
    (folder / "mine.yaml").write_text("method: query_adapter\nparameters: {learning_rat: 1}\n")
    monkeypatch.setenv(f"{ENV_PREFIX}RECIPES_DIR", str(folder))
    ended = command("run", "--site", empty_site, "--data", "new", "--recipe", "mine")
    assert_one_line_error(ended, "mine.yaml", "learning_rat", "not a key")
    (folder / "mine.yaml").write_text("method: full\nparameters: {matryoshka_dimensions: [512]}\n")
    ended = command("run", "--site", empty_site, "--data", "new", "--recipe", "mine")
    assert_one_line_error(ended, "recipe mine", "matryoshka_dimensions = 512", "384")
    (folder / "mine.yaml").write_text("method: full\nbase_model: ./nobase\n")
    ended = command("run", "--site", empty_site, "--data", "new", "--recipe", "mine")
    assert_one_line_error(ended, "recipe mine", "base_model", "nobase", "no such folder")
    (folder / "mine.yaml").write_text("method: [\n")
    assert_one_line_error(command("run", "--site", empty_site, "--recipe", "mine"), "mine.yaml", "not valid YAML")
    assert not Path("new", PROFILE_NAME).exists()


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("gold.yaml", "- question: [", ["gold.yaml", "not valid YAML"]),
        ("gold.yaml", "just words", ["gold.yaml", "expected a list"]),
        ("gold.yaml", "- question: Why not?\n  expected_url: /x\n", ["entry 1", "expected_url"]),
        ("gold.jsonl", '{"question": \n{', ["gold.jsonl", "not JSON"]),
        ("gold.yaml", None, ["gold.yaml", "no such file"]),
    ],
)
def test_malformed_gold_file(command: Command, alone: Path, name: str, text: str | None, words: list[str]):
    if text is not None:
        Path(name).write_text(text)
    ended = command("run", "--site", "sample", "--gold", name, "--data", "new")
    assert_one_line_error(ended, *words)
    assert not Path("new").exists()


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("PROBES", '["nope"]', ["probe nope: no such file", "`general`", "BEIR"]),
        ("STS_FILE", "nope.csv", ["nope.csv: no such file"]),
        ("STS_FILE", "few.csv", ["few.csv holds 8 pairs", "at least 10"]),
    ],
)
def test_evaluation_file_that_cannot_be_used_costs_no_crawl(
    command: Command, alone: Path, monkeypatch: pytest.MonkeyPatch, setting: str, value: str, words: list[str]
):
    Path("few.csv").write_text("text1,text2,score\n" + "".join(f"one,other {n},{n}\n" for n in range(8)))
    monkeypatch.setenv(f"{ENV_PREFIX}EVALUATION__{setting}", value)
    assert_one_line_error(command("run", "--site", "sample", "--data", "new"), *words)
    assert not Path("new").exists()


def test_data_folder_of_another_site(command: Command, copied: FinishedRun, profile: str):
    ended = command("run", "--site", "https://docs.example.com/", "--data", copied.data_dir)
    assert_one_line_error(ended, "belongs to sample", "--data")
    assert_intact(copied, profile)


def test_pages_of_another_address_are_not_mixed_in(
    command: Command, copied: FinishedRun, profile: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("ACRONIS_PIPELINE_SAMPLE_PORT", str(free_port()))
    assert_one_line_error(command("run", "--site", "sample"), "holds pages of", "--data")
    assert_intact(copied, profile)


def test_llm_generator_without_a_key(
    command: Command, copied: FinishedRun, profile: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(f"{ENV_PREFIX}PAIRS__GENERATOR", "llm")
    monkeypatch.setenv(f"{ENV_PREFIX}LLM__MODEL", "gpt-5-mini")
    assert_one_line_error(command("run", "--site", "sample"), "OPENAI_API_KEY")
    monkeypatch.delenv(f"{ENV_PREFIX}PAIRS__GENERATOR")
    monkeypatch.delenv(f"{ENV_PREFIX}LLM__MODEL")
    assert_intact(copied, profile)


def test_llm_answer_without_a_key(command: Command, copied: FinishedRun, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(f"{ENV_PREFIX}LLM__MODEL", "gpt-5-mini")
    assert_one_line_error(command("ask", QUESTION), "OPENAI_API_KEY")
    assert command("ask", QUESTION, "--extractive").code == 0


def test_llm_that_does_not_answer(command: Command, copied: FinishedRun, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(f"{ENV_PREFIX}LLM__MODEL", "local")
    monkeypatch.setenv(f"{ENV_PREFIX}LLM__BASE_URL", f"http://127.0.0.1:{free_port()}/v1")
    monkeypatch.setenv(f"{ENV_PREFIX}LLM__MAX_RETRIES", "0")
    assert_one_line_error(command("ask", QUESTION), "did not answer", "--extractive")


def test_champion_whose_index_was_deleted(command: Command, copied: FinishedRun):
    table = copied.outcome.champion.system.table
    copied.store.drop(table)
    assert_one_line_error(command("ask", QUESTION), table)


def test_asking_before_there_is_a_champion(command: Command, alone: Path):
    ended = command("ask", QUESTION, "--data", "nothing-here")
    assert_one_line_error(ended, "nothing-here has no champion", "acronis-pipeline demo")
    assert not Path("nothing-here").exists()


@pytest.mark.parametrize("question", ["", "   "])
def test_empty_question(command: Command, finished: FinishedRun, question: str):
    assert_one_line_error(command("ask", question), "the question is empty")


def test_unknown_edition_and_language_are_named(command: Command, finished: FinishedRun):
    assert_one_line_error(command("ask", QUESTION, "--edition", "17"), "'17'", "retrieval.editions")
    assert_one_line_error(command("ask", QUESTION, "--language", "plain English"), "no language")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, ["train.json", "no such file"]),
        ("{", ["train.json", "not JSON"]),
        ("[]", ["train.json", "expected an object"]),
        ('{"queries": {"q": "Why?"}, "corpus": {"c": "Because."}}', ["train.json", "relevant_docs"]),
        (
            '{"queries": {"q": "Why?"}, "corpus": {"c": "Because."}, "relevant_docs": {"q": ["d"]}}',
            ["train.json", "'d'", "passage that is not there"],
        ),
    ],
)
def test_malformed_dataset(command: Command, alone: Path, text: str | None, words: list[str]):
    good = {"queries": {"x": "What?"}, "corpus": {"c": "That."}, "relevant_docs": {"x": ["c"]}}
    Path("good.json").write_text(json.dumps(good))
    if text is not None:
        Path("train.json").write_text(text)
    assert_one_line_error(command("bench", "train.json", "good.json"), *words)


def test_benchmark_of_an_unknown_recipe(command: Command, alone: Path):
    assert_one_line_error(command("bench", "a.json", "b.json", "--recipes", "magic"), "'magic' is unknown")


def test_setting_that_is_no_number(command: Command, alone: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(f"{ENV_PREFIX}CHUNK__MAX_TOKENS", "many")
    assert_one_line_error(command("ask", QUESTION), "chunk.max_tokens", "'many'", f"{ENV_PREFIX}CHUNK__MAX_TOKENS")


def test_schedule_that_cannot_fire(command: Command, alone: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(f"{ENV_PREFIX}AUTOMATION__RECRAWL_CRON", "every night")
    assert_one_line_error(command("run", "--site", "sample", "--data", "new"), "recrawl_cron", "'every night'")


def test_profile_that_was_mangled(command: Command, copied: FinishedRun):
    (copied.data_dir / PROFILE_NAME).write_text("site: [")
    assert_one_line_error(command("ask", QUESTION), PROFILE_NAME, "mend it or delete it")


def test_port_of_the_ui_in_use(command: Command, finished: FinishedRun):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ended = command("ui", "--port", taken.getsockname()[1])
    assert_one_line_error(ended, "in use by another program", "--port")


@pytest.mark.server
def test_failing_command_ends_with_code_2_and_no_traceback_as_a_process(alone: Path):
    program = shutil.which("acronis-pipeline", path=str(Path(sys.executable).parent))
    assert program
    done = subprocess.run([program, "ask", QUESTION, "--data", "nothing-here"], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
