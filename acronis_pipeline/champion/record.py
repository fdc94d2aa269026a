"""Who answers questions, and who did before: the `champions` table, whose newest row is the pointer that all follow.

Rows are only ever added, each one an atomic version, so a reader sees the old champion or the new one. The registry's
alias and the tag on the passages table repeat what the row says (`pointer`).
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter

from acronis_pipeline import encoders
from acronis_pipeline.core.errors import ChampionError
from acronis_pipeline.encoders import ModelIdentity
from acronis_pipeline.evaluate.report import Comparison, RankingKey, ranking_key
from acronis_pipeline.evaluate.setup import BASELINES
from acronis_pipeline.retrieve import System
from acronis_pipeline.store import Store, tables

Move = Literal["first", "promotion", "rollback", "by_hand"]
Evidence = tuple[Comparison, ...]


@dataclass(frozen=True)
class Contender:
    """A system of a report: what could answer questions. `model_id` is None for BM25."""

    recipe: str
    system: System
    model_id: str | None
    report_id: str

    @property
    def ranking_key(self) -> RankingKey:
        return ranking_key(self.system, self.model_id)

    def __str__(self) -> str:
        return self.system.name if self.system.name in BASELINES else f"{self.system.name} of recipe {self.recipe}"


@dataclass(frozen=True)
class ServedModel:
    """A model by its identity, and the folder that it was in when it was put to use."""

    folder: str
    identity: ModelIdentity

    @cached_property
    def place(self) -> Path:
        """The folder that it lies in now; that on record where it is found nowhere."""
        return encoders.located(Path(self.folder), self.identity)


@dataclass(frozen=True)
class Champion:
    """A row of the champions table; `model` is what it encodes questions with, None for BM25.

    `asked` is a digest of the questions that were known when it was promoted, `previous_id` the promotion before it,
    `restored_id` the one that a rollback brought back.
    """

    promotion_id: str
    promoted_at: datetime
    move: Move
    recipe: str
    system: System
    model_id: str | None
    model: ServedModel | None
    report_id: str
    evidence: Evidence
    asked: str
    previous_id: str | None
    restored_id: str | None
    reason: str

    @property
    def contender(self) -> Contender:
        return Contender(self.recipe, self.system, self.model_id, self.report_id)

    @property
    def model_folder(self) -> str | None:
        return self.model.folder if self.model else None

    @property
    def identity(self) -> ModelIdentity | None:
        return self.model.identity if self.model else None


def current_champion(store: Store) -> Champion | None:
    """Who answers questions now; None before the first promotion."""
    past = promotions(store)
    return past[-1] if past else None


def promotions(store: Store) -> list[Champion]:
    """Every promotion and rollback, oldest first."""
    rows = store.read(tables.CHAMPIONS).to_pylist()
    return [_champion(store, row) for row in sorted(rows, key=lambda row: row["promoted_at"])]


def promote(
    store: Store,
    contender: Contender,
    *,
    move: Move,
    reason: str,
    previous: Champion | None,
    model: ServedModel | None = None,
    evidence: Sequence[Comparison] = (),
    asked: str = "",
    restored_id: str | None = None,
) -> Champion:
    """Make a contender the champion.

    Parameters
    ----------
    previous
        The champion when the decision was made; if it is another one by now, the decision is void.
    model
        What it searches with; left out of the row for BM25.

    Raises
    ------
    ChampionError
        If the pointer has moved in the meantime.
    ValueError
        If it searches by vectors and `model` is not the one that it was evaluated with.
    """
    if not contender.system.needs_encoder:
        model = None
    elif model is None or model.identity.model_id != contender.model_id:
        raise ValueError(f"{contender} uses model {contender.model_id}; promote it with its identity and folder")
    now = current_champion(store)
    if (now and now.promotion_id) != (previous and previous.promotion_id):
        raise ChampionError(
            f"{now.contender if now else 'nobody'} is champion by now, not "
            f"{previous.contender if previous else 'nobody'}; look at `acronis-pipeline champion show` and try again"
        )
    champion = Champion(
        promotion_id=uuid.uuid4().hex[:12],
        promoted_at=_after(previous),
        move=move,
        **vars(contender),
        model=model,
        evidence=tuple(evidence),
        asked=asked,
        previous_id=previous.promotion_id if previous else None,
        restored_id=restored_id,
        reason=reason,
    )
    store.upsert(tables.CHAMPIONS, tables.CHAMPIONS.rows([_row(store, champion)]))
    return champion


def _after(previous: Champion | None) -> datetime:
    """Now, but never before the previous row, whose machine's clock may be fast: the newest row is the pointer."""
    now = datetime.now(UTC)
    return max(now, previous.promoted_at + timedelta(microseconds=1)) if previous else now


def _row(store: Store, champion: Champion) -> dict[str, Any]:
    model = champion.model
    return vars(champion) | {
        "model_folder": store.portable(Path(model.folder)) if model else None,
        "identity": model.identity.to_json() if model else None,
        "system": _json(System).dump_json(champion.system).decode(),
        "evidence": _json(Evidence).dump_json(champion.evidence).decode(),
    }


def _champion(store: Store, row: dict[str, Any]) -> Champion:
    folder, identity = row.pop("model_folder"), row.pop("identity")
    return Champion(
        **row
        | {
            "model": ServedModel(str(store.placed(folder)), ModelIdentity.from_json(identity)) if identity else None,
            "system": _json(System).validate_json(row["system"]),
            "evidence": _json(Evidence).validate_json(row["evidence"]),
        }
    )


_json = cache(TypeAdapter)
