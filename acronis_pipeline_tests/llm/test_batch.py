"""The Batch API: one submission, answers in any order, and no second one after a kill."""

import traceback
from typing import Any

import pytest

from acronis_pipeline.core.errors import GeneratorError
from acronis_pipeline.llm import batch
from acronis_pipeline.store import Store, tables
from acronis_pipeline_tests.llm import fake_openai as fake
from acronis_pipeline_tests.llm.builders import KEY, ask_about_node, generate, number_of
from acronis_pipeline_tests.pairs.builders import site

pytestmark = pytest.mark.server

BATCH: dict[str, Any] = {"batch": True, "batch_poll_s": 0.01}


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the code under test may catch it and tidy up."""


def test_a_batch_gives_what_single_requests_give(store: Store, tmp_path):
    chunks = site(6, chunks_per_page=1)
    with fake.serving(ask_about_node) as server:
        server.looks_until_done = 3
        generation, usage = generate(store, chunks, server.url, **BATCH)
        single, _ = generate(Store(str(tmp_path / "other")), chunks, server.url)
        again, free = generate(store, chunks, server.url, **BATCH)
        assert len(server.batches) == 1
    assert generation.candidates == single.candidates == again.candidates
    assert (usage.requests, usage.prompt_tokens, usage.completion_tokens) == (6, 600, 120)
    assert (free.requests, free.cached) == (0, 6)
    assert KEY not in str(store.read(tables.LLM_BATCHES).to_pylist())


def test_one_bad_line_of_a_batch_costs_one_chunk(store: Store):
    unusable = {"0": fake.error(500), "1": fake.completion("no JSON"), "2": fake.error(401)}
    with fake.serving(lambda body, nth: unusable.get(number_of(body)) or ask_about_node(body, nth)) as server:
        generation, _ = generate(store, site(5, chunks_per_page=1), server.url, **BATCH)
        assert generation.failures == {"HTTP 500": 1, "malformed answer": 1, "HTTP 401": 1}
        unusable.clear()
        generation, usage = generate(store, site(5, chunks_per_page=1), server.url, **BATCH)
    assert (usage.requests, len(generation.candidates)) == (3, 10)


@pytest.mark.parametrize("moment", ["before the receipt", "while waiting"])
def test_a_batch_of_a_killed_run_is_found_again(store: Store, monkeypatch: pytest.MonkeyPatch, moment: str):
    def die(*_: Any, **__: Any) -> None:
        raise Killed

    chunks = site(4, chunks_per_page=1)
    with fake.serving(ask_about_node) as server:
        server.looks_until_done = 2
        with monkeypatch.context() as patched:
            if moment == "while waiting":
                patched.setattr(batch.time, "sleep", die)
            else:
                patched.setattr(batch.BatchRun, "_remember", die)
            with pytest.raises(Killed):
                generate(store, chunks, server.url, **BATCH)
        generation, usage = generate(store, chunks, server.url, **BATCH)
        assert len(server.batches) == 1
        assert len(server.requests) == 4
    assert len(generation.candidates) == 8
    assert (usage.prompt_tokens, store.count(tables.LLM_BATCHES, "collected_at IS NULL")) == (400, 0)


def test_a_submission_that_never_arrived_is_made_again(store: Store, monkeypatch: pytest.MonkeyPatch):
    def die(*_: Any, **__: Any) -> None:
        raise Killed

    with fake.serving(ask_about_node) as server:
        with monkeypatch.context() as patched:
            patched.setattr(batch.json, "dumps", die)
            with pytest.raises(Killed):
                generate(store, site(2, chunks_per_page=1), server.url, **BATCH)
        generation, _ = generate(store, site(2, chunks_per_page=1), server.url, **BATCH)
        assert len(server.batches) == 1
    assert len(generation.candidates) == 4


def test_a_batch_learns_the_dialect_in_another_round(store: Store):
    def plain_only(body: dict[str, Any], nth: int) -> fake.Answer:
        refused = fake.error(400, "response_format is not supported")
        return refused if "response_format" in body else ask_about_node(body, nth)

    with fake.serving(plain_only) as server:
        generation, _ = generate(store, site(3, chunks_per_page=1), server.url, **BATCH)
        assert len(server.batches) == 3
    assert len(generation.candidates) == 6


def test_a_batch_holds_no_more_than_the_budget_allows(store: Store):
    with fake.serving(ask_about_node) as server:
        generation, usage = generate(store, site(9, chunks_per_page=1), server.url, max_tokens_total=4_000, **BATCH)
        n_asked = len(server.requests)
    assert 0 < n_asked < 9
    assert generation.failures == {"not asked: the budget is spent": 9 - n_asked}
    assert usage.requests == n_asked


def test_an_endpoint_without_batches_is_one_clear_error(store: Store):
    with fake.serving(ask_about_node) as server:
        server.has_batches = False
        with pytest.raises(GeneratorError, match="LLM__BATCH=false"):
            generate(store, site(2), server.url, **BATCH)


def test_a_key_that_the_batch_api_repeats_is_never_told(store: Store):
    with fake.serving(ask_about_node) as server:
        server.refusal = fake.error(401, f"no {KEY}")
        with pytest.raises(GeneratorError, match="refused the key") as refused:
            generate(store, site(2), server.url, **BATCH)
    assert KEY not in "".join(traceback.format_exception(refused.value))


def test_a_batch_that_fails_as_a_whole_is_one_clear_error_and_not_waited_for_again(store: Store):
    with fake.serving(ask_about_node) as server:
        server.fails_batches = True
        with pytest.raises(GeneratorError, match="failed batch"):
            generate(store, site(2), server.url, **BATCH)
        server.fails_batches = False
        generation, _ = generate(store, site(2), server.url, **BATCH)
    assert generation.candidates
