"""Forgetting: how the recipe's model fares against its base on questions that have nothing to do with the site.

A model that got better here and much worse elsewhere has lost what its base knew of language, and will lose it on the
questions that nobody thought of, too.
"""

import logging
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
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
