from dataclasses import replace

from acronis_pipeline.core.dataset import Question
from acronis_pipeline.evaluate.metrics import ndcg_at
from acronis_pipeline.evaluate.questions import Corpus, EvalQuestion, from_gold, from_pairs, ranked_units
from acronis_pipeline.pairs.gold import GoldQuestion
from acronis_pipeline.store import tables
from acronis_pipeline_tests.index.corpora import chunk

TRIAL, TRIAL_PRO, PRICES = ("https://docs.test/" + page for page in ("trial/", "pro/trial/", "prices/"))
CORPUS = Corpus(
    tables.CHUNKS.rows(
        [
            chunk("trial-1", "The trial lasts thirty days.", url=TRIAL, cluster="trial"),
            chunk("trial-2", "No card is needed to start.", url=TRIAL, anchor="start"),
            chunk("pro-1", "The trial lasts  thirty days!", url=TRIAL_PRO, cluster="trial"),
            chunk("prices-1", "Prices are per workload.", url=PRICES),
            chunk("prices-2", "Discounts for partners.", url=PRICES),
        ]
    )
)


def gold(*expected: str, anchor: str | None = None, text: str | None = None) -> GoldQuestion:
    return GoldQuestion("g1", "Is there a trial period?", expected, anchor, text)


def only(question: GoldQuestion) -> EvalQuestion:
    return from_gold([question], CORPUS).questions[0]


def ranked(question: EvalQuestion, *chunk_ids: str) -> list[str]:
    return list(ranked_units(chunk_ids, question, CORPUS.units(question.question_set)))


def test_synthetic_question_is_answered_by_any_near_duplicate_of_its_passage() -> None:
    question = from_pairs([Question("q", "how long", ("trial-1",), "page")], CORPUS)[0]
    assert question.relevant == {"trial-1": "trial", "pro-1": "trial"}


def test_near_duplicates_count_once_in_a_ranking() -> None:
    question = from_pairs([Question("q", "start", ("trial-2",), "page")], CORPUS)[0]
    assert ranked(question, "trial-1", "pro-1", "trial-2") == ["trial", "trial-2"]


def test_synthetic_question_whose_passage_left_the_index_keeps_no_answer() -> None:
    assert from_pairs([Question("q", "gone", ("vanished",), "page")], CORPUS)[0].relevant == {}


def test_any_passage_of_the_expected_page_is_right() -> None:
    assert only(gold(TRIAL)).relevant.keys() == {"trial-1", "trial-2", "pro-1"}


def test_near_duplicate_edition_of_the_expected_page_is_right() -> None:
    assert ranked(only(gold(TRIAL)), "prices-1", "pro-1") == [PRICES, f"expected {TRIAL}"]


def test_passages_of_one_page_count_once() -> None:
    assert ranked(only(gold(TRIAL)), "prices-1", "prices-2", "trial-2", "trial-1") == [PRICES, f"expected {TRIAL}"]


def test_anchor_narrows_the_answer_to_a_section() -> None:
    question = only(gold(TRIAL, anchor="#start"))
    assert question.relevant.keys() == {"trial-2"}
    assert ranked(question, "trial-1", "trial-2") == [TRIAL, f"expected {TRIAL}"]


def test_text_narrows_the_answer_whatever_its_case_and_spaces() -> None:
    assert only(gold(TRIAL, text="trial LASTS\n thirty")).relevant.keys() == {"trial-1", "pro-1"}


def test_one_passage_that_answers_for_two_expected_editions_earns_the_full_score() -> None:
    question = only(gold(TRIAL, TRIAL_PRO))
    assert ndcg_at(ranked(question, "pro-1"), set(question.relevant.values()), 10) == 1.0


def test_two_different_expected_pages_are_two_answers() -> None:
    question = only(gold(TRIAL, PRICES))
    assert set(question.relevant.values()) == {f"expected {TRIAL}", f"expected {PRICES}"}


def test_page_that_was_not_crawled_is_named_and_its_question_counted_apart() -> None:
    missing = "https://docs.test/missing/"
    found = from_gold([gold(missing)], CORPUS)
    assert found.questions == ()
    assert found.unanswerable == (f"Is there a trial period? ({missing} was not crawled)",)


def test_question_with_one_crawled_page_of_two_is_asked() -> None:
    assert only(gold(TRIAL, "https://docs.test/missing/")).relevant.keys() == {"trial-1", "trial-2", "pro-1"}


def test_page_that_is_missing_beside_one_that_is_there_is_named() -> None:
    missing = "https://docs.test/missing/"
    found = from_gold([gold(TRIAL, missing)], CORPUS)
    assert found.partly_answerable == (f"Is there a trial period? ({missing} was not crawled)",)
    assert found.unanswerable == ()


def test_traits_are_those_of_the_right_passage_that_is_most_like_the_question() -> None:
    question = only(replace(gold(TRIAL, PRICES), question="Does the trial last thirty weeks?"))
    traits = question.traits
    assert traits.relevant[0] in ("pro-1", "trial-1")
    assert {question.relevant[chunk_id] for chunk_id in traits.relevant} == set(question.relevant.values())
    assert (traits.n_words, traits.language) == (6, "en")
    assert traits.lexical_overlap == 0.75


def test_question_without_a_right_passage_has_no_overlap() -> None:
    traits = from_pairs([Question("q", "gone for good", ("vanished",), "page")], CORPUS)[0].traits
    assert (traits.relevant, traits.lexical_overlap, traits.n_words) == ((), 0.0, 3)


def test_anchor_that_no_passage_has_is_named() -> None:
    assert "no passage with this anchor" in from_gold([gold(TRIAL, anchor="nowhere")], CORPUS).unanswerable[0]


def test_question_without_expected_pages_is_listed_as_unscored() -> None:
    assert from_gold([gold()], CORPUS).unscored == ("Is there a trial period?",)


def test_expected_urls_are_canonicalised() -> None:
    found = from_gold([gold("HTTPS://Docs.test:443/trial/?utm_source=x")], CORPUS)
    assert found.questions[0].group == TRIAL
