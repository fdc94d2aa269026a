"""`acronis-pipeline pairs` on a finished run."""

import json
from pathlib import Path

import pytest

from acronis_pipeline_tests.cli.conftest import Command, assert_one_line_error
from acronis_pipeline_tests.finished_run import FinishedRun


def test_sample_shows_pairs_beside_their_passages(command: Command, finished: FinishedRun):
    ended = command("pairs", "sample", "-n", 3, "--data", finished.data_dir)
    assert ended.code == 0
    shown = json.loads(command("pairs", "sample", "-n", 3, "--data", finished.data_dir, "--json").out)
    assert len(shown) == 3
    assert len({pair["style"] for pair in shown}) == 3  # every style in turn
    for pair in shown:
        assert pair["query"].split()[0] in ended.out
        assert pair["reason"] is None


def test_sample_of_rejected_pairs_says_why(command: Command, finished: FinishedRun):
    everything = ("pairs", "sample", "-n", 500, "--data", finished.data_dir, "--json")
    rejected = json.loads(command(*everything, "--rejected").out)
    assert all(pair["reason"] for pair in rejected)
    reason = rejected[0]["reason"]
    alike = json.loads(command(*everything, "--reason", reason).out)
    assert {pair["reason"] for pair in alike} == {reason}


def test_sample_of_what_is_not_there_says_what_is(command: Command, finished: FinishedRun):
    ended = command("pairs", "sample", "--style", "poem", "--data", finished.data_dir)
    assert_one_line_error(ended, "style:", "how-to")


@pytest.mark.parametrize("layout", ["llama-index", "beir"])
def test_what_is_exported_can_be_imported(command: Command, copied: FinishedRun, tmp_path: Path, layout: str):
    data = ("--data", copied.data_dir)
    assert command("pairs", "export", tmp_path / "set", "--format", layout, *data).code == 0
    taken = json.loads(command("pairs", "import", tmp_path / "set", *data, "--json").out)
    assert taken["n_pairs"] == taken["n_matched"] > 0
    assert json.loads(command("pairs", "imports", *data, "--json").out) == {"set": taken["n_pairs"]}
    assert command("pairs", "forget", "set", *data).code == 0
    assert_one_line_error(command("pairs", "forget", "set", *data), "'set'", "none at all")


def test_commands_without_pairs_say_what_to_do(command: Command, tmp_path: Path):
    for arguments in (("sample",), ("export", tmp_path / "x"), ("import", tmp_path / "none.json")):
        assert_one_line_error(command("pairs", *arguments, "--data", tmp_path / "empty"))
    assert not (tmp_path / "empty").exists()  # a misspelt folder is not made


def test_sample_shows_what_training_takes_out_of_a_passage(command: Command, finished: FinishedRun):
    cloze = ("pairs", "sample", "-n", 500, "--style", "cloze", "--data", finished.data_dir)
    without = [pair for pair in json.loads(command(*cloze, "--json").out) if pair["removed"]]
    assert without  # one whose sentence stands in the title as well keeps it
    assert all(pair["removed"] in pair["passage"] for pair in without)
    shown = command(*cloze).out  # a narrow terminal breaks "trained without:" over two lines
    assert shown.count("without:") == len(without)
