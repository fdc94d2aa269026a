from collections.abc import Sequence
from typing import Any

from acronis_pipeline.core.settings import PairSettings
from acronis_pipeline.pairs import filters
from acronis_pipeline.pairs.filters import Case, Site
from acronis_pipeline.pairs.generator import Candidate, Chunk
from acronis_pipeline_tests.pairs.builders import chunk


def ask(query: str, one: Chunk, style: str = "question") -> Candidate:
    return Candidate(query, one.chunk_id, style, "structural", "hash")


def judge(
    candidates: Sequence[Candidate],
    chunks: Sequence[Chunk],
    splits: dict[str, str] | None = None,
    held_out: frozenset[str] = frozenset(),
    **options: Any,
) -> list[Case]:
    site = Site(
        {one.chunk_id: one for one in chunks},
        splits or {one.url: "train" for one in chunks},
        PairSettings(**options),
        held_out,
        queries=tuple(candidate.query for candidate in candidates),
    )
    return filters.judged(candidates, site)


def pages(n: int, cluster_id: str | None = None) -> list[Chunk]:
    return [
        chunk(f"Text of page number {k}.", url=f"https://docs.example/{k}", cluster_id=cluster_id) for k in range(n)
    ]


def reasons(cases: Sequence[Case]) -> list[str | None]:
    return [case.reason for case in cases]


def test_queries_must_have_a_sensible_length_and_mean_something():
    (one,) = pages(1)
    queries = ["restore", "word " * 41, "Getting started", "restore one mailbox"]
    found = reasons(judge([ask(query, one) for query in queries], [one]))
    assert found == [filters.TOO_SHORT, filters.TOO_LONG, filters.GENERIC, None]


def test_a_long_query_taken_over_from_the_passage_is_rejected():
    one = chunk("Old versions of a file are deleted after thirty days unless a hold is set.")
    copied = ask("old versions of a file are deleted after thirty days", one, "claim")
    reworded = ask("after how many days do you remove outdated copies of my file", one)
    assert reasons(judge([copied, reworded], [one])) == [filters.COPIED, None]


def test_a_heading_that_is_a_question_may_stand_in_its_passage():
    one = chunk("The next backup catches up.", heading_path=["What happens if my computer is off at backup time?"])
    own = ask("What happens if my computer is off at backup time?", one)
    assert reasons(judge([own], [one])) == [None]


def test_one_question_that_few_passages_answer_becomes_one_pair_with_all_of_them():
    chunks = pages(3)
    verdicts = judge([ask("How do I restore a mailbox?", one) for one in chunks], chunks)
    kept = [verdict for verdict in verdicts if verdict.reason is None]
    assert len(kept) == 1
    assert set(kept[0].chunk_ids) == {one.chunk_id for one in chunks}
    assert kept[0].chunk_ids[0] == kept[0].candidate.chunk_id
    assert reasons(verdicts).count(filters.MERGED) == 2


def test_a_question_that_many_passages_answer_is_ambiguous():
    chunks = pages(4)
    assert set(reasons(judge([ask("how do i restore a mailbox", one) for one in chunks], chunks))) == {
        filters.AMBIGUOUS
    }


def test_near_duplicates_of_the_source_are_gold_too_and_count_as_one_answer():
    chunks = pages(5, cluster_id="same")
    (first, *_) = verdicts = judge([ask("how do i restore a mailbox", one) for one in chunks], chunks)
    kept = next(verdict for verdict in verdicts if verdict.reason is None)
    assert len(kept.chunk_ids) == 5
    assert first.reason in {None, filters.MERGED}


def test_a_cluster_or_a_question_in_two_splits_is_used_in_neither():
    same = pages(2, cluster_id="same")
    splits = {same[0].url: "train", same[1].url: "test"}
    assert set(reasons(judge([ask("restore a mailbox", same[0])], same, splits))) == {filters.CROSSES_SPLITS}
    apart = pages(2)
    found = reasons(judge([ask("restore a mailbox", one) for one in apart], apart, splits))
    assert sorted(map(str, found)) == sorted([filters.CROSSES_SPLITS, filters.MERGED])


def test_held_out_pages_neither_ask_nor_answer():
    chunks = pages(2, cluster_id="same")
    splits = {chunks[0].url: "train", chunks[1].url: "test"}
    verdicts = judge(
        [ask("restore one mailbox", chunks[0]), ask("get back my mail", chunks[1])],
        chunks,
        splits,
        frozenset({chunks[0].url}),
    )
    assert reasons(verdicts) == [filters.HELD_OUT, None]
    assert verdicts[1].chunk_ids == (chunks[1].chunk_id,)


