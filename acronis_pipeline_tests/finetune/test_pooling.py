"""Method `pooling`: the head against the base it starts from, what it publishes, its teacher and its batches."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling

from acronis_pipeline.embedding import Embedder
from acronis_pipeline.errors import RecipeError
from acronis_pipeline.finetune import train
from acronis_pipeline.finetune.hybrid_teacher import HybridTeacher
from acronis_pipeline.finetune.neighbour_batches import NeighbourBatches
from acronis_pipeline.finetune.pooling_head import PoolingHead, encode_tokens, token_ids, untrained_head, with_head
from acronis_pipeline.finetune.recipe import parse_recipe
from acronis_pipeline.store import Store
from acronis_pipeline_tests.finetune.worlds import codename_world, passages

TEXTS = [passage.text for passage in passages()]
POOLING = """
method: pooling
max_seq_length: 64
parameters: {map_learning_rate: 0.003, max_steps: 60, evaluations: 3, batch_size: 16, neighbours: 4, teaching: 0.2}
"""


def test_without_weights_and_map_it_is_the_base(base: Embedder) -> None:
    head = untrained_head(base.model, token_ids(base.model, TEXTS), 0.0)
    pooled = head.pool_all(encode_tokens(base.model, TEXTS, "document", 8)).numpy()
    np.testing.assert_allclose(pooled, base.encode_passages(TEXTS), atol=2e-3)


def test_untrained_weights_follow_how_rare_a_token_is(base: Embedder) -> None:
    ids = token_ids(base.model, ["the backup", "the disk", "the price"])
    weights = untrained_head(base.model, ids, 1.0).log_weights.detach().exp()
    the, backup = ids[0]
    unseen = base.model.tokenizer.convert_tokens_to_ids("mountain")
    assert 0 < weights[the] < weights[backup] < weights[unseen] == 1.0
    assert weights[base.model.tokenizer.cls_token_id] == pytest.approx(0.002)


def test_published_folder_gives_the_vectors_of_the_head(base: Embedder, tmp_path: Path) -> None:
    dimension = base.identity.dimension
    torch.manual_seed(0)
    vocabulary = len(base.model.tokenizer)
    head = PoolingHead(torch.randn(vocabulary) / 2, torch.randn(dimension, dimension) / 50)
    with_head(base.model, head).save_pretrained(str(tmp_path / "model"), create_model_card=False)
    plain = SentenceTransformer(str(tmp_path / "model"), device="cpu")
    expected = head.pool_all(encode_tokens(base.model, TEXTS, "query", 8)).numpy()
    np.testing.assert_allclose(plain.encode_query(TEXTS), expected, atol=2e-3)
    np.testing.assert_allclose(plain.encode_document(TEXTS), expected, atol=2e-3)


def test_it_learns_names_that_the_base_cannot_know(tmp_path: Path) -> None:
    recipe = parse_recipe("pooling", POOLING, where="pooling.yaml")
    model = train(recipe, codename_world(), Store(str(tmp_path / "lancedb")), tmp_path / "models" / "one")
    assert model.chosen.startswith("step ")
    assert model.validation["best"]["ndcg_at_10"] > model.validation["base"]["ndcg_at_10"] + 0.1
    assert model.identity.document_fingerprint != model.base_identity.document_fingerprint
    assert [entry["step"] for entry in model.history] == [0, 20, 40, 60]


def test_a_base_that_takes_the_first_token_is_refused(base: Embedder) -> None:
    encoder = next(iter(base.model.children()))
    first_token = SentenceTransformer(modules=[encoder, Pooling(base.identity.dimension, "cls"), Normalize()])
    with pytest.raises(RecipeError, match="method pooling: the base model ends in Pooling, Normalize"):
        encode_tokens(first_token, TEXTS, "query", 8)


def test_a_removed_sentence_is_found_by_its_tokens_and_left_out(base: Embedder) -> None:
    text, sentence = "Backups run nightly. Licences are renewed every year.", "Licences are renewed every year."
    tokens = encode_tokens(base.model, [text, "Backups run nightly."], "document", 8)
    (wanted,) = token_ids(base.model, [sentence])
    found = tokens.find(0, wanted)
    assert tokens.ids[0][found].tolist() == wanted
    assert tokens.find(1, wanted) == tokens.find(0, []) == slice(0, 0)
    head = untrained_head(base.model, [wanted], 0.0)
    whole, without = head.pool(tokens, [0]), head.pool(tokens, [0], [found])
    short = head.pool(tokens, [1])
    assert (without @ short.T).item() > (whole @ short.T).item()


def test_teacher_finds_the_rare_word_where_cosine_sees_no_difference() -> None:
    texts = ["Restoring disks takes hours", "Restoring folders takes hours", "Licences cost money"]
    vectors = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], np.float32)
    teacher = HybridTeacher(vectors[:1], vectors, ["folder"], texts)
    (scores,) = teacher.scores([0])
    assert scores.dtype == np.float32
    assert scores.argmax() == 1
    assert scores[0] > scores[2]
    assert scores.mean() == pytest.approx(0, abs=1e-6)


def test_teacher_knows_what_to_think_of_words_that_no_passage_has() -> None:
    vectors = np.eye(2, dtype=np.float32)
    teacher = HybridTeacher(vectors[:1], vectors, ["mountain"], ["Disks", "Files"])
    assert teacher.scores([0]).tolist() == [[0.5, -0.5]]


def test_passages_meet_those_that_are_like_them() -> None:
    angles = np.repeat(np.arange(5), 4) + np.tile(np.arange(4), 5) / 100
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    origins = [row for row in range(20) for _ in range(2)]

    def batches() -> list[list[int]]:
        made = NeighbourBatches(origins, vectors, size=4, neighbours=4, seed=1)
        return list(itertools.islice(made.endless(), 30))

    assert batches() == batches()
    for batch in batches():
        assert len(batch) == 4
        drawn, *others = (origins[question] for question in batch)
        assert len({drawn, *others}) == 4
    assert len({question for batch in batches() for question in batch}) > 20
