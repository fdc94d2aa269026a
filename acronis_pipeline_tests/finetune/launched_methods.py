"""What torchrun starts to train several tasks in the same processes: a start costs more than such a training."""

import json
import sys
from pathlib import Path

from accelerate import PartialState

from acronis_pipeline.finetune import launch

if __name__ == "__main__":
    state = PartialState(cpu=True)
    launch._say = lambda **said: None  # there is no parent to hear it
    for folder in map(Path, sys.argv[1:]):
        launch._train(json.loads((folder / "task.json").read_text("utf-8")), folder, "cpu")
    state.wait_for_everyone()
    state.destroy_process_group()
