import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acronis_pipeline.chunk.near_duplicates import clusters, page_clusters, shingles

TEXT = (
    "Backup plans of the {} edition run every night, keep thirty versions of each file, and report what failed to "
    "the administrator by mail. A plan can be paused, copied to another machine, or replaced by a plan of the group "
    "that the machine belongs to, which then takes over its retention rules and its schedule."
)


def clustered(*texts: str) -> list[str]:
    found = clusters({str(n): (text, f"Title\n\n{text}") for n, text in enumerate(texts)}, 0.8)
    return [found[str(n)] for n in range(len(texts))]


def test_editions_of_one_text_share_a_cluster_named_by_the_smallest_id():
    other = "Restoring a machine takes bootable media, a network that reaches the vault, and an hour for each terabyte."
    assert clustered(other, TEXT.format("Standard"), TEXT.format("Advanced")) == ["0", "1", "1"]


def test_short_texts_are_the_same_only_under_the_same_headings():
    passages = {
        "a": ("Yes.", "Trial > Is there a trial?\n\nYes."),
        "b": ("Yes.", "Trial > Do I need a card?\n\nYes."),
        "c": ("Yes.", "Trial > Is there a trial?\n\nYes."),
    }
    assert clusters(passages, 0.8) == {"a": "a", "b": "b", "c": "a"}


@pytest.mark.parametrize("text", ["", "one", "one two", "!!!", "日本"])
def test_texts_below_three_words_have_one_shingle_or_so(text: str):
    assert 1 <= len(shingles(text, text)) <= 1


def test_scripts_without_spaces_are_compared_by_character():
    japanese = "バックアップは毎晩実行され、各ファイルの三十世代が保管庫に保存されます。" * 2
    assert len(shingles(japanese, japanese)) > 20


@given(st.permutations([TEXT.format(name) for name in ("a", "b", "c")] + ["Else.", "Entirely other words stand here."]))
@settings(max_examples=15, deadline=None)
def test_order_of_the_passages_does_not_matter(texts: list[str]):
    ids = {text: f"{index:02}" for index, text in enumerate(sorted(texts))}
    expected = clusters({ids[text]: (text, text) for text in sorted(texts)}, 0.8)
    assert clusters({ids[text]: (text, text) for text in texts}, 0.8) == expected


def test_every_pair_well_above_the_threshold_is_found():
    chooser = random.Random(7)
    vocabulary = [f"word{n}" for n in range(400)]
    originals = [[chooser.choice(vocabulary) for _ in range(80)] for _ in range(40)]
    passages: dict[str, tuple[str, str]] = {}
    for number, original in enumerate(originals):
        copy = list(original)
        copy[chooser.randrange(80)] = "changed"  # three of 78 shingles: Jaccard .93
        for suffix, version in (("a", original), ("b", copy)):
            passages[f"{number:02}{suffix}"] = (" ".join(version), "")
    found = clusters(passages, 0.8)
    assert all(found[f"{number:02}b"] == f"{number:02}a" for number in range(40))


def chunks_of(pages: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(url, cluster) for url, found in pages.items() for cluster in found]


def test_pages_that_share_half_of_the_smaller_one_are_one_group():
    pages = {"/b": ["1", "2", "3", "4"], "/a": ["1", "9"], "/c": ["4", "5", "6"], "/d": ["7"]}
    assert page_clusters(chunks_of(pages)) == {"/a": "/a", "/b": "/a", "/c": "/c", "/d": "/d"}


def test_groups_of_pages_are_transitive():
    pages = {"/a": ["1", "2"], "/b": ["2", "3"], "/c": ["3", "4"]}
    assert set(page_clusters(chunks_of(pages)).values()) == {"/a"}


def test_a_notice_on_very_many_pages_joins_none_of_them():
    pages = {f"/{n:03}": ["notice", f"own{n}"] for n in range(300)}
    assert len(set(page_clusters(chunks_of(pages)).values())) == 300


def test_many_copies_of_one_page_are_one_group():
    assert set(page_clusters(chunks_of({f"/{n:04}": ["stub"] for n in range(2000)})).values()) == {"/0000"}
