"""Reports whose per-question results are drawn around wanted means, and champions to compare them with."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from acronis_pipeline.champion import Champion
from acronis_pipeline.evaluate import Report, SystemScore
from acronis_pipeline.retrieve import System
from acronis_pipeline.store import tables
from acronis_pipeline_tests.index.corpora import WordEncoder

IDENTITY = WordEncoder().identity
N, N_HUMAN = 120, 40
EXTERNAL = "external:some-model"
SYSTEMS = {
    "bm25": System("bm25", "bm25", "base_table"),
    "base": System("base", "dense", "base_table"),
    "fine_tuned": System("fine_tuned", "dense", "tuned_table"),
    "hybrid": System("hybrid", "hybrid", "tuned_table", 0.4),
    "champion": System("champion", "hybrid", "old_table", 0.3),
    EXTERNAL: System(EXTERNAL, "dense", "external_table"),
}
MODEL_OF = {"bm25": None, "base": "base-model", "fine_tuned": IDENTITY.model_id, "hybrid": IDENTITY.model_id}
MODEL_OF |= {"champion": "old-model", EXTERNAL: "external-model"}


@dataclass
class Reports:
    """Reports with per-question results drawn around wanted means."""

    reports: list[Report]
    results: pa.Table


def reports(
    validation: dict[str, float], test: dict[str, float], human: dict[str, float] | None = None, recipe: str = "words"
) -> Reports:
    report_id = f"report-{recipe}"
    scores = tuple(SystemScore(SYSTEMS[name], MODEL_OF[name], "synthetic", N, N, {}) for name in validation)
    report = Report(report_id, recipe, "2026-11-21T00:00:00+00:00", "questions", scores, validation=validation)
    rows = rows_of(report_id, "synthetic", test, N) + rows_of(report_id, "human", human or {}, N_HUMAN)
    return Reports([report], tables.QUESTION_RESULTS.rows(rows))


def rows_of(report_id: str, question_set: str, means: dict[str, float], n: int) -> list[dict[str, Any]]:
    difficulty = np.random.default_rng(0).normal(0, 0.2, n)
    rows = []
    for name, mean in means.items():
        noise = np.random.default_rng(sum(map(ord, name))).normal(0, 0.05, n)
        for number, value in enumerate(mean + difficulty + noise - difficulty.mean() - noise.mean()):
            rows.append(
                {
                    "result_id": f"{report_id}-{name}-{question_set}-{number}",
                    "report_id": report_id,
                    "system": name,
                    "question_set": question_set,
                    "question_id": f"q{number}",
                    "query": f"{question_set} question {number}",
                    "page_group": f"page{number}",
                    "ndcg_at_10": float(value),
                }
            )
    return rows


def champion_of(system: System, model_id: str | None) -> Champion:
    return Champion(
        promotion_id="p1",
        promoted_at=datetime(2026, 11, 1, tzinfo=UTC),
        move="first",
        recipe="words",
        system=system,
        model_id=model_id,
        model=None,
        report_id="old-report",
        evidence=(),
        asked="",
        previous_id=None,
        restored_id=None,
        reason="was best",
    )


BETTER = {"bm25": 0.6, "base": 0.5, "fine_tuned": 0.7}
EQUAL = {"bm25": 0.6, "base": 0.5, "fine_tuned": 0.6}
