from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from acronis_pipeline.core.settings import PairSettings
from acronis_pipeline.pairs import splits
from acronis_pipeline.store import Store, tables
from acronis_pipeline_tests.pairs.builders import site, write_chunks

OPTIONS = PairSettings()  # pyright: ignore[reportCallIssue]


def alone(n_pages: int) -> dict[str, str]:
    return {f"https://docs.example/{n}": f"https://docs.example/{n}" for n in range(n_pages)}


def test_a_large_site_is_split_80_10_10():
    counts = Counter(splits.assign(alone(500), {}, OPTIONS).values())
    assert counts == {"train": 400, "validation": 50, "test": 50}


def test_a_small_site_gives_up_more_but_no_more_than_its_limit():
    assert Counter(splits.assign(alone(40), {}, OPTIONS).values()) == {"test": 12, "validation": 8, "train": 20}
    assert Counter(splits.assign(alone(10), {}, OPTIONS).values()) == {"test": 3, "validation": 2, "train": 5}


def test_one_page_trains():
    assert splits.assign(alone(1), {}, OPTIONS) == {"https://docs.example/0": "train"}


def test_another_host_name_splits_alike():
    here = splits.assign(alone(60), {}, OPTIONS)
    moved = {url.replace("docs.example", "localhost:81"): group for url, group in alone(60).items()}
    there = splits.assign(moved, {}, OPTIONS)
    assert list(here.values()) == list(there.values())


@given(st.integers(1, 60), st.integers(0, 60), st.integers(1, 8))
def test_pages_never_move_and_groups_stay_together(n_before, n_more, group_size):
    def grouped(n: int) -> dict[str, str]:
        return {f"https://docs.example/{k}": f"https://docs.example/{k - k % group_size}" for k in range(n)}

    before = splits.assign(grouped(n_before), {}, OPTIONS)
    after = splits.assign(grouped(n_before + n_more), before, OPTIONS)
    assert after | before == after
    for group in set(grouped(n_before + n_more).values()):
        assert len({after[url] for url, g in grouped(n_before + n_more).items() if g == group}) == 1


def test_half_of_a_site_from_one_template_does_not_swallow_the_test_split():
    groups = alone(100) | {f"https://docs.example/t/{n}": "https://docs.example/t/0" for n in range(100)}
    found = splits.assign(groups, {}, OPTIONS)
    assert {found[f"https://docs.example/t/{n}"] for n in range(100)} == {"train"}
    assert Counter(found.values())["test"] == 20


def test_of_a_group_in_two_splits_only_the_guarded_pages_stay_in_use():
    groups = {"a": "g", "b": "g", "c": "c"}
    assert splits.held_out(groups, {"a": "train", "b": "test", "c": "train"}) == {"a"}


def test_splits_are_remembered_for_pages_that_go_away_and_come_back(store: Store):
    first = splits.refresh(store, alone(30), OPTIONS)
    without = {url: group for url, group in alone(30).items() if not url.endswith("/3")}
    splits.refresh(store, without, OPTIONS)
    version = store.version(tables.PAGE_SPLITS)
    assert splits.refresh(store, alone(30), OPTIONS) == first
    assert store.version(tables.PAGE_SPLITS) == version


def test_leaks_are_named(store: Store):
    chunks = site(2)
    write_chunks(store, chunks)
    rows = [
        {"pair_id": str(n), "query": "How do I restore?", "chunk_ids": [one.chunk_id], "url": one.url, "status": "kept"}
        | {"split": split, "style": "question", "task": "", "generator": "x", "prompt_hash": "", "reject_reason": None}
        | {"copy_rate": 0.0, "scores": "{}"}
        for n, (one, split) in enumerate([(chunks[0], "train"), (chunks[1], "validation"), (chunks[2], "validation")])
    ]
    store.sync(tables.PAIRS, tables.PAIRS.rows(rows))
    found = splits.leaks(store)
    assert "page 'https://docs.example/0' stands in train and validation" in found
    assert "question 'how do i restore' stands in train and validation" in found
    assert not any("docs.example/1" in leak for leak in found)
