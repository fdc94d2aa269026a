"""Settings of passages, of the questions made from them, and of the language model that may write these and answers."""

import re
from importlib.metadata import entry_points
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from acronis_pipeline.core.settings.group import Group


class ChunkSettings(Group):
    """How pages become passages."""

    strategy: Literal["headings", "recursive", "page"] = Field(
        "headings", description="`recursive` (by size) and `page` (whole) are there to compare with."
    )
    max_tokens: int = Field(
        256, ge=32, description="Budget of a passage, breadcrumb included, in the base model's own tokens."
    )
    min_tokens: int = Field(24, ge=0, description="Shorter pieces are merged with a neighbour of the same section.")
    overlap_tokens: int = Field(
        0, ge=0, description="Whole sentences of the passage before it that a passage repeats, where a text was cut."
    )
    recursive_chars: int = Field(1_000, ge=100, description="Length of a passage of the strategy `recursive`.")
    repeated_share: float = Field(
        0.5,
        gt=0,
        le=1,
        description="A paragraph on a larger share of the pages is kept on one of them; 1 keeps all.",
    )
    duplicate_threshold: float = Field(
        0.8, gt=0, le=1, description="Jaccard similarity of word 3-shingles that makes near-duplicates."
    )

    @model_validator(mode="after")
    def _budget_above_minimum(self) -> "ChunkSettings":
        if self.min_tokens >= self.max_tokens:
            raise ValueError("min_tokens must be smaller than max_tokens")
        if self.overlap_tokens > self.max_tokens // 4:
            raise ValueError("overlap_tokens must be at most a quarter of max_tokens")
        return self


def _above_zero(what: str) -> AfterValidator:
    def checked(values: dict[str, float]) -> dict[str, float]:
        if any(value < 0 for value in values.values()) or not sum(values.values()) > 0:
            raise ValueError(f"{what} must not be negative, and at least one must be above zero")
        return values

    return AfterValidator(checked)


StructuralStyle = Literal[
    "question", "how-to", "definition", "error", "table", "title", "breadcrumb", "claim", "cloze", "keyword", "link"
]


GENERATOR_ENTRY_POINTS = "acronis_pipeline.generators"
"""Where other packages name generators of theirs (`pairs.generator.Generator`)."""
_GENERATORS = {"structural": ("structural",), "llm": ("llm",), "both": ("structural", "llm"), "imported": ()}


class PairSettings(Group):
    """How passages become training and test questions."""

    generator: str = Field(
        "structural",
        description="`structural`, `llm`, `both`, or generators of other packages, several joined by commas. Imported "
        "pairs are always used; `imported` uses nothing else.",
    )
    judge: Literal["none", "llm"] = Field(
        "none", description="`llm` has the language model judge whether the passage alone answers each question."
    )
    max_per_chunk: int = Field(6, ge=1, description="Structural queries of one passage, texts of links not counted.")
    styles: Annotated[dict[StructuralStyle, float], _above_zero("weights")] = Field(
        {
            "question": 2.0,
            "how-to": 1.0,
            "definition": 1.0,
            "error": 1.0,
            "table": 1.0,
            "title": 1.0,
            "breadcrumb": 1.0,
            "claim": 1.0,
            "cloze": 2.0,
            "keyword": 1.0,
            "link": 1.0,
        },
        description="Weights of the structural styles where a passage offers more than fit; one left out is not made.",
    )
    round_trip_k: int = Field(
        0, ge=0, description="Keep what the base finds among its first k passages, near-duplicates as one; 0: off."
    )
    max_answering_clusters: int = Field(
        3, ge=1, description="A query that more passages answer, near-duplicates as one, is ambiguous."
    )
    max_copy_rate: float = Field(
        0.9, gt=0, le=1, description="Share of a long query's words that may stand verbatim, in order, in its passage."
    )
    test_share: float = Field(
        0.1, gt=0, lt=0.5, description="Share of pages whose questions are only ever evaluated on."
    )
    validation_share: float = Field(0.1, gt=0, lt=0.5)
    min_test_pages: int = Field(
        20, ge=1, description="Small sites give up a larger share (at most 30 %) to reach this."
    )
    min_validation_pages: int = Field(10, ge=1)

    @field_validator("generator")
    @classmethod
    def _is_known(cls, value: str) -> str:
        known = [*_GENERATORS, *sorted(entry_points(group=GENERATOR_ENTRY_POINTS).names - _GENERATORS.keys())]
        if unknown := [name for name in _names(value) if name not in known]:
            raise ValueError(f"no generator {unknown[0]!r}; there are {', '.join(known)}")
        return value

    @property
    def generators(self) -> tuple[str, ...]:
        """Names of the generators that make pairs."""
        names = (name for given in _names(self.generator) for name in _GENERATORS.get(given, (given,)))
        return tuple(dict.fromkeys(names))

    @property
    def uses_llm(self) -> bool:
        """Whether making pairs asks a language model."""
        return "llm" in self.generators or self.judge == "llm"


def _names(value: str) -> list[str]:
    return [name.strip() for name in value.split(",")]


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
    styles: Annotated[dict[LlmStyle, float], _above_zero("shares")] = Field(
        {"question": 0.35, "how-to": 0.2, "keyword": 0.2, "error": 0.15, "comparison": 0.1},
        description="Shares of the styles that are asked for.",
    )
    tasks: Annotated[dict[LlmTask, float], _above_zero("shares")] = Field(
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
