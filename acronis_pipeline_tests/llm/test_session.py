"""Dealing with an endpoint: retries, time-outs, rates, budgets, dialects, and what is left of a run cut short."""

import logging
import threading
import time
import traceback
from base64 import b64encode
from email.utils import formatdate
from typing import Any

import pytest
from pydantic import SecretStr

from acronis_pipeline.core.errors import GeneratorError
from acronis_pipeline.core.settings import LlmSettings
from acronis_pipeline.llm import LlmSession, name_of
from acronis_pipeline.store import Store, tables
from acronis_pipeline_tests.llm import fake_openai as fake
from acronis_pipeline_tests.llm.builders import KEY, ask_about_node, generate, number_of
from acronis_pipeline_tests.pairs.builders import site

pytestmark = pytest.mark.server


def first_time(answer: fake.Answer):
    """A server that answers like this at first, and well when asked again."""
    return lambda body, nth: answer if nth == 1 else ask_about_node(body, nth)


@pytest.mark.parametrize(
    "answer",
    [
        fake.error(500),
        fake.error(503),
        fake.error(408),
        fake.error(429, headers={"Retry-After": "0.05"}),
        fake.error(429, headers={"retry-after-ms": "50"}),
        (200, "<html>bad gateway</html>"),
        (200, {"choices": []}),
    ],
    ids=["500", "503", "408", "429", "429 ms", "no JSON", "no completion"],
)
def test_trouble_that_may_pass_is_tried_again(store: Store, answer: fake.Answer):
    with fake.serving(first_time(answer)) as server:
        generation, usage = generate(store, site(1, chunks_per_page=1), server.url)
    assert (len(generation.candidates), generation.failures) == (2, {})
    assert (usage.requests, usage.retries) == (1, 1)


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_the_server_says_how_long_to_wait(store: Store, form: str):
    wait = "1.2" if form == "seconds" else formatdate(time.time() + 2, usegmt=True)
    with fake.serving(first_time(fake.error(429, headers={"Retry-After": wait}))) as server:
        started = time.monotonic()
        generate(store, site(1, chunks_per_page=1), server.url)
        assert time.monotonic() - started >= 1.0


def test_a_wait_for_another_attempt_leaves_the_slot_to_others(store: Store):
    asked: list[bool] = []

    def busy(body: dict[str, Any], nth: int) -> fake.Answer:
        asked.append(nth > 1)
        if nth == 1 and number_of(body) in {"0", "1"}:
            return fake.error(429, headers={"Retry-After": "2"})
        time.sleep(0.05)
        return ask_about_node(body, nth)

    with fake.serving(busy) as server:
        generation, _ = generate(store, site(14, chunks_per_page=1), server.url, concurrency=2)
    assert len(generation.candidates) == 28
    assert sum(asked) == 2
    assert asked.index(True) > 8  # most of the other twelve did not wait for the two, which hold both slots


def test_a_request_that_hangs_costs_itself_only(store: Store):
    release = threading.Event()

    def hangs(body: dict[str, Any], nth: int) -> fake.Answer:
        if number_of(body) == "2":
            release.wait(10)
        return ask_about_node(body, nth)

    with fake.serving(hangs) as server:
        generation, _ = generate(store, site(5, chunks_per_page=1), server.url, timeout_s=0.4, max_retries=3)
        release.set()
    assert generation.failures == {"time-out": 1}
    assert len(generation.candidates) == 8


def test_no_more_requests_are_in_flight_than_allowed(store: Store):
    def slow(body: dict[str, Any], nth: int) -> fake.Answer:
        time.sleep(0.03)
        return ask_about_node(body, nth)

    with fake.serving(slow) as server:
        generate(store, site(20, chunks_per_page=1), server.url, concurrency=3)
        assert server.most_at_once == 3


def test_requests_keep_to_the_rate(store: Store):
    with fake.serving(ask_about_node) as server:
        started = time.monotonic()
        generate(store, site(7, chunks_per_page=1), server.url, concurrency=7, requests_per_minute=600)
        assert time.monotonic() - started >= 0.6


