"""What every group of settings has in common, and values that several hold: paths, models behind endpoints."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr


class Group(BaseModel):
    """Settings that belong together; unknown names are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class EmbeddingEndpoint(Group):
    """A model behind an OpenAI-compatible embeddings endpoint."""

    model: str
    base_url: str | None = Field(None, description="None is OpenAI itself.")
    api_key: SecretStr | None = Field(None, description="Falls back to OPENAI_API_KEY.")
    dimensions: int | None = Field(None, ge=1, description="Asked of models that can shorten their vectors.")
    query_prompt: str = Field("", description="Put before every question.")
    document_prompt: str = Field("", description="Put before every passage.")
    batch_size: int = Field(64, ge=1, description="Texts of one request.")
    concurrency: int = Field(4, ge=1, description="Requests in flight at once.")
    timeout_s: float = Field(60.0, gt=0, description="For one whole request.")
    max_retries: int = Field(4, ge=0, description="Per request, for time-outs, 429 and 5xx; Retry-After is honoured.")


def _told_apart(endpoints: tuple[EmbeddingEndpoint, ...]) -> tuple[EmbeddingEndpoint, ...]:
    names = [endpoint.model for endpoint in endpoints]
    if len(set(names)) < len(names):
        raise ValueError("a model stands there twice; recipes and reports tell them apart by name")
    return endpoints


Endpoints = Annotated[tuple[EmbeddingEndpoint, ...], AfterValidator(_told_apart)]
"""No two of one model."""

AbsolutePath = Annotated[Path, AfterValidator(lambda path: path.expanduser().resolve())]
