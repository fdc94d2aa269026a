"""Labelled retrieval data as plain values, and the two file formats that other tools exchange it in.

LlamaIndex's `EmbeddingQAFinetuneDataset` is JSON of `queries`, `corpus` and `relevant_docs`: a file, or a folder with
one for each split. What it has no place for goes under an extra key `metadata`, which LlamaIndex ignores. A BEIR folder
holds corpus.jsonl, queries.jsonl and qrels/{train,dev,test}.tsv (Thakur et al. 2021, arXiv 2104.08663).
"""

import csv
import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from acronis_pipeline.core.errors import DatasetError
from acronis_pipeline.core.files import json_lines, write_text

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")

_log = logging.getLogger(__name__)
_GRADES = "grades"
_LLAMA_INDEX_STEMS: dict[str, Split] = {
    "train": "train", "val": "validation", "dev": "validation", "test": "test",
}  # fmt: skip
_QRELS_FILES: dict[str, Split] = {"train": "train", "dev": "validation", "test": "test"}
_QRELS_HEADER = ["query-id", "corpus-id", "score"]


@dataclass(frozen=True)
class LabelledPassage:
    """`title` stands before the text in what is embedded; `metadata` is whatever else the file says of the passage."""

    text: str
    title: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def passage(self) -> str:
        """What is embedded and searched."""
        return f"{self.title}\n\n{self.text}" if self.title else self.text


@dataclass(frozen=True)
class LabelledQuery:
    """A query with its judged passages: id to grade, 0 meaning judged and not relevant. `split` if the file says."""

    text: str
    judged: Mapping[str, int]
    split: Split | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def relevant(self) -> tuple[str, ...]:
        """Passages that answer it, best grade first, in the order of the file."""
        return tuple(sorted((p for p, grade in self.judged.items() if grade > 0), key=lambda p: -self.judged[p]))


@dataclass(frozen=True)
class LabelledData:
    """Queries and corpus by id; every judged passage is in the corpus."""

    queries: Mapping[str, LabelledQuery]
    corpus: Mapping[str, LabelledPassage]


def read_llama_index_folder(folder: Path) -> LabelledData:
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
        data = read_llama_index(path, split=split)
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


def read_llama_index(path: Path, *, split: Split | None = None) -> LabelledData:
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
    grades = _mapping(metadata.pop(_GRADES, None))
    return replace(query, judged=grades, metadata=metadata) if query.judged.keys() <= grades.keys() else query


def _split_of(path: Path) -> Split | None:
    stem = path.stem.lower()
    for start, split in _LLAMA_INDEX_STEMS.items():
        if stem.startswith(start):
            return split
    return None


def _parsed(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(_text_of(path, "give a LlamaIndex EmbeddingQAFinetuneDataset JSON file"))
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


def is_beir(path: Path) -> bool:
    """Whether a path looks like a BEIR folder."""
    return (path / "corpus.jsonl").exists() or (path / "queries.jsonl").exists()


def read_beir(folder: Path) -> LabelledData:
    """Read a folder; queries without any judgement are left out, and said so.

    Raises
    ------
    DatasetError
        Names the file and line of the first thing that is wrong.
    """
    corpus = {
        identifier: LabelledPassage(_beir_text(row, where), row.get("title") or "", row.get("metadata") or {})
        for identifier, row, where in _beir_rows(folder / "corpus.jsonl")
    }
    texts = {
        identifier: (_beir_text(row, where), row.get("metadata") or {})
        for identifier, row, where in _beir_rows(folder / "queries.jsonl")
    }
    judged: dict[str, tuple[Split, dict[str, int]]] = {}
    for name, split in _QRELS_FILES.items():
        for query_id, passage_id, grade, where in _qrels(folder / "qrels" / f"{name}.tsv"):
            for kind, known, identifier in (("query", texts, query_id), ("passage", corpus, passage_id)):
                if identifier not in known:
                    raise DatasetError(f"{where}: {kind} {identifier!r} is not in the folder; mend or re-export it")
            held, grades = judged.setdefault(query_id, (split, {}))
            if held != split:
                raise DatasetError(f"{where}: query {query_id!r} is judged in {held} too; a query belongs to one split")
            grades[passage_id] = grade
    answered = {query_id: found for query_id, found in judged.items() if any(grade > 0 for grade in found[1].values())}
    if not answered:
        raise DatasetError(f"{folder}/qrels judges no query as answered; expected train.tsv, dev.tsv or test.tsv")
    if len(answered) < len(texts):
        _log.warning("%s: %d of %d queries have no relevant passage; left out", folder, len(texts) - len(answered),
                     len(texts))  # fmt: skip
    return LabelledData(
        {key: LabelledQuery(texts[key][0], grades, split, texts[key][1]) for key, (split, grades) in answered.items()},
        corpus,
    )


def write_beir(data: LabelledData, folder: Path) -> list[Path]:
    """Write a folder; queries without a split go to `test.tsv`, as BEIR's own collections do."""
    corpus = (
        {"_id": key, "title": passage.title, "text": passage.text, "metadata": dict(passage.metadata)}
        for key, passage in data.corpus.items()
    )
    queries = (
        {"_id": key, "text": query.text, "metadata": dict(query.metadata)} for key, query in data.queries.items()
    )
    written = [folder / "corpus.jsonl", folder / "queries.jsonl"]
    write_text(written[0], _jsonl(corpus))
    write_text(written[1], _jsonl(queries))
    for name, split in _QRELS_FILES.items():
        chosen = {key: query for key, query in data.queries.items() if (query.split or "test") == split}
        lines = ["\t".join(_QRELS_HEADER)]
        lines += [
            f"{key}\t{passage_id}\t{grade}"
            for key, query in chosen.items()
            for passage_id, grade in query.judged.items()
        ]
        if chosen:
            written.append(folder / "qrels" / f"{name}.tsv")
            write_text(written[-1], "\n".join(lines) + "\n")
    return written


def _jsonl(rows: Iterable[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _beir_rows(path: Path) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Id, object and place of every line."""
    seen: set[str] = set()
    for row, where in json_lines(path, _beir_lines(path)):
        identifier = row.get("_id") if isinstance(row, dict) else None
        if not isinstance(identifier, str) or identifier in seen:
            raise DatasetError(f"{where} needs an '_id' of its own (a string); mend or re-export it")
        seen.add(identifier)
        yield identifier, row, where


def _beir_text(row: Mapping[str, Any], where: str) -> str:
    text = row.get("text")
    if not isinstance(text, str) or not text.strip():
        raise DatasetError(f"{where} has no 'text'; remove or mend it")
    return text


def _qrels(path: Path) -> Iterator[tuple[str, str, int, str]]:
    if not path.exists():
        return
    rows = csv.reader(_beir_lines(path), delimiter="\t", quoting=csv.QUOTE_NONE)
    for number, row in enumerate(rows, start=1):
        if not row or (number == 1 and row[:1] == _QRELS_HEADER[:1]):
            continue
        try:
            query_id, passage_id, grade = row
            yield query_id, passage_id, int(grade), f"{path}:{number}"
        except ValueError as error:
            raise DatasetError(
                f"{path}:{number} holds {row!r}; expected query-id, corpus-id and a whole number, separated by tabs"
            ) from error


def _beir_lines(path: Path) -> list[str]:
    # `splitlines` would cut texts at U+2028.
    return _text_of(path, "a BEIR folder has corpus.jsonl, queries.jsonl and qrels/").split("\n")


def _text_of(path: Path, expected: str) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: no such file; {expected}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} cannot be read as UTF-8 text ({error}); re-export it as such") from error
