"""Who answers questions, and why: one row of the `champions` table, which everything that answers follows.

`settle` decides on the newest reports, by the rule in `decision`, and promotes; `roll_back` and `promote_by_hand` are a
person's moves. `current_champion` and `promotions` read the table, and `history` shows it to people. `serving` knows
the table and the model that a champion answers from; `pointer` lets the registry's alias and the table's tag follow.
"""

from acronis_pipeline.champion.decision import decide
from acronis_pipeline.champion.moves import Moved, Promotion, promote_by_hand, roll_back, settle
from acronis_pipeline.champion.record import (
    Champion,
    Contender,
    Move,
    ServedModel,
    current_champion,
    promote,
    promotions,
)
from acronis_pipeline.champion.serving import compared_systems, models_to_index, reports_in_use

__all__ = [
    "Champion",
    "Contender",
    "Move",
    "Moved",
    "Promotion",
    "ServedModel",
    "compared_systems",
    "current_champion",
    "decide",
    "models_to_index",
    "promote",
    "promote_by_hand",
    "promotions",
    "reports_in_use",
    "roll_back",
    "settle",
]
