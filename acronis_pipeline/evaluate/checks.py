"""NanoBEIR: small subsets of the BEIR retrieval benchmark, from the model hub where it can be reached.

What a report says of the models themselves, besides how systems rank the site's passages: read before anything is
computed, so that a malformed file costs no evaluation.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from acronis_pipeline.core.dataset import Question, RetrievalDataset, singletons
from acronis_pipeline.core.hashing import digest, digest_rows
from acronis_pipeline.core.settings import EvaluationSettings
from acronis_pipeline.evaluate import sts
from acronis_pipeline.evaluate.forgetting import compare, load
from acronis_pipeline.evaluate.report import Correlation, Forgetting
from acronis_pipeline.evaluate.setup import EvaluationSetup
from acronis_pipeline.store import Store

_OWNER = "zeta-alpha-ai"


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
    repository = name if "/" in name else f"{_OWNER}/{name}"
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


@dataclass(frozen=True)
class Checks:
    """Probes for forgetting by name, and labelled pairs by file name.

    `remarks` says what could not be had.
    """

    probes: Mapping[str, RetrievalDataset] = field(default_factory=dict)
    forgetting_tolerance: float = 0.0
    labelled_pairs: Mapping[str, tuple[sts.LabelledPair, ...]] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Digest of all that the findings depend on besides the models."""
        asked = (
            (name, question.query, passage)
            for name, dataset in self.probes.items()
            for question in dataset.test
            for passage in question.chunk_ids
        )
        searched = ((name, p.chunk_id, p.text) for name, dataset in self.probes.items() for p in dataset.passages)
        pairs = ((name, p.text1, p.text2, str(p.score)) for name, rows in self.labelled_pairs.items() for p in rows)
        parts = [digest_rows(rows) for rows in (asked, searched, pairs)]
        return digest(str(self.forgetting_tolerance), *parts, *self.remarks)

    def forgetting(self, store: Store, setup: EvaluationSetup) -> tuple[Forgetting, ...]:
        """The setup's fine-tuned model against its base on every probe."""
        if setup.fine_tuned is None:
            return ()
        models = (setup.base.encoder, setup.fine_tuned.encoder)
        return tuple(
            compare(store, name, dataset, *models, self.forgetting_tolerance) for name, dataset in self.probes.items()
        )

    def correlations(self, setup: EvaluationSetup) -> tuple[Correlation, ...]:
        """Base and fine-tuned model against the labels of every file."""
        indexed_models = {"base": setup.base} | ({"fine_tuned": setup.fine_tuned} if setup.fine_tuned else {})
        return tuple(
            sts.correlation(name, system, indexed.encoder, pairs)
            for name, pairs in self.labelled_pairs.items()
            for system, indexed in indexed_models.items()
        )


def read(settings: EvaluationSettings) -> Checks:
    """The configured checks.

    A NanoBEIR subset that the hub does not give becomes a remark.

    Raises
    ------
    DatasetError
        If a file is not what its format says.
    """
    checks = read_files(settings)
    probes, remarks = dict(checks.probes), []
    for name in settings.nano_beir:
        try:
            probes[name] = load_nano_beir(name)
        except UnreachableError as error:
            remarks.append(f"Not checked for forgetting on {name}: {error}.")
    return replace(checks, probes=probes, remarks=tuple(remarks))


def read_files(settings: EvaluationSettings) -> Checks:
    """The configured checks without those from the model hub: quick enough to try before anything else is done.

    Raises
    ------
    DatasetError
        If a file is missing or not what its format says.
    """
    probes = {name: load(name) for name in settings.probes}
    file = settings.sts_file
    return Checks(probes, settings.forgetting_tolerance, {file.name: tuple(sts.read(file))} if file else {})
