"""Gradients of a step: the same however texts are split, cached or not, and on however many devices."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from acronis_pipeline.encoders import TorchEncoder
from acronis_pipeline.finetune.contrast import lay_out
from acronis_pipeline.finetune.contrastive_training import turn_dropout_off
from acronis_pipeline.finetune.gradient_step import add_gradients, cut_to, encoder_of, mini_batches
from acronis_pipeline.finetune.losses import at_every_dimension, contrastive_loss
from acronis_pipeline.store import Store
from acronis_pipeline_tests.finetune.contrastive_tasks import task_of
from acronis_pipeline_tests.finetune.tiny_models import write_encoder
from acronis_pipeline_tests.finetune.worlds import passages

pytestmark = pytest.mark.model

TEXTS = [passage.text for passage in passages()]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(str(tmp_path_factory.mktemp("store")))


@given(st.lists(st.text(max_size=60), min_size=1, max_size=40), st.integers(1, 200))
def test_every_text_is_in_one_mini_batch_that_keeps_to_its_size(texts: list[str], tokens: int) -> None:
    parts = mini_batches(texts, tokens=tokens, longest=16)
    assert sorted(index for part in parts for index in part) == list(range(len(texts)))
    for part in parts:
        longest = max(min(len(texts[index]) // 4 + 2, 16) for index in part)
        assert len(part) == 1 or len(part) * longest <= tokens


def gradients(model: Path, store: Store, *, cached: bool, tokens: int) -> tuple[float, dict[str, torch.Tensor]]:
    task = task_of(model, store)
    encoder = task.load_base().model
    turn_dropout_off(encoder)
    contrast = lay_out(task.examples.train, task.examples.passages, range(12))
    loss = add_gradients(
        contrast,
        encode_queries=encoder_of(encoder, "query", "float32"),
        encode_passages=encoder_of(encoder, "document", "float32"),
        loss=partial(contrastive_loss, scale=20.0),
        cached=cached,
        tokens=tokens,
        longest=32,
    )
    return loss, {name: p.grad for name, p in encoder.named_parameters() if p.grad is not None}


@pytest.mark.parametrize(("cached", "tokens"), [(False, 16), (True, 16), (True, 10_000)])
def test_splitting_and_caching_change_no_gradient(model: Path, store: Store, cached: bool, tokens: int) -> None:
    loss, whole = gradients(model, store, cached=False, tokens=10_000)
    other, split = gradients(model, store, cached=cached, tokens=tokens)
    assert other == pytest.approx(loss, abs=1e-5)
    assert whole.keys() == split.keys()
    for name, gradient in whole.items():
        torch.testing.assert_close(split[name], gradient, atol=1e-5, rtol=1e-3)


def test_matryoshka_is_the_mean_over_the_whole_and_the_beginnings() -> None:
    left, right = torch.randn(3, 8), torch.randn(4, 8)

    def length(queries: torch.Tensor, passages: torch.Tensor, contrast: object) -> torch.Tensor:
        return torch.tensor(float(queries.shape[1] + passages.shape[1]))

    assert at_every_dimension(length, (2, 8))(left, right, None) == (16 + 4) / 2  # pyright: ignore[reportArgumentType]
    assert at_every_dimension(length, ())(left, right, None) == 16  # pyright: ignore[reportArgumentType]


def test_cut_model_gives_the_beginning_of_the_vectors(base: TorchEncoder) -> None:
    cut = cut_to(base.model, 100)
    begin = base.encode_passages(TEXTS)[:, :100]
    expected = begin / np.linalg.norm(begin, axis=1, keepdims=True)
    np.testing.assert_allclose(cut.encode_document(TEXTS), expected, atol=1e-6)
    assert cut.get_embedding_dimension() == 100
