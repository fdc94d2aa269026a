import random
import time

from acronis_pipeline.pairs.structural import StructuralGenerator, choose
from acronis_pipeline.pairs.words import normalise
from acronis_pipeline_tests.pairs.builders import chunk, site

FAQ = chunk(
    "Yes. The trial lasts 30 days and needs no payment card. You can extend the trial by contacting the sales team.",
    title="Licensing FAQ",
    heading_path=["Is there a trial period?"],
)


def test_a_question_heading_is_asked_as_it_stands():
    assert ("Is there a trial period?", "question") in StructuralGenerator([FAQ], 6).queries(FAQ)


def test_a_question_inside_the_text_is_found():
    one = chunk("**Can I cancel at any time?**\n\nYes, at the end of each month.", title="Billing")
    assert ("Can I cancel at any time?", "question") in StructuralGenerator([one], 6).queries(one)


def test_a_chunk_gives_several_styles_within_its_limit():
    corpus = site(12)
    found = StructuralGenerator(corpus, 6).queries(corpus[0])
    assert len(found) == 6
    assert len({style for _, style in found}) >= 4


def test_generic_headings_and_fragments_ask_nothing():
    one = chunk("See below.", title="Overview", heading_path=["Introduction"])
    generation = StructuralGenerator([one], 6).generate([one])
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
    found = StructuralGenerator(corpus, 6).queries(corpus[0])
    assert found
    assert {style for _, style in found} <= {"title", "claim", "keyword"}


def test_text_without_spaces_between_words_gets_its_headings_only():
    one = chunk("バックアップを復元するには、コンソールを開きます。", title="復元の方法", language="ja")
    assert StructuralGenerator([one], 6).queries(one) == [("復元の方法", "title")]


def test_a_long_section_is_only_asked_for_by_heading_on_its_first_chunks():
    parts = [
        chunk(f"Paragraph number{n} tells of thing{n} at length.", heading_path=["Choosing storage tiers"], ordinal=n)
        for n in range(6)
    ]
    generator = StructuralGenerator(parts, 6)
    with_heading = [n for n, part in enumerate(parts) if any("storage tiers" in q for q, _ in generator.queries(part))]
    assert with_heading == [0, 1, 2]


def test_the_order_of_chunks_changes_nothing():
    corpus = site(10)
    shuffled = random.Random(0).sample(corpus, len(corpus))
    ids = {candidate.pair_id for candidate in StructuralGenerator(corpus, 6).generate(corpus).candidates}
    assert {c.pair_id for c in StructuralGenerator(corpus, 6).generate(shuffled).candidates} == ids


def test_no_two_queries_of_a_chunk_say_the_same():
    chosen = choose([("restore one file", "question"), ("how do I restore one file", "how-to"), ("file", "title")], 6)
    assert chosen == [("restore one file", "question")]
    assert len({normalise(query) for query, _ in chosen}) == len(chosen)


def test_a_thousand_chunks_take_a_few_seconds_at_most():
    corpus = site(500)
    started = time.monotonic()
    assert len(StructuralGenerator(corpus, 6).generate(corpus).candidates) > 4_000
    assert time.monotonic() - started < 15
