from dataclasses import replace

import pytest

from acronis_pipeline import evaluate as evaluation
from acronis_pipeline.core.dataset import Passage, Question, RetrievalDataset
from acronis_pipeline.core.errors import LeakError
from acronis_pipeline.evaluate import leak
from acronis_pipeline.models import training_corpora
from acronis_pipeline.models.training_corpora import Seen
from acronis_pipeline.pairs.gold import GoldQuestion
from acronis_pipeline.store import Store
from acronis_pipeline_tests.evaluate.worlds import DATASET, GOLD, build


def passage(name: str, *, page: str | None = None, cluster: str | None = None) -> Passage:
    return Passage(name, f"Text of {name}", cluster or name, f"https://docs.test/{page or name}/")


def question(query: str, chunk_id: str) -> Question:
    return Question(f"about {chunk_id}", query, (chunk_id,), group=chunk_id)


TRAINED = RetrievalDataset(
    (passage("a"), passage("b"), passage("c")),
    train=(question("how to back up", "a"),),
    validation=(question("how to restore", "b"),),
)


def asking(*passages: Passage, query: str = "what else", about: str) -> RetrievalDataset:
    return RetrievalDataset(passages, test=(question(query, about),))


def reason(dataset: RetrievalDataset, gold: tuple[GoldQuestion, ...] = (), trained: RetrievalDataset = TRAINED) -> str:
    """Why the dataset's one test question, or gold question, is none; empty if it is."""
    return next(iter(leak.leaks(Seen.of(trained), dataset, gold).values()), "")


def test_other_pages_and_questions_are_no_leak() -> None:
    assert reason(asking(*TRAINED.passages, about="c")) == ""


@pytest.mark.parametrize("name", ["a", "b"])
def test_page_that_was_trained_on_or_chosen_by_is_a_leak(name: str) -> None:
    changed = replace(passage(name), chunk_id="new", text="The page says something else by now", cluster_id="new")
    assert f"https://docs.test/{name}/" in reason(asking(changed, about="new"))


def test_near_duplicate_of_a_passage_that_was_trained_on_is_a_leak() -> None:
    others = tuple(passage(f"{page}{n}", page=page) for page in "ad" for n in range(3))
    twin = passage("d", cluster="a")
    assert "that training questions were about" in reason(asking(passage("a"), twin, *others, about="d"))


def test_near_duplicate_of_a_page_that_was_trained_on_is_a_leak() -> None:
    copy = (passage("d1", page="d", cluster="a1"), passage("d2", page="d"))
    original = (passage("a1", page="a"), passage("a2", page="a"))
    assert "repeats a page" in reason(asking(*original, *copy, about="d2"))


def test_same_question_in_other_letters_is_a_leak() -> None:
    assert "was a training question" in reason(asking(passage("z"), query="How to back up?!", about="z"))


def test_gold_question_leaks_by_its_words_and_not_by_its_page() -> None:
    dataset = RetrievalDataset(TRAINED.passages)
    on_trained_page = GoldQuestion("g", "Where do I click?", ("https://docs.test/a/",))
    assert reason(dataset, (on_trained_page,)) == ""
    assert "was a training question" in reason(dataset, (replace(on_trained_page, question="How to restore?"),))


def test_ids_of_a_labelled_file_are_no_pages() -> None:
    ours = RetrievalDataset((Passage("1", "Ours", "1", "1"),), train=(question("ours", "1"),))
    theirs = asking(Passage("1", "Theirs", "1", "1"), about="1")
    assert leak.overlap_note(ours, theirs) is None
    same_text = asking(Passage("9", "Ours", "9", "9"), about="9")
    assert "1 of 1 test questions" in (leak.overlap_note(ours, same_text) or "")


def test_what_a_training_saw_is_remembered(tmp_path) -> None:
    store = Store(str(tmp_path))
    assert training_corpora.seen(store, "key") is None
    training_corpora.remember(store, "key", TRAINED)
    assert training_corpora.seen(store, "key") == Seen.of(TRAINED)
    assert training_corpora.chunk_ids(store, "key") == {"a", "b", "c"}


def test_evaluation_refuses_a_model_that_was_trained_on_the_test_although_the_pairs_have_moved_on(
    tmp_path, monkeypatch
) -> None:
    store, base, tuned = build(tmp_path)
    yesterday = Seen.of(replace(DATASET, train=DATASET.test[:3], test=()))
    monkeypatch.setattr(leak, "seen_by", lambda *_: yesterday)
    with pytest.raises(LeakError) as refused:
        evaluation.refresh(store, "words", DATASET, GOLD, base, tuned)
    assert "has seen 3 of" in str(refused.value)
    assert repr(DATASET.test[0].query) in str(refused.value)
    assert "materialize fine_tuned_model[words] again" in str(refused.value)
    assert evaluation.latest_report(store, "words") is None


def test_leak_in_todays_pairs_is_to_be_mended_there(tmp_path) -> None:
    store, base, tuned = build(tmp_path)
    leaking = replace(DATASET, train=DATASET.test[:1])
    with pytest.raises(LeakError, match="nothing_leaks_between_splits"):
        evaluation.refresh(store, "words", leaking, (), base, tuned)


def test_gold_question_that_was_trained_on_is_called_one_and_may_be_removed_or_the_pairs_made_anew(tmp_path) -> None:
    store, base, tuned = build(tmp_path)
    trained = replace(DATASET.test[0], question_id="trained", query=GOLD[0].question.upper())
    with pytest.raises(LeakError) as refused:
        evaluation.refresh(store, "words", replace(DATASET, train=(trained,), test=DATASET.test[1:]), GOLD, base, tuned)
    said = str(refused.value)
    assert f"has seen 1 of {len(GOLD)} gold questions: {GOLD[0].question!r} was a training question" in said
    assert "test question" not in said
    assert "materialize synthetic_pairs" in said
    assert "fine_tuned_model[words]" in said
    assert "gold file" in said


def test_older_champion_is_compared_without_what_it_was_trained_on(tmp_path, monkeypatch) -> None:
    store, base, tuned = build(tmp_path)
    report = evaluation.refresh(store, "words", DATASET, GOLD, base, tuned).report
    results = evaluation.question_results(store, [report.report_id])
    assert leak.fair(store, "words", None, DATASET, GOLD, results) is results
    assert leak.fair(store, "words", "old", DATASET, GOLD, results).num_rows == results.num_rows
    monkeypatch.setattr(leak, "seen_by", lambda *_: Seen.of(replace(DATASET, train=DATASET.test[:3], test=())))
    left = leak.fair(store, "words", "old", DATASET, GOLD, results)
    assert left.num_rows == results.num_rows - 3 * len(report.systems)
