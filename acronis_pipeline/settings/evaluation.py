"""Settings of evaluation: what is compared and checked beside the site's own questions and models."""

from pathlib import Path

from pydantic import Field, field_validator

from acronis_pipeline.settings.embedding_endpoint import EmbeddingEndpoint, told_apart
from acronis_pipeline.settings.group import Group

GENERAL_PROBE = "general"
"""The packaged questions about everything but the site."""


class EvaluationSettings(Group):
    """What a report compares and checks beside the site's own questions."""

    external: tuple[EmbeddingEndpoint, ...] = Field(
        (),
        description="Models of OpenAI-compatible embedding endpoints to compare with: "
        '`[{"model": "text-embedding-3-small"}]`, also with `base_url`, `api_key`, `dimensions` and prompts.',
    )
    probes: tuple[str, ...] = Field(
        (GENERAL_PROBE,),
        description="Questions that have nothing to do with the site, to notice forgetting: `general` (packaged), "
        "LlamaIndex files, BEIR folders.",
    )
    nano_beir: tuple[str, ...] = Field(
        (), description="Likewise NanoBEIR subsets, for example `NanoMSMARCO`, from the model hub."
    )
    forgetting_tolerance: float = Field(
        0.03, ge=0, le=1, description="A model that loses more nDCG@10 there, beyond chance, is flagged."
    )
    forgetting_blocks: bool = Field(
        False, description="A flagged model never becomes champion; otherwise the promotion carries a warning."
    )
    sts_file: Path | None = Field(
        None,
        description="Pairs of texts with similarities by people, at least 10 (CSV, TSV, JSONL: text1, text2, score).",
    )

    @field_validator("sts_file")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value.expanduser().resolve() if value else value

    @field_validator("external")
    @classmethod
    def _told_apart(cls, value: tuple[EmbeddingEndpoint, ...]) -> tuple[EmbeddingEndpoint, ...]:
        return told_apart(value)
