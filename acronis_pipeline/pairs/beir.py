"""BEIR folders: corpus.jsonl, queries.jsonl and qrels/{train,dev,test}.tsv (Thakur et al. 2021, arXiv 2104.08663)."""

import csv
import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from acronis_pipeline.core.errors import DatasetError
from acronis_pipeline.core.files import json_lines, write_text
from acronis_pipeline.pairs.labelled import LabelledData, LabelledPassage, LabelledQuery, Split

_log = logging.getLogger(__name__)

_FILES: dict[str, Split] = {"train": "train", "dev": "validation", "test": "test"}
_HEADER = ["query-id", "corpus-id", "score"]


def is_folder(path: Path) -> bool:
    """Whether a path looks like a BEIR folder."""
    return (path / "corpus.jsonl").exists() or (path / "queries.jsonl").exists()


def read_folder(folder: Path) -> LabelledData:
    """Read a folder; queries without any judgement are left out, and said so.

    Raises
    ------
    DatasetError
        Names the file and line of the first thing that is wrong.
    """
    corpus = {
        identifier: LabelledPassage(_text(row, where), row.get("title") or "", row.get("metadata") or {})
        for identifier, row, where in _rows(folder / "corpus.jsonl")
    }
    texts = {
        identifier: (_text(row, where), row.get("metadata") or {})
        for identifier, row, where in _rows(folder / "queries.jsonl")
    }
    judged: dict[str, tuple[Split, dict[str, int]]] = {}
    for name, split in _FILES.items():
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


def write_folder(data: LabelledData, folder: Path) -> list[Path]:
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
    for name, split in _FILES.items():
        chosen = {key: query for key, query in data.queries.items() if (query.split or "test") == split}
        lines = ["\t".join(_HEADER)]
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


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Id, object and place of every line."""
    seen: set[str] = set()
    for row, where in json_lines(path, _lines(path)):
        identifier = row.get("_id") if isinstance(row, dict) else None
        if not isinstance(identifier, str) or identifier in seen:
            raise DatasetError(f"{where} needs an '_id' of its own (a string); mend or re-export it")
        seen.add(identifier)
        yield identifier, row, where


def _text(row: Mapping[str, Any], where: str) -> str:
    text = row.get("text")
    if not isinstance(text, str) or not text.strip():
        raise DatasetError(f"{where} has no 'text'; remove or mend it")
    return text


def _qrels(path: Path) -> Iterator[tuple[str, str, int, str]]:
    if not path.exists():
        return
    rows = csv.reader(_lines(path), delimiter="\t", quoting=csv.QUOTE_NONE)
    for number, row in enumerate(rows, start=1):
        if not row or (number == 1 and row[:1] == _HEADER[:1]):
            continue
        try:
            query_id, passage_id, grade = row
            yield query_id, passage_id, int(grade), f"{path}:{number}"
        except ValueError as error:
            raise DatasetError(
                f"{path}:{number} holds {row!r}; expected query-id, corpus-id and a whole number, separated by tabs"
            ) from error


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8").split("\n")  # `splitlines` would cut texts at U+2028
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: no such file; a BEIR folder has corpus.jsonl, queries.jsonl and qrels/") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} cannot be read as UTF-8 text ({error}); re-export it") from error
