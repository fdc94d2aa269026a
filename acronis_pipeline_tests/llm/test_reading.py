import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acronis_pipeline.core.text import printable
from acronis_pipeline.llm import Reply, entries, fault, said
from acronis_pipeline.llm.exchange import NO_COMPLETION, Outcome, of_success, read_body
from acronis_pipeline.pairs.generators.prompts import Question, spread

DRAFT = 'A first try: {"questions": [{"question": "draft?"}]} is too vague. 1. Another draft?'
FINAL = '{"questions": [{"number": 1, "question": "final?"}]}'


def texts(content: str, failure: str | None = None) -> list[str] | None:
    found = entries(Reply(content, failure), Question, text_field="question")
    return None if found is None else [entry.question for entry in found]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"questions": [{"question": "a b?", "number": 1}]}', ["a b?"]),
        ('Here: ["what is it?", "how?"] enjoy', ["what is it?", "how?"]),
        ('[{"question": "x y?", "style": "question"}, {"question": 3}, {"style": "error"}]', ["x y?"]),
        ('<think>say [1] or {"questions": []}</think>{"questions": [{"question": "why?"}]}', ["why?"]),
        ('```json\n{"questions": [{"number": "2", "question": "so?"}]}\n```', ["so?"]),
        ('{"questions": [{"question": "whole?"}, {"question": "cut', ["whole?"]),
        ("1. How do I start?\n2) Why does it stop?\n", ["How do I start?", "Why does it stop?"]),
        ('{"questions": []}', []),
        ("I would rather not.", None),
        ('{"answer": 42}', None),
        ('{"questions": [{"q": "x"}]}', None),
        ("X", None),
        ("", None),
    ],
)
def test_answers_are_read_tolerantly(content: str, expected: list[str] | None):
    assert texts(content) == expected


@pytest.mark.parametrize(
    "around",
    [
        "<think>{}</think>{}",
        "<think>\n{}\n</think>\n\n{}",
        "<THINK>{}</THINK>{}",
        "{}\n</think>\n\n{}",  # the template has put <think> into the prompt
        "<think>a <think>b</think> {}</think>{}",
        "<think>{}</think>\n<think>\n\n</think>\n{}",
        "<thinking>{}</thinking>{}",
        "<thought>{}</thought>{}",
        "<reasoning effort='low'>{}</reasoning>{}",
        "<reasoning>{}</reasoning><answer>{}</answer>",
        "<seed:think>{}</seed:think>{}",
        "<antThinking>{}</antThinking>{}",
        "<scratchpad>{}</scratchpad>\n{}",
        "[THINK]{}[/THINK]{}",
        "<unused94>thought\n{}<unused95>{}",
        "◁think▷{}◁/think▷{}",
        "<|START_THINKING|>{}<|END_THINKING|><|START_RESPONSE|>{}<|END_RESPONSE|>",
        "<|begin_of_thought|>{}<|end_of_thought|><|begin_of_solution|>{}<|end_of_solution|>",
        "<|channel|>analysis<|message|>{}<|end|><|start|>assistant<|channel|>final<|message|>{}<|return|>",
        "<|channel|>analysis<|message|>{}<|end|><|start|>assistant<|channel|>final <|constrain|>json<|message|>{}",
        "Thinking...\n{}\n...done thinking.\n\n{}",
        "Here is my thought process:\n{}\nHere is my response:\n{}",
        '<details type="reasoning" done="true"><summary>Thought</summary>{}</details>{}',
        "```thinking\n{}\n```\n{}",
        "{}\nNow in the form asked for:\n```json\n{}\n```",
        "<think>{}</think>{}<|im_end|>",
        "{} {} [1]",  # a citation is no list of questions
    ],
)
def test_what_comes_after_a_thought_counts_however_it_is_marked(around: str):
    content = around.replace("{}", DRAFT, 1).replace("{}", FINAL, 1)
    assert texts(content) == ["final?"]
    assert "draft" not in said(content) or "<" not in around


@pytest.mark.parametrize("opening", ["<think>", "[THINK]", "<|channel|>analysis<|message|>", "<seed:think>", "◁think▷"])
def test_thought_without_an_end_is_no_answer(opening: str):
    assert texts(opening + DRAFT) is None
    assert fault(Reply(opening + DRAFT), "malformed") == "reasoning without an answer"


def test_answer_may_be_about_the_tags():
    text = "The reply ends with `</think>`, and `<think>` opens it."
    assert said(text) == text


def test_thought_cut_off_before_its_end_is_not_taken_for_the_answer():
    assert texts(DRAFT, "truncated answer") is None
    assert texts('```json\n{"questions": [{"question": "whole?"}, {"question": "cut', "truncated answer") == ["whole?"]


