"""Every knob of the pipeline, in one validated object, and what a data folder remembers of the site it was made from.

Precedence, highest first: arguments · environment (`ACRONIS_PIPELINE_SITE__URL=…`) · `.env` · the data folder's own
`pipeline.yaml` (written by `run` and `demo`, so that UI and nightly run work on the same site) · the defaults. A group
of settings has a file: `site`, `corpus` (chunks, pairs, the language model), `serving` (models, index, retrieval,
evaluation, automation).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from acronis_pipeline.core.errors import SettingsError, SiteError
from acronis_pipeline.core.files import MalformedError, parse_yaml, read_text, write_text
from acronis_pipeline.core.settings.corpus import ChunkSettings, LlmSettings, PairSettings
from acronis_pipeline.core.settings.environment import explain, refuse_malformed_values, refuse_unknown_variables
from acronis_pipeline.core.settings.group import AbsolutePath, EmbeddingEndpoint
from acronis_pipeline.core.settings.serving import (
    AutomationSettings,
    EvaluationSettings,
    IndexSettings,
    ModelSettings,
    RetrievalSettings,
)
from acronis_pipeline.core.settings.site import PageFormat, SiteSettings

__all__ = [
    "ENV_PREFIX",
    "PROFILE_NAME",
    "AutomationSettings",
    "ChunkSettings",
    "EmbeddingEndpoint",
    "EvaluationSettings",
    "IndexSettings",
    "LlmSettings",
    "ModelSettings",
    "PageFormat",
    "PairSettings",
    "RetrievalSettings",
    "Settings",
    "SiteSettings",
    "load_settings",
    "read_profile",
    "remember_addresses",
    "remembering",
    "write_profile",
]

ENV_PREFIX = "ACRONIS_PIPELINE_"
PROFILE_NAME = "pipeline.yaml"
_OTHER_VARIABLES = {f"{ENV_PREFIX}SAMPLE_PORT", f"{ENV_PREFIX}SAMPLE_EDITS"}
"""Read by the sample site's server."""


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

    data_dir: AbsolutePath = Field(Path("data"), description="Everything the pipeline writes.")
    lancedb_uri: str | None = Field(
        None, description="A folder or an object-store URI; `<data_dir>/lancedb` by default."
    )
    storage_options: dict[str, SecretStr] = Field(
        {}, description="Of an object store, as LanceDB names them: `aws_endpoint`, `aws_region`, keys, `allow_http`."
    )
    mlflow_tracking_uri: str | None = Field(None, description="`sqlite:///<data_dir>/mlflow.db` by default.")
    mlflow_experiment: str = "acronis_pipeline"
    mlflow_ui_url: str = Field("http://127.0.0.1:5000", description="Where `make ui` serves MLflow; for links.")
    dagster_ui_url: str = Field("http://127.0.0.1:3000", description="Where `make ui` serves Dagster; for links.")
    registered_model: str = "acronis-retriever"
    gold_file: AbsolutePath | None = Field(
        None, description="Questions written by people; the four customer questions by default."
    )
    recipes_dir: AbsolutePath | None = Field(
        None, description="Folder with recipes of your own, beside the packaged ones."
    )
    default_recipe: str = Field("query_adapter", description="What `run` trains unless told otherwise.")
    executor: Literal["in_process", "multiprocess"] = Field(
        "in_process", description="A process per step costs about 11 s of imports each; worth it on a larger machine."
    )

    site: SiteSettings = Field(default_factory=SiteSettings)  # pyright: ignore[reportArgumentType]
    chunk: ChunkSettings = Field(default_factory=ChunkSettings)  # pyright: ignore[reportArgumentType]
    pairs: PairSettings = Field(default_factory=PairSettings)  # pyright: ignore[reportArgumentType]
    llm: LlmSettings = Field(default_factory=LlmSettings)  # pyright: ignore[reportArgumentType]
    model: ModelSettings = Field(default_factory=ModelSettings)  # pyright: ignore[reportArgumentType]
    index: IndexSettings = Field(default_factory=IndexSettings)  # pyright: ignore[reportArgumentType]
    retrieval: RetrievalSettings = Field(default_factory=RetrievalSettings)  # pyright: ignore[reportArgumentType]
    evaluation: EvaluationSettings = Field(default_factory=EvaluationSettings)  # pyright: ignore[reportArgumentType]
    automation: AutomationSettings = Field(default_factory=AutomationSettings)  # pyright: ignore[reportArgumentType]

    @model_validator(mode="after")
    def _place_converted_models(self) -> "Settings":
        if self.model.cache_dir is None:
            placed = self.model.model_copy(update={"cache_dir": self.data_dir / "encoders"})
            object.__setattr__(self, "model", placed)
        return self

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
    def store_options(self) -> dict[str, str]:
        """`storage_options` in clear: for LanceDB alone, never for logs or metadata."""
        return {name: value.get_secret_value() for name, value in self.storage_options.items()}

    @property
    def tracking_uri(self) -> str:
        return self.mlflow_tracking_uri or f"sqlite:///{self.data_dir / 'mlflow.db'}"

    @property
    def models_dir(self) -> Path:
        return self.data_dir / "models"

    @property
    def reports_dir(self) -> Path:
        """Pages of reports."""
        return self.data_dir / "reports"

    @property
    def crawl_dir(self) -> Path:
        """Journals of crawls under way."""
        return self.data_dir / "crawl"

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
    refuse_unknown_variables(Settings, _OTHER_VARIABLES)
    refuse_malformed_values(Settings)
    where = _build(overrides, {}).data_dir
    settings = _build(overrides, read_profile(where))
    if settings.pairs.uses_llm and not settings.llm.model:
        asked_by = "judge=llm" if settings.pairs.judge == "llm" else f"generator={settings.pairs.generator}"
        raise SettingsError(
            f"settings: pairs.{asked_by} asks a language model, and none is named; set {ENV_PREFIX}LLM__MODEL"
        )
    return settings


