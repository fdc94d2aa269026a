"""The README of an exported model: what it is, how good, and how to run it without us."""

from typing import TYPE_CHECKING

from acronis_pipeline.embedding.routes import Side
from acronis_pipeline.encoders.converted import SideFiles

if TYPE_CHECKING:
    from acronis_pipeline.model_export.exporting import Exported

_ONNX = """import numpy as np, onnxruntime, tokenizers

tokenizer = tokenizers.Tokenizer.from_file("{tokenizer}")  # truncates and pads as the model wants it
session = onnxruntime.InferenceSession("{graph}")

def encode(texts, prompt={prompt!r}):  # of {side}
    found = tokenizer.encode_batch([prompt + text for text in texts])
    parts = {{"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}}
    inputs = {{i.name: np.array([getattr(f, parts[i.name]) for f in found], np.int64) for i in session.get_inputs()}}
    return session.run(None, inputs)[0]  # (n, {dimension}) float32, L2-normalised
"""

_OPENVINO = """import numpy as np, openvino, tokenizers

tokenizer = tokenizers.Tokenizer.from_file("{tokenizer}")  # truncates and pads as the model wants it
model = openvino.compile_model("{graph}", "CPU", {{"INFERENCE_PRECISION_HINT": "f32"}})

def encode(texts, prompt={prompt!r}):  # of {side}
    found = tokenizer.encode_batch([prompt + text for text in texts])
    parts = {{"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}}
    inputs = {{i.any_name: np.array([getattr(f, parts[i.any_name]) for f in found], np.int64) for i in model.inputs}}
    return model(inputs)[0]  # (n, {dimension}), L2-normalised
"""


def readme(exported: "Exported", sides: dict[Side, SideFiles]) -> str:
    """Markdown with the figures and a program for each side."""
    judged, found = exported.judgement, exported.judgement.difference
    speed = judged.speed
    lines = [
        f"# Model {exported.identity.model_id}, exported to {exported.format}",
        "",
        f"From model {exported.source.model_id}, of base {exported.source.base}, {exported.size_bytes / 1e6:.0f} MB.",
        "",
        "| | original | exported |",
        "|---|---|---|",
        f"| nDCG@10 on {found.n} questions | {judged.original:.4f} | {judged.exported:.4f} |",
        f"| passages per second on the machine that exported it | {speed.first_per_s:.1f} | {speed.second_per_s:.1f} |",
        "",
        f"Paired difference {found.mean:+.4f}, 95 % interval from {found.low:+.4f} to {found.high:+.4f} "
        f"({found.n_groups} pages). The original ran in torch, the exported model in OpenVINO.",
    ]
    if windows := exported.source.windows:
        share = windows.whole_share
        lines += [
            "",
            "A passage has several vectors, and is as similar to a question as the most similar of them: it is cut "
            f"into windows of {windows.tokens} tokens, each sharing {windows.overlap} with the next, and a vector is "
            f"{share:g} times the whole passage's plus {1 - share:g} times the window's, L2-normalised again. The "
            "figures are of these; one vector a passage, as below, finds less in long passages.",
        ]
    program = _ONNX if exported.format == "onnx" else _OPENVINO
    for side, files in sides.items():
        code = program.format(
            tokenizer=files.tokenizer,
            graph=files.graph,
            prompt=files.prompt,
            side="questions" if side == "query" else "passages",
            dimension=exported.identity.dimension,
        )
        lines += ["", f"## {'Questions' if side == 'query' else 'Passages'}", "", "```python", code.rstrip(), "```"]
    return "\n".join(lines) + "\n"
