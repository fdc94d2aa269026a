import random
import time
from collections.abc import Sequence

import pytest

from acronis_pipeline.core.errors import SettingsError
from acronis_pipeline.core.settings import PairSettings, load_settings
from acronis_pipeline.pairs.generator import Chunk
from acronis_pipeline.pairs.generators.structural import Offer, StructuralGenerator, choose
from acronis_pipeline.pairs.words import condensed, normalise
from acronis_pipeline_tests.pairs.builders import chunk, site

STYLES: dict[str, float] = {**PairSettings().styles}  # pyright: ignore

FAQ = chunk(
    "Yes. The trial lasts 30 days and needs no payment card. You can extend the trial by contacting the sales team.",
    title="Licensing FAQ",
    heading_path=["Is there a trial period?"],
)


def generator(corpus: Sequence[Chunk], max_per_chunk: int = 6, **styles: float) -> StructuralGenerator:
    return StructuralGenerator(corpus, max_per_chunk, styles or STYLES)


def test_a_question_heading_is_asked_as_it_stands():
    assert Offer("Is there a trial period?", "question") in generator([FAQ]).queries(FAQ)


def test_a_question_inside_the_text_is_found():
    one = chunk("**Can I cancel at any time?**\n\nYes, at the end of each month.", title="Billing")
    assert Offer("Can I cancel at any time?", "question") in generator([one]).queries(one)


def test_a_question_to_the_reader_is_none_of_a_visitor():
    one = chunk('Did you try the password "secret"?\n\nWhy does the agent sleep?\n\nTo save power.', title="Billing")
    asked = {offer.query for offer in generator([one]).queries(one) if offer.style == "question"}
    assert asked == {"Why does the agent sleep?"}


def test_a_chunk_gives_several_styles_within_its_limit():
    corpus = site(12)
    found = generator(corpus).queries(corpus[0])
    assert len(found) == 6
    assert len({offer.style for offer in found}) >= 4


def test_generic_headings_and_fragments_ask_nothing():
    one = chunk("See below.", title="Overview", heading_path=["Introduction"])
    generation = generator([one]).generate([one])
    assert generation.candidates == ()
    assert generation.failures == {"nothing to ask": 1}


def test_languages_without_rules_get_titles_claims_and_keywords_only():
    corpus = [
        chunk(
            "Die Aufbewahrungsregel löscht veraltete Sicherungen nach dreißig Tagen automatisch vom Speicherort. "
            "Der Administrator bestimmt je Mandant, welche Sicherungen ausgenommen bleiben.",
            url=f"https://docs.example/de/{n}",
            title=f"Aufbewahrung von Sicherungen {n}",
            language="de",
        )
        for n in range(2)
    ]
    found = generator(corpus).queries(corpus[0])
    assert found
    assert {offer.style for offer in found} <= {"title", "claim", "cloze", "keyword"}


def test_text_without_spaces_between_words_gets_its_headings_only():
    one = chunk("バックアップを復元するには、コンソールを開きます。", title="復元の方法", language="ja")
    assert generator([one]).queries(one) == [Offer("復元の方法", "title")]


def test_a_long_section_is_only_asked_for_by_heading_on_its_first_chunks():
    parts = [
        chunk(f"Paragraph number{n} tells of thing{n} at length.", heading_path=["Choosing storage tiers"], ordinal=n)
        for n in range(6)
    ]
    asking = generator(parts)
    with_heading = [n for n, part in enumerate(parts) if any("storage tiers" in q for q, *_ in asking.queries(part))]
    assert with_heading == [0, 1, 2]


def test_the_order_of_chunks_changes_nothing():
    corpus = site(10)
    shuffled = random.Random(0).sample(corpus, len(corpus))
    ids = {candidate.pair_id for candidate in generator(corpus).generate(corpus).candidates}
    assert {c.pair_id for c in generator(corpus).generate(shuffled).candidates} == ids


