"""What the command line prints: progress by stage on standard error, results on standard output."""

import logging
import os
import time
import warnings

_QUIET_LIBRARIES = (
    "httpx",
    "httpx2",
    "httpcore2",
    "sentence_transformers",
    "transformers",
    "filelock",
    "alembic",
    "mlflow",
)


def show_progress(*, verbose: bool = False) -> None:
    """Send the domain code's log to standard error, a line a message: seconds since the start, stage, message."""
    os.environ.setdefault("TQDM_DISABLE", "1")
    # Lance warns about forking at import; nothing here forks.
    warnings.filterwarnings("ignore", message=".*lance is not fork-safe.*")
    handler = logging.StreamHandler()
    handler.setFormatter(_StageFormatter())
    logger = logging.getLogger("acronis_pipeline")
    logger.handlers = [handler]
    logger.setLevel(logging.DEBUG if verbose else logging.INFO)
    logger.propagate = False
    for name in _QUIET_LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)


class _StageFormatter(logging.Formatter):
    def __init__(self) -> None:
        super().__init__()
        self._started = time.monotonic()

    def format(self, record: logging.LogRecord) -> str:
        stage = record.name.split(".")[1] if "." in record.name else ""
        if record.name.startswith("acronis_pipeline.defs."):
            stage = "»"
        text = f"{time.monotonic() - self._started:7.1f}s  {stage:<9} {record.getMessage()}"
        if record.levelno >= logging.WARNING:
            text = f"{text}  [{record.levelname.lower()}]"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text
