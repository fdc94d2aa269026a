"""Passages that came with a question as wrong answers: who is contrasted with them, and that training knows of them."""

import pytest
import torch

from acronis_pipeline.core.dataset import Passage, Question, RetrievalDataset
from acronis_pipeline.encoders import TorchEncoder
from acronis_pipeline.finetune.contrast import lay_out
from acronis_pipeline.finetune.examples import Questions, digest_of, prepare
from acronis_pipeline.finetune.losses import contrastive_loss

pytestmark = pytest.mark.model

PASSAGES = ("Restore files from the console.", "Licences are renewed every year.")
ANSWERS = (((0,),), ((1,),))


def questions(*negatives: tuple[str, ...]) -> Questions:
    return Questions(("how to restore", "price"), ANSWERS, (0, 1), ("question",) * 2, negatives)


def test_a_wrong_passage_counts_against_its_own_question_only(base: TorchEncoder) -> None:
    def loss(asked: Questions, batch: list[int]) -> float:
        contrast = lay_out(asked, PASSAGES, batch)
        queries, passages = base.encode_queries(contrast.queries), base.encode_passages(contrast.passages)
        return contrastive_loss(torch.from_numpy(queries), torch.from_numpy(passages), contrast, 30.0).item()

    plain, with_twin = questions(), questions(("Restore files from the console!",), ())
    assert loss(with_twin, [0]) > loss(plain, [0]) + 0.2
    assert loss(with_twin, [1]) == pytest.approx(loss(plain, [1]), abs=1e-5)
    assert loss(with_twin, [0, 1]) - loss(plain, [0, 1]) == pytest.approx(loss(with_twin, [0]) / 2, abs=0.1)


def test_wrong_passages_are_part_of_the_training_data() -> None:
    def dataset(*negatives: str) -> RetrievalDataset:
        asked = [Question(f"q{n}", f"question {n}", (f"p{n % 2}",), "g", negatives=negatives) for n in range(8)]
        corpus = tuple(Passage(f"p{n}", text, f"p{n}", "u") for n, text in enumerate(PASSAGES))
        return RetrievalDataset(corpus, tuple(asked), tuple(asked[:4]))

    examples = prepare(dataset("never"))
    assert examples.train.negatives_of(3) == ("never",)
    assert examples.train.take([3]).negatives_of(0) == ("never",)
    assert examples.passages == PASSAGES
    assert digest_of(dataset("never")) != digest_of(dataset())
