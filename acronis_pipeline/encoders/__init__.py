"""Text encoders: finding a base model, loading it safely, encoding, and saying exactly which model made a vector.

    encoder = running(folder, identity, settings.model)   # what indexing and questions use
    vectors = encoder.encode_queries(["How do I restore a file?"])

torch and sentence-transformers take about six seconds to import and are only needed to encode, so they are imported
inside functions; identities and token counts come from the model's files alone.
"""

from acronis_pipeline.encoders.encoder import DeferredEncoder, Encoder
from acronis_pipeline.encoders.folder import (
    PACKAGED_BASE,
    as_found,
    describe,
    find_base,
    find_model,
    located,
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
from acronis_pipeline.encoders.loading import load, load_base, precision_of, running
from acronis_pipeline.encoders.tokens import TokenCounter
from acronis_pipeline.encoders.torch_encoder import TorchEncoder, load_in_torch, set_aside
from acronis_pipeline.encoders.windows import PassageVectors, Windows

__all__ = [
    "IDENTITY_FILE",
    "PACKAGED_BASE",
    "DeferredEncoder",
    "Encoder",
    "ModelIdentity",
    "PassageVectors",
    "TokenCounter",
    "TorchEncoder",
    "Windows",
    "as_found",
    "describe",
    "find_base",
    "find_model",
    "in_every_precision",
    "in_precision",
    "load",
    "load_base",
    "load_in_torch",
    "located",
    "modules_of",
    "position_limit",
    "precision_named",
    "precision_of",
    "running",
    "set_aside",
    "with_adapted_queries",
    "write_identity",
]