def test_no_two_queries_of_a_chunk_say_the_same():
    offers = [
        Offer("restore one file", "question"), Offer("how do I restore one file", "how-to"), Offer("file", "title")
    ]  # fmt: skip
    chosen = choose(offers, 6, STYLES)
    assert chosen == [Offer("restore one file", "question")]
    assert len({normalise(offer.query) for offer in chosen}) == len(chosen)


def test_styles_share_what_is_chosen_by_their_weights():
    offers = [
        Offer(f"{style} number{n} thing{n} {style}{n}", style) for style in ("claim", "keyword") for n in range(9)
    ]
    chosen = choose(offers, 8, {"claim": 3.0, "keyword": 1.0})
    assert [sum(offer.style == style for offer in chosen) for style in ("claim", "keyword")] == [6, 2]


def test_a_style_without_weight_is_not_made():
    corpus = site(4)
    found = generator(corpus, keyword=1.0, claim=0.0).queries(corpus[0])
    assert {offer.style for offer in found} == {"keyword"}


def test_an_unknown_style_is_refused_by_its_name():
    with pytest.raises(SettingsError, match=r"styles\.haiku"):
        load_settings(pairs={"styles": {"haiku": 1}})


def test_a_cloze_query_lacks_words_of_its_sentence_and_says_which_sentence_training_takes_out():
    corpus = site(4)
    found = generator(corpus, 8, cloze=1.0).queries(corpus[0])
    assert found
    for offer in found:
        assert offer.removed in corpus[0].passage
        assert offer.query == condensed(offer.removed).lower()
        assert len(offer.query.split()) < len(offer.removed.split())


def test_a_breadcrumb_tells_the_way_to_a_section_with_every_word_once():
    one = chunk("Pick one.", title="Backup plans", heading_path=["Backup schedules", "Overview", "Time zones"])
    assert Offer("backup plans schedules time zones", "breadcrumb") in generator([one]).queries(one)


@pytest.mark.slow
def test_a_thousand_chunks_take_a_few_seconds_at_most():
    corpus = site(500)
    started = time.monotonic()
    assert len(generator(corpus).generate(corpus).candidates) > 4_000
    assert time.monotonic() - started < 15


def how_tos(one: Chunk) -> set[str]:
    return {offer.query for offer in generator([one], 9, **{"how-to": 1.0}).queries(one)}


def test_a_heading_whose_passage_says_no_is_not_asked_for():
    for text in ("The scheme cannot be changed. Make a new plan.", "It is not possible to change a scheme later."):
        assert how_tos(chunk(text, title="Plans", heading_path=["Changing the scheme"])) == set()


def test_a_passage_that_only_sends_elsewhere_answers_no_heading():
    one = chunk("Please refer to the API page for how to do so.", title="Plans", heading_path=["Changing the scheme"])
    assert how_tos(one) == set()


def test_a_sentence_that_sends_elsewhere_is_not_asked_for():
    one = chunk(
        "If you need to configure unique credentials for each location, please refer to the later example.",
        title="Locations",
    )
    assert how_tos(one) == set()


def test_a_heading_that_names_little_is_asked_for_with_its_page():
    one = chunk("Open the app.", title="Phones and tablets", heading_path=["Getting data back"])
    corpus = [one, *(chunk("All data is back.", url=f"https://docs.example/{n}", title=f"Part {n}") for n in range(9))]
    (offer,) = generator(corpus, 9, **{"how-to": 1.0}).queries(one)
    assert offer.query.startswith("Phones and tablets: how ")


def test_clozes_and_keywords_are_made_of_whole_sentences_and_words():
    one = chunk(
        "To configure an image name mapping for your pods, create a config map like the following:\n\n"
        "Consumption wouldn't pass the limits. Every data object finishes its upload within the hour of the day. "
        "Every data object finishes its upload before the snapshot of the node group is removed from the cluster.",
        title="Mappings",
    )
    found = generator([one], 20, cloze=1.0, keyword=1.0).queries(one)
    assert {offer.style for offer in found} == {"cloze", "keyword"}
    assert not any("following" in offer.query for offer in found if offer.style == "cloze")
    assert not any(word in offer.query.split() for offer in found if offer.style == "keyword"
                   for word in ("wouldn't", "finishes"))  # fmt: skip
