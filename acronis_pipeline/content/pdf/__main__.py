"""The process that reads one PDF: bytes on standard input, JSON with `html` or `reason` on standard output."""

import contextlib
import json
import resource
import sys

from acronis_pipeline.content.pdf import SCANNED, BadPdfError, blocks, document, roles

_MAX_MEMORY_BYTES = 2 * 1024**3


def main(max_pages: int, timeout_s: float) -> None:
    # macOS does not know every limit. The parent's time limit does not hold for the child of a killed parent.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (_MAX_MEMORY_BYTES, _MAX_MEMORY_BYTES))
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CPU, (int(timeout_s) + 1, int(timeout_s) + 2))
    try:
        answer = {"html": html(document.read(sys.stdin.buffer.read(), max_pages))}
    except BadPdfError as error:
        answer = {"reason": error.reason, "detail": str(error)}
    json.dump(answer, sys.stdout)


def html(found: document.Document) -> str:
    lines = roles.without_furniture(found.lines, found.n_pages)
    if not lines:
        raise BadPdfError(SCANNED, f"{found.n_pages} pages with nothing but running heads")
    title, printed = roles.title(found, lines)
    marked = roles.find(found, lines, printed)
    return blocks.document(title, found.language, blocks.build(lines, marked, printed))


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
