"""Moves by hand: whom they bring back, what they refuse, and what is not promoted again after them."""

import time
from dataclasses import replace

import pytest

from acronis_pipeline import index
from acronis_pipeline.champion import current_champion, moves, promotions
from acronis_pipeline.champion.moves import promote_by_hand, roll_back, rolled_back
from acronis_pipeline.core.errors import ChampionError, NoChampionError
from acronis_pipeline.retrieve import Retriever, System
from acronis_pipeline_tests.champion.worlds import CHUNKS, World, build, reweighted
from acronis_pipeline_tests.index.corpora import WordEncoder, chunk, identity_of_another_model, write_chunks


@pytest.fixture
def world(tmp_path, monkeypatch: pytest.MonkeyPatch) -> World:
    """BM25 was the first champion, then model a, and model b is now; the newest report asked "questions"."""
    world = build(tmp_path)
    world.enter(world.bm25(), move="first")
    for name in ("a", "b"):
        encoder = world.train(name)
        world.index(encoder)
        world.enter(world.contender(encoder), encoder)
    monkeypatch.setattr(moves, "_questions_now", lambda _: "questions")
    return world


def who(world: World) -> str:
    now = current_champion(world.store)
    assert now
    return "bm25" if now.identity is None else now.identity.base


def back(world: World, to: str | None = None, **options: bool) -> moves.Moved:
    return roll_back(world.store, world.settings, reason="people complain", to=to, **options)


def test_rolling_back_goes_a_step_each_time_until_the_first(world: World) -> None:
    seen = [who(world)]
    for _ in range(2):
        back(world)
        seen.append(who(world))
    assert seen == ["b", "a", "bm25"]
    with pytest.raises(ChampionError, match="bm25 was the first champion"):
        back(world)


def test_rollback_is_a_row_of_the_history_with_its_reason(world: World) -> None:
    past = promotions(world.store)
    moved = back(world)
    assert promotions(world.store) == [*past, moved.champion]
    now = moved.champion
    assert (now.move, now.reason, now.restored_id) == ("rollback", "people complain", past[1].promotion_id)
    assert now.previous_id == moved.before.promotion_id == past[2].promotion_id
    assert replace(now.contender, report_id="") == replace(past[1].contender, report_id="")


def test_rollback_after_a_promotion_on_top_of_a_rollback_brings_back_what_that_had_brought_back(world: World) -> None:
    back(world)
    encoder = world.train("c")
    world.index(encoder)
    world.enter(world.contender(encoder), encoder)
    back(world)
    assert who(world) == "a"
    back(world)
    assert who(world) == "bm25"


@pytest.mark.parametrize("by_number", [True, False])
def test_any_earlier_champion_can_be_named(world: World, by_number: bool) -> None:
    back(world, to="1" if by_number else promotions(world.store)[0].promotion_id[:8])
    assert who(world) == "bm25"


def test_unknown_name_and_the_champion_itself_are_refused(world: World) -> None:
    with pytest.raises(ChampionError, match="no promotion is called '99'"):
        back(world, to="99")
    with pytest.raises(ChampionError, match="is the champion already"):
        back(world, to="3")
    assert who(world) == "b"


def test_nobody_to_roll_back_before_the_first_promotion(tmp_path) -> None:
    with pytest.raises(NoChampionError, match="no champion yet"):
        back(build(tmp_path))


def test_older_index_is_brought_up_to_date_from_the_cache_before_it_answers(world: World) -> None:
    write_chunks(world.store, [*CHUNKS[1:], chunk("new", "passage about something quite new")])
    world.index(WordEncoder("b", {"question": "topic"}))
    started = time.monotonic()
    refreshed = back(world).refreshed
    assert time.monotonic() - started < 5
    assert refreshed
    assert (refreshed.added, refreshed.removed, refreshed.embedded) == (1, 1, 0)
    now = current_champion(world.store)
    assert now
    assert index.content_version(world.store, now.system.table) == index.content_version(world.store)
    hits = Retriever(world.store, now.system, WordEncoder("a", {"question": "topic"})).retrieve("quite new", 1)
    assert [hit.chunk_id for hit in hits] == ["new"]


