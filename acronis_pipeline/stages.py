"""One function a stage, from settings to result: what the Dagster assets, the command line and a notebook call alike.

Each hands the domain packages their own groups of settings. They follow the lineage: `crawl_site`, `split_pages`,
`read_gold_questions`, `make_pairs`, `train_recipe`, `index_recipe`, `evaluate_recipe`, `promote_best`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from acronis_pipeline import chunk, evaluate, finetune, index, pairs, reporting, sample_site
from acronis_pipeline.champion import (
    Promotion,
    compared_systems,
    current_champion,
    models_to_index,
    pointer,
    promotions,
    reports_in_use,
    settle,
)
from acronis_pipeline.core.settings import Settings
from acronis_pipeline.crawl import CrawlResult, crawl
from acronis_pipeline.crawl.lookup import Addresses
from acronis_pipeline.encoders import TokenCounter, find_base, position_limit
from acronis_pipeline.evaluate import Report
from acronis_pipeline.finetune import OnEntry, load_recipe
from acronis_pipeline.finetune.recipe import recipe_names
from acronis_pipeline.models import pruning, records
from acronis_pipeline.models.indexed import indexed_base, indexed_model, require_model
from acronis_pipeline.models.pruning import DroppedFolder
from acronis_pipeline.models.records import ModelRecord
from acronis_pipeline.pairs import gold
from acronis_pipeline.reporting import ReportView
from acronis_pipeline.store import Store
from acronis_pipeline.tracking import Tracker, ensure_registered, record_report, record_training

Tags = Mapping[str, str]
"""What MLflow is told of a run beside its own figures, such as the Dagster run that it belongs to."""


def crawl_site(
    store: Store,
    settings: Settings,
    *,
    only: Sequence[str] = (),
    full_sweep: bool = False,
    accept_vanished: bool = False,
) -> CrawlResult:
    """Bring the pages up to date with the site; the bundled sample site is served meanwhile if it is the one.

    Parameters
    ----------
    only
        Addresses to ask for, with what they newly lead to; all by default.
    full_sweep
        Ask for every page, whatever the sitemap says of it.
    accept_vanished
        Believe it if most of the pages are gone at once.

    Raises
    ------
    SiteError
        If the site cannot be crawled; the pages stay as they were.
    """
    with sample_site.serving(settings.site) as site:
        return crawl(
            store,
            site.model_copy(update={"full_sweep_days": 0.0}) if full_sweep else site,
            journal_dir=settings.crawl_dir,
            only=only or None,
            accept_vanished=accept_vanished,
        )


def split_pages(store: Store, settings: Settings) -> chunk.ChunkResult:
    """Bring the passages up to date with the pages, measured in the base model's own tokens."""
    base = find_base(settings.model.base)
    return chunk.refresh(
        store,
        settings.chunk,
        TokenCounter(base),
        selector=settings.site.content_selector,
        encoder_tokens=position_limit(base),
    )


def read_gold_questions(settings: Settings) -> tuple[gold.GoldQuestion, ...]:
    """The gold questions that the settings name, or those that ship with the site.

    Raises
    ------
    DatasetError
        If the file is not what its format says.
    """
    site = settings.site
    if settings.gold_file:
        base_url = sample_site.base_url() if site.is_sample else site.base_url
        return gold.read_gold_file(settings.gold_file, site_url=base_url)
    if site.is_sample:
        return gold.read_gold_file(sample_site.GOLD_FILE, site_url=sample_site.base_url())
    return gold.customer_questions()


def expected_pages(store: Store, settings: Settings) -> tuple[gold.GoldQuestion, ...]:
    """The gold questions on record, with the addresses of the pages that are held and meant."""
    return gold.located(gold.load(store), Addresses.of(store, settings.site, live_only=True))


def make_pairs(store: Store, settings: Settings) -> pairs.PairsResult:
    """Bring the questions with the passages that answer them up to date with the passages."""
    return pairs.refresh(store, settings.pairs, settings.llm, settings.model)


