"""The torch path: batches of our own, the model's own vectors."""

from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer
from sentence_transformers.sentence_transformer.modules import Pooling, StaticEmbedding
from transformers import AutoTokenizer

from acronis_pipeline import encoders
from acronis_pipeline.encoders.tokens import route_of
from acronis_pipeline_tests.encoders.conftest import TEXTS
from acronis_pipeline_tests.finetune.tiny_models import write_decoder

pytestmark = pytest.mark.model


def plain(encoder: encoders.Encoder, side: str, texts: list[str]) -> np.ndarray:
    """What sentence-transformers itself makes of the texts."""
    encode = encoder.model.encode_query if side == "query" else encoder.model.encode_document
    return encode(texts, batch_size=5, normalize_embeddings=True, show_progress_bar=False)


def decoder(folder: Path) -> SentenceTransformer:
    write_decoder(folder / "mistral")
    transformer = Transformer(str(folder / "mistral"), max_seq_length=64)
    transformer.tokenizer.pad_token, transformer.tokenizer.padding_side = "</s>", "left"
    return SentenceTransformer(
        modules=[transformer, Pooling(transformer.get_embedding_dimension(), "lasttoken")], device="cpu"
    )


def assert_same_as_plain(encoder: encoders.Encoder, texts: list[str]) -> None:
    assert np.allclose(encoder.encode_queries(texts), plain(encoder, "query", texts), atol=2e-6)
    assert np.allclose(encoder.encode_passages(texts), plain(encoder, "document", texts), atol=2e-6)


def test_vectors_are_those_of_sentence_transformers_with_prompts(tiny):
    assert_same_as_plain(tiny, TEXTS)


def test_vectors_of_a_router_are_those_of_its_sides(adapted):
    assert_same_as_plain(adapted, TEXTS)
    assert not np.allclose(adapted.encode_queries(TEXTS[:3]), adapted.encode_passages(TEXTS[:3]), atol=1e-2)


def test_packaged_base_gives_the_vectors_that_it_gives_anyone():
    base = encoders.load_base(encoders.PACKAGED_BASE, max_seq_length=64, device="cpu")
    assert_same_as_plain(base, TEXTS)


def test_truncated_dimensions_are_truncated_before_normalising(tiny_folder):
    model = SentenceTransformer(str(tiny_folder), device="cpu", truncate_dim=8)
    short = encoders.TorchEncoder(model, encoders.ModelIdentity("short", "q", "d", 8, 64))
    assert_same_as_plain(short, TEXTS[:5])


def test_a_changed_length_limit_is_followed(tiny_folder):
    model = SentenceTransformer(str(tiny_folder), device="cpu")
    encoder = encoders.TorchEncoder(model, encoders.ModelIdentity("tiny", "q", "d", 32, 64))
    before = encoder.encode_passages(["word " * 60])
    model.max_seq_length = 8
    assert_same_as_plain(encoder, ["word " * 60])
    assert not np.allclose(before, encoder.encode_passages(["word " * 60]))


def test_a_pooling_that_leaves_prompts_out_does_so(tiny_folder):
    model = SentenceTransformer(str(tiny_folder), device="cpu", prompts={"query": "query: "})
    encoder = encoders.TorchEncoder(model, encoders.ModelIdentity("tiny", "q", "d", 32, 64))
    with_prompt = encoder.encode_queries(TEXTS)
    model.set_pooling_include_prompt(False)
    encoder = encoders.TorchEncoder(model, encoders.ModelIdentity("tiny", "q", "d", 32, 64))
    assert_same_as_plain(encoder, TEXTS)
    assert not np.allclose(with_prompt, encoder.encode_queries(TEXTS), atol=1e-3)


def test_a_decoder_is_padded_on_its_left_and_takes_the_last_token(tmp_path):
    model = decoder(tmp_path)
    encoder = encoders.TorchEncoder(
        model, encoders.ModelIdentity("tiny", "q", "d", model.get_embedding_dimension(), 64)
    )
    route = route_of(model, "query")
    assert route
    assert route.padding.left
    assert_same_as_plain(encoder, TEXTS)


def test_a_model_without_such_a_tokenizer_tokenises_itself():
    tokenizer = AutoTokenizer.from_pretrained(encoders.find_base(encoders.PACKAGED_BASE)).backend_tokenizer
    model = SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=8)], device="cpu")
    encoder = encoders.TorchEncoder(model, encoders.ModelIdentity("static", "q", "d", 8, 64))
    assert route_of(model, "query") is None
    assert_same_as_plain(encoder, ["a backup", "a restore point"])


def test_no_texts_are_no_vectors(tiny):
    assert tiny.encode_passages([]).shape == (0, 32)
