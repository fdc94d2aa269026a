"""Settings of passages and of the questions made from them."""

from typing import Literal

from pydantic import Field, field_validator, model_validator

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


StructuralStyle = Literal[
    "question", "how-to", "definition", "error", "table", "title", "breadcrumb", "claim", "cloze", "keyword", "link"
]


class PairSettings(Group):
    """How passages become training and test questions."""

    generator: Literal["structural", "llm", "both", "imported"] = Field(
        "structural", description="Imported pairs are always used; `imported` uses nothing else."
    )
    judge: Literal["none", "llm"] = Field(
        "none", description="`llm` has the language model judge whether the passage alone answers each question."
    )
    max_per_chunk: int = Field(6, ge=1, description="Structural queries of one passage, texts of links not counted.")
    styles: dict[StructuralStyle, float] = Field(
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

    @field_validator("styles")
    @classmethod
    def _weighs_something(cls, weights: dict[str, float]) -> dict[str, float]:
        if any(weight < 0 for weight in weights.values()) or not sum(weights.values()) > 0:
            raise ValueError("weights must not be negative, and at least one must be above zero")
        return weights

    @property
    def uses_llm(self) -> bool:
        """Whether making pairs asks a language model."""
        return self.generator in {"llm", "both"} or self.judge == "llm"
