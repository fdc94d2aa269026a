"""What `demo`, `run` and `ask` do: materialize the graph for a site, then report and answer from what it left."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from acronis_pipeline import answer, evaluate, finetune
from acronis_pipeline.answer import Answer
from acronis_pipeline.champion.record import Champion, reigning
from acronis_pipeline.champion.serving import champion_model
from acronis_pipeline.core.errors import NoChampionError
from acronis_pipeline.core.settings import Settings
from acronis_pipeline.core.settings.profile import remembering
from acronis_pipeline.evaluate import Report, checks
from acronis_pipeline.finetune import load_recipe
from acronis_pipeline.llm.endpoint import require_configured
from acronis_pipeline.models.indexed import indexed_base, require_model
from acronis_pipeline.pairs import gold
from acronis_pipeline.retrieve import Filters, Retriever
from acronis_pipeline.store import open_known, open_store


@dataclass(frozen=True)
class SiteOutcome:
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


def run_site(settings: Settings, recipes: Sequence[str], *, profile: dict[str, Any]) -> SiteOutcome:
    """Crawl to champion through the Dagster graph, then ask the four customer questions.

    The data folder remembers `profile`, so that the UI and the nightly run go on with the same site.

    Raises
    ------
    SettingsError
        If the data folder belongs to another site.
    AcronisPipelineError
        Whatever a stage reports; what was there before stays.
    """
    from acronis_pipeline.defs.assets.gold_questions import read_configured
    from acronis_pipeline.defs.launch import materialize

    # A malformed file should not cost a crawl first.
    read_configured(settings)
    checks.read_files(settings.evaluation)
    for name in recipes:
        recipe = load_recipe(name, settings.recipes_dir)
        finetune.require_feasible(recipe, device=settings.model.device, endpoints=settings.model.endpoints)
    if settings.pairs.uses_llm:
        require_configured(settings.llm)
    with remembering(settings, profile):
        outcome = materialize(settings, recipes)
    store = open_store(settings)
    latest = (evaluate.latest_report(store, recipe) for recipe in recipes)
    champion = reigning(store)
    assert champion is not None  # its asset was the last to run
    respondent = Respondent(settings)
    answers = tuple(respondent.ask(question, k=settings.retrieval.k) for question in gold.CUSTOMER_QUESTIONS)
    reports = tuple(report for report in latest if report)
    return SiteOutcome(
        outcome.run_ids, outcome.changed, outcome.duration_s, reports, champion, outcome.verdict, answers
    )


class Respondent:
    """Answers from the champion's index, by the LLM if one is configured; loads the champion's encoder once.

    Raises
    ------
    NoChampionError
        If nothing was promoted in this data folder yet.
    """

    def __init__(self, settings: Settings) -> None:
        store = open_known(settings)
        champion = reigning(store) if store else None
        if store is None or champion is None:
            raise NoChampionError(
                f"{settings.data_dir} has no champion to answer from; run `acronis-pipeline demo`, "
                "or `acronis-pipeline run --site URL`, or name another folder with --data"
            )
        indexed = champion_model(champion, settings.model)
        self._llm = settings.llm if settings.llm.model is not None else None
        self._retriever = Retriever(
            store,
            champion.system,
            indexed.embedder if indexed else None,
            settings.retrieval.candidates,
            device=settings.model.device,
        )
        self._quoting = (indexed or indexed_base(require_model(store, champion.recipe), settings.model)).embedder

    def ask(self, question: str, *, k: int, where: Filters | None = None, extractive: bool = False) -> Answer:
        """Answer from the `k` best passages that meet `where`; `extractive` quotes even if an LLM is configured."""
        llm = None if extractive else self._llm
        return answer.ask(question, self._retriever, self._quoting, k=k, where=where, settings=llm)
