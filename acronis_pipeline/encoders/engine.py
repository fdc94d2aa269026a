"""The OpenVINO library: there or not, quiet, and what this processor can do with it."""

import importlib.util
import os
import sys
from functools import lru_cache
from typing import Any

from acronis_pipeline.embedding.identity import BFLOAT16, FLOAT32, INT8
from acronis_pipeline.errors import ModelError

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
