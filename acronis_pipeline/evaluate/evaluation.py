"""One evaluation: every system asked every test question, sets kept apart; what it finds, what it costs to run, and
what a reader must know before believing its numbers, in plain words.
"""

import logging
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from acronis_pipeline import index
from acronis_pipeline.core.errors import DatasetError, counted
from acronis_pipeline.core.hashing import digest
from acronis_pipeline.core.settings import RetrievalSettings
from acronis_pipeline.encoders import Windows
from acronis_pipeline.evaluate.checks import Checks
from acronis_pipeline.evaluate.questions import EvalQuestion, from_gold, from_pairs
from acronis_pipeline.evaluate.report import Comparison, Latency, Report, SystemScore
from acronis_pipeline.evaluate.scoring import (
    MIN_QUESTIONS,
    ResultRow,
    as_table,
    compare,
    left_out,
    score_questions,
    slice_scores,
    summarize,
)
from acronis_pipeline.evaluate.setup import CHAMPION, EvaluationSetup, Rankings, read_corpus, systems
from acronis_pipeline.evaluate.validation import validate
from acronis_pipeline.index.rows import content_version, every_row
from acronis_pipeline.pairs.gold import GoldQuestion
from acronis_pipeline.retrieve import Retriever, System
from acronis_pipeline.store import Store, tables

_log = logging.getLogger(__name__)
_NO_CHECKS = Checks()
RETRIEVAL = RetrievalSettings()  # pyright: ignore[reportCallIssue]
_K = 10
_MOST, _LEAST = 200, 10
"""Questions timed: below some fifty, a 95th percentile is little more than the slowest one."""
FEWEST_GROUPS = 6
"""Systems are compared by flipping the signs of whole pages: with five, no outcome has a p-value below .05."""
_BUDGET_S = 2.0
"""After that a slow system has been timed long enough, be it on fewer questions."""


@dataclass(frozen=True)
class Evaluation:
    """A report and the result of every question (`tables.QUESTION_RESULTS`)."""

    report: Report
    results: pa.Table


def evaluate(
    store: Store,
    recipe: str,
    test: EvaluationSetup,
    validation: EvaluationSetup,
    gold: Sequence[GoldQuestion] = (),
    *,
    retrieval: RetrievalSettings = RETRIEVAL,
    checks: Checks = _NO_CHECKS,
    report_id: str | None = None,
    caveats: Sequence[str] = (),
) -> Evaluation:
    """Compare BM25, the untouched base, the recipe's model, their hybrids and `test.others` on the same questions.

    Parameters
    ----------
    test, validation
        Questions and the tables to search. The fusion weights come from the validation questions alone.
    gold
        Questions by people, scored apart.
    retrieval
        Depth of the rankings, fusion, and what is put on top of the last hybrid.
    checks
        Of the models themselves: for forgetting, against labelled pairs; none by default.
    caveats
        What a reader of the report must know besides what it finds itself.

    Raises
    ------
    DatasetError
        If there is neither a test question nor an answerable human question.
    IdentityMismatchError
        If a table belongs to another model than its encoder, or the tables hold different passages.
    """
    started = time.monotonic()
    learned = validate(store, validation, retrieval)
    compared = [
        replace(system, min_similarity=learned.floor_of.get(system.table))
        for system in systems(test, retrieval, learned.weight_of)
    ]
    report, asked, rows = _ask(store, recipe, compared, test, gold, retrieval.candidates)
    champion = next((test.as_in(rows, other.system) for other in test.others if other.system.name == CHAMPION), None)
    report = replace(
        report,
        report_id=report_id or report.report_id,
        comparisons=tuple(_comparisons(rows, ["base", "bm25", *([champion.name] if champion else ())])),
        validation=learned.ndcg_at_10,
        n_validation=len(validation.questions),
        slices=slice_scores(row for part in rows.values() for row in part),
        forgetting=checks.forgetting(store, test),
        correlations=checks.correlations(test),
        champion=champion.name if champion else None,
    )
    said = (*caveats_of(report, asked, test.base.encoder.identity.windows), *checks.caveats, *caveats)
    report = replace(report, caveats=said, duration_s=time.monotonic() - started)
    _log.info("%s: %d systems on %d questions in %.1f s", recipe, len(rows), len(asked), report.duration_s)
    return Evaluation(report, as_table(report.report_id, recipe, (row for part in rows.values() for row in part)))


