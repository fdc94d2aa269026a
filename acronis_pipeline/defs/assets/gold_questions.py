"""gold_questions: what people ask, and where the answer is."""

import dagster as dg

from acronis_pipeline.core.settings import Settings
from acronis_pipeline.crawl import live_pages
from acronis_pipeline.defs import display
from acronis_pipeline.defs.assets.raw_pages import raw_pages
from acronis_pipeline.defs.resources import StoreResource
from acronis_pipeline.pairs import gold
from acronis_pipeline.pairs.words import normalise
from acronis_pipeline.stages import expected_pages, read_gold_questions


@dg.asset(
    group_name=display.GROUP,
    kinds={"yaml"},
    owners=display.OWNERS,
    code_version="1",
    pool="lancedb_writer",
)
def gold_questions(store: StoreResource, settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
    """Questions written by people, with the pages that answer them; never trained on.

    Read from the setting `gold_file`. Without one, the four customer questions are asked but cannot be scored.
    """
    questions = read_gold_questions(settings)
    written = gold.sync(store.open(), questions)
    metadata = {
        "questions": len(questions),
        "without_expected_urls": sum(not question.expected_urls for question in questions),
        "table_version": written.version,
        "examples": display.table({"question": q.question, "expected": q.expected_urls} for q in questions),
    }
    return display.result(gold.data_version(questions), metadata, changed=written.changed)


@dg.asset_check(asset=gold_questions, additional_deps=[raw_pages])
def expected_pages_were_crawled(store: StoreResource, settings: dg.ResourceParam[Settings]) -> dg.AssetCheckResult:
    """Every page that a question expects is among the crawled ones; a missing one makes its question unanswerable."""
    opened = store.open()
    urls = set(live_pages(opened, columns=["url"]).column("url").to_pylist())
    asked = expected_pages(opened, settings)
    expected = [(question.question, url) for question in asked for url in question.expected_urls]
    missing = [f"{url} ({question})" for question, url in expected if url not in urls]
    return display.check(
        not missing, f"{len(missing)} of {len(expected)} expected pages are missing", missing, warn=True
    )


@dg.asset_check(asset=gold_questions, blocking=True)
def questions_are_distinct(store: StoreResource) -> dg.AssetCheckResult:
    """No two questions are the same but for case and punctuation: each would weigh twice in a small sample."""
    questions = [question.question for question in gold.load(store.open())]
    first: dict[str, str] = {}
    twice = [
        f"{question!r} repeats {first[normalise(question)]!r}"
        for question in questions
        if first.setdefault(normalise(question), question) != question
    ]
    return display.check(bool(questions) and not twice, f"{len(questions)} questions", twice)
