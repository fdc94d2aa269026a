"""Encoders that run in OpenVINO: converted models, in a folder of their own.

The folder holds a graph for each side that differs, the tokenizers, and `encoder.json`, which says how to use them.
Plain tools can run it: the graphs take token ids and give L2-normalised vectors, and the tokenizer files truncate and
pad as the model wants it. The library is an extra; whether it is there, and what this processor can do with it, is
asked here too.
"""

import importlib.util
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from acronis_pipeline.core.errors import ModelError
from acronis_pipeline.encoders.encoder import Encoder
from acronis_pipeline.encoders.identity import BFLOAT16, FLOAT32, IDENTITY_FILE, INT8, ModelIdentity
from acronis_pipeline.encoders.tokens import TYPICAL_TOKENS, Batcher, Padding, Side

if TYPE_CHECKING:
    from tokenizers import Tokenizer

MANIFEST = "encoder.json"
LAYOUT = 1
"""Raised when a folder written before can no longer be read."""

# Without a hint some processors compute float32 models in bfloat16, others in float16.
_HINTS = {FLOAT32: "f32", BFLOAT16: "bf16", INT8: "f32"}


def is_installed() -> bool:
    """Whether the extra is there; imports nothing."""
    return importlib.util.find_spec("openvino") is not None


@lru_cache(maxsize=1)
def openvino() -> Any:
    """The module `openvino`, whose import would otherwise report itself to its makers over the network.

    Raises
    ------
    ModelError
        If it is not installed.
    """
    if not is_installed():
        raise ModelError(
            "this model runs in OpenVINO, which is not installed; `pip install 'acronis-pipeline[export]'`, or run "
            "another: set model.backend to torch and model.precision to float32, and if it is the champion, let an "
            "earlier one answer with `acronis-pipeline champion rollback`"
        )
    sys.modules.setdefault("openvino_telemetry", None)  # pyright: ignore[reportArgumentType]
    import openvino

    return openvino


@lru_cache(maxsize=1)
def core() -> Any:
    """The one OpenVINO core of this process."""
    return openvino().Core()


def has_bfloat16() -> bool:
    """Whether this processor computes it."""
    return "BF16" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def compiled(model: Any, precision: str, *, in_bulk: bool = False) -> Any:
    """A model ready to run on this processor.

    Parameters
    ----------
    in_bulk
        For many batches side by side, each on few threads, which wait less for one another; else for one after the
        other on all threads.

    Raises
    ------
    ModelError
        If the processor, or OpenVINO, cannot compute in `precision`.
    """
    if precision not in _HINTS:
        raise ModelError(f"an exported model does not run in {precision}; set model.precision to float32")
    if precision == BFLOAT16 and not has_bfloat16():
        raise ModelError("this processor has no bfloat16 arithmetic; set model.precision to float32")
    options = {
        "INFERENCE_PRECISION_HINT": _HINTS[precision],
        "PERFORMANCE_HINT": "THROUGHPUT" if in_bulk else "LATENCY",
    }
    if threads := os.environ.get("OMP_NUM_THREADS"):
        options["INFERENCE_NUM_THREADS"] = threads
    return core().compile_model(model, "CPU", options)


@dataclass(frozen=True)
class SideFiles:
    """One side of a converted model: its graph and tokenizer files, and what its texts begin with."""

    graph: str
    tokenizer: str
    prompt: str
    max_length: int | None
    padding: Padding

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "SideFiles":
        """What `dataclasses.asdict` and JSON made of one."""
        padding = values["padding"] | {"names": tuple(values["padding"]["names"])}
        return cls(**{**values, "padding": Padding(**padding)})


def is_converted(folder: Path) -> bool:
    """Whether a model folder holds a converted model rather than one that sentence-transformers loads."""
    return (folder / MANIFEST).exists()


