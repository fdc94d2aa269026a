"""A model in another format, ONNX or OpenVINO, whole or in 8 bits: converted, judged, and written only if still good.

    done = export(encoder, dataset, Path("out"), "openvino-int8")

It is asked the same questions over the same passages as its original. The folder's README says what it is, how good,
and how to run it without us. A recipe's index and questions may then run on it, and go back.
"""

import importlib.util
import json
import logging
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any, Literal, get_args

import jinja2
import numpy as np

from acronis_pipeline.core.dataset import Question, RetrievalDataset, gold_clusters
from acronis_pipeline.core.errors import DatasetError, ModelError, OutputError
from acronis_pipeline.core.hashing import digest
from acronis_pipeline.encoders import Encoder, ModelIdentity, TorchEncoder, in_precision, openvino_encoder
from acronis_pipeline.encoders.conversion import convert, quietly, write_openvino
from acronis_pipeline.encoders.identity import INT8
from acronis_pipeline.encoders.openvino_encoder import OpenVinoEncoder, SideFiles, make_once, read_sides, write_manifest
from acronis_pipeline.encoders.probe import Comparison, compare
from acronis_pipeline.encoders.tokens import Side, route_of
from acronis_pipeline.evaluate.metrics import ndcg_at
from acronis_pipeline.evaluate.significance import Difference, paired_difference
from acronis_pipeline.models import records
from acronis_pipeline.models.records import ModelRecord
from acronis_pipeline.store import Store

Format = Literal["onnx", "openvino", "openvino-int8"]
FORMATS: tuple[Format, ...] = get_args(Format)

FIGURES = "export.json"
MAX_LOSS = 0.02
"""Of nDCG@10, at the worse end of the interval; with 800 questions int8 of the packaged base spans about ±.005."""

_log = logging.getLogger(__name__)
_OPSET = 17
_NEEDS: dict[Format, tuple[str, ...]] = {
    "onnx": ("onnx", "openvino"),
    "openvino": ("openvino",),
    "openvino-int8": ("openvino", "nncf"),
}
_CALIBRATION_TEXTS = 128
"""Of each side; nncf's own default is 300 of all."""
_K = 10
_CONSIDERED = 50
"""Passages ranked for ten distinct ones: near-duplicates count once."""


