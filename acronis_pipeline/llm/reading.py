"""What a language model says, apart from how: its answer without its thoughts, its JSON, its refusals.

Every consumer (questions, judge, answers) reads replies through here. Models reason in mark-up of many kinds, with or
without the opening tag (templates put it into the prompt: vllm-project/vllm#13125, ggml-org/llama.cpp#11861), and try
drafts in the very form that was asked for.
"""

import ast
import json
import re
from collections.abc import Iterator
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from acronis_pipeline.core.text import printable
from acronis_pipeline.llm.exchange import NO_CONTENT, ONLY_THOUGHT, Reply

Entry = TypeVar("Entry", bound=BaseModel)

REFUSED_IN_WORDS = "refused in words"

_NAMES = (
    r"(?:think(?:ing)?|thoughts?|reason(?:ing)?|reflection|scratch_?pad|analysis|(?:seed|ant|antml):?think(?:ing)?)"
)
_OPENS = (
    rf"<{_NAMES}(?:\s[^<>]*)?>"
    rf"|\[{_NAMES}\]"  # Mistral
    r"|<\|(?:start_thinking|begin_of_thought|think(?:ing)?)\|>"  # Cohere, Sky-T1
    r"|◁think▷"  # Kimi
    r"|<unused94>(?:thought\b)?"  # MedGemma
    r"|<details\s[^<>]*type=\"reasoning\"[^<>]*>"  # Open WebUI
)
_CLOSES = (
    rf"</{_NAMES}\s*>|\[/{_NAMES}\]|<\|(?:end_thinking|end_of_thought|/think(?:ing)?)\|>|◁/think▷|<unused95>"
    r"|^(?:\.\.\.|…)\s*done thinking\.$"  # Ollama's command line
)
# A tag in back-ticks is what an answer talks about.
_OPEN = re.compile(rf"(?<!`)(?:{_OPENS})", re.IGNORECASE)
_CLOSE = re.compile(rf"(?<!`)(?:{_CLOSES})", re.IGNORECASE | re.MULTILINE)
_DETAILS_END = re.compile(r"</details\s*>", re.IGNORECASE)
_FENCED_THOUGHT = re.compile(rf"^```+{_NAMES}\s*$.*?(?:^```+\s*$|\Z)", re.IGNORECASE | re.DOTALL | re.MULTILINE)
# gpt-oss: `<|channel|>analysis<|message|>…<|end|><|start|>assistant<|channel|>final<|message|>…<|return|>`.
_CHANNEL = re.compile(r"<\|channel\|>\s*(\w+)[^<]*(?:<\|constrain\|>[^<]*)?<\|message\|>", re.IGNORECASE)
_CHANNEL_END = re.compile(r"<\|(?:end|return|start|channel|call)\|>", re.IGNORECASE)
_GRANITE = re.compile(r"\A\s*here(?:'s| is) my thought process:?(?P<thought>.*?)(?:^|\s)here(?:'s| is) my response:?",
                      re.IGNORECASE | re.DOTALL | re.MULTILINE)  # fmt: skip
_ANSWER = re.compile(
    r"<(?P<tag>answer|final(?:_answer)?|response|output)>(?P<said>.*?)(?:</(?P=tag)>|\Z)"
    r"|<\|(?:begin_of_solution|start_response)\|>(?P<solution>.*?)(?:<\|(?:end_of_solution|end_response)\|>|\Z)",
    re.IGNORECASE | re.DOTALL,
)
_TURN_MARKS = re.compile(
    r"<\|(?:im_(?:start|end)|end(?:oftext|_of_text|_response|_of_turn)?|eot_id|eom_id|return|start|start_response|assistant)\|>(?:assistant\b)?"
    r"|<(?:end|start)_of_turn>(?:model\b)?|</?s>|\[/?INST\]",
    re.IGNORECASE,
)
_NUMBERED_LINE = re.compile(r"^\s*(\d{1,2})\s*[.):]\s+(\S.*)$", re.MULTILINE)
_OPENING = re.compile(r"[{\[]")
_BEGINS_AS_JSON = re.compile(r"\s*(?:```+\w*\s*)?[{\[]")
_MAX_FALSE_STARTS = 1_000
"""Brackets that open no JSON: each costs a look at what follows."""
_PYTHON = {"true": "True", "false": "False", "null": "None"}
_AS_PYTHON = re.compile(rf"\b(?:{'|'.join(_PYTHON)})\b(?=\s*[,}}\]])")
_SORRY = re.compile(
    r"\W*(?:(?:i['’]m |i am )?(?:very |so )?(?:sorry|afraid|unable|not able)\b"
    r"|i (?:can['’]t|cannot|can not|won['’]t|will not|must decline)\b|as an ai\b)",
    re.IGNORECASE,
)
"""How an answer begins that declines in plain words."""


