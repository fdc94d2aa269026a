"""Answers from the current champion, as `acronis-pipeline ask` gives them."""

from acronis_pipeline.answer import Answer, ask
from acronis_pipeline.champion import current_champion
from acronis_pipeline.champion.serving import champion_model
from acronis_pipeline.core.errors import NoChampionError
from acronis_pipeline.core.settings import Settings
from acronis_pipeline.models.indexed import indexed_base, require_model
from acronis_pipeline.retrieve import Filters, Retriever
from acronis_pipeline.store import open_known


class Answerer:
    """Answers from the champion's index, by the LLM if one is configured; loads the champion's encoder once.

    Raises
    ------
    NoChampionError
        If nothing was promoted in this data folder yet.
    """

    def __init__(self, settings: Settings) -> None:
        store = open_known(settings)
        champion = current_champion(store) if store else None
        if store is None or champion is None:
            raise NoChampionError(
                f"{settings.data_dir} has no champion to answer from; run `acronis-pipeline demo`, "
                "or `acronis-pipeline run --site URL`, or name another folder with --data"
            )
        indexed = champion_model(champion, settings.model)
        self._settings = settings
        self._retriever = Retriever(
            store,
            champion.system,
            indexed.encoder if indexed else None,
            settings.retrieval.candidates,
            device=settings.model.device,
        )
        self._quoting = (indexed or indexed_base(require_model(store, champion.recipe), settings.model)).encoder

    def ask(
        self, question: str, *, k: int | None = None, where: Filters | None = None, extractive: bool = False
    ) -> Answer:
        """Answer from the `k` best passages (setting `retrieval.k`) that meet `where`.

        `extractive` quotes even if an LLM is configured. Raises what `acronis_pipeline.answer.ask` does.
        """
        llm = self._settings.llm if self._settings.llm.model is not None and not extractive else None
        passages = k or self._settings.retrieval.k
        return ask(question, self._retriever, self._quoting, k=passages, where=where, settings=llm)
