"""Forgetting: how the recipe's model fares against its base on questions that have nothing to do with the site.

A model that got better here and much worse elsewhere has lost what its base knew of language, and will lose it on the
questions that nobody thought of, too.
"""

import logging
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from acronis_pipeline.core.dataset import Question, RetrievalDataset, gold_clusters, singletons
from acronis_pipeline.core.errors import DatasetError
from acronis_pipeline.core.settings.serving import GENERAL_PROBE
from acronis_pipeline.encoders import Encoder, vector_cache
from acronis_pipeline.evaluate.metrics import ndcg_at
from acronis_pipeline.evaluate.report import Forgetting
from acronis_pipeline.evaluate.significance import mean_interval, paired_difference
from acronis_pipeline.pairs import labelled_datasets
from acronis_pipeline.store import Store

_log = logging.getLogger(__name__)
_K = 10
_DEPTH = 5 * _K
"""Passages looked at for ten units: copies of a passage count as one."""
_BLOCK = 256
"""Questions multiplied with all passages at once."""
_NANO_BEIR = "zeta-alpha-ai"
"""Owner of NanoBEIR on the model hub: small subsets of the BEIR retrieval benchmark."""


def load(name: str) -> RetrievalDataset:
    """The probe `general`, or one in a LlamaIndex file or a BEIR folder.

    Raises
    ------
    DatasetError
        If there is no such file, or it is not what its format says.
    """
    if name == GENERAL_PROBE:
        return general()
    path = Path(name).expanduser()
    if not path.exists():
        raise DatasetError(
            f"probe {name}: no such file or folder; evaluation.probes takes `{GENERAL_PROBE}`, LlamaIndex JSON files "
            "(or folders of them) and BEIR folders"
        )
    _, dataset = labelled_datasets.load(None, path)
    return dataset


@cache
def general() -> RetrievalDataset:
    """The packaged probe: passages of everyday knowledge in groups that are easy to confuse, and questions on them.

    Questions on one group compete for the same passages, so the group is what a bootstrap resamples.
    """
    topics = yaml.safe_load((files("acronis_pipeline.evaluate") / "probe_data" / "general.yaml").read_text("utf-8"))
    texts: list[tuple[str, str]] = []
    questions: list[Question] = []
    for topic, passages in topics.items():
        for number, passage in enumerate(passages):
            key = f"{topic}/{number}"
            texts.append((key, passage["text"]))
            asked = enumerate(passage["questions"])
            questions += [Question(f"{key}/{index}", query, (key,), group=topic) for index, query in asked]
    return RetrievalDataset(singletons(texts), test=tuple(questions))


class UnreachableError(Exception):
    """The hub cannot be reached, or has no such subset; not worth an evaluation."""


def load_nano_beir(name: str) -> RetrievalDataset:
    """A subset such as `NanoMSMARCO`: downloaded once, later read from the hub's local cache.

    Raises
    ------
    UnreachableError
        If it is not cached and the hub does not give it, or it is laid out in another way.
    """
    from huggingface_hub import snapshot_download

    wanted: dict[str, Any] = {"repo_type": "dataset", "allow_patterns": ["*.parquet"]}
    repository = name if "/" in name else f"{_NANO_BEIR}/{name}"
    try:
        folder = snapshot_download(repository, local_files_only=True, **wanted)
    except Exception:  # not in the local cache, or only in part: ask the hub
        try:
            folder = snapshot_download(repository, **wanted)
        except Exception as error:  # hub errors have many roots: no network, no such name
            raise UnreachableError(f"the hub did not give {repository} ({type(error).__name__})") from error
    return read_nano_beir(Path(folder))


def read_nano_beir(folder: Path) -> RetrievalDataset:
    """A folder with the Parquet files of `corpus`, `queries` and `qrels`, as the hub keeps the subsets.

    Raises
    ------
    UnreachableError
        If a file or a column is missing.
    """
    passages = {row["_id"]: row["text"] for row in _parquet_rows(folder, "corpus", ["_id", "text"])}
    queries = {row["_id"]: row["text"] for row in _parquet_rows(folder, "queries", ["_id", "text"])}
    relevant: dict[str, list[str]] = {}
    for row in _parquet_rows(folder, "qrels", ["query-id", "corpus-id"]):
        relevant.setdefault(row["query-id"], []).append(row["corpus-id"])
    texts = [(key, text) for key, text in passages.items() if text.strip()]
    questions = [
        Question(key, query, tuple(relevant[key]), group=key) for key, query in queries.items() if relevant.get(key)
    ]
    return RetrievalDataset(singletons(texts), test=tuple(questions))


def _parquet_rows(folder: Path, part: str, columns: list[str]) -> list[dict[str, str]]:
    found = sorted((folder / part).glob("*.parquet"))
    try:
        table = pa.concat_tables([pq.read_table(file, columns=columns) for file in found])
        return table.select(columns).to_pylist()
    except (pa.ArrowInvalid, KeyError, OSError) as error:
        raise UnreachableError(f"{folder} has no {part} with columns {' and '.join(columns)}") from error


def compare(
    store: Store, name: str, dataset: RetrievalDataset, base: Encoder, fine_tuned: Encoder, tolerance: float
) -> Forgetting:
    """nDCG@10 of two models on the test questions of a dataset, paired; flagged if the second lost more than tolerated.

    Raises
    ------
    DatasetError
        If the dataset has no test question.
    """
    if not dataset.test:
        raise DatasetError(f"probe {name} has no question to ask; name another in evaluation.probes")
    before, after = (_ndcg(store, encoder, dataset) for encoder in (base, fine_tuned))
    groups = [question.group for question in dataset.test]
    difference = paired_difference(after, before, groups)
    _log.info("probe %s: nDCG@10 %.3f before, %.3f after training", name, float(np.mean(before)), float(np.mean(after)))
    return Forgetting(
        probe=name,
        n=len(dataset.test),
        base=mean_interval(before, groups),
        fine_tuned=mean_interval(after, groups),
        difference=difference,
        flagged=difference.high < 0 and difference.mean < -tolerance,
    )


def _ndcg(store: Store, encoder: Encoder, dataset: RetrievalDataset) -> list[float]:
    """nDCG@10 of every test question by exact search."""
    passages = dataset.passages
    known = vector_cache.embed_passages(store, encoder, [passage.text for passage in passages])
    asked = vector_cache.embed_queries(store, encoder, [question.query for question in dataset.test])
    by_id = dataset.by_id
    scores: list[float] = []
    for start in range(0, len(asked), _BLOCK):
        part = dataset.test[start : start + _BLOCK]
        for question, row in zip(part, known.similarities(asked[start : start + _BLOCK]), strict=True):
            ranked = dict.fromkeys(passages[index].cluster_id for index in _nearest(row))
            scores.append(ndcg_at(list(ranked), gold_clusters(question, by_id), _K))
    return scores


def _nearest(similarity: np.ndarray) -> Sequence[int]:
    """Indexes of the most similar passages, best first; earlier ones of equals."""
    depth = min(_DEPTH, len(similarity))
    best = np.sort(np.argpartition(-similarity, depth - 1)[:depth])
    return best[np.argsort(-similarity[best], kind="stable")].tolist()
