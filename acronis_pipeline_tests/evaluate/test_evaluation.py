import json
from dataclasses import replace

import pytest

from acronis_pipeline import index
from acronis_pipeline.core.dataset import Question
from acronis_pipeline.core.errors import DatasetError, IdentityMismatchError
from acronis_pipeline.core.settings import RetrievalSettings
from acronis_pipeline.evaluate import Evaluation, EvaluationSetup, Report, evaluate, evaluate_alone
from acronis_pipeline.evaluate.metrics import METRICS
from acronis_pipeline.index import IndexedModel
from acronis_pipeline.reporting import plots, view
from acronis_pipeline.retrieve import Retriever
from acronis_pipeline.store import Store
from acronis_pipeline_tests.evaluate.worlds import CHUNKS, DATASET, GOLD, build, question
from acronis_pipeline_tests.index.corpora import chunk, write_chunks

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, IndexedModel, IndexedModel]:
    return build(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def done(world: tuple[Store, IndexedModel, IndexedModel]) -> Evaluation:
    store, base, tuned = world
    return evaluate(
        store,
        "words",
        EvaluationSetup(DATASET.test, base, tuned),
        EvaluationSetup(DATASET.validation, base, tuned),
        GOLD,
    )


def test_every_system_is_scored_on_both_sets_with_all_metrics(done: Evaluation) -> None:
    names = ["bm25", "base", "fine_tuned", "hybrid_base", "hybrid"]
    assert [system.name for system in done.report.systems] == names
    assert all(done.report.score(name, part) for name in names for part in ("synthetic", "human"))
    assert all(set(score.metrics) == set(METRICS) for score in done.report.scores)
    assert {(score.question_set, score.n, score.n_groups) for score in done.report.scores} == {
        ("synthetic", 25, 25),
        ("human", 8, 8),
    }


def test_model_that_learned_the_vocabulary_wins_with_its_interval_above_zero(done: Evaluation) -> None:
    for other in ("base", "bm25"):
        comparison = done.report.comparison("fine_tuned", other)
        assert comparison is not None
        assert comparison.difference.low > 0
        assert comparison.difference.p_value < 0.05
    assert done.report.validation["fine_tuned"] > done.report.validation["base"]


def test_hybrid_weights_come_from_validation(done: Evaluation) -> None:
    weights = {system.name: system.dense_weight for system in done.report.systems}
    assert weights["hybrid"] is not None
    assert weights["hybrid"] >= 0.5
    assert (weights["bm25"], weights["base"], weights["fine_tuned"]) == (None, None, None)


def test_human_questions_that_cannot_be_scored_are_named(done: Evaluation) -> None:
    assert done.report.unanswerable == ("Where is the lost page? (https://docs.test/lost/ was not crawled)",)
    assert done.report.unscored == ("What else should I know?",)


def test_every_question_of_every_system_has_a_result(done: Evaluation) -> None:
    rows = done.results.to_pylist()
    assert len(rows) == 5 * (25 + 8)
    assert len({row["result_id"] for row in rows}) == len(rows)
    score = done.report.score("fine_tuned")
    tuned = [row["ndcg_at_10"] for row in rows if (row["system"], row["question_set"]) == ("fine_tuned", "synthetic")]
    assert score is not None
    assert score.metrics["ndcg_at_10"].mean == pytest.approx(sum(tuned) / len(tuned))


def test_results_are_what_retrieve_shows(world: tuple[Store, IndexedModel, IndexedModel], done: Evaluation) -> None:
    store, _, tuned = world
    hybrid = next(system for system in done.report.systems if system.name == "hybrid")
    retriever = Retriever(store, hybrid, tuned.encoder)
    rows = [row for row in done.results.to_pylist() if row["system"] == "hybrid"]
    for row in rows[::7]:
        assert [hit.chunk_id for hit in retriever.retrieve(row["query"], 10)] == row["retrieved"]


class ByLength:
    """Prefers long passages."""

    def scores(self, query: str, passages: list[str]) -> list[float]:
        return [float(len(passage)) for passage in passages]


def test_a_reranker_runs_where_models_run(
    world: tuple[Store, IndexedModel, IndexedModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, base, tuned = world
    loaded: set[tuple[str, str | None]] = set()

    def load(name: str, device: str | None = None) -> ByLength:
        loaded.add((name, device))
        return ByLength()

    monkeypatch.setattr("acronis_pipeline.retrieve.retriever.reranker", load)
    test, validation = (
        EvaluationSetup(questions, base, tuned, device="cuda:1") for questions in (DATASET.test, DATASET.validation)
    )
    retrieval = RetrievalSettings.model_validate({"reranker": "some/cross-encoder"})
    report = evaluate(store, "words", test, validation, GOLD, retrieval=retrieval).report
    assert report.score("hybrid_rerank")
    assert loaded == {("some/cross-encoder", "cuda:1")}


def test_report_survives_json(done: Evaluation) -> None:
    assert Report.from_json(done.report.to_json()) == done.report
    assert "NaN" not in json.dumps(json.loads(done.report.to_json()))


def test_small_samples_are_said_so(done: Evaluation) -> None:
    assert any("25 synthetic questions" in note for note in done.report.caveats)


def test_saturated_base_is_reported_as_no_headroom(world: tuple[Store, IndexedModel, IndexedModel]) -> None:
    store, base, _ = world
    easy = tuple(replace(question(n), query=f"topic{n}") for n in range(20))
    report = evaluate(store, "words", EvaluationSetup(easy, base), EvaluationSetup((), base)).report
    assert report.caveats[0].startswith("No headroom")
    assert any(note.startswith("No validation questions") for note in report.caveats)
    assert [system.name for system in report.systems] == ["bm25", "base", "hybrid_base"]


def test_questions_whose_passage_left_the_index_count_as_missed(
    world: tuple[Store, IndexedModel, IndexedModel],
) -> None:
    store, base, _ = world
    questions = (*DATASET.test[:5], Question("gone", "where is it", ("vanished",), "page"))
    report = evaluate(store, "words", EvaluationSetup(questions, base), EvaluationSetup((), base)).report
    assert any("1 test question without a gold passage" in note for note in report.caveats)
    assert report.scores[0].n == 6


def test_set_of_which_every_system_misses_every_question_is_noted(
    world: tuple[Store, IndexedModel, IndexedModel],
) -> None:
    store, base, _ = world
    missed = (Question("gone", "where is it", ("vanished",), "page"),)
    found = evaluate(store, "words", EvaluationSetup(missed, base), EvaluationSetup((), base)).report.caveats
    assert any(note.startswith("Every system misses every one of 1 synthetic question.") for note in found)
    assert any(note.startswith("Small sample: 1 synthetic question about 1 page;") for note in found)
    found = evaluate(store, "words", EvaluationSetup(DATASET.test, base), EvaluationSetup((), base)).report.caveats
    assert not any("misses every" in note for note in found)


def test_champion_is_asked_alone_as_it_was_in_the_comparison(world, done: Evaluation) -> None:
    store, _, tuned = world
    hybrid = next(system for system in done.report.systems if system.name == "hybrid")
    alone = evaluate_alone(store, "words", hybrid, EvaluationSetup(DATASET.test, tuned), GOLD)
    assert alone.report.questions_id == done.report.questions_id
    together = [row for row in done.results.to_pylist() if row["system"] == "hybrid"]
    assert [row["ndcg_at_10"] for row in alone.results.to_pylist()] == [row["ndcg_at_10"] for row in together]


def test_nothing_to_ask_is_an_error_with_a_remedy(world: tuple[Store, IndexedModel, IndexedModel]) -> None:
    store, base, _ = world
    with pytest.raises(DatasetError, match="expected_urls"):
        evaluate(store, "words", EvaluationSetup((), base), EvaluationSetup((), base), GOLD[-2:])


def test_model_that_did_not_make_the_vectors_is_refused(world: tuple[Store, IndexedModel, IndexedModel]) -> None:
    store, base, tuned = world
    swapped = IndexedModel(base.table, tuned.encoder)
    with pytest.raises(IdentityMismatchError, match="tuned"):
        evaluate(store, "words", EvaluationSetup(DATASET.test, swapped), EvaluationSetup((), base))


def test_tables_with_different_passages_are_not_compared(tmp_path) -> None:
    store, base, tuned = build(tmp_path)
    write_chunks(store, [*CHUNKS, chunk("new", "A new page")])
    index.refresh(store, base)
    with pytest.raises(IdentityMismatchError, match="refresh both"):
        evaluate(
            store, "words", EvaluationSetup(DATASET.test, base, tuned), EvaluationSetup(DATASET.validation, base, tuned)
        )


def test_table_shows_sets_apart_and_shared_systems_once(done: Evaluation) -> None:
    other = replace(done.report, recipe="second")
    rows = view.table_rows([done.report, other])
    assert [row["question_set"] for row in rows] == ["synthetic"] * 7 + ["human"] * 7
    assert [row["recipe"] for row in rows[:3]] == ["-", "-", "words"]
    text, markdown = view.table_as_text([done.report]), view.table_as_markdown([done.report])
    for shown in (text, markdown):
        assert all(word in shown for word in ("nDCG@10", "hit@3", "fine_tuned", "human", "counted apart: Where is"))
    assert len({len(line) for line in text.splitlines()[1:2]}) == 1
    assert markdown.splitlines()[1].count("|") == markdown.splitlines()[0].count("|")


def test_plot_is_a_png(done: Evaluation) -> None:
    assert plots.ndcg_with_intervals(done.report).startswith(b"\x89PNG")