def write_manifest(folder: Path, sides: dict[Side, SideFiles], identity: ModelIdentity) -> None:
    """Make a folder of graphs and tokenizers one that `load` reads and that says who it is."""
    described = {side: asdict(files) for side, files in sides.items()}
    (folder / MANIFEST).write_text(json.dumps({"layout": LAYOUT, "sides": described}, indent=2), "utf-8")
    (folder / IDENTITY_FILE).write_text(identity.to_json(), "utf-8")


def read_sides(folder: Path) -> dict[Side, SideFiles]:
    """What `write_manifest` wrote.

    Raises
    ------
    ModelError
        If it cannot be read, or was written by another version.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
        if manifest["layout"] == LAYOUT:
            return {side: SideFiles.from_dict(values) for side, values in manifest["sides"].items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"converted model in {folder} cannot be read ({error}); export it again") from error
    raise ModelError(f"converted model in {folder} has layout {manifest['layout']}, not {LAYOUT}; export it again")


class OpenVinoEncoder(Encoder):
    """Runs a converted model in OpenVINO, without torch: about a second from start to the first vector.

    Parameters
    ----------
    folder
        See the module's docstring; ONNX graphs do as well as OpenVINO's own.
    identity
        Its `precision` is what the graphs are computed in.
    """

    def __init__(self, folder: Path, identity: ModelIdentity, batch_size: int = 32) -> None:
        super().__init__(identity)
        self.batch_size = batch_size
        self._folder = folder
        self._sides = read_sides(folder)
        self._compiled: dict[tuple[str, bool], Any] = {}
        self._batchers: dict[Side, Batcher] = {}

    def encode_queries(self, queries: Sequence[str]) -> np.ndarray:
        return self._encode("query", queries)

    def encode_passages(self, passages: Sequence[str]) -> np.ndarray:
        return self._encode("document", passages)

    def _encode(self, side: Side, texts: Sequence[str]) -> np.ndarray:
        vectors = np.zeros((len(texts), self.identity.dimension), np.float32)
        files = self._sides[side]

        def keep(request: Any, rows: np.ndarray) -> None:
            found = request.get_output_tensor(0).data
            vectors[rows] = found / np.linalg.norm(found, axis=1, keepdims=True)

        requests = openvino().AsyncInferQueue(self._graph(files.graph, in_bulk=len(texts) > self.batch_size))
        requests.set_callback(keep)
        for batch in self._batcher(side).batches(texts, self.batch_size * TYPICAL_TOKENS, files.prompt):
            requests.start_async(batch.inputs, batch.rows)
        requests.wait_all()
        if not np.isfinite(vectors).all():
            raise ModelError(f"OpenVINO computes no numbers for {self.identity.base}; set model.backend to torch")
        return vectors

    def _graph(self, name: str, *, in_bulk: bool) -> Any:
        key = name, in_bulk
        if key not in self._compiled:
            try:
                graph = core().read_model(str(self._folder / name))
            except RuntimeError as error:
                reason = " ".join(str(error).split())[:200]
                raise ModelError(
                    f"converted model in {self._folder} does not load ({reason}); export it again"
                ) from error
            self._compiled[key] = compiled(graph, self.identity.precision, in_bulk=in_bulk)
        return self._compiled[key]

    def _batcher(self, side: Side) -> Batcher:
        if side not in self._batchers:
            files = self._sides[side]
            self._batchers[side] = Batcher(self._tokenizer(side), files.max_length, files.padding)
        return self._batchers[side]

    def tokenizer(self) -> "Tokenizer":
        return self._tokenizer("document")

    def _tokenizer(self, side: Side) -> "Tokenizer":
        from tokenizers import Tokenizer

        return Tokenizer.from_file(str(self._folder / self._sides[side].tokenizer))


def make_once(folder: Path, write: Callable[[Path], None]) -> None:
    """Fill a folder through `write`; it appears whole or not at all, whoever else makes it at the same time."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        write(partial)
        partial.chmod(0o755)
        partial.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
