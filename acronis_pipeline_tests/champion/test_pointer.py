"""Alias and tag follow the pointer, and a disagreement is named and mended."""

import pytest

from acronis_pipeline.champion import current_champion, pointer, promotions, roll_back
from acronis_pipeline.encoders import in_precision
from acronis_pipeline.encoders.identity import BFLOAT16
from acronis_pipeline_tests.champion.worlds import CHUNKS, MemoryRegistry, World, build
from acronis_pipeline_tests.index.corpora import WordEncoder, write_chunks


@pytest.fixture
def world(tmp_path) -> World:
    """BM25 was the first champion, and a tuned model is now."""
    world = build(tmp_path)
    world.enter(world.bm25(), move="first")
    encoder = world.train("a")
    world.index(encoder)
    return world


@pytest.fixture
def registry() -> MemoryRegistry:
    return MemoryRegistry({"version-a": WordEncoder("a").identity.model_id})


def problems(world: World, registry: MemoryRegistry) -> str:
    now = current_champion(world.store)
    assert now
    return "; ".join(pointer.disagreements(world.store, registry, now))


def follow(world: World, registry: MemoryRegistry) -> None:
    now = current_champion(world.store)
    assert now
    pointer.follow(world.store, registry, now)


def enter_a(world: World) -> None:
    world.enter(world.contender(WordEncoder("a")), WordEncoder("a"))


def test_tag_and_alias_move_with_the_pointer_and_leave_the_old_table(world: World, registry: MemoryRegistry) -> None:
    follow(world, registry)
    assert (problems(world, registry), registry.alias) == ("", None)
    enter_a(world)
    assert "its tag champion at none" in problems(world, registry)
    assert "carries the tag champion too" in problems(world, registry)
    assert "the alias names version none, the champion's model is version version-a" in problems(world, registry)
    follow(world, registry)
    assert (problems(world, registry), registry.alias) == ("", "version-a")
    old, new = (row.system.table for row in promotions(world.store))
    assert (world.store.tags(old), list(world.store.tags(new))) == ({}, ["champion"])


def test_following_twice_writes_nothing(world: World, registry: MemoryRegistry) -> None:
    enter_a(world)
    follow(world, registry)
    versions = {name: world.store.version(name) for name in world.store.names()}
    follow(world, registry)
    assert {name: world.store.version(name) for name in world.store.names()} == versions


def test_killed_between_pointer_and_registry_is_a_disagreement_until_followed(
    world: World, registry: MemoryRegistry
) -> None:
    follow(world, registry)
    enter_a(world)
    registry.down = True
    with pytest.raises(ConnectionError):
        follow(world, registry)
    now = current_champion(world.store)
    assert now
    assert now.system.name == "hybrid"  # the pointer does not wait for the registry
    assert problems(world, registry) == "the alias names version none, the champion's model is version version-a"
    registry.down = False
    follow(world, registry)
    assert problems(world, registry) == ""


def test_tag_follows_a_refresh_of_the_champions_table(world: World, registry: MemoryRegistry) -> None:
    enter_a(world)
    follow(world, registry)
    write_chunks(world.store, CHUNKS[1:])
    world.index(WordEncoder("a"))
    assert "its tag champion at" in problems(world, registry)
    now = current_champion(world.store)
    assert now
    pointer.mark(world.store, now)
    assert problems(world, registry) == ""


def test_rollback_takes_tag_and_alias_along(world: World, registry: MemoryRegistry) -> None:
    enter_a(world)
    follow(world, registry)
    roll_back(world.store, world.settings, reason="people complain")
    follow(world, registry)
    assert (problems(world, registry), registry.alias) == ("", None)


def test_registry_holds_the_weights_of_a_champion_in_any_precision(world: World, registry: MemoryRegistry) -> None:
    reduced = WordEncoder("a")
    reduced.identity = in_precision(reduced.identity, BFLOAT16)
    world.index(reduced)
    world.enter(world.contender(reduced), reduced)
    follow(world, registry)
    assert registry.alias == "version-a"
    assert "registry version" not in problems(world, registry)
    other = MemoryRegistry({"version-a": "other"})
    other.set_champion("version-a")
    assert f"registry version version-a is not model {WordEncoder('a').identity.model_id}" in problems(world, other)


def test_lost_table_and_wrong_registry_version_are_named(world: World, registry: MemoryRegistry) -> None:
    enter_a(world)
    follow(world, registry)
    registry.alias = "version-other"
    assert "the alias names version version-other" in problems(world, registry)
    now = current_champion(world.store)
    assert now
    world.store.drop(now.system.table)
    assert f"table {now.system.table} is gone" in problems(world, registry)
