"""Writing a trained model: a folder that plain `SentenceTransformer(folder)` loads, and that says who it is."""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from acronis_pipeline.embedding import ModelIdentity, with_adapted_queries, write_identity
from acronis_pipeline.errors import ModelError
from acronis_pipeline.finetune.method import Changed, Fitted
from acronis_pipeline.fingerprint import digest


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """A temporary sibling of `folder` that takes its name when the block ends without an error.

    A run killed in between leaves no folder of the final name; the next one clears what is left.
    """
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        if folder.exists():  # an earlier model of the same key whose record was lost
            shutil.rmtree(folder)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_model(fitted: Fitted, base: ModelIdentity, folder: Path) -> ModelIdentity:
    """Save weights, configuration and identity; an earlier content of the folder is replaced.

    Raises
    ------
    ModelError
        If the disk refuses.
    """
    identity = identify(fitted, base)
    try:
        shutil.rmtree(folder, ignore_errors=True)
        fitted.model.save_pretrained(str(folder), create_model_card=False)
        write_identity(folder, identity)
    except OSError as error:
        raise ModelError(f"model cannot be written to {folder} ({error}); free space or check permissions") from error
    return identity


def identify(fitted: Fitted, base: ModelIdentity) -> ModelIdentity:
    """Identity of a fitted model: the base's, changed on the sides whose vectors changed."""
    if fitted.changed is Changed.NOTHING:
        return base
    weights = _weights_digest(fitted.model)
    if fitted.changed is Changed.QUERIES:
        return with_adapted_queries(base, weights)
    return replace(
        base,
        query_fingerprint=digest(base.query_fingerprint, weights),
        document_fingerprint=digest(base.document_fingerprint, weights),
        dimension=fitted.model.get_embedding_dimension(),
    )


def _weights_digest(model: Any) -> str:
    parts: list[str] = []
    for name, tensor in sorted(model.state_dict().items()):
        parts += [name, hashlib.sha256(tensor.detach().cpu().contiguous().numpy().tobytes()).hexdigest()]
    return digest(*parts)
