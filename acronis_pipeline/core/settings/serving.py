"""Settings of what comes after the questions: encoders, index, retrieval, evaluation, and the automation of it all."""

import datetime as dt
import re
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field

from acronis_pipeline.core.settings.group import AbsolutePath, Endpoints, Group


class ModelSettings(Group):
    """How encoders are run."""

    base: str = Field(
        "all-MiniLM-L6-v2", description="Its tokenizer measures passages; recipes name their own base_model."
    )
    device: str | None = Field(None, description="cpu, cuda, mps …; chosen automatically by default.")
    batch_size: int = Field(32, ge=1, description="Of texts of 64 tokens on a CPU, 512 on a GPU; fewer longer ones.")
    backend: Literal["auto", "torch", "openvino"] = Field(
        "auto",
        description="What computes; `auto` probes whether OpenVINO (extra `export`) is faster with the same float32 "
        "vectors, once there are 1,000 texts to encode, and takes it for bfloat16 on a CPU.",
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "float32",
        description="`bfloat16` is faster on processors that have it, and makes slightly other vectors, thus another "
        "model, computed as `backend` says; `auto` takes it where a probe finds a gain of half and cosines of .9999.",
    )
    training_precision: Literal["auto", "float32", "bfloat16"] = Field(
        "float32", description="Of training steps; `auto` times both on the device. Published weights are float32."
    )
    training_devices: int | None = Field(
        None, ge=1, description="How many train one model together, a process each; every GPU by default, else one."
    )
    cache_dir: Path | None = Field(
        None, description="Converted models and what was probed; `<data_dir>/encoders` by default."
    )
    endpoints: Endpoints = Field(
        (),
        description="OpenAI-compatible embedding endpoints whose models a recipe can start from as "
        '`base_model: endpoint:<model>`: `[{"model": "text-embedding-3-small"}]`, also with `base_url`, `api_key`, '
        "`dimensions` and prompts.",
    )
    keep_versions: int | None = Field(
        10, ge=1, description="Newest versions of each recipe kept in the registry, champions' apart."
    )


class IndexSettings(Group):
    """How passages are stored and their vectors searched."""

    ann_min_rows: int = Field(
        100_000, ge=1, description="From so many passages on, vectors are searched by an approximate index."
    )
    vectors: Literal["float32", "int8", "int4", "binary"] = Field(
        "int4", description="What that index keeps of them; all but float32 re-rank by the full vectors."
    )
    recall: float = Field(
        0.98, ge=0.5, le=1.0, description="Share of the true ten nearest that it is searched hard enough to find."
    )
    keep_models: int = Field(
        3, ge=1, description="Promotions that can be rolled back to: their tables and models stay, those of others go."
    )


class RetrievalSettings(Group):
    """Query side defaults."""

    k: int = Field(5, ge=1, le=100)
    candidates: int = Field(200, ge=10, description="Depth to which dense and full-text rankings are fused.")
    fusion: Literal["standard_score", "reciprocal_rank"] = Field(
        "standard_score", description="How hybrids fuse them; `standard_score` learns its weight on validation."
    )
    reranker: str | None = Field(
        None, description="Cross-encoder, of the model hub or a folder, that reports compare as `hybrid_rerank`."
    )
    rerank_depth: int = Field(50, ge=1, le=1000, description="Passages that it, and MMR, put in a new order.")
    mmr: float | None = Field(
        None, ge=0, le=1, description="Share of relevance against variety, from 0 to 1 (maximal marginal relevance)."
    )
    editions: dict[str, tuple[str, ...]] = Field(
        {},
        description="Product editions by name, each with the beginnings of its pages' paths, to filter by: "
        '`{"16": ["/cyberprotect/16/"]}`.',
    )


_CRON_FIELDS = {"minute": "0-59", "hour": "0-23", "day of month": "1-31", "month": "1-12", "day of week": "0-7"}
_EVERY_TIME = ("*", "*", "*", "*", "*")


def require_cron(expression: str) -> str:
    """The expression itself: what a crontab accepts, a part of what Dagster takes.

    Raises a ValueError that says which field, if it is not five of a crontab or names a day that no month has.
    """
    from cronsim import CronSim, CronSimError

    fields = expression.split()
    if len(fields) != len(_CRON_FIELDS):
        raise ValueError(f"{len(fields)} fields, but cron has five; '0 3 * * *' is every night at three")
    for position, (field, (name, values)) in enumerate(zip(fields, _CRON_FIELDS.items(), strict=True)):
        alone = (*_EVERY_TIME[:position], field, *_EVERY_TIME[position + 1 :])
        try:
            if name.startswith("day") and re.search("[lL#]", field):  # the last Friday, say: no crontab's
                raise CronSimError
            CronSim(" ".join(alone), dt.datetime.now(dt.UTC))
        except CronSimError:
            raise ValueError(
                f"{name} {field!r} is not within {values}, or no number, range, list, step or '*'"
            ) from None
    try:
        CronSim(expression, dt.datetime.now(dt.UTC))
    except CronSimError:
        raise ValueError(f"no such day: month {fields[3]} has no day {fields[2]}") from None
    return expression


def require_time_zone(name: str) -> str:
    """The name itself; raises ValueError if the time zone database does not have it."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a region such as `Europe` is a folder
        raise ValueError("no such time zone; write it as 'Europe/Zurich' or 'UTC'") from None
    return name


class AutomationSettings(Group):
    """Schedules and sensors."""

    # Dagster's own check comes too late: by then the UI shows a traceback where the graph should be.
    recrawl_cron: Annotated[str, AfterValidator(require_cron)] = "0 3 * * *"
    recrawl_timezone: Annotated[str, AfterValidator(require_time_zone)] = "UTC"
    sensor_interval_s: int = Field(300, ge=30)
    sensor_sample_pages: int = Field(
        50, ge=0, description="Asked conditionally per tick, of the pages whose changes the sitemap does not tell."
    )
    sensor_deadline_s: float = Field(
        30.0, gt=0, lt=60, description="Dagster kills a sensor tick at 60 s and loses what it did."
    )
    retrain_share: float = Field(
        0.2,
        ge=0,
        description="Passages added and removed since the champion's recipe was last trained, as a share of today's, "
        "from which `retraining_sensor` trains it again; 0: never.",
    )


GENERAL_PROBE = "general"
"""The packaged questions about everything but the site."""


class EvaluationSettings(Group):
    """What a report compares and checks beside the site's own questions."""

    external: Endpoints = Field(
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
    sts_file: AbsolutePath | None = Field(
        None,
        description="Pairs of texts with similarities by people, at least 10 (CSV, TSV, JSONL: text1, text2, score).",
    )
