"""What a cross-encoder thinks of questions and passages, each pair scored once.

Scores are kept in the store under (teacher, question, passage): a re-run, another recipe with the same teacher, or a
run continued after a kill scores only what is new.
"""

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from acronis_pipeline import cross_encoder, embedding, schemas
from acronis_pipeline.errors import ModelError, RecipeError
from acronis_pipeline.fingerprint import digest
from acronis_pipeline.store import Store, quoted

TABLE = "teacher_scores"

Pair = tuple[str, str]
"""A question and a passage."""

_SLICE = 512
"""Pairs scored between two writes: what a kill can cost."""

_log = logging.getLogger(__name__)


_WORDS: Final = {"role": "parameters.teacher =", "otherwise": "write teacher: hybrid"}


def find_teacher(name: str) -> Path:
    """Folder of a cross-encoder: a local one, or downloaded from the hub.

    Raises
    ------
    RecipeError
        If there is none, or it reads single texts and no pairs.
    """
    try:
        return cross_encoder.find(name, **_WORDS)
    except ModelError as error:
        raise RecipeError(str(error)) from error


def teacher_scores(
    store: Store, teacher: str, pairs: Sequence[Pair], *, device: str | None = None, batch_size: int = 32
) -> np.ndarray:
    """The teacher's logits of `pairs`, in their order: (n_pairs,) float32. With all known, no model is loaded.

    Raises
    ------
    RecipeError
        If the teacher is not found, does not load or gives more than one score a pair.
    """
    folder = find_teacher(teacher)
    fingerprint = embedding.describe(
        folder, base=teacher, max_seq_length=cross_encoder.MAX_LENGTH
    ).document_fingerprint[:16]
    pair_of = {digest(fingerprint, *pair): pair for pair in pairs}
    known = _known(store, fingerprint)
    # Similar lengths together: a batch is padded to its longest pair.
    missing = sorted(pair_of.keys() - known.keys(), key=lambda key: (sum(map(len, pair_of[key])), key))
    if missing:
        _log.info("teacher %s: %d of %d pairs to score", teacher, len(missing), len(pair_of))
        model, started = _load(teacher, device), time.monotonic()
    for start in range(0, len(missing), _SLICE):
        part = missing[start : start + _SLICE]
        scores = _score(model, [pair_of[key] for key in part], batch_size)
        known.update(zip(part, scores.tolist(), strict=True))
        _write(store, fingerprint, part, scores)
        done, seconds = start + len(part), time.monotonic() - started
        left = seconds / done * (len(missing) - done)
        _log.info("scored %d of %d pairs, %.0f/s, about %.0f s left", done, len(missing), done / seconds, left)
    if missing:
        store.compact(TABLE)
    return np.array([known[digest(fingerprint, *pair)] for pair in pairs], np.float32)


def _score(model: Any, pairs: Sequence[Pair], batch_size: int) -> np.ndarray:
    import torch

    scores = model.predict(
        list(pairs), batch_size=batch_size, activation_fn=torch.nn.Identity(), show_progress_bar=False
    )
    return np.asarray(scores, np.float32)


def _load(teacher: str, device: str | None) -> Any:
    try:
        return cross_encoder.load(teacher, **_WORDS, device=device)
    except ModelError as error:
        raise RecipeError(str(error)) from error


def _known(store: Store, fingerprint: str) -> dict[str, float]:
    rows = store.read(
        TABLE, schemas.TEACHER_SCORES, columns=["score_id", "score"], where=f"teacher = {quoted(fingerprint)}"
    )
    return dict(zip(rows.column("score_id").to_pylist(), rows.column("score").to_pylist(), strict=True))


def _write(store: Store, fingerprint: str, keys: Sequence[str], scores: np.ndarray) -> None:
    rows = pa.table([list(keys), [fingerprint] * len(keys), scores], schema=schemas.TEACHER_SCORES)
    store.upsert(TABLE, schemas.TEACHER_SCORES, rows)