@pytest.mark.parametrize(
    ("used", "per_minute", "at_least_s", "at_most_s"), [(2_000, 120_000, 3.0, 60.0), (0, 30_000, 0.0, 10.0)]
)
def test_tokens_keep_to_the_rate_and_what_was_not_used_is_given_back(
    store: Store, used: int, per_minute: int, at_least_s: float, at_most_s: float
):
    def using(body: dict[str, Any], nth: int) -> fake.Answer:
        status, answer, *_ = ask_about_node(body, nth)
        return status, answer | {"usage": {"prompt_tokens": used, "completion_tokens": 0}}

    with fake.serving(using) as server:
        started = time.monotonic()
        generate(store, site(6, chunks_per_page=1), server.url, concurrency=1, tokens_per_minute=per_minute)
        assert at_least_s <= time.monotonic() - started < at_most_s


def test_a_token_budget_stops_cleanly_and_the_next_run_goes_on(store: Store, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.WARNING, "acronis_pipeline")
    chunks = site(12, chunks_per_page=1)
    with fake.serving(ask_about_node) as server:
        generation, usage = generate(store, chunks, server.url, max_tokens_total=2_200)
        n_first = len(server.requests)
        assert 1 <= n_first < 12
        assert usage.prompt_tokens + usage.completion_tokens <= 2_200
        assert generation.failures == {"not asked: the budget is spent": 12 - n_first}
        assert f"{12 - n_first} of 12 chunks were not asked" in caplog.text
        generation, usage = generate(store, chunks, server.url)
        assert len(server.requests) == 12
    assert (usage.cached, len(generation.candidates)) == (n_first, 24)


def test_a_cost_budget_is_kept_and_the_cost_is_told(store: Store):
    prices = {"prompt_usd_per_million": 1000.0, "completion_usd_per_million": 2000.0}  # 14 cents a request
    with fake.serving(ask_about_node) as server:
        _, usage = generate(store, site(12, chunks_per_page=1), server.url, budget_usd=3.3, **prices)
        assert usage.cost_usd == pytest.approx(0.14 * len(server.requests))
    assert 0 < usage.cost_usd <= 3.3
    assert usage.requests < 12


def test_a_server_without_json_schema_is_asked_for_an_object_then_for_text(store: Store):
    def plain_only(body: dict[str, Any], nth: int) -> fake.Answer:
        kind = body.get("response_format", {}).get("type")
        if kind:
            return fake.error(400, f"response_format {kind} is not supported")
        return fake.completion('Sure!\n```json\n{"questions": [{"question": "is it free?", "number": 1}]}\n```')

    with fake.serving(plain_only) as server:
        generation, _ = generate(store, site(3, chunks_per_page=1), server.url, concurrency=1)
        kinds = [body.get("response_format", {}).get("type") for body in server.requests]
    assert kinds == ["json_schema", "json_object", None, None, None]
    assert {candidate.query for candidate in generation.candidates} == {"is it free?"}


def test_a_refusal_without_a_reason_counts_against_structure_only_until_an_answer_came(store: Store):
    def picky(body: dict[str, Any], nth: int) -> fake.Answer:
        return fake.error(400, "bad request") if number_of(body) == "2" else ask_about_node(body, nth)

    with fake.serving(picky) as server:
        generation, _ = generate(store, site(4, chunks_per_page=1), server.url, concurrency=1)
        assert {body["response_format"]["type"] for body in server.requests} == {"json_schema"}
    assert generation.failures == {"HTTP 400": 1}


def test_parameters_that_a_model_refuses_are_put_differently(store: Store):
    def reasoning_model(body: dict[str, Any], nth: int) -> fake.Answer:
        if "max_tokens" in body:
            return fake.error(400, "Unsupported parameter: use 'max_completion_tokens' instead of 'max_tokens'.")
        if "temperature" in body:
            return fake.error(400, "Unsupported value: 'temperature' does not support 0.7 with this model.")
        return ask_about_node(body, nth)

    with fake.serving(reasoning_model) as server:
        generation, _ = generate(store, site(3, chunks_per_page=1), server.url, concurrency=1)
        assert len(server.requests) == 5
    assert len(generation.candidates) == 6


def test_a_run_that_is_cut_short_keeps_the_answers_it_paid_for(store: Store):
    def refuses_the_fourth(body: dict[str, Any], nth: int) -> fake.Answer:
        return fake.error(401) if number_of(body) == "3" else ask_about_node(body, nth)

    chunks = site(6, chunks_per_page=1)
    with fake.serving(refuses_the_fourth) as server, pytest.raises(GeneratorError, match="refused the key"):
        generate(store, chunks, server.url, concurrency=1)
    assert store.count(tables.LLM_ANSWERS) == 3
    with fake.serving(ask_about_node) as server:
        generate(store, chunks, server.url)
        assert len(server.requests) == 3


