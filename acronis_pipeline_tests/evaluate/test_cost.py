from pathlib import Path

from acronis_pipeline import index
from acronis_pipeline.evaluate import evaluation
from acronis_pipeline.retrieve import Retriever, System
from acronis_pipeline_tests.evaluate.worlds import DATASET, N_PAGES, build
from acronis_pipeline_tests.index.corpora import DIMENSION

QUERIES = [question.query for question in DATASET.test]


def test_every_question_is_timed_while_time_is_left(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(evaluation, "_BUDGET_S", 60.0)
    store, base, _ = build(tmp_path)
    found = evaluation.latency(Retriever(store, System("bm25", "bm25", base.table), None), QUERIES)
    assert found.n == len(QUERIES)
    assert 0 < found.p50_ms <= found.p95_ms


def test_slow_system_is_timed_on_fewer_questions(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(evaluation, "_BUDGET_S", 0.0)
    monkeypatch.setattr(evaluation, "_LEAST", 10)
    store, base, _ = build(tmp_path)
    assert evaluation.latency(Retriever(store, System("bm25", "bm25", base.table), None), QUERIES).n == 10


def test_index_of_a_hybrid_is_that_of_the_words_the_excerpts_and_the_vectors(tmp_path: Path) -> None:
    store, base, _ = build(tmp_path)
    words, vectors, both = (
        evaluation.index_size_bytes(store, system)
        for system in (
            System("bm25", "bm25", base.table),
            System("base", "dense", base.table),
            System("hybrid_base", "hybrid", base.table, 0.5),
        )
    )
    assert vectors == N_PAGES * DIMENSION * 4
    assert words > 500
    excerpts = index.part_bytes(store, base.table)["excerpts"]
    assert excerpts > 500
    assert both == words + excerpts + vectors
