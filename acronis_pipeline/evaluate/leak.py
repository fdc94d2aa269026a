"""No model is judged by what it was trained on.

What counts is what the model really saw, as it was written down at its training: the pairs may have moved on since.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence, Set

import pyarrow as pa

from acronis_pipeline.chunk.near_duplicates import page_clusters
from acronis_pipeline.core.dataset import Passage, RetrievalDataset
from acronis_pipeline.core.errors import LeakError, counted
from acronis_pipeline.models.records import model_named
from acronis_pipeline.models.training_corpora import Seen, seen
from acronis_pipeline.pairs.gold import GoldQuestion
from acronis_pipeline.store import Store

_log = logging.getLogger(__name__)
_SHOWN = 3


def refuse(
    store: Store, recipe: str, model_id: str, dataset: RetrievalDataset, gold: Sequence[GoldQuestion] = ()
) -> None:
    """Stop an evaluation whose questions the model was trained on.

    Raises
    ------
    LeakError
        Names some of them, why each is no test, and what to do.
    """
    found = leaks(seen_by(store, recipe, model_id, dataset), dataset, gold)
    if not found:
        return
    today = leaks(Seen.of(dataset), dataset, gold)
    sizes = {"test": len(dataset.test), "gold": len(gold)}
    by_people = {question.question_id for question in gold}
    leaking = Counter("gold" if key in by_people else "test" for key in found)
    share = " and ".join(
        f"{leaking[kind]} of {counted(n, f'{kind} question')}" for kind, n in sizes.items() if leaking[kind]
    )
    examples = "; ".join(list(found.values())[:_SHOWN])
    remedy = _remedy(recipe, today, by_people)
    raise LeakError(f"recipe {recipe}: its model has seen {share}: {examples}; {remedy}")


def _remedy(recipe: str, today: Mapping[str, str], by_people: Set[str]) -> str:
    """What to do, by what leaks from today's pairs, too."""
    training = f"fine_tuned_model[{recipe}]"
    if not today:
        return f"materialize {training} again, today's training pairs leave them out"
    if today.keys() <= by_people:
        return (
            f"materialize synthetic_pairs, which leaves gold questions out, and then {training}, "
            "or remove the question from the gold file"
        )
    return "the check nothing_leaks_between_splits names what to mend in the pairs"


def fair(
    store: Store,
    recipe: str,
    model_id: str | None,
    dataset: RetrievalDataset,
    gold: Sequence[GoldQuestion],
    results: pa.Table,
) -> pa.Table:
    """Results (`tables.QUESTION_RESULTS`) of an older model without the questions that it was trained on.

    It cannot be trained anew, as a recipe's model can, and must not keep its place by what it knows by heart.
    """
    found = leaks(seen_by(store, recipe, model_id, dataset), dataset, gold) if model_id else {}
    if not found:
        return results
    _log.info("%s: %d questions that its older model was trained on are left out", recipe, len(found))
    kept = [question_id not in found for question_id in results.column("question_id").to_pylist()]
    return results.filter(pa.array(kept, pa.bool_()))


def seen_by(store: Store, recipe: str, model_id: str, dataset: RetrievalDataset) -> Seen:
    """What a model was trained on; today's training questions where that was not written down."""
    record = model_named(store, recipe, model_id)
    recorded = seen(store, record.training_key) if record else None
    return recorded or Seen.of(dataset)


def leaks(known: Seen, dataset: RetrievalDataset, gold: Sequence[GoldQuestion] = ()) -> dict[str, str]:
    """Test and gold questions that are none, by id, each with the reason.

    A test question's page, a near-duplicate of the page, its passage or a near-duplicate of the passage was trained on;
    or the question itself was. People's questions only leak by their words: they may be about any page.
    """
    by_id = dataset.by_id
    clusters = {passage.cluster_id for passage in dataset.passages if known.read(passage.text)}
    groups = _page_groups(dataset) if known.pages else {}
    trained_groups = {groups[url] for url in known.pages if url in groups}

    def why(query: str, gold_passages: Sequence[Passage]) -> str | None:
        if known.asked(query):
            return "was a training question"
        for passage in gold_passages:
            if passage.url in known.pages:
                return f"is about {passage.url}, a page of training questions"
            if groups.get(passage.url) in trained_groups:
                return f"is about {passage.url}, which repeats a page of training questions"
            if passage.cluster_id in clusters:
                return f"is answered by a passage of {passage.url} that training questions were about"
        return None

    asked = [(question.question_id, question.question, ()) for question in gold]
    asked += [
        (question.question_id, question.query, tuple(by_id[key] for key in question.chunk_ids if key in by_id))
        for question in dataset.test
    ]
    return {key: f"{query!r} {found}" for key, query, passages in asked if (found := why(query, passages))}


def overlap_note(trained: RetrievalDataset, tested: RetrievalDataset) -> str | None:
    """What to say of two labelled files of which the one tests passages that the other trains; None if none does.

    Published benchmarks do share passages between their splits, so that is said and not refused.
    """
    found = leaks(Seen.of(trained), tested)
    if not found:
        return None
    return (
        f"Leak: {len(found)} of {len(tested.test)} test questions are answered by passages that training questions "
        "were about; the fine-tuned systems are flattered."
    )


def _page_groups(dataset: RetrievalDataset) -> dict[str, str]:
    return page_clusters((passage.url, passage.cluster_id) for passage in dataset.passages)
