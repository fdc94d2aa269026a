"""The methods a recipe can name. A new one is a module like its neighbours here and a line below."""

from typing import cast

from acronis_pipeline.finetune.method import Method
from acronis_pipeline.finetune.methods import decoder, distill, ensemble, full, lora, query_adapter, two_tower

OVER_ENDPOINTS = "query_adapter"
"""The method that needs no more of its base than vectors."""

METHODS: dict[str, Method] = {
    "query_adapter": cast("Method", query_adapter),
    "full": cast("Method", full),
    "ensemble": cast("Method", ensemble),
    "two_tower": cast("Method", two_tower),
    "decoder": cast("Method", decoder),
    "distill": cast("Method", distill),
    "lora": cast("Method", lora),
}
