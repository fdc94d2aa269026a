"""What training must not lose when it is killed. Imports torch: import this module inside functions."""

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from acronis_pipeline.finetune import devices

if TYPE_CHECKING:
    from acronis_pipeline.finetune.contrastive_training import Progress

_EVERY_S = 120.0
_VERSION = 2
"""Of what a checkpoint holds; one of another version is of no use."""

_log = logging.getLogger(__name__)


class Checkpoints:
    """The last state of a training run in a folder of its own, replaced as a whole every two minutes.

    Only trained parameters are kept; the frozen ones are the base's. Batches follow from the seed and the step, and
    dropout is off, so there is no state of random numbers to keep.

    Parameters
    ----------
    folder
        Belongs to exactly one recipe, base and data set; None keeps nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self._file = folder / "checkpoint.pt" if folder else None
        self._saved = time.monotonic()

    def resume(self, weights: torch.nn.Module, optimizer: torch.optim.Optimizer) -> "Progress | None":
        """Put the last state into `weights` and `optimizer`; None if there is none."""
        if self._file is None or not self._file.exists():
            return None
        from acronis_pipeline.finetune.contrastive_training import Best, Progress, load

        saved = torch.load(self._file, map_location=next(weights.parameters()).device, weights_only=True)
        if saved.get("version") != _VERSION:
            _log.warning("%s is of another version of this program: training starts from the beginning", self._file)
            return None
        load(weights, saved["weights"])
        optimizer.load_state_dict(saved["optimizer"])
        run = Progress(Best(**saved["best"]), **saved["progress"])
        _log.info("training goes on after step %d (%s)", run.step, self._file)
        return run

    def save(self, run: "Progress", weights: torch.nn.Module, optimizer: torch.optim.Optimizer, *, due: bool) -> None:
        """Write the state if it is `due` or the last one is old; a reader finds the old or the new, never half."""
        if self._file is None or not devices.is_main():
            return
        if not due and time.monotonic() - self._saved < _EVERY_S:
            return
        from acronis_pipeline.finetune.contrastive_training import copy_of

        self._file.parent.mkdir(parents=True, exist_ok=True)
        partial = self._file.with_suffix(".partial")
        state = {
            "version": _VERSION,
            "weights": copy_of(weights),
            "optimizer": optimizer.state_dict(),
            "best": vars(run.best),
            "progress": {name: value for name, value in vars(run).items() if name != "best"},
        }
        torch.save(state, partial)
        partial.replace(self._file)
        self._saved = time.monotonic()