def train_recipe(
    store: Store, tracker: Tracker, recipe: str, settings: Settings, *, tags: Tags | None = None
) -> tuple[ModelRecord, bool]:
    """A recipe's model for today's pairs, and whether it was trained now: one on record for the same data is kept.

    Raises
    ------
    RecipeError
        If the recipe is unknown or malformed, or asks for what this machine or these pairs do not allow.
    """
    loaded, dataset = load_recipe(recipe, settings.recipes_dir), pairs.load_dataset(store)
    known = records.find(store, loaded, dataset, settings.model.endpoints)
    if known:
        return ensure_registered(tracker, store, known, recipe=loaded, tags=tags or {}), False
    # Before a run in MLflow stands there with nothing in it.
    finetune.require_feasible(loaded, dataset, device=settings.model.device, endpoints=settings.model.endpoints)
    records.require_enough(store, loaded, dataset)
    key = records.training_key(loaded, dataset, settings.model.endpoints)

    def train(report: OnEntry) -> ModelRecord:
        return records.refresh(
            store, loaded, dataset, settings.models_dir, running=settings.model, report=report
        ).record

    trained = record_training(
        tracker,
        store,
        train,
        recipe=loaded,
        dataset=dataset,
        tags=tags or {},
        training_key=key,
        goes_on=records.is_unfinished(settings.models_dir, recipe, key),
        keep_versions=settings.model.keep_versions,
    )
    return trained, True


@dataclass(frozen=True)
class IndexedRecipe:
    """The tables that a recipe needs, its own model's first, and what was dropped because nothing needs it any more."""

    tables: tuple[index.IndexResult, ...]
    dropped: tuple[index.Dropped, ...]
    dropped_models: tuple[DroppedFolder, ...]


def index_recipe(store: Store, recipe: str, settings: Settings) -> IndexedRecipe:
    """Bring the tables of a recipe's model, of its base and of the champion up to date with the passages.

    Tables and folders of models that no recipe has any more and no champion can be rolled back to are dropped.
    """
    indexes = tuple(
        index.refresh(store, indexed, settings.index)
        for indexed in models_to_index(store, recipe, settings.model, current_champion(store))
    )
    past = promotions(store)  # as of now: a person may have moved the pointer meanwhile
    # Every recipe on record, not only those whose files are here now: another process may know another folder.
    models = records.current_models(store).values()
    current = [indexed(model, settings.model).table for model in models for indexed in (indexed_model, indexed_base)]
    in_use = index.tables_in_use(current, [known.system.table for known in past], settings.index.keep_models)
    dropped = index.prune(store, in_use)
    promoted = [Path(known.model_folder) for known in past if known.model_folder and known.system.table in in_use]
    dropped_models = pruning.prune_model_folders(store, settings.models_dir, tables=in_use, promoted=promoted)
    if past:
        pointer.mark(store, past[-1])
    return IndexedRecipe(indexes, tuple(dropped), tuple(dropped_models))


@dataclass(frozen=True)
class EvaluatedRecipe:
    """A recipe's report, whether it was read rather than computed, its page, and the MLflow run that shows it."""

    view: ReportView
    reused: bool
    page: Path
    mlflow_run_id: str

    @property
    def report(self) -> Report:
        return self.view.report


def evaluate_recipe(
    store: Store, tracker: Tracker, recipe: str, settings: Settings, *, tags: Tags | None = None
) -> EvaluatedRecipe:
    """Ask every system of a recipe the test and gold questions; the report is stored, published and tracked.

    Raises
    ------
    LeakError
        If the model was trained on what it would be asked.
    """
    record = require_model(store, recipe)
    base, tuned = indexed_base(record, settings.model), indexed_model(record, settings.model)
    result = evaluate.refresh(
        store,
        recipe,
        pairs.load_dataset(store),
        expected_pages(store, settings),
        base,
        tuned,
        compared=compared_systems(store, base, current_champion(store), settings),
        retrieval=settings.retrieval,
        evaluation=settings.evaluation,
        device=settings.model.device,
    )
    if not result.reused:
        evaluate.prune(store, recipe, reports_in_use(store))
    view, encoders = ReportView(store, result.report), {"base": base.encoder, "fine_tuned": tuned.encoder}
    publish = partial(reporting.publish, settings.reports_dir, view, encoders)
    run_id = record_report(tracker, view, model=record, tags=tags or {}, page=publish)
    file = reporting.report_file(settings.reports_dir, result.report.report_id)
    if not file.exists():  # read again after the file was deleted
        publish(reporting.Links(tracker.url(run_id)))
    return EvaluatedRecipe(view, result.reused, file, run_id)


def promote_best(store: Store, tracker: Tracker, settings: Settings) -> Promotion:
    """Decide on the newest report of each recipe who answers questions; MLflow's alias and LanceDB's tag follow.

    Raises
    ------
    ChampionError
        If there is nobody to choose; who answered before still does.
    """
    recipes = recipe_names(settings.recipes_dir)
    promotion = settle(store, recipes, pairs.load_dataset(store), expected_pages(store, settings), settings)
    pointer.follow(store, tracker, promotion.champion)
    return promotion
