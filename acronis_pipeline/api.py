"""The public face: what a notebook or another program imports.

The whole pipeline, as `acronis-pipeline run` starts it, recorded in Dagster::

    from acronis_pipeline import api

    settings = api.load_settings("data-example", site={"url": "https://docs.example.com/"})
    result = api.run(settings, ["query_adapter"])
    print(api.Answerer(settings).ask("How long are backups kept?").text)

or stage by stage, each on the tables that the one before has written::

    store, tracker = api.open_store(settings), api.open_tracker(settings)
    api.crawl_site(store, settings)
    api.split_pages(store, settings)
    api.make_pairs(store, settings)
    api.train_recipe(store, tracker, "query_adapter", settings)
    api.index_recipe(store, "query_adapter", settings)
    report = api.evaluate_recipe(store, tracker, "query_adapter", settings).report
    api.promote_best(store, tracker, settings)

What a user can act on is raised as an `AcronisPipelineError`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from acronis_pipeline import finetune
from acronis_pipeline.answer import Answer, Answerer, Citation
from acronis_pipeline.champion import Champion, Promotion, current_champion
from acronis_pipeline.core import faults
from acronis_pipeline.core.errors import AcronisPipelineError
from acronis_pipeline.core.settings import Settings, load_settings, remembering
from acronis_pipeline.evaluate import Report, checks, latest_report
from acronis_pipeline.finetune import load_recipe
from acronis_pipeline.llm import require_configured
from acronis_pipeline.pairs import gold
from acronis_pipeline.retrieve import Filters
from acronis_pipeline.stages import (
    EvaluatedRecipe,
    IndexedRecipe,
    crawl_site,
    evaluate_recipe,
    index_recipe,
    make_pairs,
    promote_best,
    read_gold_questions,
    split_pages,
    train_recipe,
)
from acronis_pipeline.store import Store, open_store
from acronis_pipeline.tracking import Tracker

__all__ = [
    "AcronisPipelineError",
    "Answer",
    "Answerer",
    "Champion",
    "Citation",
    "EvaluatedRecipe",
    "Filters",
    "IndexedRecipe",
    "PipelineResult",
    "Promotion",
    "Report",
    "Settings",
    "Store",
    "Tracker",
    "crawl_site",
    "evaluate_recipe",
    "index_recipe",
    "latest_report",
    "load_settings",
    "make_pairs",
    "open_store",
    "open_tracker",
    "promote_best",
    "read_gold_questions",
    "run",
    "split_pages",
    "train_recipe",
]


@dataclass(frozen=True)
class PipelineResult:
    """What a run of the pipeline on a site ended in. `changed` names the assets that had something to do.

    `verdict` is why the champion came or stayed, by this run's evidence; `champion.reason` is why it once came.
    """

    run_ids: tuple[str, ...]
    changed: tuple[str, ...]
    duration_s: float
    reports: tuple[Report, ...]
    champion: Champion
    verdict: str
    answers: tuple[Answer, ...]


def run(settings: Settings, recipes: Sequence[str], *, profile: dict[str, Any] | None = None) -> PipelineResult:
    """Crawl to champion through the Dagster graph, then ask the four customer questions.

    Parameters
    ----------
    recipes
        To train and compare; names of packaged ones or of files in `recipes_dir`.
    profile
        Settings that the data folder remembers, so that the UI and the nightly run go on with the same site; the site's
        address by default.

    Raises
    ------
    SettingsError
        If the data folder belongs to another site.
    AcronisPipelineError
        Whatever a stage reports; what was there before stays.
    """
    with faults.explained(settings.data_dir):
        return _run(settings, recipes, profile)


def _run(settings: Settings, recipes: Sequence[str], profile: dict[str, Any] | None) -> PipelineResult:
    from acronis_pipeline.defs.launch import materialize

    _refuse_what_cannot_work(settings, recipes)
    with remembering(settings, {"site": {"url": settings.site.url}} if profile is None else profile):
        outcome = materialize(settings, recipes)
    store = open_store(settings)
    champion = current_champion(store)
    assert champion is not None  # its asset was the last to run
    answerer = Answerer(settings)
    return PipelineResult(
        outcome.run_ids,
        outcome.changed,
        outcome.duration_s,
        tuple(report for recipe in recipes if (report := latest_report(store, recipe))),
        champion,
        outcome.verdict,
        tuple(map(answerer.ask_or_quote, gold.CUSTOMER_QUESTIONS)),
    )


def open_tracker(settings: Settings) -> Tracker:
    """The MLflow server or database that the settings name."""
    return Tracker.of(settings)


def _refuse_what_cannot_work(settings: Settings, recipes: Sequence[str]) -> None:
    """Malformed files and impossible combinations should not cost a crawl first."""
    read_gold_questions(settings)
    checks.read_files(settings.evaluation)
    for name in recipes:
        recipe = load_recipe(name, settings.recipes_dir)
        finetune.require_feasible(recipe, device=settings.model.device, endpoints=settings.model.endpoints)
    if settings.pairs.uses_llm:
        require_configured(settings.llm)
