"""NanoBEIR: small subsets of the BEIR retrieval benchmark, from the model hub where it can be reached.

What a report says of the models themselves, besides how systems rank the site's passages: read before anything is
computed, so that a malformed file costs no evaluation.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from acronis_pipeline.core.dataset import RetrievalDataset
from acronis_pipeline.core.hashing import digest, digest_rows
from acronis_pipeline.core.settings import EvaluationSettings
from acronis_pipeline.evaluate import sts
from acronis_pipeline.evaluate.forgetting import UnreachableError, compare, load, load_nano_beir
from acronis_pipeline.evaluate.report import Correlation, Forgetting
from acronis_pipeline.evaluate.setup import EvaluationSetup
from acronis_pipeline.store import Store

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
