"""Method `distill`: the loss, the lists, teachers whose scores are kept, and what is published."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from acronis_pipeline.core.errors import RecipeError
from acronis_pipeline.encoders import PassageVectors, cross_encoder
from acronis_pipeline.finetune import TrainedModel, train
from acronis_pipeline.finetune.examples import Questions
from acronis_pipeline.finetune.losses import listwise_kl
from acronis_pipeline.finetune.methods.distill import lists, teacher_scores
from acronis_pipeline.finetune.recipe import parse_recipe
from acronis_pipeline.models.records import training_key
from acronis_pipeline.store import Store, tables
from acronis_pipeline_tests.finetune.worlds import codename_world, passages
from acronis_pipeline_tests.retrieve.cross_encoders import write_cross_encoder

pytestmark = pytest.mark.model

TEXTS = [passage.text for passage in passages()]
PAIRS = [("Falcon", text) for text in TEXTS[:5]]


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cross_encoder(tmp_path_factory.mktemp("teacher"))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "lancedb"))


def distilled(tiny: Path, store: Store, folder: Path, parameters: str) -> TrainedModel:
    common = "epochs: 12, batch_size: 8, learning_rate: 0.005, evaluations: 3, interpolation: [0.5], "
    text = f"method: distill\nbase_model: {tiny}\nparameters: {{{common}{parameters}}}"
    return train(parse_recipe("taught", text, where="taught.yaml"), codename_world(), store, folder / "one")


def test_kl_is_nothing_when_the_student_agrees_and_something_when_not() -> None:
    taught = np.array([[2.0, 1.0, 0.0], [0.0, 0.0, 5.0]], np.float32)
    assert listwise_kl(torch.from_numpy(taught + 7.0), taught).item() == pytest.approx(0, abs=1e-6)
    assert listwise_kl(torch.from_numpy(-taught), taught).item() > 0.5


def test_kl_is_that_of_torch_where_the_teacher_knows_everything() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, taught = torch.randn(4, 6, generator=generator), torch.randn(4, 6, generator=generator)
    expected = torch.nn.functional.kl_div(logits.log_softmax(1), taught.softmax(1), reduction="batchmean")
    assert listwise_kl(logits, taught.numpy()).item() == pytest.approx(expected.item(), abs=1e-6)


def test_what_the_teacher_does_not_know_is_not_in_the_list() -> None:
    logits = torch.tensor([[1.0, 0.0, 50.0]], requires_grad=True)
    loss = listwise_kl(logits, np.array([[0.0, 1.0, np.nan]], np.float32))
    loss.backward()
    assert logits.grad is not None
    assert logits.grad[0, 2] == 0
    assert logits.grad[0, 0] > 0 > logits.grad[0, 1]


def test_questions_about_one_passage_share_a_list_without_their_answers() -> None:
    train = Questions(
        queries=("a", "b", "c"),
        answers=(((0,), (1,)), ((0,), (1,)), ((5,),)),
        origins=(0, 0, 5),
        styles=("question",) * 3,
    )
    angles = np.linspace(0, 1, 20)
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    # a looks at passage 2 and b at 4: together they look at 3
    query_vectors, passages = vectors[[2, 4, 5]], PassageVectors.single(vectors)
    found = lists(train, query_vectors, passages, n=4, depth=8, seed=1)
    assert found[0] == found[1] == lists(train, query_vectors, passages, n=4, depth=8, seed=1)[0]
    assert found[0][:2] == [3, 2] or found[0][:2] == [3, 4]
    for question, rows in enumerate(found):
        assert len(set(rows)) == 4
        assert not set(rows) & set(train.relevant(question))
    assert set(found[0]) <= set(range(2, 10))


def test_a_small_corpus_gives_shorter_lists() -> None:
    train = Questions(queries=("a",), answers=(((0,),),), origins=(0,), styles=("question",))
    unit = np.eye(3, dtype=np.float32)
    assert sorted(lists(train, unit[:1], PassageVectors.single(unit), n=5, depth=9, seed=1)[0]) == [1, 2]


def test_it_learns_from_the_hybrid_teacher_and_its_share_of_labels(tiny: Path, store: Store, tmp_path: Path) -> None:
    model = distilled(tiny, store, tmp_path, "teacher: hybrid, contrastive: 0.5, negatives: 2")
    assert model.chosen.startswith("epoch")
    assert model.validation["best"]["ndcg_at_10"] > model.validation["base"]["ndcg_at_10"] + 0.1
    assert not store.exists(tables.TEACHER_SCORES)
    assert SentenceTransformer(str(model.folder)).encode(TEXTS).shape == (30, 32)


def test_a_cross_encoder_is_asked_once_for_every_pair(
    tiny: Path, teacher: Path, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parameters = f"teacher: {teacher}, negatives: 3, depth: 6"
    first = distilled(tiny, store, tmp_path, parameters)
    # 24 training questions, each with its answer and three others
    assert store.count(tables.TEACHER_SCORES) == 24 * 4
    monkeypatch.setattr(cross_encoder, "load", lambda *_, **__: pytest.fail("the teacher was loaded again"))
    again = distilled(tiny, store, tmp_path / "again", parameters)
    assert store.count(tables.TEACHER_SCORES) == 24 * 4
    assert again.identity == first.identity


def test_a_kill_costs_no_more_than_the_last_slice(teacher: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from acronis_pipeline.finetune.methods import distill as module

    monkeypatch.setattr(module, "_SLICE", 2)
    scored, score = [], module._score

    def interrupted(model: object, pairs: list[tuple[str, str]], batch_size: int) -> np.ndarray:
        if len(scored) == 2:
            raise KeyboardInterrupt
        scored.append(len(pairs))
        return score(model, pairs, batch_size)

    monkeypatch.setattr(module, "_score", interrupted)
    with pytest.raises(KeyboardInterrupt):
        teacher_scores(store, str(teacher), PAIRS)
    assert store.count(tables.TEACHER_SCORES) == 4
    monkeypatch.setattr(module, "_score", score)
    found = teacher_scores(store, str(teacher), PAIRS)
    expected = cross_encoder.load(str(teacher), role="teacher", otherwise="").predict(
        PAIRS, activation_fn=torch.nn.Identity()
    )
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert store.count(tables.TEACHER_SCORES) == 5


def test_scores_of_two_teachers_stay_apart(teacher: Path, store: Store, tmp_path: Path) -> None:
    other = write_cross_encoder(tmp_path / "other", positions=32)
    one, two = teacher_scores(store, str(teacher), PAIRS), teacher_scores(store, str(other), PAIRS)
    assert store.count(tables.TEACHER_SCORES) == 10
    assert not np.allclose(one, two)
    rows = store.read(tables.TEACHER_SCORES).to_pylist()
    assert len({row["teacher"] for row in rows}) == 2


def test_same_pair_twice_is_scored_once_and_answered_twice(teacher: Path, store: Store) -> None:
    found = teacher_scores(store, str(teacher), [PAIRS[0], PAIRS[1], PAIRS[0]])
    assert found[0] == found[2] != found[1]
    assert store.count(tables.TEACHER_SCORES) == 2


def test_unreachable_teacher_is_refused_before_anything_is_embedded(tiny: Path, store: Store, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"parameters\.teacher = .*nowhere: no such folder.*teacher: hybrid"):
        distilled(tiny, store, tmp_path, f"teacher: {tmp_path / 'nowhere'}")
    assert store.names() == []


def test_teacher_that_reads_single_texts_is_refused_before_anything_is_embedded(
    tiny: Path, store: Store, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError, match=r"parameters\.teacher = .* encodes single texts; name a cross-encoder"):
        distilled(tiny, store, tmp_path, f"teacher: {tiny}")
    assert store.names() == []


def test_teacher_of_several_classes_is_refused(tiny: Path, store: Store, tmp_path: Path) -> None:
    classifier = write_cross_encoder(tmp_path / "classifier", n_scores=3)
    with pytest.raises(RecipeError, match=r"parameters\.teacher = .* gives 3 scores a pair"):
        distilled(tiny, store, tmp_path, f"teacher: {classifier}")


def test_hard_negatives_that_would_not_be_mined_are_refused() -> None:
    with pytest.raises(RecipeError, match=r"parameters\.hard_negatives: .* remove the key and set negatives"):
        parse_recipe("taught", "method: distill\nparameters: {hard_negatives: {per_question: 2}}", where="taught.yaml")
    parse_recipe("taught", "method: distill", where="taught.yaml")


def test_a_teacher_that_was_trained_anew_teaches_anew(tiny: Path, tmp_path: Path) -> None:
    teacher = write_cross_encoder(tmp_path)
    text = f"method: distill\nbase_model: {tiny}\nparameters: {{teacher: {teacher}}}"
    recipe = parse_recipe("taught", text, where="taught.yaml")
    before = training_key(recipe, codename_world())
    assert training_key(recipe, codename_world()) == before
    weights = teacher / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    assert training_key(recipe, codename_world()) != before
    shutil.rmtree(teacher)
    with pytest.raises(RecipeError, match=r"recipe taught: parameters\.teacher = .*: no such folder"):
        training_key(recipe, codename_world())
