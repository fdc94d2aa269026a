"""Each question's result of each system of a report, which the report itself does not hold: for comparing reports."""

from acronis_pipeline.core.dataset import RetrievalDataset
from acronis_pipeline.core.settings import Settings
from acronis_pipeline.evaluate import EvaluationSetup, Report, scoring
from acronis_pipeline.evaluate.questions import from_pairs
from acronis_pipeline.evaluate.scoring import ResultRow
from acronis_pipeline.evaluate.setup import Rankings, read_corpus
from acronis_pipeline.index import IndexedModel
from acronis_pipeline.models import records
from acronis_pipeline.models.indexed import indexed_base, indexed_model
from acronis_pipeline.store import Store

Rows = dict[str, list[ResultRow]]
"""Every question's result, by system."""


def rows_of(report: Report, asked: RetrievalDataset, store: Store, settings: Settings) -> Rows:
    """Read from the tables and the model that the report's evaluation left in the store."""
    model = records.current_model(store, report.recipe)
    assert model is not None  # the benchmark has just trained or found it
    table_of = {system.name: system.table for system in report.systems}
    base, tuned = indexed_base(model, settings.model), indexed_model(model, settings.model)
    setup = EvaluationSetup(
        asked.test, IndexedModel(table_of["base"], base.encoder), IndexedModel(table_of["fine_tuned"], tuned.encoder)
    )
    corpus = read_corpus(store, setup)
    questions = from_pairs(asked.test, corpus)
    rankings = Rankings(store, setup, [question.query for question in questions], settings.retrieval.candidates)
    return {
        system.name: scoring.score_questions(system, questions, rankings.of(system), corpus)
        for system in report.systems
    }
