"""The methods a recipe can name. A new one is a module like its neighbours here and a line below."""

from typing import cast

from acronis_pipeline.finetune import full, query_adapter
from acronis_pipeline.finetune.method import Method

METHODS: dict[str, Method] = {
    "query_adapter": cast("Method", query_adapter),
    "full": cast("Method", full),
}