def test_index_in_step_is_left_alone(world: World) -> None:
    table = promotions(world.store)[1].system.table
    version = world.store.version(table)
    assert back(world).refreshed is None
    assert world.store.version(table) == version


def test_pointer_moves_at_once_without_refresh(world: World) -> None:
    write_chunks(world.store, CHUNKS[1:])
    assert back(world, refresh=False).refreshed is None
    now = current_champion(world.store)
    assert now
    assert world.store.count(now.system.table) == len(CHUNKS)


def lose_table(world: World) -> None:
    world.store.drop(promotions(world.store)[1].system.table)


def lose_model(world: World) -> None:
    folder = promotions(world.store)[1].model_folder
    world.model_folder(WordEncoder("a").identity).rename(f"{folder}-gone")


def replace_model(world: World) -> None:
    folder = world.model_folder(WordEncoder("a").identity)
    (folder / "acronis_pipeline.json").write_text(identity_of_another_model().to_json(), "utf-8")


@pytest.mark.parametrize(
    ("harm", "words"),
    [(lose_table, "is gone"), (lose_model, "its model folder .* is gone"), (replace_model, "now holds model")],
)
def test_champion_that_cannot_answer_is_refused_and_the_pointer_stays(world: World, harm, words: str) -> None:
    harm(world)
    with pytest.raises(
        ChampionError, match=f"cannot answer questions: .*{words}.*; hybrid of recipe words stays champion"
    ):
        back(world)
    assert who(world) == "b"


def test_what_was_rolled_back_is_not_promoted_again_on_the_same_questions(world: World) -> None:
    b, a = world.contender(WordEncoder("b")), world.contender(WordEncoder("a"))
    row = back(world).champion
    past = promotions(world.store)
    assert rolled_back(past, b, "questions") == row
    assert rolled_back(past, reweighted(b, 0.9), "questions") == row
    assert rolled_back(past, b, "other questions") is None
    assert rolled_back(past, a, "questions") is None
    assert rolled_back(past, replace(b, model_id="trained anew"), "questions") is None


def test_all_systems_of_a_model_go_with_it_but_not_with_another_system_of_the_same_model(world: World) -> None:
    hybrid = world.contender(WordEncoder("b"))
    dense = replace(hybrid, system=System("fine_tuned", "dense", hybrid.system.table))
    reranked = replace(hybrid, system=replace(hybrid.system, name="hybrid_rerank", reranker="cross"))
    world.enter(reranked, WordEncoder("b"))
    back(world)
    past = promotions(world.store)
    assert who(world) == "b"
    assert rolled_back(past, reranked, "questions")
    assert rolled_back(past, dense, "questions") is None
    back(world)
    past = promotions(world.store)
    assert who(world) == "a"
    assert all(rolled_back(past, system, "questions") for system in (hybrid, dense, reranked))


def test_all_that_a_named_rollback_steps_over_are_taken_back(world: World) -> None:
    back(world, to="1")
    past = promotions(world.store)
    assert all(rolled_back(past, world.contender(WordEncoder(name)), "questions") for name in ("a", "b"))


def test_system_that_a_person_promotes_again_is_free_again(world: World) -> None:
    back(world)
    back(world, to="3")
    past = promotions(world.store)
    assert who(world) == "b"
    assert rolled_back(past, world.contender(WordEncoder("b")), "questions") is None
    assert rolled_back(past, world.contender(WordEncoder("a")), "questions")


def test_promotion_by_hand_needs_a_report(world: World) -> None:
    with pytest.raises(ChampionError, match="recipe words has no report"):
        promote_by_hand(world.store, world.settings, "words", "hybrid", reason="I know better")
