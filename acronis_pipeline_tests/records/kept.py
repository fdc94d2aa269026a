"""Reports in a store, made from the rank that every system gave the right passage: no index, no model."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from acronis_pipeline.core.hashing import digest
from acronis_pipeline.encoders import ModelIdentity
from acronis_pipeline.evaluate import Report
from acronis_pipeline.evaluate.metrics import all_metrics
from acronis_pipeline.evaluate.report import Correlation, Forgetting, Latency, SliceScore
from acronis_pipeline.evaluate.scoring import ResultRow, as_table, compare, summarize
from acronis_pipeline.evaluate.significance import Difference, Interval
from acronis_pipeline.models.records import ModelRecord
from acronis_pipeline.retrieve import System
from acronis_pipeline.store import Store, tables
from acronis_pipeline_tests.index.corpora import chunk, write_chunks

SYSTEMS = {
    "bm25": System("bm25", "bm25", "chunks"),
    "base": System("base", "dense", "chunks"),
    "fine_tuned": System("fine_tuned", "dense", "chunks"),
    "hybrid": System("hybrid", "hybrid", "chunks", 0.4),
}
TUNED = ("fine_tuned", "hybrid")
MODEL = ModelIdentity("words", digest("query"), digest("document"), 64, 256)
_START = datetime(2026, 1, 1, tzinfo=UTC)

Ranks = Mapping[str, int | None]


def questions(
    prefix: str = "q", n: int = 12, *, good: int = 1, bad: int | None = 4, n_bad: int = 0
) -> dict[str, int | None]:
    """Ranks by question id: `bad` for the first `n_bad` questions, `good` for the others."""
    return {f"{prefix}{number}": bad if number < n_bad else good for number in range(n)}


def keep(
    store: Store, recipe: str, asked: Mapping[str, Ranks], *, minute: int = 0, questions_id: str = "all"
) -> Report:
    """Store a report of systems by name; questions whose id begins with `h` are people's."""
    if not store.exists(tables.CHUNKS):
        write_chunks(store, [chunk("c0", "How backups work")])
    rows = {
        (name, question_set): [
            _row(name, question_set, key, rank) for key, rank in ranks.items() if _is_in(question_set, key)
        ]
        for name, ranks in asked.items()
        for question_set in ("synthetic", "human")
    }
    rows = {key: part for key, part in rows.items() if part}
    report = _report(recipe, rows, _START + timedelta(minutes=minute), questions_id)
    report_id = report.report_id
    everything = [row for part in rows.values() for row in part]
    store.upsert(tables.QUESTION_RESULTS, as_table(report_id, recipe, everything))
    stored = {
        "report_id": report_id, "recipe": recipe, "report_key": report_id, "report": report.to_json(),
        "created_at": datetime.fromisoformat(report.created_at), "mlflow_run_id": None,
    }  # fmt: skip
    store.upsert(tables.REPORTS, tables.REPORTS.rows([stored]))
    return report


def model_record(recipe: str, mlflow_run_id: str | None = None) -> ModelRecord:
    """The model that `fine_tuned` and `hybrid` search with."""
    return ModelRecord("record", recipe, "key", Path("model"), MODEL, MODEL, {}, _START, mlflow_run_id)


def _report(
    recipe: str, rows: Mapping[tuple[str, str], list[ResultRow]], created_at: datetime, questions_id: str
) -> Report:
    scores = [
        replace(
            summarize(SYSTEMS[name], MODEL.model_id if name in TUNED else None, question_set, part),
            latency=Latency(3.0, 7.0, 10),
            index_size_bytes=1024,
        )
        for (name, question_set), part in rows.items()
    ]
    systems = list(dict.fromkeys(name for name, _ in rows))
    return Report(
        report_id=digest(recipe, created_at.isoformat())[:16],
        recipe=recipe,
        created_at=created_at.isoformat(),
        questions_id=questions_id,
        scores=tuple(scores),
        comparisons=tuple(
            compare("synthetic", rows[name, "synthetic"], rows["bm25", "synthetic"])
            for name in systems
            if name != "bm25"
        ),
        validation=dict.fromkeys(systems, 0.5),
        slices=(
            SliceScore("synthetic", "style", "how-to", "base", 3, 2, Interval(0.5, 0.1, 0.9), Interval(0.4, 0.1, 0.8)),
        ),
        forgetting=(
            Forgetting("general", 40, *[Interval(0.8, 0.7, 0.9)] * 2, Difference(-0.1, -0.2, 0.0, 0.1, 40, 40), True),
        ),
        correlations=(Correlation("pairs/similar.csv", "base", 30, Interval(0.7, 0.6, 0.8)),),
    )


def _row(system: str, question_set: str, question_id: str, rank: int | None) -> ResultRow:
    ranked = [f"wrong{place}" for place in range(1, 21)]
    if rank:
        ranked[rank - 1] = "right"
    return {
        "system": system, "question_set": question_set, "question_id": question_id, "query": f"What is {question_id}?",
        "style": "question", "page_group": question_id, "language": "en", "section": "/", "n_words": 3,
        "lexical_overlap": 0.5, "relevant": ["right"], "first_relevant_rank": rank, "retrieved": ranked[:10],
    } | all_metrics(ranked, {"right"})  # fmt: skip


def _is_in(question_set: str, question_id: str) -> bool:
    return question_id.startswith("h") == (question_set == "human")