def evaluate_alone(
    store: Store,
    recipe: str,
    system: System,
    test: EvaluationSetup,
    gold: Sequence[GoldQuestion] = (),
    *,
    retrieval: RetrievalSettings = RETRIEVAL,
) -> Evaluation:
    """Ask one system as it is, such as the champion, today's questions; `test.base` is the table that it searches."""
    started = time.monotonic()
    report, _, rows = _ask(store, recipe, [system], test, gold, retrieval.candidates)
    report = replace(report, duration_s=time.monotonic() - started)
    return Evaluation(report, as_table(report.report_id, recipe, rows[system]))


def _ask(
    store: Store,
    recipe: str,
    compared: Sequence[System],
    test: EvaluationSetup,
    gold: Sequence[GoldQuestion],
    candidates: int,
) -> tuple[Report, list[EvalQuestion], dict[System, list[ResultRow]]]:
    """The systems' scores on all questions as a report with nothing else in it, the questions, and each result."""
    corpus = read_corpus(store, test)
    gold_set = from_gold(gold, corpus)
    asked = [*from_pairs(test.questions, corpus), *gold_set.questions]
    if not asked:
        raise DatasetError(
            f"nothing to evaluate on: no test question, and none of {len(gold)} human questions can be scored "
            "(make pairs for more pages, or name expected_urls that are crawled)"
        )
    rankings = Rankings(store, test, [question.query for question in asked], candidates)
    rows: dict[System, list[ResultRow]] = {}
    for system in compared:
        rows[system] = score_questions(system, asked, rankings.of(system), corpus)
        _log.info("%s: asked %d questions of %s", recipe, len(asked), system.name)
    created_at = datetime.now(UTC).isoformat(timespec="microseconds")
    report = Report(
        report_id=digest(recipe, created_at, str(time.monotonic_ns()))[:16],
        recipe=recipe,
        created_at=created_at,
        questions_id=questions_id(store, test, gold),
        scores=tuple(_scores(store, test, rows, asked, candidates)),
        unanswerable=gold_set.unanswerable,
        partly_answerable=gold_set.partly_answerable,
        unscored=gold_set.unscored,
    )
    return report, asked, rows


def questions_id(store: Store, test: EvaluationSetup, gold: Sequence[GoldQuestion]) -> str:
    """Digest of the corpus and of everything asked of it: reports that share it can be compared."""
    synthetic = sorted(digest(q.question_id, q.query, q.group, *sorted(q.chunk_ids)) for q in test.questions)
    human = sorted(digest(q.question, q.anchor or "", q.text or "", *q.expected_urls) for q in gold)
    return digest(content_version(store, test.base.table), "synthetic", *synthetic, "human", *human)


def _scores(
    store: Store,
    test: EvaluationSetup,
    rows: Mapping[System, list[ResultRow]],
    asked: Sequence[EvalQuestion],
    candidates: int,
) -> list[SystemScore]:
    scores: list[SystemScore] = []
    for system, results in rows.items():
        encoder = test.encoder(system)
        retriever = Retriever(store, system, encoder, candidates, device=test.device)
        spent = latency(retriever, [question.query for question in asked])
        size_bytes = index_size_bytes(store, system)
        for question_set in ("synthetic", "human"):
            if part := [row for row in results if row["question_set"] == question_set]:
                score = summarize(system, encoder and encoder.identity.model_id, question_set, part)
                scores.append(replace(score, latency=spent, index_size_bytes=size_bytes))
    return scores


def _comparisons(rows: Mapping[System, list[ResultRow]], opponents: Sequence[str]) -> list[Comparison]:
    """Every system against every opponent, the tuned hybrid against the untouched one, and reranked against not."""
    by_name = {system.name: results for system, results in rows.items()}
    pairs = [(name, other) for other in opponents for name in by_name if name != other]
    hybrids = [name for name in by_name if name.startswith("hybrid")]
    pairs += [(later, earlier) for earlier, later in pairwise(hybrids)]
    found: list[Comparison] = []
    for question_set in ("synthetic", "human"):
        for a, b in dict.fromkeys(pairs):
            left = [row for row in by_name[a] if row["question_set"] == question_set]
            right = [row for row in by_name[b] if row["question_set"] == question_set]
            if left:
                found.append(compare(question_set, left, right))
    return found


def latency(retriever: Retriever, queries: Sequence[str]) -> Latency:
    """Time of single questions, asked one by one, drawn evenly and in random order from `queries` (at least one)."""
    sample = random.Random(0).sample(list(queries), min(_MOST, len(queries)))
    retriever.retrieve(sample[0], _K)  # the first question pays for opening files
    spent_ms: list[float] = []
    for query in sample:
        started = time.perf_counter()
        retriever.retrieve(query, _K)
        spent_ms.append((time.perf_counter() - started) * 1000)
        if len(spent_ms) >= _LEAST and sum(spent_ms) > _BUDGET_S * 1000:
            break
    p50, p95 = np.percentile(spent_ms, [50, 95])
    return Latency(round(float(p50), 1), round(float(p95), 1), len(spent_ms))


