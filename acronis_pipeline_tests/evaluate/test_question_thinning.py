import pytest
from hypothesis import given
from hypothesis import strategies as st

from acronis_pipeline.evaluate.questions import as_customers_would


def test_a_fixed_share_of_the_content_words_is_gone_and_function_words_stay() -> None:
    query = "how do I recover a mailbox to another Exchange server"
    reworded = as_customers_would(query)
    gone = set(query.split()) - set(reworded.split())
    assert len(gone) == 2  # of recover, mailbox, another, Exchange, server
    assert {"how", "do", "I", "a", "to"} <= set(reworded.split())
    assert as_customers_would(query) == reworded


@pytest.mark.parametrize("query", ["mailbox", "the mailbox", ""])
def test_a_single_content_word_is_kept(query: str) -> None:
    assert as_customers_would(query) == query


@given(st.text(max_size=80), st.floats(0, 0.9))
def test_what_remains_stands_in_the_question_in_its_order(query: str, share: float) -> None:
    remaining = iter(query.split())
    assert all(word in remaining for word in as_customers_would(query, share).split())
