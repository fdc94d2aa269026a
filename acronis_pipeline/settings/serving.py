"""Settings of encoders, retrieval and automation."""

from pydantic import Field, field_validator

from acronis_pipeline.settings.cron import require_cron, require_time_zone
from acronis_pipeline.settings.group import Group


class ModelSettings(Group):
    """How encoders are run."""

    base: str = Field(
        "all-MiniLM-L6-v2", description="Its tokenizer measures passages; recipes name their own base_model."
    )
    device: str | None = Field(None, description="cpu, cuda, mps …; chosen automatically by default.")
    batch_size: int = Field(32, ge=1)


class RetrievalSettings(Group):
    """Query side defaults."""

    k: int = Field(5, ge=1, le=100)
    candidates: int = Field(200, ge=10, description="Depth to which dense and full-text rankings are fused.")


class AutomationSettings(Group):
    """Schedules and sensors."""

    recrawl_cron: str = "0 3 * * *"
    recrawl_timezone: str = "UTC"
    sensor_interval_s: int = Field(300, ge=30)
    sensor_sample_pages: int = Field(
        50, ge=0, description="Asked conditionally per tick, of the pages whose changes the sitemap does not tell."
    )
    sensor_deadline_s: float = Field(
        30.0, gt=0, lt=60, description="Dagster kills a sensor tick at 60 s and loses what it did."
    )

    @field_validator("recrawl_cron")
    @classmethod
    def _fires(cls, value: str) -> str:
        return require_cron(value)

    @field_validator("recrawl_timezone")
    @classmethod
    def _exists(cls, value: str) -> str:
        return require_time_zone(value)
