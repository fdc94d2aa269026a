import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acronis_pipeline.llm import entries
from acronis_pipeline.pairs.generators.prompts import Question, spread


def texts(content: str) -> list[str] | None:
    found = entries(content, Question, text_field="question")
    return None if found is None else [entry.question for entry in found]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"questions": [{"question": "a b?", "number": 1}]}', ["a b?"]),
        ('Here: ["what is it?", "how?"] enjoy', ["what is it?", "how?"]),
        ('[{"question": "x y?", "style": "question"}, {"question": 3}, {"style": "error"}]', ["x y?"]),
        ('<think>say [1] or {"questions": []}</think>{"questions": [{"question": "why?"}]}', ["why?"]),
        ('```json\n{"questions": [{"number": "2", "question": "so?"}]}\n```', ["so?"]),
        ('{"questions": [{"question": "whole?"}, {"question": "cut', ["whole?"]),
        ("1. How do I start?\n2) Why does it stop?\n", ["How do I start?", "Why does it stop?"]),
        ('{"questions": []}', []),
        ("I would rather not.", None),
        ('{"answer": 42}', None),
        ('{"questions": [{"q": "x"}]}', None),
        ("X", None),
        ("", None),
    ],
)
def test_answers_are_read_tolerantly(content: str, expected: list[str] | None):
    assert texts(content) == expected


@given(st.text())
def test_any_text_is_read_without_a_crash(content: str):
    texts(content)


@given(st.lists(st.text(min_size=1), min_size=1, max_size=6), st.integers(0, 200))
def test_a_cut_costs_only_what_comes_after_it(queries: list[str], cut: int):
    whole = json.dumps({"questions": [{"number": n, "question": query} for n, query in enumerate(queries, start=1)]})
    found = texts(whole[:cut]) or []
    assert found == queries[: len(found)]


@given(st.dictionaries(st.sampled_from("abcdef"), st.floats(0, 1), min_size=1), st.integers(1, 12), st.text())
def test_shares_are_met_within_one_of_each(shares: dict[str, float], n: int, seed: str):
    total = sum(shares.values())
    if total < 0.01:
        return
    drawn = spread(shares, n, seed)
    assert len(drawn) == n
    for name, share in shares.items():
        assert abs(drawn.count(name) - n * share / total) <= 1 + 1e-6
    assert spread(shares, n, seed) == drawn
