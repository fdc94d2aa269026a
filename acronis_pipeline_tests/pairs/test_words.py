from hypothesis import given
from hypothesis import strategies as st

from acronis_pipeline.pairs.words import copy_rate, is_spaceless, normalise, overlap, words


def test_queries_that_differ_in_case_marks_and_width_are_the_same_question():
    assert normalise("What is RPO?") == normalise("what is ＲＰＯ")


def test_words_keep_file_names_and_hyphenated_names_whole():
    found = words("Edit spec.loadBalancerIP in S3-compatible mode.")
    assert found == ["Edit", "spec.loadBalancerIP", "in", "S3-compatible", "mode"]


def test_every_character_of_a_script_without_spaces_is_a_word():
    assert words("復元する") == list("復元する")
    assert is_spaceless("復元する方法")
    assert not is_spaceless("how to restore")


def test_a_sentence_taken_over_is_copied_and_the_same_words_shuffled_are_not():
    passage = "Old versions are deleted after thirty days unless a hold is set."
    assert copy_rate("old versions are deleted after thirty days", passage) == 1.0
    assert copy_rate("thirty days versions deleted", passage) == 0.0


def test_the_name_of_a_thing_counts_as_copied_only_as_a_whole():
    assert copy_rate("retention rules", "All retention rules apply.") == 1.0
    assert copy_rate("retention schedule", "All retention rules apply.") == 0.0


@given(st.text(max_size=80), st.text(max_size=200))
def test_copy_rate_is_a_share(query, passage):
    assert 0.0 <= copy_rate(query, passage) <= 1.0


@given(st.lists(st.sampled_from(["restore", "files", "agent", "cloud", "the"]), min_size=1))
def test_a_query_copies_itself_and_overlaps_itself(query_words):
    query = " ".join(query_words)
    assert copy_rate(query, query) == 1.0
    assert overlap(query, query) == 1.0


@given(st.text())
def test_normalising_twice_changes_nothing(text):
    assert normalise(normalise(text)) == normalise(text)
