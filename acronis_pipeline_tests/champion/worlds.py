"""A store in which two tuned models and BM25 could be champion: tables, folders, records, no encoder to load."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from acronis_pipeline import index
from acronis_pipeline.champion import Champion, Contender, Move, ServedModel, current_champion, promote
from acronis_pipeline.core.settings import Settings, load_settings
from acronis_pipeline.encoders import IDENTITY_FILE, ModelIdentity
from acronis_pipeline.retrieve import System
from acronis_pipeline.store import Store, tables
from acronis_pipeline_tests.index.corpora import WordEncoder, chunk, write_chunks

RECIPE = "words"
CHUNKS = [chunk(f"c{n}", f"passage number{n} about topic{n}") for n in range(6)]


@dataclass
class World:
    """`enter` makes a system the champion as a promotion would."""

    store: Store
    settings: Settings
    folder: Path

    def index(self, encoder: WordEncoder, recipe: str = RECIPE) -> str:
        table = index.table_name(recipe, encoder.identity.model_id)
        index.refresh(self.store, index.IndexedModel(table, encoder))
        return table

    def model_folder(self, identity: ModelIdentity) -> Path:
        return self.folder / "models" / identity.model_id

    def train(self, name: str) -> WordEncoder:
        """A tuned model that shares its document side with all others, published and on record."""
        encoder = WordEncoder(name, {"question": "topic"})
        folder = self.model_folder(encoder.identity)
        folder.mkdir(parents=True)
        (folder / IDENTITY_FILE).write_text(encoder.identity.to_json(), "utf-8")
        self.record(encoder.identity, name)
        return encoder

    def record(self, identity: ModelIdentity, name: str) -> None:
        row = {
            "record_id": f"record-{name}",
            "recipe": RECIPE,
            "training_key": f"key-{name}",
            "model_id": identity.model_id,
            "folder": str(self.model_folder(identity)),
            "identity": identity.to_json(),
            "base_identity": WordEncoder().identity.to_json(),
            "metrics": "{}",
            "created_at": datetime.now(UTC),
            "mlflow_run_id": None,
            "registry_version": f"version-{name}",
        }
        self.store.upsert(tables.MODELS, tables.MODELS.rows([row]))

    def contender(self, encoder: WordEncoder, weight: float = 0.4) -> Contender:
        system = System("hybrid", "hybrid", index.table_name(RECIPE, encoder.identity.model_id), weight)
        return Contender(RECIPE, system, encoder.identity.model_id, "report")

    def bm25(self) -> Contender:
        return Contender(RECIPE, System("bm25", "bm25", self.index(WordEncoder(), "base")), None, "report")

    def enter(self, contender: Contender, encoder: WordEncoder | None = None, move: Move = "promotion") -> Champion:
        return promote(
            self.store,
            contender,
            move=move,
            reason="it was better",
            previous=current_champion(self.store),
            model=ServedModel(str(self.model_folder(encoder.identity)), encoder.identity) if encoder else None,
            asked="questions",
        )


def build(folder: Path) -> World:
    """Chunks, indexed for nobody yet."""
    store = Store(str(folder / "lancedb"))
    write_chunks(store, CHUNKS)
    return World(store, load_settings(folder / "data"), folder)


class MemoryRegistry:
    """A model registry that keeps one alias; `down` lets it fail as a server that does not answer."""

    def __init__(self, model_id_of: dict[str, str]) -> None:
        self.alias: str | None = None
        self.down = False
        self._model_id_of = model_id_of

    def champion_version(self) -> str | None:
        return self.alias

    def model_id_of(self, version: str) -> str | None:
        return self._model_id_of.get(version)

    def set_champion(self, version: str | None) -> None:
        if self.down:
            raise ConnectionError("the registry does not answer")
        self.alias = version


def reweighted(contender: Contender, weight: float) -> Contender:
    return replace(contender, system=replace(contender.system, dense_weight=weight))