def index_size_bytes(store: Store, system: System) -> int:
    """Bytes that the system's search reads besides the passages: words of these, vectors, or both and the excerpts."""
    parts = index.part_bytes(store, system.table)
    near = _vector_bytes(store.open(system.table)) + parts.get("vector index", 0)
    words = parts.get("passage index", 0)
    return {"bm25": words, "dense": near, "hybrid": words + parts.get("excerpts", 0) + near}[system.mode]


def _vector_bytes(table: Any) -> int:
    n_vectors = table.count_rows()
    if tables.is_windowed(table.schema):
        lists = every_row(table, ["vector"]).column("vector")
        n_vectors = sum(len(chunk.flatten()) for chunk in lists.chunks)
    return n_vectors * tables.dimension_of(table.schema) * np.dtype(np.float32).itemsize


_SATURATED = 0.95
_FEW_QUESTIONS, _FEW_GROUPS = 100, 12


def caveats_of(report: Report, asked: Sequence[EvalQuestion], windows: Windows | None = None) -> tuple[str, ...]:
    """Warnings and findings, most important first; `windows` are those of the recipe's base."""
    found: list[str] = []
    base, tuned = report.score("base"), report.comparison("fine_tuned", "bm25")
    if base and (reached := base.metrics["hit_rate_at_10"].mean) >= _SATURATED:
        found.append(
            "No headroom: the untouched base already has the right passage in its top 10 for "
            f"{reached:.0%} of questions."
        )
    if tuned and tuned.difference.high < 0:
        lost = -tuned.difference.mean
        found.append(f"BM25 beats the fine-tuned model by {lost:.3f} nDCG@10 on synthetic test questions.")
    found += [
        f"The fine-tuned model forgot: on {probe.n} questions that have nothing to do with the site ({probe.probe}) "
        f"nDCG@10 fell from {probe.base.mean:.3f} to {probe.fine_tuned.mean:.3f} "
        f"({probe.difference.mean:+.3f} [{probe.difference.low:+.3f}, {probe.difference.high:+.3f}])."
        for probe in report.forgetting
        if probe.flagged
    ]
    sizes = {score.question_set: (score.n, score.n_groups) for score in report.scores}
    found += [_missed_by_all(name, n) for name, (n, _) in sizes.items() if not _hits(report, name)]
    n_pages = sum(groups for _, groups in sizes.values())
    if n_pages < FEWEST_GROUPS:
        found.append(
            f"Too few pages to measure: with questions about {counted(n_pages, 'page')} no difference between systems "
            f"can be shown; bring gold questions, or crawl more of the site ({FEWEST_GROUPS} pages with questions)."
        )
    found += [
        f"Small sample: {counted(n, f'{question_set} question')} about {counted(groups, 'page')}; "
        "only large differences can show."
        for question_set, (n, groups) in sizes.items()
        if n < _FEW_QUESTIONS or groups < _FEW_GROUPS
    ]
    if not report.n_validation:
        found.append(
            "No validation questions: the hybrids mix both scores half and half, and nothing was chosen on evidence."
        )
    if missing := sum(not question.relevant for question in asked):
        without = counted(missing, "test question")
        found.append(f"{without} without a gold passage in the index: missed by every system.")
    if report.unanswerable:
        asked_apart = counted(len(report.unanswerable), "human question")
        found.append(f"{asked_apart} expecting pages that are not indexed: counted apart.")
    if report.partly_answerable:
        partly = counted(len(report.partly_answerable), "human question")
        found.append(f"{partly} of which some expected pages are not indexed.")
    if small := left_out(report.slices, report.scores):
        named = ", ".join(f"{n} {question_set} by {by}" for (question_set, by), n in small.items())
        found.append(f"Slices of fewer than {MIN_QUESTIONS} questions are not shown: {named}.")
    if windows:
        found.append(f"Passages have several vectors ({windows}) in every dense system, the untouched base too.")
    return tuple(found)


def _hits(report: Report, question_set: str) -> bool:
    """Whether any system finds anything."""
    scores = (score for score in report.scores if score.question_set == question_set)
    return any(metric.mean for score in scores for metric in score.metrics.values())


def _missed_by_all(question_set: str, n: int) -> str:
    """Questions so hard that every system fails all of them are rarer than wrong addresses in a gold file."""
    said = f"Every system misses every one of {counted(n, f'{question_set} question')}"
    cause = "do the addresses in the gold file name the pages that answer them?"
    return f"{said}; {cause}" if question_set == "human" else f"{said}."
