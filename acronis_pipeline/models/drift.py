"""How far the site has moved on since a recipe was trained: what says that training again is worth its time."""

from dataclasses import dataclass

from acronis_pipeline.core.hashing import digest
from acronis_pipeline.models import training_corpora
from acronis_pipeline.models.records import current_model
from acronis_pipeline.store import Store, tables


@dataclass(frozen=True)
class Drift:
    """Passages that were added and removed since a training, of `n_now` today; `state` names today's passages."""

    added: int
    removed: int
    n_now: int
    state: str

    @property
    def share(self) -> float:
        """Of today's passages; a rewritten one counts twice, being one that went and one that came."""
        return (self.added + self.removed) / self.n_now

    def __str__(self) -> str:
        return f"{self.added} passages added and {self.removed} removed since, {self.share:.0%} of {self.n_now}"


def drift(store: Store, recipe: str) -> Drift | None:
    """Today's passages against those of the recipe's last training; None without a training, or without passages.

    The last training counts even if its model lost against the champion, or a champion that keeps winning would have
    its recipe trained for ever.
    """
    model = current_model(store, recipe)
    before = training_corpora.chunk_ids(store, model.training_key) if model else None
    now = frozenset(store.read(tables.CHUNKS, columns=["chunk_id"]).column("chunk_id").to_pylist())
    if before is None or not now:
        return None
    return Drift(len(now - before), len(before - now), len(now), digest(*sorted(now))[:16])
