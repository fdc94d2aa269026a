"""LlamaIndex's `EmbeddingQAFinetuneDataset`: JSON of `queries`, `corpus` and `relevant_docs`.

It is a file, or a folder with one for each split. What it has no place for goes under an extra key `metadata`, which
LlamaIndex ignores.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from acronis_pipeline.core.errors import DatasetError
from acronis_pipeline.core.files import MalformedError, parse_json, read_text, write_text
from acronis_pipeline.core.text import printable
from acronis_pipeline.pairs.labelled import (
    SPLITS,
    LabelledData,
    LabelledPassage,
    LabelledQuery,
    Split,
    Tally,
    grade_in,
    identifier_in,
    mapping,
    passage_in,
    rank,
    text_in,
)

_GRADES = "grades"
_STEMS: dict[str, Split] = {"train": "train", "val": "validation", "dev": "validation", "test": "test"}


def read_llama_index_folder(folder: Path) -> LabelledData:
    """Read the splits of a folder: files whose names start with train, val, dev or test.

    A passage or query whose id means another text in another file is kept under an id of its own; a query that stands
    in two splits belongs to the one that is held out.

    Raises
    ------
    DatasetError
        If there is none, or one is not what its format says.
    """
    queries: dict[str, LabelledQuery] = {}
    corpus: dict[str, LabelledPassage] = {}
    tally = Tally()
    for path in sorted(folder.glob("*.json")):
        split = _split_of(path)
        if split is None:
            continue
        data = read_llama_index(path, split=split)
        tally.join(data.left_out, str(path))
        own = {
            key: f"{path.stem}/{key}"
            for key, passage in data.corpus.items()
            if key in corpus and corpus[key].passage != passage.passage
        }
        corpus |= {own.get(key, key): passage for key, passage in data.corpus.items()}
        for key, query in data.queries.items():
            known = queries.get(key)
            query = replace(query, judged={own.get(p, p): grade for p, grade in query.judged.items()})
            if known and known.text != query.text:
                queries[f"{path.stem}/{key}"] = query
            elif known:
                tally.add("query in two splits, kept in the one held out", f"{path}: {key!r}")
                held_out = max(known, query, key=lambda one: rank(one.split))
                queries[key] = replace(held_out, judged={**known.judged, **query.judged})
            else:
                queries[key] = query
    if not queries:
        raise DatasetError(f"{folder} holds no train*.json, val*.json or test*.json; name one file, or a BEIR folder")
    return tally.complete(folder, queries, corpus)


def read_llama_index(path: Path, *, split: Split | None = None) -> LabelledData:
    """Read one file; its queries belong to `split`.

    Raises
    ------
    DatasetError
        If it is not JSON of that form, or no query has a passage in it.
    """
    data, tally = _parsed(path), Tally()
    told = mapping(data.get("metadata"))
    of_queries, of_corpus = mapping(told.get("queries")), mapping(told.get("corpus"))
    corpus: dict[str, LabelledPassage] = {}
    for key, value in _members(path, data, "corpus"):
        passage = passage_in(value, of_corpus.get(key))
        if passage:
            corpus[key] = passage
        else:
            tally.add("passage without text", f"corpus[{key!r}]")
    relevant = dict(_members(path, data, "relevant_docs"))
    queries: dict[str, LabelledQuery] = {}
    for key, value in _members(path, data, "queries"):
        text, found = text_in(value), relevant.pop(key, None)
        judged = _judged(found, corpus, tally, f"relevant_docs[{key!r}]")
        if not text:
            tally.add("query without text", f"queries[{key!r}]")
        elif not judged:
            tally.add("query without a passage that answers it", f"queries[{key!r}]")
        else:
            queries[key] = _graded(LabelledQuery(text, judged, split, mapping(of_queries.get(key))))
    for key in relevant:
        tally.add("relevant_docs of a query that is not there", repr(key))
    return tally.complete(path, queries, corpus)


def _judged(found: object, corpus: Mapping[str, LabelledPassage], tally: Tally, place: str) -> dict[str, float]:
    """Passages that are there: of a list of ids, of one id, or of grades by id."""
    grades = found if isinstance(found, dict) else dict.fromkeys(_identifiers(found), 1)
    judged: dict[str, float] = {}
    for key, value in grades.items():
        identifier, grade = identifier_in(key), grade_in(value)
        if identifier not in corpus:
            tally.add("judgement of a passage that is not there", f"{place}: {key!r}")
        elif grade is not None and identifier is not None:
            judged[identifier] = grade
    return judged if any(grade > 0 for grade in judged.values()) else {}


def _identifiers(found: object) -> list[str]:
    several = cast("list[object]", found) if isinstance(found, list) else [found]
    return [identifier for one in several if (identifier := identifier_in(one))]


def write_llama_index(data: LabelledData, folder: Path) -> list[Path]:
    """Write a file per split, each with the whole corpus: passages of other splits are what a search must tell apart.

    Queries without a split go to `all.json`.
    """
    written = []
    for split in (*SPLITS, None):
        queries = {key: query for key, query in data.queries.items() if query.split == split}
        if queries:
            written.append(folder / f"{split or 'all'}.json")
            _write_llama_index_file(queries, data.corpus, written[-1])
    return written


def _write_llama_index_file(
    queries: Mapping[str, LabelledQuery], corpus: Mapping[str, LabelledPassage], path: Path
) -> None:
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
    grades = mapping(metadata.pop(_GRADES, None))
    return replace(query, judged=grades, metadata=metadata) if query.judged.keys() <= grades.keys() else query


def _split_of(path: Path) -> Split | None:
    stem = path.stem.lower()
    for start, split in _STEMS.items():
        if stem.startswith(start):
            return split
    return None


def _parsed(path: Path) -> dict[str, Any]:
    text = read_text(path, DatasetError, "give a LlamaIndex EmbeddingQAFinetuneDataset JSON file")
    try:
        data = parse_json(text)
    except MalformedError as error:
        place = f" (line {error.line})" if error.line else ""
        raise DatasetError(f"{path} is {error}{place}; mend or re-export it") from error
    if not isinstance(data, dict):
        raise DatasetError(
            f"{path} holds a {type(data).__name__}; expected an object with queries, corpus, relevant_docs"
        )
    return data


def _members(path: Path, data: Mapping[str, Any], key: str) -> Iterator[tuple[str, Any]]:
    found = data.get(key)
    if not isinstance(found, dict):
        what = "is missing" if key not in data else f"is a {type(found).__name__}"
        raise DatasetError(f"{path}: {key!r} {what}; expected an object of ids")
    return ((printable(name), value) for name, value in found.items())