def read_profile(data_dir: Path) -> dict[str, Any]:
    """The data folder's `pipeline.yaml`, or an empty mapping."""
    path = data_dir / PROFILE_NAME
    if not path.exists():
        return {}
    remedy = "mend it or delete it (`acronis-pipeline run --site URL` writes it anew)"
    try:
        profile = parse_yaml(read_text(path, SettingsError, remedy)) or {}
    except MalformedError as error:
        line = f":{error.line}" if error.line else ""
        raise SettingsError(f"{path}{line} is {error}; {remedy}") from error
    if not isinstance(profile, dict) or not all(isinstance(name, str) for name in profile):
        raise SettingsError(f"{path} must hold a mapping of settings, found {type(profile).__name__}; {remedy}")
    if not isinstance(profile.get("site", {}), dict):
        raise SettingsError(f"{path}: site must hold a mapping with a url, found {profile['site']!r}; {remedy}")
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
    write_text(settings.profile_file, text)


def _build(overrides: dict[str, Any], profile: dict[str, Any]) -> Settings:
    global _active_profile
    _active_profile = profile
    try:
        return Settings(**overrides)
    except ValidationError as error:
        problems = "; ".join(explain(problem, Settings, PROFILE_NAME) for problem in error.errors())
        raise SettingsError(f"settings: {problems}") from error
    finally:
        _active_profile = {}


@contextmanager
def remembering(settings: Settings, profile: dict[str, Any]) -> Iterator[None]:
    """Have the data folder remember `profile`, so that the UI and the nightly run go on with the same site.

    It forgets it again if the block finds that the site cannot be crawled.

    Raises
    ------
    SettingsError
        If the folder belongs to another site.
    """
    before = read_profile(settings.data_dir)
    known = before.get("site", {}).get("url")
    if known is not None and known != settings.site.url:
        raise SettingsError(
            f"data folder {settings.data_dir} belongs to {known}, not to {settings.site.url}; "
            "name another folder with --data"
        )
    if "site" in profile:
        # As an address: the path of a folder may be relative to where this command was typed.
        profile = {**profile, "site": {**profile["site"], "url": settings.site.url}}
    write_profile(settings, _merged(before, profile))
    try:
        yield
    except SiteError:
        if before:
            write_profile(settings, before)
        else:
            settings.profile_file.unlink()
        raise


def remember_addresses(settings: Settings, addresses: dict[str, str]) -> None:
    """Have links lead to where the UIs are served, typed in another terminal too: settings such as `mlflow_ui_url`.

    A folder that knows of no site remembers nothing else either.
    """
    before = read_profile(settings.data_dir)
    moved = {name: address for name, address in addresses.items() if getattr(settings, name) != address}
    if before and moved:
        write_profile(settings, before | moved)


def _merged(before: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """`new` over `before`, group by group, so that settings added by hand stay."""
    merged = dict(before)
    for name, value in new.items():
        old = merged.get(name)
        merged[name] = {**old, **value} if isinstance(old, dict) and isinstance(value, dict) else value
    return merged
