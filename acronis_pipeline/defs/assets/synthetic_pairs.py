"""synthetic_pairs: questions made from the passages, to train and to test on."""

from dataclasses import asdict
from typing import Any

import dagster as dg

from acronis_pipeline import pairs
from acronis_pipeline.core.errors import counted
from acronis_pipeline.core.figures import histograms
from acronis_pipeline.core.settings import Settings
from acronis_pipeline.defs import display
from acronis_pipeline.defs.assets.chunks import chunks
from acronis_pipeline.defs.assets.gold_questions import gold_questions
from acronis_pipeline.defs.resources import StoreResource
from acronis_pipeline.evaluate.evaluation import FEWEST_GROUPS
from acronis_pipeline.models.records import current_models
from acronis_pipeline.pairs.splits import leaks
from acronis_pipeline.stages import make_pairs

MIN_KEPT = 10
"""With fewer pairs than this nothing is trained; whether they can measure a model says another check."""
MIN_TEST_QUESTIONS = 30
"""Fewer do not even show a difference of .03 nDCG@10 between two hybrids, which differ least (docs/evaluation.md)."""
MIN_TEST_GROUPS = FEWEST_GROUPS


@dg.asset(
    deps=[chunks, gold_questions],
    group_name=display.GROUP,
    kinds={"python", "lancedb"},
    owners=display.OWNERS,
    code_version=pairs.VERSION,
    pool="pairs",  # of its own: a language model may take hours, and no index should wait for it
)
def synthetic_pairs(store: StoreResource, settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
    """Questions with the passages that answer them, made from the site itself and split by page.

    Rejected pairs stay in the table with their reason, gold questions among them: those are only evaluated on. Only new
    passages are asked for questions.
    """
    made = make_pairs(store.open(), settings)
    return display.result(made.data_version, _metadata(made), changed=made.added + made.removed > 0)


def _metadata(made: pairs.PairsResult) -> dict[str, Any]:
    return {
        "pairs": made.n_kept,
        "rejected": made.n_rejected,
        "added": made.added,
        "removed": made.removed,
        "by_style": display.counts(made.by_style, "style"),
        "by_split": display.counts(made.by_split, "split"),
        "pages_by_split": display.counts(made.pages_by_split, "split"),
        "by_generator": display.counts(made.by_generator, "generator"),
        "reject_reasons": display.counts(made.reject_reasons, "reason"),
        "chunks_without_query": display.counts(made.failures, "reason"),
        "llm": asdict(made.llm),
        "duration_s": round(made.duration_s, 2),
        "table_version": made.table_version,
        "examples": display.table(asdict(example) for example in made.examples),
        "rejected_examples": display.table(asdict(example) for example in made.rejected_examples),
        "lengths_and_copying": display.plot(
            histograms({"words of a kept question": made.n_words, "share copied from its passage": made.copy_rates})
        ),
    }


@dg.asset_check(asset=synthetic_pairs, blocking=True)
def nothing_leaks_between_splits(store: StoreResource) -> dg.AssetCheckResult:
    """No page, near-duplicate cluster or question text stands in two splits, and no gold question is a pair."""
    found = leaks(store.open())
    return display.check(not found, f"{len(found)} leaks", found)


@dg.asset_check(asset=synthetic_pairs, blocking=True)
def enough_pairs_in_every_split(store: StoreResource) -> dg.AssetCheckResult:
    """There are enough pairs to train on, to choose by and to test with.

    A site of a few pages gets its index, report and answers all the same, with the base as it is. Without a single test
    question nothing can be reported, and a site that taught a model before has lost its pages or questions.
    """
    opened = store.open()
    dataset = pairs.load_dataset(opened)
    sizes = {"train": len(dataset.train), "validation": len(dataset.validation), "test": len(dataset.test)}
    total = sum(sizes.values())
    if total >= MIN_KEPT and all(sizes.values()):
        return display.check(True, str(sizes))
    advice = (
        f"too few pages to train on and to measure ({counted(total, 'question')}: {sizes}): crawl more of the site "
        "(site.url, site.path_prefix, site.max_pages), or bring gold questions"
    )
    taught = any(record.is_tuned for record in current_models(opened).values())
    empty = [f"{split}: none" for split, size in sizes.items() if size == 0]
    return display.check(False, str(sizes), [advice, *empty], warn=sizes["test"] > 0 and not taught)


@dg.asset_check(asset=synthetic_pairs)
def test_questions_tell_systems_apart(store: StoreResource) -> dg.AssetCheckResult:
    """The test questions are enough, and of enough pages, to show which of two systems is better."""
    asked = pairs.load_dataset(store.open()).test
    n_groups = len({question.group for question in asked})
    found = f"{counted(len(asked), 'test question')} of {counted(n_groups, 'page')}"
    if len(asked) >= MIN_TEST_QUESTIONS and n_groups >= MIN_TEST_GROUPS:
        return display.check(True, found)
    advice = (
        f"{found}; fewer than {MIN_TEST_QUESTIONS} of {MIN_TEST_GROUPS} pages hardly tell two systems apart: raise "
        "pairs.test_share or pairs.min_test_pages, or bring gold questions"
    )
    return display.check(False, found, [advice], warn=True)
