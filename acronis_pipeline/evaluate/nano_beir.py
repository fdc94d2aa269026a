"""NanoBEIR: small subsets of the BEIR retrieval benchmark, from the model hub where it can be reached."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from acronis_pipeline.dataset import Question, RetrievalDataset, singletons

_OWNER = "zeta-alpha-ai"


class UnreachableError(Exception):
    """The hub cannot be reached, or has no such subset; not worth an evaluation."""


def load(name: str) -> RetrievalDataset:
    """A subset such as `NanoMSMARCO`: downloaded once, later read from the hub's local cache.

    Raises
    ------
    UnreachableError
        If it is not cached and the hub does not give it, or it is laid out in another way.
    """
    from huggingface_hub import snapshot_download

    wanted: dict[str, Any] = {"repo_type": "dataset", "allow_patterns": ["*.parquet"]}
    repository = name if "/" in name else f"{_OWNER}/{name}"
    try:
        folder = snapshot_download(repository, local_files_only=True, **wanted)
    except Exception:  # not in the local cache, or only in part: ask the hub
        try:
            folder = snapshot_download(repository, **wanted)
        except Exception as error:  # hub errors have many roots: no network, no such name
            raise UnreachableError(f"the hub did not give {repository} ({type(error).__name__})") from error
    return read(Path(folder))


def read(folder: Path) -> RetrievalDataset:
    """A folder with the Parquet files of `corpus`, `queries` and `qrels`, as the hub keeps the subsets.

    Raises
    ------
    UnreachableError
        If a file or a column is missing.
    """
    passages = {row["_id"]: row["text"] for row in _rows(folder, "corpus", ["_id", "text"])}
    queries = {row["_id"]: row["text"] for row in _rows(folder, "queries", ["_id", "text"])}
    relevant: dict[str, list[str]] = {}
    for row in _rows(folder, "qrels", ["query-id", "corpus-id"]):
        relevant.setdefault(row["query-id"], []).append(row["corpus-id"])
    texts = [(key, text) for key, text in passages.items() if text.strip()]
    questions = [
        Question(key, query, tuple(relevant[key]), group=key) for key, query in queries.items() if relevant.get(key)
    ]
    return RetrievalDataset(singletons(texts), test=tuple(questions))


def _rows(folder: Path, part: str, columns: list[str]) -> list[dict[str, str]]:
    found = sorted((folder / part).glob("*.parquet"))
    try:
        table = pa.concat_tables([pq.read_table(file, columns=columns) for file in found])
        return table.select(columns).to_pylist()
    except (pa.ArrowInvalid, KeyError, OSError) as error:
        raise UnreachableError(f"{folder} has no {part} with columns {' and '.join(columns)}") from error
