"""Every knob of the pipeline, in one validated object.

Precedence, highest first: arguments · environment (`ACRONIS_PIPELINE_SITE__URL=…`) · `.env` · the data folder's own
`pipeline.yaml` (written by `run` and `demo`, so that UI and nightly run work on the same site) · the defaults below.
"""

import os
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from acronis_pipeline.errors import SettingsError

ENV_PREFIX = "ACRONIS_PIPELINE_"
_OTHER_VARIABLES = {f"{ENV_PREFIX}SAMPLE_PORT", f"{ENV_PREFIX}SAMPLE_EDITS"}
"""Read by the sample site's server."""
PROFILE_NAME = "pipeline.yaml"
SAMPLE_SITE = "sample"
"""The value of `site.url` that means the bundled sample site, served on loopback while it is needed."""


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SiteSettings(_Group):
    """What to crawl and how politely."""

    url: str = Field("https://www.acronis.com/en-us/", description="Start page, or `sample` for the bundled site.")
    include: tuple[str, ...] = Field(
        (), description="Regular expressions; a URL must match one of them if any is given."
    )
    exclude: tuple[str, ...] = Field(
        (), description="Regular expressions; a URL that matches one of them is not fetched."
    )
    path_prefix: str | None = Field(
        None, description="Only URLs below this path; by default the folder of the start page."
    )
    max_pages: int = Field(5_000, ge=1)
    max_depth: int = Field(12, ge=0, description="Links followed from the start page or the sitemap.")
    concurrency: int = Field(4, ge=1, le=64, description="Requests in flight at once.")
    delay_s: float = Field(0.0, ge=0, description="Pause between requests to the host; robots.txt may ask for more.")
    max_crawl_delay_s: float = Field(
        30.0, ge=0, description="A longer Crawl-delay in robots.txt is cut to this, with a warning."
    )
    timeout_s: float = Field(20.0, gt=0, description="For one whole request, body included.")
    max_page_bytes: int = Field(10_000_000, ge=1_000)
    retries: int = Field(3, ge=0, description="Per page, for time-outs, 429 and 5xx.")
    user_agent: str = Field(
        "acronis-pipeline/0.1 (documentation search)", description="Add a contact: a page or an address of yours."
    )
    content_selector: str | None = Field(
        None, description="CSS selector of the main content; found automatically by default."
    )
    gone_after: int = Field(
        2, ge=1, description="A page is tombstoned after this many sightings of 404/410 or absence."
    )

    @field_validator("url")
    @classmethod
    def _http_url_with_host(cls, value: str) -> str:
        if value == SAMPLE_SITE:
            return value
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"{value!r} is not a website address; write it as https://host/path")
        return value

    @property
    def is_sample(self) -> bool:
        return self.url == SAMPLE_SITE


class ChunkSettings(_Group):
    """How pages become passages."""

    max_tokens: int = Field(
        256, ge=32, description="Budget of a passage, breadcrumb included, in the base model's own tokens."
    )
    min_tokens: int = Field(24, ge=0, description="Shorter pieces are merged with a neighbour of the same section.")
    duplicate_threshold: float = Field(
        0.8, gt=0, le=1, description="Jaccard similarity of word 3-shingles that makes near-duplicates."
    )

    @model_validator(mode="after")
    def _budget_above_minimum(self) -> "ChunkSettings":
        if self.min_tokens >= self.max_tokens:
            raise ValueError("min_tokens must be smaller than max_tokens")
        return self


class PairSettings(_Group):
    """How passages become training and test questions."""

    generator: Literal["structural", "llm", "both"] = "structural"
    max_per_chunk: int = Field(6, ge=1)
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


class LlmSettings(_Group):
    """Any OpenAI-compatible chat endpoint, for question generation and for answers."""

    base_url: str | None = Field(
        None, description="None is OpenAI itself; Ollama, vLLM and llama.cpp take theirs here."
    )
    model: str | None = None
    api_key: SecretStr | None = Field(None, description="Falls back to OPENAI_API_KEY.")
    concurrency: int = Field(4, ge=1)
    timeout_s: float = Field(60.0, gt=0)
    max_retries: int = Field(4, ge=0)
    questions_per_chunk: int = Field(4, ge=1, le=20)


class ModelSettings(_Group):
    """How encoders are run."""

    base: str = Field(
        "all-MiniLM-L6-v2", description="Its tokenizer measures passages; recipes name their own base_model."
    )
    device: str | None = Field(None, description="cpu, cuda, mps …; chosen automatically by default.")
    batch_size: int = Field(32, ge=1)


class RetrievalSettings(_Group):
    """Query side defaults."""

    k: int = Field(5, ge=1, le=100)
    candidates: int = Field(200, ge=10, description="Depth to which dense and full-text rankings are fused.")


class AutomationSettings(_Group):
    """Schedules and sensors."""

    recrawl_cron: str = "0 3 * * *"
    recrawl_timezone: str = "UTC"
    sensor_interval_s: int = Field(300, ge=30)
    sensor_deadline_s: float = Field(
        30.0, gt=0, lt=60, description="Dagster kills a sensor tick at 60 s and loses what it did."
    )


