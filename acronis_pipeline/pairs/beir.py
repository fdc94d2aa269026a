"""A BEIR folder: corpus.jsonl, queries.jsonl and qrels/{train,dev,test}.tsv (Thakur et al. 2021, arXiv 2104.08663)."""

import gzip
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from acronis_pipeline.core.errors import DatasetError
from acronis_pipeline.core.files import json_lines, read_text, write_text
from acronis_pipeline.pairs.labelled import (
    LabelledData,
    LabelledPassage,
    LabelledQuery,
    Split,
    Tally,
    first_text,
    grade_in,
    identifier_in,
    mapping,
    passage_in,
    rank,
)

_QRELS_FILES: dict[str, Split] = {"train": "train", "dev": "validation", "test": "test"}
_OTHER_QRELS_FILES: dict[str, Split] = {"val": "validation", "valid": "validation", "validation": "validation"}
_QRELS_HEADER = ["query-id", "corpus-id", "score"]
_TREC_COLUMNS = 4
"""Query, iteration, document, relevance."""
# What exporters and the hub's copies call what BEIR calls _id, query-id, corpus-id and score.
_ID_KEYS = ("_id", "id", "doc_id", "docid", "query_id", "qid")
_COLUMN_NAMES = {
    **dict.fromkeys(("queryid", "qid", "query", "topic", "topicid"), "query-id"),
    **dict.fromkeys(("corpusid", "docid", "docno", "did", "pid", "passageid", "documentid", "doc"), "corpus-id"),
    **dict.fromkeys(("score", "relevance", "rel", "label", "grade", "relevant", "rating"), "score"),
}


def is_beir(path: Path) -> bool:
    """Whether a path looks like a BEIR folder."""
    return any((path / f"{name}.jsonl{packed}").exists() for name in ("corpus", "queries") for packed in ("", ".gz"))


def read_beir(folder: Path) -> LabelledData:
    """Read a folder as BEIR publishes it, or as others do, gzipped or with other names for columns and keys.

    A query that is judged in two splits belongs to the one that is held out.

    Raises
    ------
    DatasetError
        If a file is missing or is no text, or no query has a passage that answers it.
    """
    tally = Tally()
    corpus: dict[str, LabelledPassage] = {}
    for key, row, place in _beir_rows(folder / "corpus.jsonl", "passage", tally):
        if passage := passage_in(row):
            corpus[key] = passage
        else:
            tally.add("passage without text", place)
    texts: dict[str, tuple[str, dict[str, Any]]] = {}
    for key, row, place in _beir_rows(folder / "queries.jsonl", "query", tally):
        if text := first_text(row):
            texts[key] = text, mapping(row.get("metadata"))
        else:
            tally.add("query without text", place)
    judged: dict[str, tuple[Split | None, dict[str, float]]] = {}
    for file, split in _qrels_files(folder):
        for query_id, passage_id, grade, place in _qrels(file, tally):
            if query_id not in texts:
                tally.add("judgement of a query that is not there", f"{place}: {query_id!r}")
            elif passage_id not in corpus:
                tally.add("judgement of a passage that is not there", f"{place}: {passage_id!r}")
            else:
                held, grades = judged.setdefault(query_id, (split, {}))
                grades[passage_id] = grade
                if held != split:
                    tally.add("judgement of a query in two splits, kept in the one held out", place)
                    judged[query_id] = max(held, split, key=rank), grades
    queries = {
        key: LabelledQuery(text, judged[key][1], judged[key][0], metadata)
        for key, (text, metadata) in texts.items()
        if key in judged and any(grade > 0 for grade in judged[key][1].values())
    }
    for key in texts.keys() - queries.keys():
        tally.add("query without a passage that answers it", f"{folder / 'queries.jsonl'}: {key!r}")
    return tally.complete(folder, queries, corpus)


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