def test_test_pages_keep_questions_and_train_pages_keep_everything():
    chunks = pages(2)
    splits = {chunks[0].url: "train", chunks[1].url: "test"}
    candidates = [
        ask(f"{word} {number}", one, style)
        for number, one in enumerate(chunks)
        for word, style in [
            ("how to restore mailboxes", "question"),
            ("restore page", "title"),
            ("restore text words", "keyword"),
        ]
    ]
    train, test = reasons(judge(candidates, chunks, splits))[:3], reasons(judge(candidates, chunks, splits))[3:]
    assert train == [None, None, None]
    assert test == [None, filters.NOT_TESTED_ON, filters.NOT_TESTED_ON]


def test_a_test_page_that_offers_no_question_keeps_what_it_has():
    (one,) = pages(1)
    assert reasons(judge([ask("aufbewahrung der sicherungen", one, "title")], [one], {one.url: "test"})) == [None]


def test_questions_that_differ_in_form_and_order_only_are_one():
    one = chunk("Text.", heading_path=["Mailboxes"])
    found = reasons(
        judge([ask("restoring a deleted mailbox", one), ask("How to restore deleted mailboxes?", one)], [one])
    )
    assert sorted(map(str, found)) == sorted(["None", filters.MERGED])


def test_how_many_passages_may_answer_one_question_is_a_setting():
    chunks = pages(3)
    asked = [ask("how do I restore a mailbox", one) for one in chunks]
    strict = judge(asked, chunks, max_answering_clusters=2)
    assert set(reasons(strict)) == {filters.AMBIGUOUS}


def test_a_generated_question_in_another_language_than_its_passage_is_rejected():
    (one,) = pages(1)
    foreign = Candidate(
        "Wie stelle ich ein gelöschtes Postfach wieder her, bitte?", one.chunk_id, "question", "llm", "h"
    )
    assert reasons(judge([foreign, ask("Which one fits?", one)], [one])) == [filters.FOREIGN, filters.NOT_STANDALONE]


def test_a_short_question_that_many_passages_could_be_meant_by_is_ambiguous():
    chunks = [chunk(f"The timeout is {n} minutes.", url=f"https://docs.example/{n}") for n in range(5)]
    named = chunk("The timeout is an hour.", url="https://docs.example/n", heading_path=["Timeout"])
    found = judge([ask("what is the timeout", chunks[0]), ask("how long is the timeout", named)], [*chunks, named])
    assert reasons(found) == [filters.AMBIGUOUS, None]


def test_english_pages_without_a_question_are_left_out_of_a_test_that_has_enough():
    chunks = [chunk(f"Word{n} of the page.", url=f"https://docs.example/{n}", title=f"Thing{n}") for n in range(40)]
    splits = {one.url: "test" for one in chunks}
    asked = [ask(f"how do I restore thing{n}", one) for n, one in enumerate(chunks[1:], 1)]
    titles = [ask("thing0 title words", chunks[0], "title")]
    assert reasons(judge([*asked, *titles], chunks, splits))[-1] == filters.NOT_TESTED_ON
    assert reasons(judge([*asked[:5], *titles], chunks, splits))[-1] is None


def test_breadcrumbs_in_the_words_of_a_question_do_not_make_it_ambiguous():
    chunks = [
        chunk(f"Text {n}.", title="Testing failover and runbooks", heading_path=[f"Part {n}"], ordinal=n)
        for n in range(5)
    ]
    question = ask("How do I test failover and runbooks?", chunks[0], "how-to")
    trails = [ask("testing failover runbooks test", one, "breadcrumb") for one in chunks]
    assert reasons(judge([question, *trails], chunks)) == [None, *[filters.AMBIGUOUS] * 5]


def test_an_evaluated_question_has_every_passage_that_says_the_same_as_gold():
    said = "The completion script of velero depends on bash-completion."
    linux, mac = (
        chunk(text, url=f"https://docs.example/{n}")
        for n, text in enumerate(["Do this first. However, " + said, "On macOS: " + said])
    )
    other = chunk("The script is complete. Velero depends on it.", url="https://docs.example/2")
    chunks = [linux, mac, other, *(chunk("Velero.", url=f"https://docs.example/{n}") for n in range(3, 9))]
    everywhere = {one.url: "test" for one in chunks}
    asked = ask("What does the velero completion script depend on?", mac)
    (verdict,) = judge([asked], chunks, everywhere)
    assert set(verdict.chunk_ids) == {linux.chunk_id, mac.chunk_id}
    (verdict,) = judge([asked], chunks, {**everywhere, linux.url: "train"})
    assert verdict.reason == filters.CROSSES_SPLITS


def test_an_evaluated_question_must_name_its_part_of_the_site_even_as_its_heading():
    chunks = [chunk(f"The results of scan {n}.", url=f"https://docs.example/{n}") for n in range(9)]
    one = chunk("Group the results.", url="https://docs.example/own", heading_path=["Working with the results"])
    splits = {one.url: "test"} | {other.url: "train" for other in chunks}
    asked = [ask(query, one, "how-to") for query in ("How do I work with the results?", "How do I group CVE results?")]
    assert reasons(judge(asked, [*chunks, one], splits)) == [filters.NOT_STANDALONE, None]