class Settings(BaseSettings):
    """All settings. Build it with `load_settings`, which also reads the data folder's profile."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        env_file=".env",
        extra="ignore",
        frozen=True,
        validate_default=True,
    )

    data_dir: Path = Field(Path("data"), description="Everything the pipeline writes.")
    lancedb_uri: str | None = Field(
        None, description="A folder or an object-store URI; `<data_dir>/lancedb` by default."
    )
    mlflow_tracking_uri: str | None = Field(None, description="`sqlite:///<data_dir>/mlflow.db` by default.")
    mlflow_experiment: str = "acronis_pipeline"
    mlflow_ui_url: str = Field("http://127.0.0.1:5000", description="Where `make ui` serves MLflow; for links.")
    registered_model: str = "acronis-retriever"
    gold_file: Path | None = Field(
        None, description="Questions written by people; the four customer questions by default."
    )
    recipes_dir: Path | None = Field(None, description="Folder with recipes of your own, beside the packaged ones.")
    default_recipe: str = Field("query_adapter", description="What `run` trains unless told otherwise.")
    executor: Literal["in_process", "multiprocess"] = Field(
        "in_process", description="A process per step costs about 11 s of imports each; worth it on a larger machine."
    )

    site: SiteSettings = Field(default_factory=SiteSettings)  # pyright: ignore[reportArgumentType]
    chunk: ChunkSettings = Field(default_factory=ChunkSettings)  # pyright: ignore[reportArgumentType]
    pairs: PairSettings = Field(default_factory=PairSettings)  # pyright: ignore[reportArgumentType]
    llm: LlmSettings = Field(default_factory=LlmSettings)  # pyright: ignore[reportArgumentType]
    model: ModelSettings = Field(default_factory=ModelSettings)  # pyright: ignore[reportArgumentType]
    retrieval: RetrievalSettings = Field(default_factory=RetrievalSettings)  # pyright: ignore[reportArgumentType]
    automation: AutomationSettings = Field(default_factory=AutomationSettings)  # pyright: ignore[reportArgumentType]

    @field_validator("data_dir", "gold_file", "recipes_dir")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value.expanduser().resolve() if value else value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        profile = InitSettingsSource(settings_cls, init_kwargs=_active_profile)
        return init_settings, env_settings, dotenv_settings, profile

    @property
    def store_uri(self) -> str:
        return self.lancedb_uri or str(self.data_dir / "lancedb")

    @property
    def tracking_uri(self) -> str:
        return self.mlflow_tracking_uri or f"sqlite:///{self.data_dir / 'mlflow.db'}"

    @property
    def models_dir(self) -> Path:
        return self.data_dir / "models"

    @property
    def dagster_home(self) -> Path:
        return self.data_dir / "dagster"

    @property
    def profile_file(self) -> Path:
        return self.data_dir / PROFILE_NAME


_active_profile: dict[str, Any] = {}
"""What the data folder says of itself; set for the duration of `load_settings` only."""


def load_settings(data_dir: Path | str | None = None, **overrides: Any) -> Settings:
    """Read, merge and validate all settings.

    Parameters
    ----------
    data_dir
        The data folder, when not the configured one.
    overrides
        Any field of `Settings`; groups as (partial) mappings, for example ``site={"url": "sample"}``.

    Raises
    ------
    SettingsError
        Names the setting, what it was, and where it can be set.
    """
    if data_dir is not None:
        overrides["data_dir"] = Path(data_dir)
    overrides = {name: value for name, value in overrides.items() if value is not None}
    _refuse_unknown_variables()
    where = _build(overrides, {}).data_dir
    return _build(overrides, read_profile(where))


def read_profile(data_dir: Path) -> dict[str, Any]:
    """The data folder's `pipeline.yaml`, or an empty mapping."""
    path = data_dir / PROFILE_NAME
    if not path.exists():
        return {}
    try:
        profile = yaml.safe_load(path.read_text("utf-8")) or {}
    except yaml.YAMLError as error:
        raise SettingsError(f"{path} is not valid YAML ({_first_line(error)}); mend it or delete it") from error
    if not isinstance(profile, dict):
        raise SettingsError(
            f"{path} must hold a mapping of settings, found {type(profile).__name__}; mend it or delete it"
        )
    return profile


def write_profile(settings: Settings, profile: dict[str, Any]) -> None:
    """Remember in the data folder what it was made from; replaces the file in one step."""
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"data folder {settings.data_dir} cannot be made ({error.strerror}); name another with --data"
        ) from error
    text = "# What this data folder was made from. Environment variables and .env win over it.\n" + yaml.safe_dump(
        profile
    )
    temporary = settings.profile_file.with_suffix(".tmp")
    temporary.write_text(text, "utf-8")
    temporary.replace(settings.profile_file)


def _refuse_unknown_variables() -> None:
    """A misspelt group or top-level name would be passed over in silence."""
    known = {f"{ENV_PREFIX}{name.upper()}" for name in Settings.model_fields} | _OTHER_VARIABLES
    for variable in os.environ:
        upper = variable.upper()
        if upper.startswith(ENV_PREFIX) and upper not in known and upper.split("__")[0] not in known:
            raise SettingsError(f"{variable} is not a setting; docs/operations.md lists them")


def _build(overrides: dict[str, Any], profile: dict[str, Any]) -> Settings:
    global _active_profile
    _active_profile = profile
    try:
        return Settings(**overrides)
    except ValidationError as error:
        problems = "; ".join(_explain(problem) for problem in error.errors())
        raise SettingsError(f"settings: {problems}") from error
    finally:
        _active_profile = {}


def _explain(problem: Any) -> str:
    path = [str(part) for part in problem["loc"]]
    name = ".".join(path)
    variable = ENV_PREFIX + "__".join(path).upper()
    return f"{name} = {problem['input']!r}: {problem['msg']} (set {variable}, .env or {PROFILE_NAME})"


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())
