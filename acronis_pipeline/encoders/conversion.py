"""From a sentence-transformers model to graphs that other engines run, one for each side that differs."""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

from acronis_pipeline.core.errors import ModelError
from acronis_pipeline.encoders.openvino_encoder import SideFiles, openvino, write_manifest
from acronis_pipeline.encoders.tokens import Route, Side, route_of
from acronis_pipeline.encoders.torch_encoder import TorchEncoder

Save = Callable[[Any, dict[str, Any], Path], None]
"""Writes a torch module, with example inputs by name, to a file."""

SIDES: tuple[Side, ...] = get_args(Side)


def write_openvino(encoder: TorchEncoder, folder: Path) -> None:
    """Convert to OpenVINO's own format in float32; takes seconds and about the model's size on disk.

    Raises
    ------
    ModelError
        If texts do not become token ids, or the model computes something that the engine does not know.
    """
    if any(_route(encoder.model, side).padding.left for side in SIDES):
        # Positions of nothing but padding see nothing, which becomes no number there and spreads (OpenVINO 2026.4).
        raise ModelError(f"{encoder.identity.base} is padded on its left, which OpenVINO gets wrong; run it in torch")
    convert(encoder, folder, ".xml", _save_openvino)


def convert(encoder: TorchEncoder, folder: Path, suffix: str, save: Save) -> None:
    """Write the graphs and tokenizers of both sides, a single one where they do not differ."""
    from sentence_transformers.base.modules import Router

    model = encoder.model
    routes = {side: _route(model, side) for side in SIDES}
    shared = not isinstance(model[0], Router)
    graph_of = {side: ("model" if shared else side) + suffix for side in SIDES}
    for side in SIDES[:1] if shared else SIDES:
        module, example = graph_module(encoder, side, routes[side])
        try:
            with quietly():
                save(module, example, folder / graph_of[side])
        except Exception as error:  # converters raise whatever their many parts do
            reason = " ".join(str(error).split())[:200]
            raise ModelError(
                f"model {encoder.identity.model_id}, of base {encoder.identity.base}, cannot be converted to "
                f"{suffix[1:]} ({type(error).__name__}: {reason}); run it in torch"
            ) from error
    sides: dict[Side, SideFiles] = {}
    for side in SIDES:
        route, tokenizer = routes[side], "tokenizer.json" if shared else f"{side}_tokenizer.json"
        route.batcher.save(folder / tokenizer)
        sides[side] = SideFiles(graph_of[side], tokenizer, route.prompt, route.batcher.max_length, route.padding)
    write_manifest(folder, sides, encoder.identity)


def graph_module(encoder: TorchEncoder, side: Side, route: Route) -> tuple[Any, dict[str, Any]]:
    """A torch module from token inputs, given by name, to L2-normalised vectors, and example inputs for it."""
    import torch

    model, dimension, names = encoder.model, encoder.identity.dimension, route.padding.names

    class Graph(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any = None) -> Any:
            given = {"input_ids": input_ids, "attention_mask": attention_mask, "token_type_ids": token_type_ids}
            features = {name: given[name] for name in names} | route.constants
            vectors = self.model(features, task=side)["sentence_embedding"][:, :dimension]
            return torch.nn.functional.normalize(vectors, dim=1)

    # Two texts of different lengths: a tracer takes a dimension of one, or a mask of ones, for a constant.
    batch = next(route.batcher.batches(["How to restore?", "What does a backup plan cost for a small office?"], 10**6))
    model.eval()
    device = model.device
    return Graph().eval(), {name: torch.from_numpy(part).to(device) for name, part in batch.inputs.items()}


def _route(model: Any, side: Side) -> Route:
    route = route_of(model, side)
    if route is None or "input_ids" not in route.padding.names:
        raise ModelError(
            f"the {side} side of this model reads texts in a way of its own, as word vectors and models of images do, "
            "which has no form in ONNX or OpenVINO; run it in torch"
        )
    return route


@contextmanager
def quietly() -> Iterator[None]:
    """Tracing looks at every attribute of a model, and warns of deprecated ones and of every branch it takes.

    OpenVINO's converter also raises the level of the root logger's handlers, whoever they belong to.
    """
    loggers = [logging.getLogger(name) for name in ("sentence_transformers", "transformers", "nncf")]
    changed = [*loggers, *logging.getLogger().handlers]
    levels = [one.level for one in changed]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for one, level in zip(changed, levels, strict=True):
                one.setLevel(level)


def _save_openvino(module: Any, example: dict[str, Any], file: Path) -> None:
    import torch

    with torch.no_grad():
        graph = openvino().convert_model(module, example_input=example)
    openvino().save_model(graph, str(file), compress_to_fp16=False)