def _beir_rows(path: Path, kind: str, tally: Tally) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Id, object and place of every line that has an id of its own."""
    seen: set[str] = set()
    for row, place in json_lines(path, _beir_text(path), lambda where, _: tally.add("line that is no JSON", where)):
        found = row if isinstance(row, dict) else {}
        identifier = next((key for name in _ID_KEYS if (key := identifier_in(found.get(name)))), None)
        if identifier is None:
            tally.add(f"{kind} without an _id", place)
        elif identifier in seen:
            tally.add(f"{kind} with the _id of an earlier one", place)
        else:
            seen.add(identifier)
            yield identifier, found, place


def _qrels_files(folder: Path) -> Iterator[tuple[Path, Split | None]]:
    """Files of judgements: in `qrels/`, or where the hub's copies have them, beside the others or in NAME-qrels."""
    stems = _QRELS_FILES | _OTHER_QRELS_FILES
    for place in (folder / "qrels", folder, folder.with_name(f"{folder.name}-qrels")):
        files = [path for path in sorted(place.glob("*")) if re.search(r"\.(tsv|jsonl)(\.gz)?$", path.name)]
        named = [(path, path.name.partition(".")[0].lower()) for path in files]
        found: list[tuple[Path, Split | None]] = [(path, stems[stem]) for path, stem in named if stem in stems]
        if not found and place != folder:  # of no split that we know: what is judged, and no more
            found = [(path, None) for path in files]
        if found:
            yield from found
            return
    raise DatasetError(f"{folder} judges no query: expected qrels/train.tsv, qrels/dev.tsv or qrels/test.tsv")


def _qrels(path: Path, tally: Tally) -> Iterator[tuple[str, str, float, str]]:
    """Query, passage, grade and place of every judgement, whatever the columns are called, or without a header."""
    columns = _QRELS_HEADER
    for number, (cells, place) in enumerate(_qrels_rows(path, tally)):
        if number == 0 and isinstance(cells, list) and (header := _header(cells)):
            columns = header
            continue
        row = cells if isinstance(cells, dict) else _row(cells, columns)
        query_id, passage_id = identifier_in(row.get("query-id")), identifier_in(row.get("corpus-id"))
        grade = grade_in(row.get("score", 1))
        if query_id is None or passage_id is None or grade is None:
            tally.add("line that is no judgement", place)
        else:
            yield query_id, passage_id, grade, place


def _qrels_rows(path: Path, tally: Tally) -> Iterator[tuple[list[str] | dict[str, Any], str]]:
    text = _beir_text(path)
    if ".jsonl" in path.name:
        for row, place in json_lines(path, text, lambda where, _: tally.add("line that is no JSON", where)):
            yield {_column(name): value for name, value in mapping(row).items()}, place
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            cells = line.split("\t") if "\t" in line else line.split("," if "," in line else None)
            yield [cell.strip().strip('"') for cell in cells], f"{path}:{number}"


def _column(name: str) -> str:
    """BEIR's name of a column."""
    return _COLUMN_NAMES.get(re.sub(r"[^a-z]", "", name.lower()), name)


def _header(cells: Sequence[str]) -> list[str] | None:
    """Names of the columns, if the first line is one of names; in BEIR's order where it says none that is known."""
    names = [_column(cell) for cell in cells]
    if {"query-id", "corpus-id"} <= set(names):
        return names
    is_one = len(cells) >= len(_QRELS_HEADER) and grade_in(cells[-1]) is None
    return _QRELS_HEADER if is_one else None


def _row(cells: Sequence[str], columns: Sequence[str]) -> dict[str, str]:
    if columns is _QRELS_HEADER and len(cells) == _TREC_COLUMNS:
        cells = [cells[0], *cells[2:]]
    return dict(zip(columns, cells, strict=False)) if len(cells) <= len(columns) else {}


def _beir_text(path: Path) -> str:
    expected = "a BEIR folder has corpus.jsonl, queries.jsonl and qrels/"
    packed = path if path.suffix == ".gz" else path.with_name(path.name + ".gz")
    if not packed.exists():
        return read_text(path, DatasetError, expected)
    try:
        with gzip.open(packed, "rt", encoding="utf-8-sig") as file:
            return file.read()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise DatasetError(f"{packed} cannot be read as gzipped UTF-8 text ({error}); {expected}") from error
