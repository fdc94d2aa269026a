"""Reports beside each other: differences from the first, and tests only where they are tests."""

import pytest

from acronis_pipeline.tracking.compare import compare, select
from acronis_pipeline_tests.records.kept import keep, questions

WEAK = {"bm25": questions(n=20, n_bad=12) | questions("h", n_bad=3), "base": questions(n=20, n_bad=10)}
STRONG = {"bm25": questions(n=20, n_bad=12) | questions("h", n_bad=3), "fine_tuned": questions(n=20, bad=2, n_bad=1)}


def side_by_side(store, *names):
    return compare(store, select(store, names, list))


def rows(found, system, question_set="synthetic"):
    return [row for row in found.rows if (row.system, row.question_set) == (system, question_set)]


def test_figures_are_those_of_the_reports_and_differences_are_from_the_first(store):
    older, newer = (
        keep(store, "full", WEAK),
        keep(store, "full", {**STRONG, "base": questions(n=20, n_bad=2)}, minute=1),
    )
    before, after = rows(side_by_side(store, "full~1", "full"), "base")
    for row, report in ((before, older), (after, newer)):
        score = report.score("base")
        assert score
        assert row.metrics == {name: interval.mean for name, interval in score.metrics.items()}
    assert before.differences is None
    assert after.differences == {name: after.metrics[name] - before.metrics[name] for name in before.metrics}
    assert after.differences["hit_rate_at_1"] == pytest.approx(8 / 20)


def test_paired_test_on_the_same_questions_knows_a_gain_from_none(store):
    keep(store, "full", WEAK)
    keep(store, "full", {**STRONG, "base": questions(n=20, n_bad=1)}, minute=1)
    found = side_by_side(store, "full~1", "full")
    gain, none = rows(found, "base")[1].paired, rows(found, "bm25")[1].paired
    assert gain
    assert gain.low > 0
    assert gain.p_value < 0.01
    assert gain.n == 20
    assert none
    assert (none.mean, none.p_value) == (0.0, 1.0)
    assert found.notes == ()


def test_other_questions_get_no_test_and_a_word_about_it(store):
    keep(store, "full", WEAK)
    keep(store, "full", {"bm25": questions(n=25) | questions("h", n_bad=3), "base": questions(n=25)}, minute=1)
    found = side_by_side(store, "full~1", "full")
    assert rows(found, "bm25")[1].paired is None
    assert rows(found, "bm25", "human")[1].paired is not None
    assert rows(found, "bm25")[1].differences is not None
    (note,) = found.notes
    assert "B was asked other synthetic questions than A (20 of 25 are the same)" in note
    assert "no paired test is possible" in note


def test_same_questions_over_other_passages_are_tested_with_a_word_about_it(store):
    keep(store, "full", WEAK)
    keep(store, "full", WEAK, minute=1, questions_id="after a crawl")
    found = side_by_side(store, "full~1", "full")
    assert rows(found, "bm25")[1].paired is not None
    assert any("over other passages" in note for note in found.notes)


def test_system_that_the_first_lacks_stands_alone(store):
    keep(store, "full", WEAK)
    keep(store, "full", STRONG, minute=1)
    (alone,) = rows(side_by_side(store, "full~1", "full"), "fine_tuned")
    assert (alone.label, alone.differences, alone.paired) == ("B", None, None)


def test_systems_of_one_report_are_compared_with_each_other(store):
    keep(store, "full", STRONG)
    found = side_by_side(store, "full/bm25", "full/fine_tuned")
    first, second = (row for row in found.rows if row.question_set == "synthetic")
    assert (first.system, second.system) == ("bm25", "fine_tuned")
    assert second.paired
    assert second.paired.low > 0
