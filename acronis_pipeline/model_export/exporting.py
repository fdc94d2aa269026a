"""`export`: convert, judge, and write the folder only if the model is still good."""

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from acronis_pipeline.dataset import RetrievalDataset
from acronis_pipeline.embedding import Embedder, ModelIdentity, in_precision
from acronis_pipeline.embedding.identity import INT8
from acronis_pipeline.embedding.routes import Side
from acronis_pipeline.encoders.converted import ConvertedEmbedder, make_once, read_sides, write_manifest
from acronis_pipeline.errors import DatasetError, ModelError, OutputError
from acronis_pipeline.fingerprint import digest
from acronis_pipeline.model_export.formats import Format, require, write
from acronis_pipeline.model_export.judging import Judgement, judge
from acronis_pipeline.model_export.readme import readme

FIGURES = "export.json"
MAX_LOSS = 0.02
"""Of nDCG@10, at the worse end of the interval; with 800 questions int8 of the packaged base spans about ±.005."""

_log = logging.getLogger(__name__)
_CALIBRATION_TEXTS = 128
"""Of each side; nncf's own default is 300 of all."""


@dataclass(frozen=True)
class Exported:
    """A folder with an exported model, who it is, and how it did beside its original."""

    folder: Path
    format: Format
    identity: ModelIdentity
    source: ModelIdentity
    judgement: Judgement
    size_bytes: int

    def as_json(self) -> dict[str, object]:
        speed = self.judgement.speed
        return {
            "format": self.format,
            "model_id": self.identity.model_id,
            "source_model_id": self.source.model_id,
            "base": self.source.base,
            "size_bytes": self.size_bytes,
            **asdict(self.judgement),
            "speed": {
                "original_per_s": round(speed.first_per_s, 1),
                "exported_per_s": round(speed.second_per_s, 1),
                "least_cosine": speed.least_cosine,
            },
        }


def export(
    embedder: Embedder, dataset: RetrievalDataset, out: Path, layout: Format, *, max_loss: float = MAX_LOSS
) -> Exported:
    """Write a model in another format, with the figures of its test questions, or nothing at all.

    A loss is tolerated if the 95 % interval of the paired difference excludes one above `max_loss`: a sample too small
    to tell is no acquittal.

    Parameters
    ----------
    embedder
        The original, in torch.
    dataset
        Its passages and training questions calibrate int8, its test questions judge.

    Raises
    ------
    OutputError
        If `out` exists already or cannot be written.
    DatasetError
        If there is nothing to calibrate on, or no test question.
    ModelError
        If a library is missing, the model has no such form, or it may lose more than `max_loss`.
    """
    require(layout)
    if out.exists():
        raise OutputError(f"{out} exists already; name another folder, or remove it")
    if not dataset.passages:
        raise DatasetError("there are no passages to judge an export by; chunk the site first, or name --questions")
    if not dataset.test:
        raise DatasetError("there is no test question to judge an export by; name a file with questions (--questions)")
    done: list[Exported] = []

    def fill(partial: Path) -> None:
        _log.info("converting model %s, of base %s, to %s", embedder.identity.model_id, embedder.identity.base, layout)
        write(embedder, partial, layout, _calibration(dataset))
        identity = _identified(partial, embedder.identity, layout)
        _log.info("asking both %d questions over %d passages", len(dataset.test), len(dataset.passages))
        judgement = judge(embedder, ConvertedEmbedder(partial, identity, embedder.batch_size), dataset)
        _refuse_losses(judgement, layout, max_loss)
        size = sum(file.stat().st_size for file in partial.iterdir())
        exported = Exported(out, layout, identity, embedder.identity, judgement, size)
        (partial / FIGURES).write_text(json.dumps(exported.as_json(), indent=2), "utf-8")
        (partial / "README.md").write_text(readme(exported, read_sides(partial)), "utf-8")
        done.append(exported)

    try:
        make_once(out, fill)
    except OSError as error:
        raise OutputError(f"{out} cannot be written ({error.strerror or error}); name another place") from error
    return done[0]


def _calibration(dataset: RetrievalDataset) -> dict[Side, Sequence[str]]:
    """Passages and training questions, evenly drawn; test questions stay unseen."""
    asked = [question.query for question in (*dataset.train, *dataset.validation)]
    passages = _drawn([passage.text for passage in dataset.passages])
    return {"document": passages, "query": _drawn(asked) if asked else [text.split("\n")[0] for text in passages]}


def _drawn(texts: Sequence[str]) -> list[str]:
    rows = np.linspace(0, len(texts) - 1, min(_CALIBRATION_TEXTS, len(texts)), dtype=int)
    return [texts[int(row)] for row in rows]


def _identified(folder: Path, source: ModelIdentity, layout: Format) -> ModelIdentity:
    """Who the exported model is: the original, unless its vectors are others, which the calibrated weights decide."""
    if layout != "openvino-int8":
        return source
    graphs = sorted(file for file in folder.iterdir() if file.suffix in {".xml", ".bin"})
    weights = digest(*(digest(file.read_bytes().hex()) for file in graphs))
    identity = in_precision(source, INT8, weights)
    write_manifest(folder, read_sides(folder), identity)
    return identity


def _refuse_losses(judgement: Judgement, layout: Format, max_loss: float) -> None:
    found = judgement.difference
    _log.info(
        "%s: nDCG@10 %.4f, original %.4f, difference %+.4f [%+.4f, %+.4f] on %d questions; %s",
        layout, judgement.exported, judgement.original, found.mean, found.low, found.high, found.n,
        judgement.speed.told("it", "the original"),
    )  # fmt: skip
    if judgement.largest_loss > max_loss:
        raise ModelError(
            f"{layout} is not exported: its nDCG@10 is {judgement.exported:.4f} where the original has "
            f"{judgement.original:.4f}, {found.mean:+.4f} with an interval from {found.low:+.4f} to {found.high:+.4f} "
            f"on {found.n} questions, so a loss above {max_loss:g} is possible; ask more questions, allow more with "
            "--max-loss, or choose another format"
        )
