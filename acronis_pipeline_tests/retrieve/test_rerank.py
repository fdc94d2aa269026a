"""Cross-encoders as they come: from a folder, with limits of their own, or not at all."""

import json
from pathlib import Path

import pytest

from acronis_pipeline.core.errors import ModelError
from acronis_pipeline.retrieve import Reranker
from acronis_pipeline_tests.finetune.tiny_models import write_encoder
from acronis_pipeline_tests.retrieve.cross_encoders import write_cross_encoder

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cross_encoder(tmp_path_factory.mktemp("cross_encoder"))


def test_every_passage_gets_a_score_and_the_same_one_each_time(folder: Path) -> None:
    reranker = Reranker(str(folder), device="cpu")
    passages = ["restore files", "trial licence", "agents for linux and more"]
    scores = reranker.scores("restore my files", passages)
    assert len(set(scores)) == 3
    assert reranker.scores("restore my files", passages[::-1]) == pytest.approx(scores[::-1], abs=1e-4)


def test_scores_are_logits_and_not_squeezed_between_zero_and_one(folder: Path) -> None:
    scores = Reranker(str(folder), device="cpu").scores("q", [f"passage number {n}" for n in range(20)])
    assert min(scores) < 0 or max(scores) > 1


def test_passage_longer_than_the_models_positions_is_cut(folder: Path) -> None:
    assert len(Reranker(str(folder), device="cpu").scores("q", ["word " * 2_000])) == 1


def test_no_passages_need_no_model() -> None:
    assert Reranker("no/such-model").scores("q", []) == []


def test_half_precision_model_is_run_in_full_precision(tmp_path: Path) -> None:
    import torch
    from transformers import BertForSequenceClassification

    folder = write_cross_encoder(tmp_path)
    BertForSequenceClassification.from_pretrained(folder).half().save_pretrained(folder)
    reranker = Reranker(str(folder), device="cpu")
    assert next(reranker._model.parameters()).dtype == torch.float32


def test_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=rf"reranker {tmp_path}: the folder has neither .*unset retrieval\.reranker"):
        Reranker(str(tmp_path)).scores("q", ["p"])


def test_unreachable_hub_model_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match=r"reranker nobody/has-this-cross-encoder: .*the model hub did not give it"):
        Reranker("nobody/has-this-cross-encoder").scores("q", ["p"])


def test_classifier_of_several_classes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="gives 3 scores a pair"):
        Reranker(str(write_cross_encoder(tmp_path, n_scores=3)), device="cpu").scores("q", ["p"])


def test_model_that_reads_single_texts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="encodes single texts; name a cross-encoder"):
        Reranker(str(write_encoder(tmp_path)), device="cpu").scores("q", ["p"])


def test_cross_encoder_that_sentence_transformers_saved_is_read(tmp_path: Path) -> None:
    from sentence_transformers import CrossEncoder

    folder, again = write_cross_encoder(tmp_path / "plain"), tmp_path / "again"
    CrossEncoder(str(folder), device="cpu").save_pretrained(str(again), create_model_card=False)
    first, second = (Reranker(str(path), device="cpu").scores("q", ["a", "b"]) for path in (folder, again))
    assert list(first) == list(second)


def test_model_that_needs_code_of_its_own_is_refused(tmp_path: Path) -> None:
    folder = write_cross_encoder(tmp_path)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    theirs = {"AutoConfig": "theirs.Config", "AutoModelForSequenceClassification": "theirs.Model"}
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "their_own", "auto_map": theirs}), "utf-8")
    (folder / "theirs.py").write_text("raise SystemExit('ran')", "utf-8")
    with pytest.raises(ModelError, match="does not load"):
        Reranker(str(folder), device="cpu").scores("q", ["p"])
