"""One evaluation: weights learned on validation, every system asked every test question, sets kept apart."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from acronis_pipeline.embedding import Embedder
from acronis_pipeline.errors import DatasetError
from acronis_pipeline.evaluate import arena as arenas
from acronis_pipeline.evaluate.arena import Arena, Rankings
from acronis_pipeline.evaluate.metrics import PRIMARY
from acronis_pipeline.evaluate.notes import notes
from acronis_pipeline.evaluate.questions import Corpus, EvalQuestion, GoldSet, from_gold, from_pairs
from acronis_pipeline.evaluate.report import Comparison, Latency, Report, SystemScore
from acronis_pipeline.evaluate.scoring import Row, as_table, compare, score_questions, summarize
from acronis_pipeline.evaluate.weights import learn_weight
from acronis_pipeline.fingerprint import digest
from acronis_pipeline.gold import GoldQuestion
from acronis_pipeline.index.rows import content_version
from acronis_pipeline.retrieve import Batch, Retriever, System
from acronis_pipeline.store import Store

_log = logging.getLogger(__name__)
_TIMED = 10
"""Questions asked one by one to measure latency."""
_HYBRIDS = ("hybrid_base", "hybrid")

Canonical = Callable[[str], str]


@dataclass(frozen=True)
class Evaluation:
    """A report and the result of every question (`schemas.QUESTION_RESULTS`)."""

    report: Report
    results: pa.Table


def evaluate(
    store: Store,
    recipe: str,
    test: Arena,
    validation: Arena,
    gold: Sequence[GoldQuestion] = (),
    *,
    candidates: int = 200,
    baseline: str = "base",
    canonical: Canonical = str,
    report_id: str | None = None,
) -> Evaluation:
    """Compare BM25, the untouched base, the recipe's model and their hybrids on the same questions.

    Parameters
    ----------
    test, validation
        Questions and the tables to search. The fusion weights come from the validation questions alone.
    gold
        Questions by people, scored apart.
    candidates
        Depth of the rankings and of fusion.
    baseline
        The system that every other is compared with, besides BM25.
    canonical
        Brings an expected URL into the form of the indexed pages.

    Raises
    ------
    DatasetError
        If there is neither a test question nor an answerable human question.
    IdentityMismatchError
        If a table belongs to another model than its embedder, or the tables hold different passages.
    """
    started = time.monotonic()
    weight_of, on_validation = _validate(store, validation, candidates)
    corpus = arenas.read_corpus(store, test)
    asked, gold_set = _questions(corpus, test, gold, canonical)
    rankings = Rankings(store, test, [question.query for question in asked], candidates)
    rows: dict[System, list[Row]] = {}
    for system in arenas.systems(test, weight_of):
        rows[system] = _ask(system, rankings.of(system.name), asked, corpus)
        _log.info("%s: asked %d questions of %s", recipe, len(asked), system.name)
    embedder_of = {system: test.arm(system.name).embedder for system in rows}
    scores = _scores(store, rows, embedder_of, asked, candidates)
    created_at = datetime.now(UTC).isoformat(timespec="seconds")
    report = Report(
        report_id=report_id or digest(recipe, created_at, str(time.monotonic_ns()))[:16],
        recipe=recipe,
        created_at=created_at,
        questions_id=questions_id(store, test, gold),
        scores=tuple(scores),
        comparisons=tuple(_comparisons(rows, baseline)),
        validation=on_validation,
        n_validation=len(validation.questions),
        unanswerable=gold_set.unanswerable,
        unscored=gold_set.unscored,
    )
    report = replace(report, notes=notes(report, asked), duration_s=time.monotonic() - started)
    _log.info("%s: %d systems on %d questions in %.1f s", recipe, len(rows), len(asked), report.duration_s)
    return Evaluation(report, as_table(report.report_id, recipe, (row for part in rows.values() for row in part)))


def evaluate_alone(
    store: Store,
    recipe: str,
    system: System,
    test: Arena,
    gold: Sequence[GoldQuestion] = (),
    *,
    candidates: int = 200,
    canonical: Canonical = str,
) -> Evaluation:
    """Ask one system as it is, such as a reigning champion, today's questions. `test.base` is the table it searches.

    Raises
    ------
    DatasetError, IdentityMismatchError
        As for `evaluate`.
    """
    started = time.monotonic()
    corpus = arenas.read_corpus(store, test)
    asked, gold_set = _questions(corpus, test, gold, canonical)
    rankings = Rankings(store, test, [question.query for question in asked], candidates)
    rows = {system: _ask(system, rankings.of("base"), asked, corpus)}
    created_at = datetime.now(UTC).isoformat(timespec="seconds")
    report = Report(
        report_id=digest(recipe, system.name, system.table, created_at, str(time.monotonic_ns()))[:16],
        recipe=recipe,
        created_at=created_at,
        questions_id=questions_id(store, test, gold),
        scores=tuple(_scores(store, rows, {system: test.base.embedder}, asked, candidates)),
        unanswerable=gold_set.unanswerable,
        unscored=gold_set.unscored,
        duration_s=time.monotonic() - started,
    )
    return Evaluation(report, as_table(report.report_id, recipe, rows[system]))


def questions_id(store: Store, test: Arena, gold: Sequence[GoldQuestion]) -> str:
    """Digest of the corpus and of everything asked of it: reports that share it can be compared."""
    synthetic = sorted(digest(q.question_id, q.query, q.group, *sorted(q.chunk_ids)) for q in test.questions)
    human = sorted(digest(q.question, q.anchor or "", q.text or "", *q.expected_urls) for q in gold)
    return digest(content_version(store, test.base.table), "synthetic", *synthetic, "human", *human)


def _questions(
    corpus: Corpus, test: Arena, gold: Sequence[GoldQuestion], canonical: Canonical
) -> tuple[list[EvalQuestion], GoldSet]:
    gold_set = from_gold(gold, corpus, canonical)
    asked = [*from_pairs(test.questions, corpus), *gold_set.questions]
    if not asked:
        raise DatasetError(
            f"nothing to evaluate on: no test question, and none of {len(gold)} human questions can be scored "
            "(make pairs for more pages, or name expected_urls that are crawled)"
        )
    return asked, gold_set


def _validate(store: Store, validation: Arena, candidates: int) -> tuple[dict[str, float], dict[str, float]]:
    """Dense weight of each hybrid, and nDCG@10 of every system on the validation questions."""
    rankings = Rankings(store, validation, [question.query for question in validation.questions], candidates)
    corpus = arenas.read_corpus(store, validation)
    questions = from_pairs(validation.questions, corpus)
    hybrids = _HYBRIDS if validation.fine_tuned else _HYBRIDS[:1]
    learned = {
        name: learn_weight(rankings.of(name).pools if questions else (), questions, corpus.cluster_of)
        for name in hybrids
    }
    weight_of = {name: weight.dense_weight for name, weight in learned.items()}
    if not questions:
        return weight_of, {}
    reached: dict[str, float] = {}
    for system in arenas.systems(validation, weight_of):
        if system.name in learned:
            reached[system.name] = learned[system.name].ndcg_at_10
        else:
            rows = _ask(system, rankings.of(system.name), questions, corpus)
            reached[system.name] = float(np.mean([row[PRIMARY] for row in rows]))
    return weight_of, reached


def _ask(system: System, batch: Batch, questions: Sequence[EvalQuestion], corpus: Corpus) -> list[Row]:
    pairs = list(zip(questions, batch.rankings(system), strict=True))
    rows: list[Row] = []
    for question_set in ("synthetic", "human"):
        part = [(question, ranking) for question, ranking in pairs if question.question_set == question_set]
        rows += score_questions(system, [q for q, _ in part], [r for _, r in part], corpus.units(question_set))
    return rows


def _scores(
    store: Store,
    rows: Mapping[System, list[Row]],
    embedder_of: Mapping[System, Embedder],
    asked: Sequence[EvalQuestion],
    candidates: int,
) -> list[SystemScore]:
    scores: list[SystemScore] = []
    for system, results in rows.items():
        embedder = embedder_of[system] if system.needs_encoder else None
        latency = _latency(Retriever(store, system, embedder, candidates), [question.query for question in asked])
        for question_set in ("synthetic", "human"):
            if part := [row for row in results if row["question_set"] == question_set]:
                score = summarize(system, embedder and embedder.identity.model_id, question_set, part)
                scores.append(replace(score, latency=latency))
    return scores


def _latency(retriever: Retriever, queries: Sequence[str]) -> Latency:
    sample = queries[:: max(1, len(queries) // _TIMED)][:_TIMED]
    retriever.retrieve(sample[0], 10)  # the first question pays for opening files
    spent_ms: list[float] = []
    for query in sample:
        started = time.perf_counter()
        retriever.retrieve(query, 10)
        spent_ms.append((time.perf_counter() - started) * 1000)
    p50, p95 = np.percentile(spent_ms, [50, 95])
    return Latency(round(float(p50), 1), round(float(p95), 1), len(sample))


def _comparisons(rows: Mapping[System, list[Row]], baseline: str) -> list[Comparison]:
    """Every system against the baseline and BM25, and the tuned hybrid against the untouched one."""
    by_name = {system.name: results for system, results in rows.items()}
    pairs = [(name, other) for other in (baseline, "bm25") for name in by_name if name != other]
    if "hybrid" in by_name:
        pairs.append(("hybrid", "hybrid_base"))
    found: list[Comparison] = []
    for question_set in ("synthetic", "human"):
        for a, b in dict.fromkeys(pairs):
            left = [row for row in by_name[a] if row["question_set"] == question_set]
            right = [row for row in by_name[b] if row["question_set"] == question_set]
            if left:
                found.append(compare(question_set, left, right))
    return found