def said(content: str) -> str:
    """A model's answer without its reasoning and without the marks of its chat template; "" if it is reasoning alone.

    What comes after the last end of a thought counts, whether or not the thought's beginning is there; a thought
    without an end takes the rest of the text with it.
    """
    if channels := list(_CHANNEL.finditer(content)):
        finals = [channel.end() for channel in channels if channel[1].lower() == "final"]
        content = _CHANNEL_END.split(content[finals[-1] :])[0] if finals else ""
    if granite := _GRANITE.match(content):
        content = content[granite.end() :]
    content = _without_thoughts(_FENCED_THOUGHT.sub("", content))
    if answers := list(_ANSWER.finditer(content)):
        last = answers[-1]
        if not content[: answers[0].start()].strip() or last.end() == len(content.rstrip()):
            content = last["said"] if last["tag"] else last["solution"]
    return _TURN_MARKS.sub("", content).strip()


def _without_thoughts(content: str) -> str:
    kept: list[str] = []
    start = 0
    for opening in _OPEN.finditer(content):
        if opening.start() < start:
            continue  # within a thought
        ends = _DETAILS_END if opening[0].lower().startswith("<details") else _CLOSE
        closing = ends.search(content, opening.end())
        kept.append(content[start : opening.start()])
        start = closing.end() if closing else len(content)
    kept.append(content[start:])
    text = "".join(kept)
    # One more end than beginnings: the first thought began in the prompt, or held another.
    left = [close.end() for close in _CLOSE.finditer(text)]
    return text[left[-1] :] if left else text


def entries(reply: Reply, entry: type[Entry], *, text_field: str) -> list[Entry] | None:
    """The entries of a reply that fit `entry`; None if it holds no list of entries.

    Tolerates reasoning, fences and chatter around the JSON, drafts before it (the last list counts), a list without its
    object, plain strings, entries that do not fit (left out one by one), trailing commas, a list that was cut off (its
    whole entries count), and a numbered list in plain text. A missing `number` is the entry's position. Of a reply that
    did not end by itself only what begins as JSON is read: anything else may be a thought, cut off before its end.

    Parameters
    ----------
    text_field
        The field of `entry` that a plain string or a numbered line stands for.
    """
    content = _unquoted(said(reply.content))
    if reply.failure and not _BEGINS_AS_JSON.match(content):
        return None
    loose: list[Any] = []
    last: list[Entry] | None = None
    for value in _json_values(content):
        found = _list_in(value)
        if found is None:
            loose.append(value)
        elif (fitting := _fitting(found, entry, text_field)) or not found:
            last, loose = fitting, []  # what came before were drafts
    if last is not None and not _fitting(loose, entry, text_field):
        return last
    lines = [{"number": int(number), text_field: text} for number, text in _NUMBERED_LINE.findall(content)]
    return _fitting(loose, entry, text_field) or _fitting(lines, entry, text_field) or None


def fault(reply: Reply, malformed: str) -> str:
    """Why a reply without a usable entry has none; `malformed` if it is just not of the form asked for."""
    if reply.failure:
        return reply.failure
    answer = said(reply.content)
    if not answer:
        return ONLY_THOUGHT if reply.content.strip() else NO_CONTENT
    return REFUSED_IN_WORDS if refuses(answer) else malformed


def refuses(answer: str) -> bool:
    """Whether an answer declines in plain words."""
    return bool(_SORRY.match(answer))


def _unquoted(content: str) -> str:
    """What a JSON string holds, if the whole text is one."""
    try:
        inner = json.loads(content, strict=False) if content.startswith('"') else None
    except ValueError:
        return content
    return inner if isinstance(inner, str) else content


def _json_values(content: str) -> list[Any]:
    """Every complete JSON object or array in a text that is not part of another, also as Python or JavaScript write
    it: single quotes, a comma after the last entry."""
    found = list(_decoded(content))
    if any(_list_in(value) is not None for value in found) or not (match := _OPENING.search(content)):
        return found
    whole = content[match.start() : max(content.rfind("}"), content.rfind("]")) + 1]
    try:
        value = ast.literal_eval(_AS_PYTHON.sub(lambda name: _PYTHON[name[0]], whole))
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return found
    return [value] if isinstance(value, dict | list) else found


def _decoded(content: str) -> Iterator[Any]:
    decoder = json.JSONDecoder(strict=False)  # with line breaks within strings
    start = false_starts = 0
    while false_starts < _MAX_FALSE_STARTS and (match := _OPENING.search(content, start)):
        try:
            value, start = decoder.raw_decode(content, match.start())
        except (ValueError, RecursionError):
            start, false_starts = match.start() + 1, false_starts + 1
        else:
            yield value


def _list_in(value: Any) -> list[Any] | None:
    if isinstance(value, list):
        return value
    return next((part for part in value.values() if isinstance(part, list)), None)


def _fitting(values: list[Any], entry: type[Entry], text_field: str) -> list[Entry]:
    read = (_read(value, entry, position, text_field) for position, value in enumerate(values, start=1))
    return [value for value in read if value is not None]


def _read(value: Any, entry: type[Entry], position: int, text_field: str) -> Entry | None:
    if isinstance(value, str):
        value = {text_field: value}
    if not isinstance(value, dict):
        return None
    known = {
        name: printable(told) if isinstance(told := value[name], str) else told
        for name in entry.model_fields
        if name in value
    }
    try:
        return entry.model_validate({"number": position} | known)
    except ValidationError:
        return None
