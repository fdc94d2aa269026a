"""Which precision a training step computes in: bfloat16 where it is really faster. Imports torch."""

import logging
import time
from functools import lru_cache
from pathlib import Path

import torch

from acronis_pipeline.embedding.identity import BFLOAT16, FLOAT32

_WORTH = 1.3
"""A smaller gain would be within what a busy machine's timings vary by."""

_log = logging.getLogger(__name__)


def chosen_precision(asked: str, device: torch.device, work: Path | None) -> str:
    """`asked`, or what a short probe of this device finds faster if that is "auto".

    A training that goes on after a kill goes on in the precision that it began in, which is noted in `work`.
    """
    note = work / "precision" if work else None
    if asked == "auto" and note and note.exists():
        return note.read_text("utf-8")
    chosen = _probe(device) if asked == "auto" else asked
    if note:
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(chosen, "utf-8")
    return chosen


@lru_cache(maxsize=4)
def _probe(device: torch.device) -> str:
    """Times a training step of one encoder layer in both precisions, within a second or so."""
    if device.type not in {"cpu", "cuda"}:
        return FLOAT32
    # On a GPU large enough that arithmetic is timed, and not how kernels are started.
    n_texts, width = (2, 384) if device.type == "cpu" else (64, 1024)
    layer = torch.nn.TransformerEncoderLayer(
        width, width // 32, 4 * width, dropout=0.0, batch_first=True, device=device
    )
    texts = torch.randn(n_texts, 256, width, device=device)
    seconds = {FLOAT32: float("inf"), BFLOAT16: float("inf")}
    for _ in range(3):
        for precision in seconds:
            seconds[precision] = min(seconds[precision], _step_s(layer, texts, precision))
    gain = seconds[FLOAT32] / seconds[BFLOAT16]
    chosen = BFLOAT16 if gain >= _WORTH else FLOAT32
    _log.info("training in %s: bfloat16 is %.1f times as fast on %s", chosen, gain, device)
    return chosen


def _step_s(layer: torch.nn.Module, texts: torch.Tensor, precision: str) -> float:
    started = time.monotonic()
    with torch.autocast(texts.device.type, dtype=torch.bfloat16, enabled=precision == BFLOAT16):
        made = layer(texts)
    made.float().square().mean().backward()
    next(layer.parameters()).grad.sum().item()  # waits for a device that works on its own  # pyright: ignore
    return time.monotonic() - started
