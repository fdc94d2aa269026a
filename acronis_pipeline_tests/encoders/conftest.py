from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from acronis_pipeline import embedding
from acronis_pipeline.dataset import RetrievalDataset
from acronis_pipeline.embedding import Embedder
from acronis_pipeline.settings import ModelSettings
from acronis_pipeline_tests.finetune.tiny_models import write_encoder
from acronis_pipeline_tests.finetune.worlds import codename_world, passages

TEXTS = [*(passage.text for passage in passages()), "Falcon", "very long " * 200, "", "É 你好\ttab"]


class Shifted(Embedder):
    """Fast and wrong."""

    def __init__(self, embedder: Embedder, by: float = 0.01) -> None:
        self._embedder, self._by = embedder, by
        self.identity = embedder.identity

    def encode_passages(self, passages):
        vectors = self._embedder.encode_passages(passages) + self._by
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    encode_queries = encode_passages


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def tiny(tiny_folder: Path) -> Embedder:
    """Random weights, with prompts on both sides."""
    identity = embedding.describe(
        tiny_folder, base="tiny", max_seq_length=32, query_prompt="query: ", document_prompt="passage: "
    )
    return embedding.load(tiny_folder, identity, device="cpu")


@pytest.fixture(scope="session")
def adapted(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    """A Router: the same encoder on both sides, and a random map after it on the query side."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Dense, Router
    from sentence_transformers.sentence_transformer.modules import Normalize

    modules = list(SentenceTransformer(str(tiny_folder), device="cpu").children())
    weight = torch.randn(32, 32, generator=torch.Generator().manual_seed(1))
    adapter = Dense(32, 32, bias=False, activation_function=None, use_residual=True, init_weight=weight)
    router = Router.for_query_document(query_modules=[*modules, adapter, Normalize()], document_modules=modules)
    folder = tmp_path_factory.mktemp("adapted") / "model"
    SentenceTransformer(modules=[router], device="cpu").save_pretrained(str(folder), create_model_card=False)
    base = embedding.describe(tiny_folder, base="tiny", max_seq_length=64)
    identity = embedding.with_adapted_queries(base, "adapter")
    (folder / embedding.IDENTITY_FILE).write_text(identity.to_json())
    return embedding.load(folder, identity, device="cpu")


@pytest.fixture
def settings(tmp_path: Path) -> ModelSettings:
    return ModelSettings.model_validate({"cache_dir": tmp_path / "encoders"})


@pytest.fixture
def dataset() -> RetrievalDataset:
    """Questions to calibrate on, and others to judge by."""
    world = codename_world()
    return replace(world, validation=(), test=world.validation)
