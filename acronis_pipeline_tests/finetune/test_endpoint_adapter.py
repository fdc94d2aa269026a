"""Method `query_adapter` over a model behind an endpoint, asked over HTTP: trained, indexed, searched, evaluated."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acronis_pipeline import encoders, index
from acronis_pipeline.champion import Contender
from acronis_pipeline.champion.serving import model_of, problem
from acronis_pipeline.core.errors import ModelError, RecipeError
from acronis_pipeline.core.settings import EmbeddingEndpoint, ModelSettings
from acronis_pipeline.encoders.endpoint import EndpointEncoder
from acronis_pipeline.evaluate import EvaluationSetup, evaluate
from acronis_pipeline.finetune import Recipe
from acronis_pipeline.finetune.recipe import parse_recipe
from acronis_pipeline.index import IndexedModel
from acronis_pipeline.models.indexed import indexed_base, indexed_model
from acronis_pipeline.models.records import ModelRecord, find, refresh
from acronis_pipeline.retrieve import Retriever, System
from acronis_pipeline.store import Store
from acronis_pipeline.tracking import Tracker
from acronis_pipeline.tracking.training import log_model, prune_models
from acronis_pipeline_tests.evaluate.fake_embeddings import KEY, Script, serving
from acronis_pipeline_tests.finetune.worlds import codename_world, passages

pytestmark = [pytest.mark.model, pytest.mark.server]

RECIPE = "method: query_adapter\nbase_model: 'endpoint:m'\nparameters: {learning_rate: 0.01, max_steps: 200}"
DATASET = codename_world()
TEXTS = [passage.text for passage in passages()]


@dataclass
class Site:
    """A model trained over a running endpoint, and what the endpoint was asked meanwhile."""

    script: Script
    endpoint: EmbeddingEndpoint
    store: Store
    folder: Path
    record: ModelRecord
    asked: list[str] = field(default_factory=list)

    @property
    def settings(self) -> ModelSettings:
        return ModelSettings.model_validate({"endpoints": (self.endpoint,)})

    def indexed_models(self) -> tuple[IndexedModel, IndexedModel]:
        """Base and tuned model, indexed."""
        indexed_models = indexed_base(self.record, self.settings), indexed_model(self.record, self.settings)
        for indexed in indexed_models:
            rows = index.passage_rows(DATASET.passages)
            index.refresh_from(self.store, indexed, rows)
        return indexed_models


def recipe(text: str = RECIPE) -> Recipe:
    return parse_recipe("remote", text, where="remote.yaml")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder, script = tmp_path_factory.mktemp("endpoint"), Script()
    store = Store(str(folder / "lancedb"))
    with serving(script) as endpoint:
        result = refresh(store, recipe(), DATASET, folder / "models", running=ModelSettings(endpoints=(endpoint,)))
        yield Site(script, endpoint, store, folder, result.record, list(script.texts))


def test_the_map_learns_names_that_the_endpoint_cannot_know(site: Site) -> None:
    validation = site.record.metrics["validation"]
    assert validation["best"]["ndcg_at_10"] > validation["base"]["ndcg_at_10"] + 0.1


def test_every_passage_and_question_is_asked_for_once_in_training(site: Site) -> None:
    questions = [question.query for question in (*DATASET.train, *DATASET.validation)]
    assert sorted(text for text in site.asked if text in TEXTS) == sorted(TEXTS)
    assert all(site.asked.count(query) == 1 for query in {question.query for question in DATASET.train})
    assert len(site.asked) < len(TEXTS) + 2 * len(questions) + 5


def test_passage_vectors_are_bit_for_bit_what_they_were(site: Site) -> None:
    base, tuned = site.indexed_models()
    assert tuned.encoder.encode_passages(TEXTS).tobytes() == base.encoder.encode_passages(TEXTS).tobytes()
    assert not np.allclose(tuned.encoder.encode_queries(["Falcon"]), base.encoder.encode_queries(["Falcon"]))


def test_an_index_of_the_tuned_model_asks_for_no_passage(site: Site) -> None:
    before = len(site.script.requests)
    base, tuned = site.indexed_models()
    assert len(site.script.requests) == before
    assert tuned.encoder.identity.document_fingerprint == base.encoder.identity.document_fingerprint


@pytest.mark.parametrize("precision", ["bfloat16", "auto"])
def test_precision_of_this_machine_is_no_matter_of_the_endpoint(site: Site, precision: str) -> None:
    settings = site.settings.model_copy(update={"precision": precision})
    for indexed in (indexed_base, indexed_model):
        assert indexed(site.record, settings).table == indexed(site.record, site.settings).table


def test_questions_by_codename_find_the_product(site: Site) -> None:
    _, tuned = site.indexed_models()
    retriever = Retriever(site.store, System("fine_tuned", "dense", tuned.table), tuned.encoder)
    held_out = DATASET.validation
    found = [retriever.retrieve(question.query, 5) for question in held_out]
    right = [q.chunk_ids[0] in {hit.chunk_id for hit in hits} for q, hits in zip(held_out, found, strict=True)]
    assert sum(right) >= len(right) - 1


def test_it_is_evaluated_beside_its_base(site: Site) -> None:
    base, tuned = site.indexed_models()
    setup = EvaluationSetup(DATASET.validation, base, tuned)
    report = evaluate(site.store, "remote", setup, setup).report
    tuned_score, base_score = report.score("fine_tuned"), report.score("base")
    assert tuned_score
    assert base_score
    assert tuned_score.metrics["ndcg_at_10"].mean > base_score.metrics["ndcg_at_10"].mean


@pytest.mark.parametrize("name", ["fine_tuned", "base"])
def test_either_side_can_be_champion(site: Site, name: str) -> None:
    indexed = site.indexed_models()[0 if name == "base" else 1]
    system = System(name, "dense", indexed.table)
    contender = Contender("remote", system, indexed.encoder.identity.model_id, "report")
    served = model_of(site.store, contender)
    assert served
    assert served.identity == indexed.encoder.identity
    assert problem(site.store, system, served) is None
    loaded = encoders.load(Path(served.folder), served.identity, endpoints=(site.endpoint,))
    np.testing.assert_array_equal(loaded.encode_queries(["Falcon"]), indexed.encoder.encode_queries(["Falcon"]))


def test_a_published_folder_needs_no_settings_but_a_key(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "another key")
    loaded = encoders.load(site.record.folder, site.record.identity)
    assert isinstance(loaded, EndpointEncoder)
    loaded.encode_queries(["Falcon"])
    assert site.script.headers[-1]["authorization"] == "Bearer another key"


def test_the_key_is_written_nowhere(site: Site) -> None:
    assert site.script.headers[0]["authorization"] == f"Bearer {KEY}"
    holding = [file for file in site.folder.rglob("*") if file.is_file() and KEY.encode() in file.read_bytes()]
    assert holding == []


def test_it_is_registered_as_its_files(site: Site, tmp_path: Path) -> None:
    tracker = Tracker(f"sqlite:///{tmp_path / 'mlflow.db'}", "experiment", "model", "http://127.0.0.1:5000")
    with tracker.run("train") as run:
        version = log_model(tracker, run, site.record.folder, {"recipe": "remote", "model_id": "its own"})
    assert tracker.model_id_of(version) == "its own"
    stored = {file.name for file in tmp_path.rglob("*.safetensors")} | {f.name for f in tmp_path.rglob("endpoint.json")}
    assert stored == {"query_map.safetensors", "endpoint.json"}
    assert prune_models(tracker, "remote", newest=0, model_ids=()) == [version]


def test_the_same_data_and_recipe_train_once(site: Site) -> None:
    before = len(site.script.requests)
    assert find(site.store, recipe(), DATASET, (site.endpoint,)) is not None
    assert len(site.script.requests) == before


def test_prompts_of_the_recipe_go_before_those_of_the_endpoint(tmp_path: Path) -> None:
    text = RECIPE.replace("max_steps: 200", "max_steps: 10") + "\nquery_prompt: 'ask: '"
    script, store = Script(), Store(str(tmp_path / "lancedb"))
    with serving(script) as endpoint:
        prompted = endpoint.model_copy(update={"query_prompt": "q: ", "document_prompt": "d: "})
        made = refresh(
            store, recipe(text), DATASET, tmp_path / "models", running=ModelSettings(endpoints=(prompted,))
        ).record
        encoders.load(made.folder, made.identity, endpoints=(prompted,)).encode_queries(["last"])
    assert script.texts[-1] == "ask: last"
    assert sum(text.startswith("d: ") for text in script.texts) == len(TEXTS)


def test_a_damaged_folder_is_a_clear_error(site: Site, tmp_path: Path) -> None:
    (tmp_path / "endpoint.json").write_text('{"model": "m", "base_url"', "utf-8")
    with pytest.raises(ModelError, match=r"does not load .*; train it again"):
        encoders.load(tmp_path, site.record.identity)


@dataclass
class Changing(Script):
    """Answers long texts with longer vectors."""

    def answer(self, texts: Sequence[str]) -> dict[str, Any]:
        return replace(self, dimension=64 if max(map(len, texts)) < 200 else 72).plainly(texts)

    def plainly(self, texts: Sequence[str]) -> dict[str, Any]:
        return super().answer(texts)


def _refresh_over(folder: Path, endpoint: EmbeddingEndpoint) -> None:
    store, running = Store(str(folder / "lancedb")), ModelSettings(endpoints=(endpoint,))
    refresh(store, recipe(), DATASET, folder / "models", running=running)


def test_an_endpoint_with_vectors_of_changing_length_is_refused_before_training(tmp_path: Path) -> None:
    script = Changing()
    with serving(script) as endpoint, pytest.raises(ModelError, match=r"base_model = 'endpoint:m': .* 72 .* 64 before"):
        _refresh_over(tmp_path, endpoint)
    assert len(script.requests) <= 3


def test_an_endpoint_that_cannot_be_reached_is_refused_before_training(tmp_path: Path) -> None:
    gone = EmbeddingEndpoint.model_validate(
        {"model": "m", "base_url": "http://127.0.0.1:9/v1", "max_retries": 0, "api_key": KEY}
    )
    with pytest.raises(ModelError, match=r"recipe remote: base_model = 'endpoint:m': .* cannot be reached"):
        _refresh_over(tmp_path, gone)


def test_an_endpoint_that_the_settings_do_not_know_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"base_model = 'endpoint:m': model\.endpoints has no .* \(there: none\)"):
        refresh(Store(str(tmp_path / "lancedb")), recipe(), DATASET, tmp_path / "models")


@pytest.mark.parametrize("method", ["full", "ensemble"])
def test_methods_that_train_weights_are_refused(method: str) -> None:
    with pytest.raises(RecipeError, match=r"base_model: .* no weights to train; use method query_adapter"):
        recipe(f"method: {method}\nbase_model: 'endpoint:m'")
