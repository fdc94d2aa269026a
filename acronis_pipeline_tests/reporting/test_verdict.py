"""What is said of reports whose outcome is known, made from the rank of every question."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from acronis_pipeline.champion import Contender, promote
from acronis_pipeline.evaluate import question_results
from acronis_pipeline.evaluate.scoring import compare
from acronis_pipeline.reporting import Verdict, verdict
from acronis_pipeline.retrieve import System
from acronis_pipeline.store import Store
from acronis_pipeline_tests.records.kept import keep, questions


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "lancedb"))


def judged(store: Store, validation: dict[str, float] | None = None, **asked: dict[str, int | None]) -> Verdict:
    """The verdict on systems by the ranks of their right passages; without validation scores no rules apply."""
    report = keep(store, "full", asked)
    results = question_results(store, [report.report_id])
    rows = {
        part: [row for row in results.to_pylist() if row["question_set"] == part] for part in ("synthetic", "human")
    }
    compared = tuple(
        compare(part, of_system(rows[part], a), of_system(rows[part], b))
        for part in rows
        for b in ("base", "bm25")
        for a in asked
        if a != b and rows[part]
    )
    report = replace(report, comparisons=compared, validation=validation or {}, forgetting=())
    return verdict(store, report, results)


def of_system(rows: list[dict[str, Any]], system: str) -> list[dict[str, Any]]:
    return [row for row in rows if row["system"] == system]


def test_gain_beyond_chance_is_said_with_its_interval(store: Store) -> None:
    found = judged(
        store,
        bm25=questions(n=40, good=9),
        base=questions(n=40, n_bad=20),
        fine_tuned=questions(n=40, n_bad=2),
    )
    assert (found.tone, found.badge, found.favoured) == (
        "better",
        "Better than its base on synthetic test questions",
        "fine_tuned",
    )
    said = " ".join(found.sentences)
    assert "The evidence favours Fine-tuned" in said
    assert "more than chance explains" in said
    assert "−" not in said.partition("on synthetic")[0]
    assert found.outlook is None


def test_lead_that_may_be_chance_proves_no_gain(store: Store) -> None:
    found = judged(
        store, bm25=questions(n=20, good=9), base=questions(n=20, n_bad=2), fine_tuned=questions(n=20, n_bad=1)
    )
    assert (found.tone, found.badge) == ("open", "No gain proven")
    assert "which may be chance" in " ".join(found.sentences)


def test_tuned_model_that_lost_beyond_chance_is_said_to_be_worse(store: Store) -> None:
    found = judged(
        store, bm25=questions(n=30, good=9), base=questions(n=30), fine_tuned=questions(n=30, n_bad=20, bad=None)
    )
    assert (found.tone, found.favoured) == ("worse", "base")
    assert "Nothing that was trained is proven to beat it" in " ".join(found.sentences)


def test_words_that_win_make_training_needless(store: Store) -> None:
    found = judged(store, bm25=questions(n=30), base=questions(n=30, n_bad=20), fine_tuned=questions(n=30, n_bad=19))
    assert found.favoured == "bm25"
    assert found.badge == "Training brought nothing that is proven"


def test_rules_of_the_champion_decide_who_is_favoured(store: Store) -> None:
    """People's questions veto what leads on synthetic ones."""
    people = questions("h", n=30)
    bad_for_people = questions("h", n=30, n_bad=15, bad=None)
    found = judged(
        store,
        {"bm25": 0.1, "base": 0.5, "fine_tuned": 0.6, "hybrid": 0.9},
        bm25=questions(n=40, good=9) | bad_for_people,
        base=questions(n=40, n_bad=20) | people,
        fine_tuned=questions(n=40, n_bad=4) | people,
        hybrid=questions(n=40) | bad_for_people,
    )
    assert found.favoured == "fine_tuned"
    assert found.outlook is not None
    assert "Vetoed" in found.outlook
    assert "Hybrid (nDCG@10 −" in found.outlook
    assert "of recipe" not in found.outlook
    said = " ".join(found.sentences)
    assert "On synthetic test questions Hybrid leads" in said
    assert "Hybrid does better on synthetic test questions, but loses" in said
    assert "against Base. The rules exclude it for a loss of more than 0.02 (proven or not)" in said
    assert found.markdown.startswith(
        "**Better than its base on synthetic test questions.** The evidence favours Fine-tuned"
    )


def test_choice_that_leads_on_no_set_is_no_plain_success(store: Store) -> None:
    """Proven better than its base, but words and mixes lead on one set and the base on the other."""
    people = questions("h", n=30)
    bad_for_people = questions("h", n=30, n_bad=15, bad=None)
    found = judged(
        store,
        {"bm25": 0.8, "base": 0.5, "fine_tuned": 0.6, "hybrid": 0.9},
        bm25=questions(n=40, n_bad=1) | bad_for_people,
        base=questions(n=40, n_bad=20) | people,
        fine_tuned=questions(n=40, n_bad=4) | questions("h", n=30, n_bad=1, bad=2),
        hybrid=questions(n=40) | bad_for_people,
    )
    assert (found.favoured, found.tone) == ("fine_tuned", "open")
    assert found.badge == "Better than its base, but not the best on any set of questions"
    said = " ".join(found.sentences)
    assert "The evidence favours" not in said
    assert "rules choose Fine-tuned, although it leads on no set of questions" in said
    assert "on questions by people Base leads" in said
    assert "which may be chance)" in said
    assert "Hybrid and BM25 do better on synthetic test questions, but lose" in said
    assert "exclude them for a loss of more than 0.02" in said


def test_rules_hold_for_a_report_without_the_champion_too(store: Store) -> None:
    """What people's questions exclude is not favoured because the champion stands in another recipe's report."""
    elsewhere = Contender("other", System("bm25_mmr", "bm25", "chunks", mmr=0.5), None, "another report")
    promote(store, elsewhere, move="first", reason="it was better", previous=None)
    people = questions("h", n=30)
    found = judged(
        store,
        {"bm25": 0.1, "base": 0.5, "fine_tuned": 0.6, "hybrid": 0.9},
        bm25=questions(n=40, good=9) | people,
        base=questions(n=40, n_bad=20) | people,
        fine_tuned=questions(n=40, n_bad=4) | people,
        hybrid=questions(n=40) | questions("h", n=30, n_bad=15, bad=None),
    )
    assert found.favoured == "fine_tuned"
    assert "The champion, bm25_mmr of recipe other, is not part of this report" in (found.outlook or "")