@pytest.mark.parametrize(
    "content",
    [
        "{'questions': [{'number': 1, 'question': 'final?'}]}",
        "{'questions': [{'number': 1, 'question': 'final?', 'other': null}]}",
        '{"questions": [{"number": 1, "question": "final?"},]}',
        json.dumps(FINAL),
        '{"questions": [{"number": 1, "question": "final?", "note": "two\nlines"}]}',
        '{"questions": [{"question": "old?"}]}\n\n{"questions": [{"question": "final?"}]}',
        '```json\n["old?"]\n```\nBetter:\n```json\n["final?"]\n```',
    ],
)
def test_json_is_read_in_the_dialects_of_models(content: str):
    assert texts(content) == ["final?"]


def test_half_a_character_is_left_out():
    assert texts('{"questions": [{"question": "a \\ud800 b \\u0000?"}]}') == ["a  b ?"]


@pytest.mark.parametrize("content", ["[" * 50_000, '{"a":' * 50_000, "<think>" * 20_000, "[1] " * 20_000])
def test_what_never_ends_is_read_at_once(content: str):
    assert not texts(content)


def choice(message: object, finish: object = "stop", **fields: object) -> Outcome:
    return of_success({"choices": [{"message": message, "finish_reason": finish} | fields]})


@pytest.mark.parametrize(
    ("message", "finish", "failure"),
    [
        ({"content": "fine"}, "stop", None),
        ({"content": "fine"}, None, None),
        ({"content": "fine"}, "eos_token", None),
        ({"content": "cut"}, "length", "truncated answer"),
        ({"content": "cut"}, "FinishReason.MAX_TOKENS", "truncated answer"),
        ({"content": None}, "content_filter", "filtered by the endpoint"),
        ({"content": ""}, "SAFETY", "filtered by the endpoint"),
        ({"content": "half"}, "error", "broken off by the endpoint"),
        ({"content": None, "refusal": "No."}, "stop", "refused"),
        ({"content": None}, "stop", "empty answer"),
        ({"content": " \n"}, "stop", "empty answer"),
        ({}, "stop", "empty answer"),
        ({"content": None, "reasoning_content": "Hm."}, "stop", "reasoning without an answer"),
        ({"content": "", "reasoning": "Hm."}, "length", "truncated answer"),
        ({"content": None, "tool_calls": [{}]}, "tool_calls", "a tool call instead of an answer"),
    ],
)
def test_how_an_answer_ended_is_looked_at(message: object, finish: object, failure: str | None):
    reply = choice(message, finish).reply
    assert reply
    assert reply.failure == failure


def test_answer_in_parts_is_its_text_without_the_thoughts():
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}, {"type": "text", "text": "Yes [1]."}]
    reply = choice({"content": parts}).reply
    assert reply
    assert (reply.content, reply.failure) == ("Yes [1].", None)


@pytest.mark.parametrize(
    "body",
    [
        *(None, [], "x", {}, {"choices": None}, {"choices": []}, {"choices": [None]}, {"choices": [{"message": None}]}),
        *({"choices": {}}, {"choices": [{"text": "x"}]}, {"error": {"message": "overloaded"}}),
    ],
)
def test_response_without_a_message_is_worth_another_attempt(body: object):
    outcome = of_success(body)
    assert (outcome.reply, outcome.failure, outcome.is_transient) == (None, NO_COMPLETION, True)


@pytest.mark.parametrize("count", [None, "many", -1, float("nan"), float("inf"), [], {}, True])
def test_number_of_tokens_that_is_none_counts_as_little(count: object):
    body = {"choices": [{"message": {"content": "x"}}], "usage": {"prompt_tokens": count, "completion_tokens": 7.0}}
    reply = of_success(body).reply
    assert reply
    assert reply.prompt_tokens in (0, 1)
    assert reply.completion_tokens == 7


@pytest.mark.parametrize("body", [b"\xff\xfe", b"", "[" * 100_000, b"<html>", b'{"a": 1'])
def test_body_that_is_no_json_is_none(body: str | bytes):
    assert read_body(body) is None


@given(st.text())
def test_any_text_is_read_without_a_crash(content: str):
    texts(content)


@given(st.lists(st.text(min_size=1), min_size=1, max_size=6), st.integers(0, 200))
def test_a_cut_costs_only_what_comes_after_it(queries: list[str], cut: int):
    whole = json.dumps({"questions": [{"number": n, "question": query} for n, query in enumerate(queries, start=1)]})
    found = texts(whole[:cut]) or []
    assert found == [printable(query) for query in queries[: len(found)]]


@given(st.dictionaries(st.sampled_from("abcdef"), st.floats(0, 1), min_size=1), st.integers(1, 12), st.text())
def test_shares_are_met_within_one_of_each(shares: dict[str, float], n: int, seed: str):
    total = sum(shares.values())
    if total < 0.01:
        return
    drawn = spread(shares, n, seed)
    assert len(drawn) == n
    for name, share in shares.items():
        assert abs(drawn.count(name) - n * share / total) <= 1 + 1e-6
    assert spread(shares, n, seed) == drawn
