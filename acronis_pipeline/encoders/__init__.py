"""Text encoders: finding a base model, loading it safely, encoding, and saying exactly which model made a vector.

torch and sentence-transformers take about six seconds to import and are only needed to encode, so they are imported
inside functions; identities and token counts come from the model's files alone. Other engines than torch run the same
models in `acronis_pipeline.encoders`.

Engines that run an encoder: torch itself, or OpenVINO on a converted copy of the model.

embedder = running(folder, identity, settings.model)   # what indexing and questions use

Which engine computes float32 is found out on the machine (`choosing`). A reduced precision is somebody's choice or a
probe's (`precision`), and part of the model's identity, so that queries take the same path as the passages of an index.
"""

from acronis_pipeline.encoders.choosing import precision_of, running
from acronis_pipeline.encoders.folder import (
    PACKAGED_BASE,
    as_found,
    describe,
    find_base,
    find_model,
    modules_of,
    position_limit,
    write_identity,
)
from acronis_pipeline.encoders.identity import (
    IDENTITY_FILE,
    ModelIdentity,
    in_every_precision,
    in_precision,
    precision_named,
    with_adapted_queries,
)
from acronis_pipeline.encoders.tokens import TokenCounter
from acronis_pipeline.encoders.torch_encoder import Embedder, load, load_base, set_aside
from acronis_pipeline.encoders.windows import PassageVectors, Windows

__all__ = [
    "IDENTITY_FILE",
    "PACKAGED_BASE",
    "Embedder",
    "ModelIdentity",
    "PassageVectors",
    "TokenCounter",
    "Windows",
    "as_found",
    "describe",
    "find_base",
    "find_model",
    "in_every_precision",
    "in_precision",
    "load",
    "load_base",
    "modules_of",
    "position_limit",
    "precision_named",
    "precision_of",
    "running",
    "set_aside",
    "with_adapted_queries",
    "write_identity",
]