def test_a_dead_endpoint_is_one_clear_error(store: Store):
    with pytest.raises(GeneratorError, match=r"not one of 2 requests .* was answered \(no connection: 2\)"):
        generate(store, site(2, chunks_per_page=1), "http://127.0.0.1:9/v1", max_retries=0)


def test_a_dead_endpoint_is_not_tried_with_every_chunk(store: Store):
    with fake.serving(lambda body, nth: fake.error(500)) as server:
        with pytest.raises(GeneratorError, match="does not answer"):
            generate(store, site(60, chunks_per_page=1), server.url, max_retries=0)
        assert len(server.requests) < 40


def test_a_single_new_chunk_that_fails_is_no_reason_to_stop(store: Store):
    with fake.serving(lambda body, nth: fake.error(500)) as server:
        generation, _ = generate(store, site(1, chunks_per_page=1), server.url, max_retries=0)
    assert generation.failures == {"HTTP 500": 1}


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (fake.error(401), "refused the key"),
        (fake.error(404), "knows no model"),
        (fake.error(429, "insufficient_quota: check your plan"), "quota is used up"),
    ],
)
def test_what_no_retry_can_mend_is_one_clear_error(store: Store, answer: fake.Answer, message: str):
    with fake.serving(lambda body, nth: answer) as server:
        with pytest.raises(GeneratorError, match=message):
            generate(store, site(9), server.url, concurrency=1)
        assert len(server.requests) == 1


def test_a_missing_model_or_key_names_the_variable_to_set(store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(GeneratorError, match="ACRONIS_PIPELINE_LLM__MODEL"):
        LlmSession(LlmSettings(), store)  # pyright: ignore[reportCallIssue]
    with pytest.raises(GeneratorError, match="OPENAI_API_KEY"):
        LlmSession(LlmSettings(model="gpt"), store)  # pyright: ignore[reportCallIssue]
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
    LlmSession(LlmSettings(model="gpt"), store)  # pyright: ignore[reportCallIssue]


@pytest.mark.parametrize("status", [200, 400, 401, 429, 500])
def test_the_key_is_sent_and_never_told(store: Store, caplog: pytest.LogCaptureFixture, status: int):
    caplog.set_level(logging.INFO)
    told = ""

    def repeats_the_key(body: dict[str, Any], nth: int) -> fake.Answer:
        return fake.error(status, f"no {KEY}") if status != 200 else ask_about_node(body, nth)

    with fake.serving(repeats_the_key) as server:
        try:
            generation, _ = generate(store, site(2), server.url, max_retries=0)
            told = str(generation)
        except GeneratorError as error:
            told = "".join(traceback.format_exception(error))  # as Dagster and log files keep it, causes and all
        assert server.keys == {f"Bearer {KEY}"}
    stored = str([store.open(name).to_arrow().to_pylist() for name in store.names()])
    assert KEY not in told + caplog.text + stored


def test_a_password_in_the_address_is_sent_and_never_told(store: Store, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    with fake.serving(lambda body, nth: fake.error(500)) as server:
        with pytest.raises(GeneratorError) as refused:
            generate(store, site(2), server.url.replace("http://", "http://me:pass%20word@"), max_retries=0)
        assert server.keys == {f"Basic {b64encode(b'me:pass word').decode()}"}
    assert "pass%20word" not in caplog.text + str(refused.value)


def test_an_endpoint_is_named_without_its_secrets():
    named = name_of(LlmSettings(base_url="https://me:pw@llm.example:8443/v1?token=x", api_key=SecretStr("k")))  # pyright: ignore[reportCallIssue]
    assert named == "https://llm.example:8443/v1"


def test_answers_are_in_the_store_while_the_run_goes_on(store: Store):
    waiting = threading.Event()

    def last_one_waits(body: dict[str, Any], nth: int) -> fake.Answer:
        if number_of(body) == "5":
            waiting.wait(10)
        return ask_about_node(body, nth)

    with fake.serving(last_one_waits) as server:
        run = threading.Thread(target=generate, args=(store, site(6, chunks_per_page=1), server.url))
        run.start()
        deadline = time.monotonic() + 5
        while store.count(tables.LLM_ANSWERS) < 5 and time.monotonic() < deadline:
            time.sleep(0.02)
        stored = store.count(tables.LLM_ANSWERS)
        waiting.set()
        run.join()
    assert stored == 5
    assert store.count(tables.LLM_ANSWERS) == len(store.read(tables.LLM_ANSWERS)) == 6