@dataclass(frozen=True)
class Judgement:
    """nDCG@10 of both on `difference.n` questions, exported minus original with its interval, and their speeds."""

    original: float
    exported: float
    difference: Difference
    speed: Comparison

    @property
    def largest_loss(self) -> float:
        """The worst that the 95 % interval leaves possible."""
        return max(0.0, -self.difference.low)


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
    encoder: TorchEncoder, dataset: RetrievalDataset, out: Path, layout: Format, *, max_loss: float = MAX_LOSS
) -> Exported:
    """Write a model in another format, with the figures of its test questions, or nothing at all.

    A loss is tolerated if the 95 % interval of the paired difference excludes one above `max_loss`: a sample too small
    to tell is no acquittal.

    Parameters
    ----------
    encoder
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
        _log.info("converting model %s, of base %s, to %s", encoder.identity.model_id, encoder.identity.base, layout)
        write(encoder, partial, layout, _calibration(dataset))
        identity = _identified(partial, encoder.identity, layout)
        _log.info("asking both %d questions over %d passages", len(dataset.test), len(dataset.passages))
        judgement = judge(encoder, OpenVinoEncoder(partial, identity, encoder.batch_size), dataset)
        _refuse_losses(judgement, layout, max_loss)
        size = sum(file.stat().st_size for file in partial.iterdir())
        exported = Exported(out, layout, identity, encoder.identity, judgement, size)
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


def judge(original: Encoder, exported: Encoder, dataset: RetrievalDataset) -> Judgement:
    """Ask both the test questions, of which there is one at least, by exact cosine over all passages."""
    passages = [passage.text for passage in dataset.passages]
    before, after = (ndcg_by_question(encoder, dataset, passages) for encoder in (original, exported))
    groups = [question.group for question in dataset.test]
    return Judgement(
        original=float(np.mean(before)),
        exported=float(np.mean(after)),
        difference=paired_difference(after, before, groups),
        speed=compare(original, exported, passages),
    )


def ndcg_by_question(encoder: Encoder, dataset: RetrievalDataset, passages: Sequence[str]) -> list[float]:
    """nDCG@10 of every test question."""
    vectors = encoder.encode_windows(passages)
    queries = encoder.encode_queries([question.query for question in dataset.test])
    by_id = dataset.by_id
    cluster_of = [passage.cluster_id for passage in dataset.passages]

    def value(question: Question, query: np.ndarray) -> float:
        # Five decimals, ties by position: as the retrievers rank.
        similarity = np.round(vectors.similarities(query), 5)
        best = np.argsort(-similarity, kind="stable")[:_CONSIDERED]
        ranked = list(dict.fromkeys(cluster_of[row] for row in best.tolist()))
        return ndcg_at(ranked, gold_clusters(question, by_id), _K)

    return [value(question, query) for question, query in zip(dataset.test, queries, strict=True)]


def require(layout: Format) -> None:
    """Refuse a format whose libraries are not installed; that of the judgement is OpenVINO, whatever the format.

    Raises
    ------
    ModelError
        Names them and the extra.
    """
    if missing := [name for name in _NEEDS[layout] if not importlib.util.find_spec(name)]:
        raise ModelError(
            f"format {layout} needs {' and '.join(missing)}; `pip install 'acronis-pipeline[export]'` has all of it"
        )


def write(encoder: TorchEncoder, folder: Path, layout: Format, calibration: dict[Side, Sequence[str]]) -> None:
    """Write the graphs, tokenizers and manifest of a format into an empty folder.

    Parameters
    ----------
    calibration
        Texts of each side that show int8 the range of every activation; the other formats need none.

    Raises
    ------
    ModelError
        If the model has no such form.
    """
    if layout == "onnx":
        convert(encoder, folder, ".onnx", _save_onnx)
    elif layout == "openvino":
        write_openvino(encoder, folder)
    else:
        write_openvino(encoder, folder)
        with quietly():
            _quantize(encoder, folder, calibration)


def _save_onnx(module: Any, example: dict[str, Any], file: Path) -> None:
    import torch

    axes = {name: {0: "texts", 1: "tokens"} for name in example}
    with torch.no_grad():
        # The newer exporter (dynamo) needs another package, and gives this model the same graph.
        torch.onnx.export(
            module,
            tuple(example.values()),
            str(file),
            input_names=list(example),
            output_names=["embedding"],
            dynamic_axes={**axes, "embedding": {0: "texts"}},
            opset_version=_OPSET,
            dynamo=False,
        )


def _quantize(encoder: TorchEncoder, folder: Path, calibration: dict[Side, Sequence[str]]) -> None:
    """Replace the graphs by 8-bit ones, calibrated on the texts that each will see."""
    openvino = openvino_encoder.openvino()
    import nncf

    nncf.set_log_level(logging.ERROR)
    sides = read_sides(folder)
    for graph in sorted({files.graph for files in sides.values()}):
        samples: list[dict[str, Any]] = []
        for side, files in sides.items():
            route = route_of(encoder.model, side) if files.graph == graph else None
            if route is not None:
                batches = route.batcher.batches(calibration[side], 1, route.prompt)
                samples += [batch.inputs for batch in batches]
        with redirect_stdout(StringIO()):  # its progress bars, where a command's result belongs
            quantized = nncf.quantize(
                openvino_encoder.core().read_model(str(folder / graph)),
                nncf.Dataset(samples),
                model_type=nncf.ModelType.TRANSFORMER,
                subset_size=len(samples),
            )
        _log.info("%s calibrated on %d texts", graph, len(samples))
        openvino.save_model(quantized, str(folder / f"int8-{graph}"), compress_to_fp16=False)
        for suffix in (".xml", ".bin"):
            (folder / f"int8-{graph}").with_suffix(suffix).replace((folder / graph).with_suffix(suffix))


def readme(exported: Exported, sides: dict[Side, SideFiles]) -> str:
    """Markdown with the figures and a program for each side."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(__name__),
        autoescape=False,  # Markdown
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("README.md").render(
        exported=exported,
        judged=exported.judgement,
        found=exported.judgement.difference,
        windows=exported.source.windows,
        sides=sides,
        repr=repr,
    )


def serve(store: Store, record: ModelRecord, exported: Exported) -> ModelRecord:
    """Make an export the recipe's current model, until it is trained anew.

    The next refresh of its index embeds the passages again if the vectors are others, and its report judges it like
    any model, so that the champion changes only on evidence.
    """
    taken = replace(
        record,
        record_id=digest(record.record_id, exported.identity.model_id, str(exported.folder)),
        folder=exported.folder,
        # With the same vectors it is the same model; any other is registered when fine_tuned_model is materialized.
        registry_version=record.registry_version if exported.identity == record.identity else None,
        identity=exported.identity,
        metrics=record.metrics | {"exported": exported.as_json()},
        created_at=datetime.now(UTC),
    )
    records.write(store, taken)
    return taken


def restore(store: Store, recipe: str) -> ModelRecord:
    """Make the model that an export was made from the recipe's current one again.

    Raises
    ------
    ModelError
        If the recipe runs on no export.
    """
    current = records.current_model(store, recipe)
    if current is None or not current.is_export:
        raise ModelError(f"recipe {recipe} runs on no exported model in {store.uri}; there is nothing to restore")
    trained = [known for known in records.of_recipe(store, recipe) if known.training_key == current.training_key]
    original = next((known for known in trained if not known.is_export and known.is_there), None)
    if original is None:
        raise ModelError(f"the model that {current.folder} was exported from is gone; train recipe {recipe} again")
    restored = replace(original, created_at=datetime.now(UTC))
    records.write(store, restored)
    return restored
