"""Settings of the language model."""

import re
from typing import Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from acronis_pipeline.core.settings.group import Group

LlmStyle = Literal["question", "keyword", "how-to", "error", "comparison"]
LlmTask = Literal["short-long", "long-long", "long-short", "short-short", "paraphrase"]


class LlmSettings(Group):
    """Any OpenAI-compatible chat endpoint, for question generation and for answers."""

    base_url: str | None = Field(
        None, description="None is OpenAI itself; Ollama, vLLM and llama.cpp take theirs here."
    )
    model: str | None = None
    api_key: SecretStr | None = Field(None, description="Falls back to OPENAI_API_KEY.")
    concurrency: int = Field(4, ge=1, description="Requests in flight at once.")
    timeout_s: float = Field(60.0, gt=0, description="For one whole request.")
    max_retries: int = Field(4, ge=0, description="Per request, for time-outs, 429 and 5xx; Retry-After is honoured.")
    temperature: float = Field(0.7, ge=0, le=2, description="Left out for models that refuse it.")
    requests_per_minute: int | None = Field(None, ge=1, description="Requests are spread evenly below this rate.")
    tokens_per_minute: int | None = Field(None, ge=1, description="Prompt and completion together.")
    max_tokens_total: int | None = Field(
        None, ge=1, description="A run stops cleanly before it uses more; the next one goes on from there."
    )
    budget_usd: float | None = Field(None, gt=0, description="Likewise; needs the two prices.")
    prompt_usd_per_million: float = Field(0.0, ge=0, description="Price of a million prompt tokens, for cost figures.")
    completion_usd_per_million: float = Field(0.0, ge=0, description="Price of a million completion tokens.")
    batch: bool = Field(False, description="Generate through the Batch API: cheaper, within 24 hours, survives a kill.")
    batch_poll_s: float = Field(30.0, gt=0, description="Between looks at a submitted batch.")
    questions_per_chunk: int = Field(4, ge=1, le=20)
    method: Literal["one_step", "two_step"] = Field(
        "one_step", description="`two_step` first invents retrieval tasks, after arXiv 2401.00368."
    )
    product: str | None = Field(
        None, description="What the site documents, in a sentence, for `two_step`; read from page titles by default."
    )
    styles: dict[LlmStyle, float] = Field(
        {"question": 0.35, "how-to": 0.2, "keyword": 0.2, "error": 0.15, "comparison": 0.1},
        description="Shares of the styles that are asked for.",
    )
    tasks: dict[LlmTask, float] = Field(
        {"short-long": 0.4, "long-long": 0.15, "long-short": 0.15, "short-short": 0.2, "paraphrase": 0.1},
        description="Shares of query and answer lengths in `two_step`; `paraphrase` is the symmetric task.",
    )
    tasks_per_kind: int = Field(10, ge=1, le=50, description="Retrieval tasks to invent for each pair of lengths.")
    personas: tuple[str, ...] = Field((), description="Who asks; a set of customers by default.")
    languages: tuple[str, ...] = Field((), description="Languages to ask in; that of the passage by default.")
    other_words_share: float = Field(
        0.5, ge=0, le=1, description="Share of the questions that must avoid the passage's own words."
    )
    hard_negatives: bool = Field(
        False, description="Also write a passage per question that looks right and is not, for training."
    )

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        if value is not None and not re.match(r"https?://[^/?#]", value):
            raise ValueError(
                "no address of an endpoint; write it with http:// or https://, as http://127.0.0.1:11434/v1"
            )
        return value

    @model_validator(mode="after")
    def _budget_has_prices(self) -> "LlmSettings":
        if self.budget_usd is not None and not (self.prompt_usd_per_million or self.completion_usd_per_million):
            raise ValueError("budget_usd needs prompt_usd_per_million and completion_usd_per_million")
        return self

    @field_validator("styles", "tasks")
    @classmethod
    def _some_share(cls, shares: dict[str, float]) -> dict[str, float]:
        if any(share < 0 for share in shares.values()) or not sum(shares.values()) > 0:
            raise ValueError("shares must not be negative, and at least one must be above zero")
        return shares
