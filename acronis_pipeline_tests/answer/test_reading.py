"""Citations in the forms that models use."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acronis_pipeline.answer.reading import cited, in_one_form


@pytest.mark.parametrize(
    ("mark", "numbers"),
    [
        ("[1]", {1}),
        ("[1][3]", {1, 3}),
        ("[1, 2]", {1, 2}),
        ("[1,2]", {1, 2}),
        ("[1; 2]", {1, 2}),
        ("[1-3]", {1, 2, 3}),
        ("[1–3]", {1, 2, 3}),
        ("[1 and 3]", {1, 3}),
        ("[ 1 ]", {1}),
        ("[[1]]", {1}),
        ("[^1]", {1}),
        ("[#2]", {2}),
        ("\\[1\\]", {1}),
        ("[1](https://docs.example.com/trial)", {1}),
        ("【1】", {1}),
        ("【1】【3】", {1, 3}),
        ("【1†source】", {1}),
        ("【2:0†guide.md】", {2}),
        ("［１］", {1}),
        ("[cite: 1, 2]", {1, 2}),
        ("[citation:3]", {3}),
        ("[cite_start] [cite: 1]", {1}),
        ("[passage 1]", {1}),
        ("[Passage 1, Passage 3]", {1, 3}),
        ("[source: 2]", {2}),
        ("[doc 2]", {2}),
        ("(passage 1)", {1}),
        ("(passages 1 and 2)", {1, 2}),
        ("(see [1] and [2])", {1, 2}),
        ("(source: 3)", {3}),
        ("<cite>1</cite>", {1}),
        ("<sup>[1]</sup>", {1}),
        ('<passage number="2"/>', {2}),
        ("¹", {1}),
        ("¹,³", {1, 3}),
        (", as passage 2 says", {2}),
    ],
)
def test_citation_is_read_in_every_form(mark: str, numbers: set[int]):
    text = in_one_form(
        f"It lasts thirty days {mark}." if mark[0] not in "¹," else f"It lasts thirty days{mark}.", {1, 2, 3}
    )
    assert cited(text) == numbers
    assert text.startswith("It lasts thirty days")
    assert text.endswith(".")


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("Yes [1][7].", "Yes [1]."),
        ("Yes [1, 7].", "Yes [1]."),
        ("Yes [9].", "Yes."),
        ("At most 10² files [1].", "At most 10² files [1]."),
        ("At most x² files [1].", "At most x² files [1]."),
        ("At most 10<sup>2</sup> files [1].", "At most 10<sup>2</sup> files [1]."),
        ("A share of [0-100] percent [1].", "A share of [0-100] percent [1]."),
        ("Set `list[1]` to 2 [2].", "Set `list[1]` to 2 [2]."),
        ("Run\n```\necho ${a[1]}\n```\nthen wait [2].", "Run\n```\necho ${a[1]}\n```\nthen wait [2]."),
        ("Open [the guide](https://a.example/) [1].", "Open [the guide](https://a.example/) [1]."),
        ("Port [8080] and year (2024) [1].", "Port [8080] and year (2024) [1]."),
        ("Three steps (1) and (2) [3].", "Three steps (1) and (2) [3]."),
        ("As passage 2 says, yes [1].", "As passage 2 says, yes [1]."),
    ],
)
def test_what_is_no_citation_stays(written: str, kept: str):
    assert in_one_form(written, {1, 2, 3}) == kept


@given(st.text("[]()【】123456789,-–; ^†`passagecite<>/\n¹²", max_size=60), st.sets(st.integers(1, 5)))
def test_only_passages_that_were_given_are_cited(text: str, known: set[int]):
    assert {number for number in cited(in_one_form(text, known)) if number not in known} == set()
