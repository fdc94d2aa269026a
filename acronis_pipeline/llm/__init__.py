"""Every call of a language model: requests, budget, cache, batches, and reading what came back.

A session takes prompts and gives outcomes, a reply or why there is none; `ask_once` asks outside of any run. Retries
are the OpenAI client's own.
"""

from acronis_pipeline.llm.budget import LlmUsage
from acronis_pipeline.llm.endpoint import name_of, require_configured, without_key
from acronis_pipeline.llm.exchange import Outcome, Prompt, Reply, StrictAnswer, fence_of
from acronis_pipeline.llm.reading import entries, fault, refuses, said
from acronis_pipeline.llm.session import LlmSession, ask_once

__all__ = [
    "LlmSession",
    "LlmUsage",
    "Outcome",
    "Prompt",
    "Reply",
    "StrictAnswer",
    "ask_once",
    "entries",
    "fault",
    "fence_of",
    "name_of",
    "refuses",
    "require_configured",
    "said",
    "without_key",
]
