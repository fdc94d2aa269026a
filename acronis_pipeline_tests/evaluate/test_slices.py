import time

import numpy as np
import pytest

from acronis_pipeline.evaluate.report import SystemScore
from acronis_pipeline.evaluate.scoring import OTHER, left_out, slice_scores
from acronis_pipeline.retrieve import System


def row(n: int, system: str = "bm25", ndcg: float = 0.5, **traits: object) -> dict:
    """A result row with the traits of an ordinary question, unless told otherwise."""
    return {
        "system": system, "question_set": "synthetic", "question_id": f"q{n}", "page_group": f"page{n // 2}",
        "style": "question", "section": "/", "n_words": 8, "language": "en", "lexical_overlap": 0.5,
        "hit_rate_at_5": ndcg, "ndcg_at_10": ndcg,
    } | traits  # fmt: skip


def sizes(rows: list[dict], by: str) -> dict[str, int]:
    return {part.value: part.n for part in slice_scores(rows) if part.by == by}


def test_every_system_is_scored_on_every_part_with_its_size_and_interval() -> None:
    values = {"title": 0.9, "cloze": 0.2}
    rows = [
        row(n, system, values[style], style=style)
        for system in ("bm25", "base")
        for n, style in enumerate(["title"] * 30 + ["cloze"] * 20)
    ]
    parts = [part for part in slice_scores(rows) if part.by == "style"]
    assert [(p.value, p.system, p.n, p.n_groups) for p in parts] == [
        ("title", "bm25", 30, 15),
        ("title", "base", 30, 15),
        ("cloze", "bm25", 20, 10),
        ("cloze", "base", 20, 10),
    ]
    assert parts[0].ndcg_at_10.mean == pytest.approx(0.9)
    assert parts[2].hit_rate_at_5.low == pytest.approx(0.2)


def test_small_parts_are_lumped_together() -> None:
    styles = ["title"] * 30 + ["cloze"] * 12 + ["error"] * 11
    assert sizes([row(n, style=style) for n, style in enumerate(styles)], "style") == {"title": 30, OTHER: 23}


def test_parts_too_small_even_together_are_left_out_and_counted() -> None:
    styles = ["title"] * 30 + ["cloze"] * 25 + ["error"] * 4
    slices = slice_scores([row(n, style=style) for n, style in enumerate(styles)])
    score = SystemScore(System("bm25", "bm25", "t"), None, "synthetic", 59, 30, {})
    assert {part.value for part in slices} == {"title", "cloze"}
    assert left_out(slices, [score]) == {("synthetic", "style"): 4}


def test_cut_with_a_single_part_says_nothing_and_is_left_out() -> None:
    assert slice_scores([row(n) for n in range(40)]) == ()


def test_scales_keep_their_order_and_are_not_lumped_together() -> None:
    rows = [row(n, n_words=words) for n, words in enumerate([20] * 40 + [3] * 25 + [8] * 10)]
    assert sizes(rows, "length") == {"short (up to 5 words)": 25, "long (over 12 words)": 40}


@pytest.mark.parametrize(
    ("overlap", "part"),
    [(0.0, "low"), (1 / 3, "low"), (0.5, "medium"), (2 / 3, "medium"), (0.7, "high"), (1.0, "high")],
)
def test_lexical_overlap_is_cut_at_thirds(overlap: float, part: str) -> None:
    low, high = ([row(n, lexical_overlap=value) for n in range(s, s + 20)] for s, value in ((100, 0.1), (200, 0.9)))
    mine = [row(n, lexical_overlap=overlap) for n in range(20)]
    assert any(name.startswith(part) for name in sizes([*mine, *low, *high], "lexical overlap"))


def test_sets_are_cut_apart() -> None:
    human = [row(n, question_set="human", section="/a/" if n % 2 else "/b/") for n in range(50)]
    synthetic = [row(n, section="/a/" if n % 2 else "/b/") for n in range(60)]
    found = {(part.question_set, part.value): part.n for part in slice_scores(synthetic + human)}
    assert found == {
        ("human", "/a/"): 25, ("human", "/b/"): 25, ("synthetic", "/a/"): 30, ("synthetic", "/b/"): 30,
    }  # fmt: skip


def test_two_thousand_questions_of_five_systems_take_about_a_second() -> None:
    rng = np.random.default_rng(0)
    rows = [
        row(n, f"system{s}", float(rng.random()), style=f"style{n % 9}", section=f"/part{n % 12}/", n_words=n % 20)
        for s in range(5)
        for n in range(2_000)
    ]
    started = time.process_time()
    assert len(slice_scores(rows)) == 5 * (9 + 12 + 3)
    assert time.process_time() - started < 3
