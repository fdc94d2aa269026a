"""Other people's labelled files, in whichever format, as datasets to train and to evaluate on."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from acronis_pipeline.core.dataset import Passage, Question, RetrievalDataset, singletons
from acronis_pipeline.core.errors import DatasetError
from acronis_pipeline.core.hashing import digest
from acronis_pipeline.pairs.beir import is_beir, read_beir
from acronis_pipeline.pairs.labelled import LabelledData, LabelledQuery
from acronis_pipeline.pairs.llama_index import read_llama_index, read_llama_index_folder
from acronis_pipeline.pairs.words import normalise

_log = logging.getLogger(__name__)


def read(path: Path) -> LabelledData:
    """Read a LlamaIndex file, a folder of LlamaIndex files by split, or a BEIR folder.

    Raises
    ------
    DatasetError
        If it is none of these, or no query has a passage in it.
    """
    if not path.is_dir():
        return read_llama_index(path)
    return read_beir(path) if is_beir(path) else read_llama_index_folder(path)


def load(
    train: Path | None, evaluation: Path, *, validation_share: float = 0.1, seed: int = 0
) -> tuple[RetrievalDataset, RetrievalDataset]:
    """A dataset to train on and one to evaluate on, from two files or folders, or from two splits of one folder.

    Parameters
    ----------
    train
        Its questions become train and validation: as the folder says if it has a validation split, else split by
        passage, where questions that share a gold passage stay together. Its test questions are not used. Without it
        the first dataset is empty.
    evaluation
        Its test questions, or all if it has no test split. A training question with the same text is left out, and
        said so.

    Raises
    ------
    DatasetError
        If a file is not what its format says, or nothing is left to train on.
    """
    evaluated = read(evaluation)
    tested = {key: query for key, query in evaluated.queries.items() if query.split == "test"} or evaluated.queries
    test = RetrievalDataset(_passages(evaluated), test=_questions(tested))
    if train is None:
        return RetrievalDataset(()), test
    asked = {normalise(query.text) for query in tested.values()}
    labelled = read(train)
    offered = {key: query for key, query in labelled.queries.items() if query.split != "test"}
    fresh = {key: query for key, query in offered.items() if normalise(query.text) not in asked}
    if len(fresh) < len(offered):
        _log.warning(
            "%s: %d questions also stand in %s and are not trained on", train, len(offered) - len(fresh), evaluation
        )
    if not fresh:
        raise DatasetError(
            f"{train}: every question also stands in {evaluation}; train on other questions than you test"
        )
    passages = _passages(labelled)
    told = {key: query for key, query in fresh.items() if query.split == "validation"}
    if told and len(told) < len(fresh):
        rest = {key: query for key, query in fresh.items() if key not in told}
        return RetrievalDataset(passages, train=_questions(rest), validation=_questions(told)), test
    cluster_of = {passage.chunk_id: passage.cluster_id for passage in passages}
    trained, validation = _split_by_passage(_questions(fresh), cluster_of, validation_share, seed)
    return RetrievalDataset(passages, train=trained, validation=validation), test


def _passages(data: LabelledData) -> tuple[Passage, ...]:
    return singletons([(key, passage.passage) for key, passage in data.corpus.items()])


def _questions(queries: Mapping[str, LabelledQuery]) -> tuple[Question, ...]:
    """Questions in the order of the file; questions on one passage depend on each other, so it is their group."""
    return tuple(Question(key, query.text, query.relevant, group=min(query.relevant)) for key, query in queries.items())


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
