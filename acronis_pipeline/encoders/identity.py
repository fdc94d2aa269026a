"""Saying exactly which model, on which path, made a vector."""

import json
from dataclasses import asdict, dataclass, fields, replace

from acronis_pipeline.core.hashing import digest
from acronis_pipeline.encoders.windows import Windows

IDENTITY_FILE = "acronis_pipeline.json"
"""Written beside the weights of every model we publish; sentence-transformers ignores it."""

FLOAT32, BFLOAT16, BFLOAT16_IN_TORCH, INT8 = "float32", "bfloat16", "bfloat16 in torch", "int8"
"""Precisions. What computes float32 is no part of an identity: torch's own vectors differ in the seventh decimal with
the texts that share a batch, another engine's no more than that (`encoders.choosing` checks it), and rankings compare
five decimals. A reduced precision moves vectors further, and each engine in its own way, so it makes another model.
Plain `bfloat16` is OpenVINO's."""

DETERMINED = (FLOAT32, BFLOAT16, BFLOAT16_IN_TORCH)
"""Precisions that need no more than the model's own weights, unlike int8, which is calibrated."""


@dataclass(frozen=True)
class ModelIdentity:
    """What must be equal for two vectors to be comparable.

    `document_fingerprint` names everything that shapes a passage's vector, `query_fingerprint` everything that shapes
    a query's. A query-side adapter shares the document fingerprint of its base, which is why it needs no re-embedding.
    `windows` says how passages are cut into several vectors each; None for one vector a passage.
    """

    base: str
    query_fingerprint: str
    document_fingerprint: str
    dimension: int
    max_seq_length: int
    query_prompt: str = ""
    document_prompt: str = ""
    precision: str = FLOAT32
    windows: Windows | None = None

    @property
    def model_id(self) -> str:
        """Short name (16 hex characters) of the pair of encoders."""
        return digest(self.query_fingerprint, self.document_fingerprint)[:16]

    @property
    def windowed(self) -> bool:
        """Whether a passage has several vectors."""
        return self.windows is not None

    @property
    def described(self) -> str:
        """The base and how passages are cut, for people."""
        return f"{self.base}, {self.windows}" if self.windows else self.base

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "ModelIdentity":
        values = json.loads(text)
        values = {field.name: values[field.name] for field in fields(cls) if field.name in values}
        windows = values.get("windows")
        return cls(**{**values, "windows": Windows(**windows) if windows else None})


def in_every_precision(identity: ModelIdentity) -> list[ModelIdentity]:
    """Identities that a model can have, one for each precision that its weights determine; its own comes first."""
    return list(dict.fromkeys(in_precision(identity, precision) for precision in DETERMINED))


def precision_named(identity: ModelIdentity, model_id: str) -> ModelIdentity | None:
    """The one of `in_every_precision` that has this id."""
    return next((way for way in in_every_precision(identity) if way.model_id == model_id), None)


def with_adapted_queries(identity: ModelIdentity, fingerprint: str) -> ModelIdentity:
    """Identity of a model whose query side was changed on top of `identity` and whose document side was not."""
    return replace(identity, query_fingerprint=digest(identity.query_fingerprint, fingerprint))


def in_precision(identity: ModelIdentity, precision: str, artefact: str = "") -> ModelIdentity:
    """Identity of a float32 model run in another precision; itself for float32, or if it is reduced already.

    Parameters
    ----------
    artefact
        Digest of converted weights that the model's own do not determine, such as calibrated ones.
    """
    if precision == FLOAT32 or identity.precision != FLOAT32:
        return identity
    return replace(
        identity,
        query_fingerprint=digest(identity.query_fingerprint, precision, artefact),
        document_fingerprint=digest(identity.document_fingerprint, precision, artefact),
        precision=precision,
    )
