from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from acronis_pipeline import encoders
from acronis_pipeline.core.dataset import RetrievalDataset
from acronis_pipeline.core.settings import ModelSettings
from acronis_pipeline.encoders import Encoder, TorchEncoder
from acronis_pipeline_tests.finetune.tiny_models import write_encoder
from acronis_pipeline_tests.finetune.worlds import codename_world, passages

TEXTS = [*(passage.text for passage in passages()), "Falcon", "very long " * 200, "", "É 你好\ttab"]


class Shifted(Encoder):
    """Fast and wrong."""

    def __init__(self, encoder: Encoder, by: float = 0.01) -> None:
        super().__init__(encoder.identity)
        self._encoder, self._by = encoder, by

    def encode_passages(self, passages):
        vectors = self._encoder.encode_passages(passages) + self._by
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    encode_queries = encode_passages


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def tiny(tiny_folder: Path) -> TorchEncoder:
    """Random weights, with prompts on both sides."""
    identity = encoders.describe(
        tiny_folder, base="tiny", max_seq_length=32, query_prompt="query: ", document_prompt="passage: "
    )
    return encoders.load(tiny_folder, identity, device="cpu")


@pytest.fixture(scope="session")
def adapted(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> TorchEncoder:
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
    base = encoders.describe(tiny_folder, base="tiny", max_seq_length=64)
    identity = encoders.with_adapted_queries(base, "adapter")
    (folder / encoders.IDENTITY_FILE).write_text(identity.to_json())
    return encoders.load(folder, identity, device="cpu")


@pytest.fixture
def settings(tmp_path: Path) -> ModelSettings:
    return ModelSettings.model_validate({"cache_dir": tmp_path / "encoders"})


@pytest.fixture
def dataset() -> RetrievalDataset:
    """Questions to calibrate on, and others to judge by."""
    world = codename_world()
    return replace(world, validation=(), test=world.validation)
