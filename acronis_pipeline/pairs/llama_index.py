"""LlamaIndex's `EmbeddingQAFinetuneDataset` JSON: `queries`, `corpus`, `relevant_docs`; a file, or a folder of splits.

What the format has no place for goes under an extra key `metadata`, which LlamaIndex ignores.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from acronis_pipeline.core.errors import DatasetError
from acronis_pipeline.core.files import write_text
from acronis_pipeline.pairs.labelled import SPLITS, LabelledData, LabelledPassage, LabelledQuery, Split

_GRADES = "grades"
_STEMS: dict[str, Split] = {
    "train": "train", "val": "validation", "dev": "validation", "test": "test",
}  # fmt: skip


def read_folder(folder: Path) -> LabelledData:
    """Read the splits of a folder: files whose names start with train, val, dev or test.

    Raises
    ------
    DatasetError
        If there is none, one is not what its format says, or two of them disagree about a text.
    """
    queries: dict[str, LabelledQuery] = {}
    corpus: dict[str, LabelledPassage] = {}
    for path in sorted(folder.glob("*.json")):
        split = _split_of(path)
        if split is None:
            continue
        data = read_file(path, split=split)
        for query_id, query in data.queries.items():
            if query_id in queries:
                raise DatasetError(f"{path}: query {query_id!r} stands in another split too; a query belongs to one")
            queries[query_id] = query
        for passage_id, passage in data.corpus.items():
            if corpus.setdefault(passage_id, passage).text != passage.text:
                raise DatasetError(f"{path}: corpus[{passage_id!r}] has another text in another split; rename one")
    if not queries:
        raise DatasetError(f"{folder} holds no train*.json, val*.json or test*.json; name one file, or a BEIR folder")
    return LabelledData(queries, corpus)


def read_file(path: Path, *, split: Split | None = None) -> LabelledData:
    """Read one file; its queries belong to `split`.

    Raises
    ------
    DatasetError
        Names the file and the first thing that is wrong with it.
    """
    data = _parsed(path)
    queries, corpus = _texts(path, data, "queries"), _texts(path, data, "corpus")
    relevant = _relevant(path, data, queries, corpus)
    metadata = _mapping(data.get("metadata"))
    of_queries, of_corpus = _mapping(metadata.get("queries")), _mapping(metadata.get("corpus"))
    return LabelledData(
        {
            query_id: _graded(LabelledQuery(text, relevant[query_id], split, _mapping(of_queries.get(query_id))))
            for query_id, text in queries.items()
        },
        {
            passage_id: LabelledPassage(text, metadata=_mapping(of_corpus.get(passage_id)))
            for passage_id, text in corpus.items()
        },
    )


def write_folder(data: LabelledData, folder: Path) -> list[Path]:
    """Write a file per split, each with the whole corpus: passages of other splits are what a search must tell apart.

    Queries without a split go to `all.json`.
    """
    written = []
    for split in (*SPLITS, None):
        queries = {key: query for key, query in data.queries.items() if query.split == split}
        if queries:
            written.append(folder / f"{split or 'all'}.json")
            _write(queries, data.corpus, written[-1])
    return written


def _write(queries: Mapping[str, LabelledQuery], corpus: Mapping[str, LabelledPassage], path: Path) -> None:
    content = {
        "queries": {key: query.text for key, query in queries.items()},
        "corpus": {key: passage.passage for key, passage in corpus.items()},
        "relevant_docs": {key: list(query.relevant) for key, query in queries.items()},
        "mode": "text",
        "metadata": {
            "queries": {key: told for key, query in queries.items() if (told := _told(query))},
            "corpus": {key: dict(passage.metadata) for key, passage in corpus.items() if passage.metadata},
        },
    }
    write_text(path, json.dumps(content, ensure_ascii=False, indent=1))


def _told(query: LabelledQuery) -> dict[str, Any]:
    """What the format has no place for: grades other than 1, passages judged irrelevant among them."""
    graded = any(grade != 1 for grade in query.judged.values())
    return {**query.metadata, _GRADES: dict(query.judged)} if graded else dict(query.metadata)


def _graded(query: LabelledQuery) -> LabelledQuery:
    metadata = dict(query.metadata)
    grades = _mapping(metadata.pop(_GRADES, None))
    return replace(query, judged=grades, metadata=metadata) if query.judged.keys() <= grades.keys() else query


def _split_of(path: Path) -> Split | None:
    stem = path.stem.lower()
    for start, split in _STEMS.items():
        if stem.startswith(start):
            return split
    return None


def _parsed(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: no such file; give a LlamaIndex EmbeddingQAFinetuneDataset JSON file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} cannot be read as UTF-8 text ({error}); give a JSON file") from error
    except json.JSONDecodeError as error:
        raise DatasetError(f"{path} is not JSON (line {error.lineno}: {error.msg}); mend or re-export it") from error
    if not isinstance(data, dict):
        raise DatasetError(
            f"{path} holds a {type(data).__name__}; expected an object with queries, corpus, relevant_docs"
        )
    return data


def _texts(path: Path, data: Mapping[str, Any], key: str) -> dict[str, str]:
    found = data.get(key)
    if not isinstance(found, dict):
        what = "is missing" if key not in data else f"is a {type(found).__name__}"
        raise DatasetError(f"{path}: {key!r} {what}; expected an object of id: text")
    if not found:
        raise DatasetError(f"{path}: {key!r} is empty; a dataset needs at least one")
    for identifier, text in found.items():
        if not isinstance(text, str) or not text.strip():
            raise DatasetError(f"{path}: {key}[{identifier!r}] is not a text; remove or mend it")
    return found


def _relevant(
    path: Path, data: Mapping[str, Any], queries: Mapping[str, str], corpus: Mapping[str, str]
) -> dict[str, dict[str, int]]:
    found = data.get("relevant_docs")
    if not isinstance(found, dict):
        raise DatasetError(f"{path}: 'relevant_docs' is missing or no object; expected query id: [passage ids]")
    for query_id in queries:
        ids = found.get(query_id)
        if not isinstance(ids, list) or not ids:
            raise DatasetError(f"{path}: query {query_id!r} has no relevant_docs; remove it or name its passages")
        for chunk_id in ids:
            if chunk_id not in corpus:
                raise DatasetError(
                    f"{path}: relevant_docs[{query_id!r}] names {chunk_id!r}, which is not in the corpus"
                )
    return {query_id: dict.fromkeys(found[query_id], 1) for query_id in queries}


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
