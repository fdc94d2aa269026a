"""Answers by quoting: only what stands on the page, without mark-up, cited to where it stands."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acronis_pipeline.answer.extractive import quotable, quote
from acronis_pipeline_tests.answer.passages import hit

words = st.from_regex(r"[a-z]{6,8}", fullmatch=True)  # longer than any abbreviation
plain_sentences = st.builds(
    lambda first, rest: f"{first.capitalize()} {' '.join(rest)}.", words, st.lists(words, min_size=2, max_size=8)
)


def test_headings_code_and_markup_are_left_out():
    markdown = (
        "## Limits\n\nThe **trial** lasts `30` days, see [licensing](/docs/licensing/).\n\n```sh\nrm -rf /\n```\n"
    )
    assert quotable(markdown) == ["The trial lasts 30 days, see licensing."]


def test_list_items_stand_for_themselves():
    assert quotable("- Ten workloads\n- No payment card\n") == ["Ten workloads", "No payment card"]


def test_table_row_names_its_columns():
    markdown = "| Edition | Storage | Support |\n| --- | --- | --- |\n| Standard | 50 GB | mail |\n"
    assert quotable(markdown) == ["Standard: Storage 50 GB, Support mail"]


@pytest.mark.slow
@given(st.lists(plain_sentences, min_size=1, max_size=6))
def test_plain_sentences_come_back_as_they_stand_and_in_order(sentences: list[str]):
    assert quotable(" ".join(sentences)) == sentences


@given(st.text(max_size=300))
def test_whatever_is_quoted_stands_in_the_passage(markdown: str):
    letters = re.sub(r"\W+", "", markdown)
    for sentence in quotable(markdown):
        for word in re.findall(r"\w+", sentence):
            assert word.replace("_", "") in letters.replace("_", "")


def test_the_passage_that_answers_is_quoted_and_named():
    hits = [
        hit(1, "Tapes are rewound at night. Robots change them.", title="Tapes", heading="Robots"),
        hit(2, "Prices are per workload. The trial period lasts 30 days."),
    ]
    (text, source), *_ = quote("How long is the trial period?", hits, None)
    assert text == "Prices are per workload. The trial period lasts 30 days."
    assert source is hits[1]


def test_of_equally_good_passages_the_better_ranked_is_quoted_first():
    hits = [hit(1, "The trial lasts 30 days."), hit(2, "The trial lasts 30 days.")]
    assert [source.rank for _, source in quote("How long is the trial?", hits, None)] == [1, 2]


def test_at_most_two_passages_are_quoted_each_once():
    hits = [hit(rank, f"The trial lasts {rank} days. It is free. It ends by itself.") for rank in range(1, 6)]
    quotes = quote("How long is the trial?", hits, None)
    assert len(quotes) == len({source.chunk_id for _, source in quotes}) == 2


@pytest.mark.parametrize("hits", [[], [hit(1, "```\nonly code\n```")], [hit(1, "")]])
def test_nothing_to_quote_gives_nothing(hits):
    assert quote("How long is the trial?", hits, None) == []
