"""Reading and writing LlamaIndex's `EmbeddingQAFinetuneDataset` JSON: `queries`, `corpus`, `relevant_docs`."""

import json
import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from acronis_pipeline.dataset import Question, RetrievalDataset, singletons
from acronis_pipeline.errors import DatasetError
from acronis_pipeline.fingerprint import digest
from acronis_pipeline.pairs.words import normalise

_log = logging.getLogger(__name__)


def read_llama_index(path: Path) -> tuple[dict[str, str], dict[str, str], dict[str, list[str]]]:
    """Queries by id, passages by id, and the ids of the passages that answer each query.

    Raises
    ------
    DatasetError
        Names the file and the first thing that is wrong with it.
    """
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
    queries = _texts(path, data, "queries")
    corpus = _texts(path, data, "corpus")
    return queries, corpus, _relevant(path, data, queries, corpus)


def write_llama_index(
    dataset: RetrievalDataset, path: Path, *, split: Literal["train", "validation", "test"] | None = None
) -> None:
    """Write the questions of one split (by default of all) with the whole corpus; replaces the file in one step."""
    chosen = getattr(dataset, split) if split else (*dataset.train, *dataset.validation, *dataset.test)
    data = {
        "queries": {question.question_id: question.query for question in chosen},
        "corpus": {passage.chunk_id: passage.text for passage in dataset.passages},
        "relevant_docs": {question.question_id: list(question.chunk_ids) for question in chosen},
        "mode": "text",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(path.suffix + ".tmp")
    temporary.write_text(json.dumps(data, ensure_ascii=False, indent=1), "utf-8")
    temporary.replace(path)


def dataset_from_llama_index(
    train: Path | None, evaluation: Path, *, validation_share: float = 0.1, seed: int = 0
) -> tuple[RetrievalDataset, RetrievalDataset]:
    """A dataset to train on and one to evaluate on, from two files.

    Parameters
    ----------
    train
        Its questions become train and validation, split by passage: questions that share a gold passage stay together.
        Without it the first dataset is empty.
    evaluation
        All of its questions become test. A training question with the same text is left out, and said so.

    Raises
    ------
    DatasetError
        If a file is not what its format says.
    """
    queries, corpus, relevant = read_llama_index(evaluation)
    test = RetrievalDataset(singletons(list(corpus.items())), test=_questions(queries, relevant))
    if train is None:
        return RetrievalDataset(()), test
    asked = {normalise(query) for query in queries.values()}
    queries, corpus, relevant = read_llama_index(train)
    fresh = {key: query for key, query in queries.items() if normalise(query) not in asked}
    if len(fresh) < len(queries):
        _log.warning(
            "%s: %d questions also stand in %s and are not trained on", train, len(queries) - len(fresh), evaluation
        )
    if not fresh:
        raise DatasetError(
            f"{train}: every question also stands in {evaluation}; train on other questions than you test"
        )
    passages = singletons(list(corpus.items()))
    cluster_of = {passage.chunk_id: passage.cluster_id for passage in passages}
    trained, validation = _split_by_passage(_questions(fresh, relevant), cluster_of, validation_share, seed)
    return RetrievalDataset(passages, train=trained, validation=validation), test


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
) -> dict[str, list[str]]:
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
    return {query_id: list(dict.fromkeys(found[query_id])) for query_id in queries}


def _questions(queries: Mapping[str, str], relevant: Mapping[str, Sequence[str]]) -> tuple[Question, ...]:
    """Questions in the order of the file; questions on one passage depend on each other, so it is their group."""
    return tuple(
        Question(question_id, query, tuple(relevant[question_id]), group=min(relevant[question_id]))
        for question_id, query in queries.items()
    )


def _split_by_passage(
    questions: Sequence[Question], cluster_of: Mapping[str, str], share: float, seed: int
) -> tuple[tuple[Question, ...], tuple[Question, ...]]:
    """Train and validation questions; those connected through shared gold passages are never parted."""
    parts = _connected([[cluster_of[chunk_id] for chunk_id in question.chunk_ids] for question in questions])
    wanted = max(1, round(share * len(questions))) if len(set(parts)) > 1 else 0
    members: dict[str, list[int]] = defaultdict(list)
    for index, part in enumerate(parts):
        members[part].append(index)
    validation: set[int] = set()
    for part in sorted(members, key=lambda part: digest("validation", str(seed), part)):
        if len(validation) + len(members[part]) <= wanted:
            validation.update(members[part])
    return (
        tuple(question for index, question in enumerate(questions) if index not in validation),
        tuple(question for index, question in enumerate(questions) if index in validation),
    )


def _connected(sets: Iterable[Sequence[str]]) -> list[str]:
    """For each set of names, the name of the connected component it belongs to (union-find)."""
    sets = list(sets)
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for names in sets:
        for name in names[1:]:
            parent[root(name)] = root(names[0])
    return [root(names[0]) for names in sets]
