"""Settings, sessions and well-behaved answers for the tests of the language model's side."""

import re
from typing import Any

from pydantic import SecretStr

from acronis_pipeline.core.settings import LlmSettings
from acronis_pipeline.llm import LlmSession
from acronis_pipeline.pairs.generator import Chunk, Generation
from acronis_pipeline.pairs.generators.language_model import LlmGenerator
from acronis_pipeline.store import Store
from acronis_pipeline_tests.llm import fake_openai as fake

KEY = "sk-very-secret"


def settings(url: str | None = None, **changes: Any) -> LlmSettings:
    values = {"base_url": url, "model": "fake", "api_key": SecretStr(KEY), "timeout_s": 5.0, "max_retries": 1}
    return LlmSettings(**(values | changes))


def generate(store: Store, chunks: list[Chunk], url: str, **changes: Any) -> tuple[Generation]:
    session = LlmSession(settings(url, **changes), store)
    generation = LlmGenerator(session).generate(chunks)
    return generation, session.usage


def number_of(body: dict[str, Any]) -> str:
    match = re.search(r"node(\d+)", body["messages"][-1]["content"])
    return match[1] if match else ""


def ask_about_node(body: dict[str, Any], nth: int) -> fake.Answer:
    return fake.questions(f"which console changes box {number_of(body)}?", f"who looks after vault {number_of(body)}?")
