"""Retrieval tasks first, then queries conditioned on them."""

import json
import re
from collections import Counter
from typing import Any

import pytest

from acronis_pipeline.store import Store
from acronis_pipeline_tests.llm import fake_openai as fake
from acronis_pipeline_tests.llm.builders import ask_about_node, generate
from acronis_pipeline_tests.pairs.builders import site

pytestmark = pytest.mark.server

KINDS = {"short-long": 0.5, "long-short": 0.25, "paraphrase": 0.25}


def is_brainstorm(body: dict[str, Any]) -> bool:
    return "Brainstorm" in body["messages"][0]["content"]


def inventive(body: dict[str, Any], nth: int) -> fake.Answer:
    if not is_brainstorm(body):
        return ask_about_node(body, nth)
    kind = "short" if "The query is short" in body["messages"][0]["content"] else "long"
    tasks = [{"number": n, "task": f"{kind} task {n} about vaults"} for n in range(1, 6)]
    return fake.completion(json.dumps({"tasks": tasks}))


def orders(bodies: list[dict[str, Any]]) -> list[str]:
    texts = [body["messages"][-1]["content"] for body in bodies if not is_brainstorm(body)]
    return [order for text in texts for order in re.findall(r"^\d+\. (.*)$", text, re.MULTILINE)]


def test_tasks_are_invented_once_per_kind_and_condition_every_query(store: Store):
    with fake.serving(inventive) as server:
        generation, _ = generate(store, site(20, chunks_per_page=1), server.url, method="two_step", tasks=KINDS)
        n_brainstorms = sum(map(is_brainstorm, server.requests))
        asked = orders(server.requests)
    assert n_brainstorms == 2  # a paraphrase needs no task
    assert len({re.search(r"task: (\w+ task \d)", order)[1] for order in asked if "task:" in order}) == 10  # pyright: ignore
    for order in asked:
        assert "length: " in order
        assert "clarity: " in order
        assert "frequency: " in order
        assert "reader's background: " in order
        assert ("task: " in order) != order.startswith("paraphrase")
        assert ("20 to 35 words" in order) == ("task: long" in order)
    assert sum(order.startswith("paraphrase") for order in asked) == 20
    kinds = Counter(candidate.task for candidate in generation.candidates)
    assert set(kinds) == set(KINDS)


def test_a_recrawl_neither_invents_new_tasks_nor_asks_about_old_passages_again(store: Store):
    chunks = site(8, chunks_per_page=1)
    with fake.serving(inventive) as server:
        generate(store, chunks[:5], server.url, method="two_step", tasks=KINDS)
        server.requests.clear()
        generate(store, chunks, server.url, method="two_step", tasks=KINDS)
        assert [is_brainstorm(body) for body in server.requests] == [False] * 3


def test_without_usable_tasks_the_built_in_ones_are_used_once_and_said_so(
    store: Store, caplog: pytest.LogCaptureFixture
):
    def uninspired(body: dict[str, Any], nth: int) -> fake.Answer:
        return fake.completion("I have no idea.") if is_brainstorm(body) else ask_about_node(body, nth)

    with fake.serving(uninspired) as server:
        generation, usage = generate(store, site(3, chunks_per_page=1), server.url, method="two_step", tasks=KINDS)
        assert any("task: Given a few words about a goal" in order for order in orders(server.requests))
    assert usage.failures == {"malformed tasks": 2}
    assert generation.candidates
    assert caplog.text.count("a built-in one is used") == 2
    with fake.serving(inventive) as server:
        generate(store, site(3, chunks_per_page=1), server.url, method="two_step", tasks=KINDS)
        assert sum(map(is_brainstorm, server.requests)) == 2


def test_the_product_is_described_as_data_by_the_settings_or_by_page_titles(store: Store):
    with fake.serving(inventive) as server:
        generate(store, site(3), server.url, method="two_step", tasks={"short-long": 1})
        generate(store, site(3), server.url, method="two_step", tasks={"short-long": 1}, product="A safe for keys.")
        titles, told = (body["messages"] for body in server.requests if is_brainstorm(body))
    assert "About retention rules" in titles[1]["content"]
    assert "A safe for keys." in told[1]["content"]
    assert "A safe for keys." not in told[0]["content"]


def test_languages_are_asked_for_by_name(store: Store):
    with fake.serving(inventive) as server:
        generate(store, site(4), server.url, languages=("German", "French"))
        asked = orders(server.requests)
    assert {re.search(r"language: (\w+)", order)[1] for order in asked} == {"German", "French"}  # pyright: ignore
