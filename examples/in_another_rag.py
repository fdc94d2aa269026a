"""The trained model in another RAG: `python examples/in_another_rag.py MODEL_FOLDER`.

A published model is a plain sentence-transformers folder: nothing of this package is imported. Questions and passages
take different routes (`encode_query`, `encode_document`), which a framework must do likewise.
"""

import sys
from pathlib import Path

from sentence_transformers import SentenceTransformer

PASSAGES = ["Backups are kept for seven days, four weeks and six months by default.", "The agent needs 2 GB of memory."]


def main(folder: str | Path, question: str = "How long are backups kept?") -> str:
    model = SentenceTransformer(str(folder))
    similarities = model.similarity(model.encode_query([question]), model.encode_document(PASSAGES))[0]
    best = PASSAGES[int(similarities.argmax())]
    print(f"{question} -> {best} ({float(similarities.max()):.3f})")
    return best


if __name__ == "__main__":
    main(*sys.argv[1:])
