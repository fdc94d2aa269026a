"""The process that extracts pages for `extractor`: pickled pages on standard input, their contents on standard output.

Its own time limit ends it even where C code does not come back, and after the caller was killed.
"""

import contextlib
import logging
import os
import pickle
import resource
import signal
import sys
from typing import BinaryIO

from acronis_pipeline.content import Content, extract
from acronis_pipeline.content.extractor import ExtractionError
from acronis_pipeline.core.errors import AcronisPipelineError

_MAX_MEMORY_BYTES = 4 * 1024**3


def main(limit_s: float) -> None:
    # macOS does not know every limit.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (_MAX_MEMORY_BYTES, _MAX_MEMORY_BYTES))
    logging.getLogger().addHandler(logging.NullHandler())
    pages = sys.stdin.buffer
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as answers:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no answer
        _send(answers, None)
        while True:
            try:
                html, url, selector = pickle.load(pages)
            except EOFError:
                return
            signal.setitimer(signal.ITIMER_REAL, limit_s)  # whose signal nobody handles
            answer = _extracted(html, url, selector)
            signal.setitimer(signal.ITIMER_REAL, 0)
            _send(answers, answer)


def _extracted(html: str, url: str, selector: str | None) -> Content | Exception:
    try:
        return extract(html, url=url, selector=selector)
    except (AcronisPipelineError, ImportError) as error:
        return error
    except Exception as error:  # of whatever kind: not every one can be pickled
        return ExtractionError(f"{type(error).__name__}: {error}")


def _send(answers: BinaryIO, answer: object) -> None:
    pickle.dump(answer, answers, pickle.HIGHEST_PROTOCOL)
    answers.flush()


if __name__ == "__main__":
    # A caller that is gone needs no answer.
    with contextlib.suppress(BrokenPipeError):
        main(float(sys.argv[1]))
