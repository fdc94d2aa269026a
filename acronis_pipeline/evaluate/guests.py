"""Who is compared besides the systems of a recipe: the reigning champion, and models behind embedding endpoints."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from acronis_pipeline import index
from acronis_pipeline.champion import servable
from acronis_pipeline.champion.record import Champion
from acronis_pipeline.core.errors import ModelError
from acronis_pipeline.core.settings import EmbeddingEndpoint, Settings
from acronis_pipeline.encoders import endpoint as endpoint_encoder
from acronis_pipeline.evaluate.arena import CHAMPION, Arm, Guest
from acronis_pipeline.evaluate.arms import champion_arm
from acronis_pipeline.retrieve import System
from acronis_pipeline.store import Store

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Guests:
    """Those who take part, and a remark for each who cannot, the champion's apart."""

    systems: tuple[Guest, ...] = ()
    remarks: tuple[str, ...] = ()
    champion_remarks: tuple[str, ...] = ()

    @property
    def champion(self) -> Guest | None:
        return next((guest for guest in self.systems if guest.system.name == CHAMPION), None)


def invite(store: Store, base: Arm, champion: Champion | None, settings: Settings) -> Guests:
    """The champion and the configured endpoints' models over the passages of the base's table."""
    endpoints = endpoint_models(store, base, settings.evaluation.external)
    if champion is None:
        return endpoints
    reigning = the_champion(store, base, champion, settings)
    return replace(reigning, systems=(*reigning.systems, *endpoints.systems), remarks=endpoints.remarks)


def the_champion(store: Store, base: Arm, champion: Champion, settings: Settings) -> Guests:
    """The champion, as `champion`; one that searches words only does so in the base's table."""
    arm = champion_arm(champion, settings.model)
    if arm is None:
        return Guests((Guest(replace(champion.system, name=CHAMPION, table=base.table), base),))
    problem = servable.problem(store, champion.system, champion.model_folder, champion.identity)
    # Its table answers questions: bringing it into line with an older base would take passages away from users.
    if problem is None and index.content_version(store, arm.table) != index.content_version(store, base.table):
        problem = f"table {arm.table} holds other passages; materialize lancedb_index"
    if problem:
        return Guests(champion_remarks=(f"Not compared with the champion: {problem}.",))
    return Guests((Guest(replace(champion.system, name=CHAMPION), arm),))


def endpoint_models(store: Store, base: Arm, endpoints: Sequence[EmbeddingEndpoint]) -> Guests:
    """A dense system `external:<model>` of each endpoint.

    Passages that the endpoint embedded before are not sent again. One that refuses or does not answer costs its system,
    not the evaluation.
    """
    guests: list[Guest] = []
    remarks: list[str] = []
    for endpoint in endpoints:
        try:
            embedder = endpoint_encoder.connect(endpoint, store)
            # The base's table in its name, because evaluations of several corpora can share a store.
            table = f"{index.table_name('external', embedder.identity.model_id)}_of_{base.table}"
            rows = index.read_content(store, base.table)
            index.refresh_from(store, table, rows, lambda embedder=embedder: embedder, embedder.identity)
        except ModelError as error:
            _log.warning("%s", error)
            remarks.append(f"Not compared: {error}.")
            continue
        guests.append(Guest(System(f"external:{endpoint.model}", "dense", table), Arm(table, embedder)))
    return Guests(tuple(guests), tuple(remarks))
