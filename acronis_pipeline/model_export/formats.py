"""What a model can be exported to: ONNX, OpenVINO, and OpenVINO with 8-bit weights and activations."""

import importlib.util
import logging
from collections.abc import Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, Literal, get_args

from acronis_pipeline.embedding import Embedder
from acronis_pipeline.embedding.routes import Side, route_of
from acronis_pipeline.encoders import engine
from acronis_pipeline.encoders.conversion import convert, quietly, write_openvino
from acronis_pipeline.errors import ModelError

Format = Literal["onnx", "openvino", "openvino-int8"]
FORMATS: tuple[Format, ...] = get_args(Format)

_OPSET = 17
_NEEDS: dict[Format, tuple[str, ...]] = {
    "onnx": ("onnx", "openvino"),
    "openvino": ("openvino",),
    "openvino-int8": ("openvino", "nncf"),
}
_log = logging.getLogger(__name__)


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


def write(embedder: Embedder, folder: Path, layout: Format, calibration: dict[Side, Sequence[str]]) -> None:
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
        convert(embedder, folder, ".onnx", _save_onnx)
    elif layout == "openvino":
        write_openvino(embedder, folder)
    else:
        write_openvino(embedder, folder)
        with quietly():
            _quantize(embedder, folder, calibration)


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


def _quantize(embedder: Embedder, folder: Path, calibration: dict[Side, Sequence[str]]) -> None:
    """Replace the graphs by 8-bit ones, calibrated on the texts that each will see."""
    openvino = engine.openvino()
    import nncf

    nncf.set_log_level(logging.ERROR)
    from acronis_pipeline.encoders.converted import read_sides

    sides = read_sides(folder)
    for graph in sorted({files.graph for files in sides.values()}):
        samples: list[dict[str, Any]] = []
        for side, files in sides.items():
            route = route_of(embedder.model, side) if files.graph == graph else None
            if route is not None:
                batches = route.batcher.batches(calibration[side], 1, route.prompt)
                samples += [batch.inputs for batch in batches]
        with redirect_stdout(StringIO()):  # its progress bars, where a command's result belongs
            quantized = nncf.quantize(
                engine.core().read_model(str(folder / graph)),
                nncf.Dataset(samples),
                model_type=nncf.ModelType.TRANSFORMER,
                subset_size=len(samples),
            )
        _log.info("%s calibrated on %d texts", graph, len(samples))
        openvino.save_model(quantized, str(folder / f"int8-{graph}"), compress_to_fp16=False)
        for suffix in (".xml", ".bin"):
            (folder / f"int8-{graph}").with_suffix(suffix).replace((folder / graph).with_suffix(suffix))
