"""Decoder language models as encoders: a text's vector is that of its last token, which must be the end of the text.

A token of a decoder sees only what stands before it, so the last one alone has read everything; e5-mistral (arXiv
2401.00368) appends the end-of-text token to have the same one last in every text.

A loaded encoder: texts in, vectors out.
"""

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from acronis_pipeline.core.errors import ModelError
from acronis_pipeline.core.settings import EmbeddingEndpoint
from acronis_pipeline.encoders.folder import describe, find_base
from acronis_pipeline.encoders.identity import BFLOAT16_IN_TORCH, IDENTITY_FILE, ModelIdentity
from acronis_pipeline.encoders.routes import Route, Side, input_module, route_of
from acronis_pipeline.encoders.tokens import TYPICAL_TOKENS
from acronis_pipeline.encoders.windows import PassageVectors, WindowCutter, mixed


def is_decoder(folder: Path) -> bool:
    """Whether the model in a folder takes the vector of the last token; reads its configuration only."""
    if (folder / "modules.json").exists():
        poolings = [json.loads(file.read_text("utf-8")) for file in folder.glob("*_Pooling/config.json")]
        return any(p.get("pooling_mode") == "lasttoken" or p.get("pooling_mode_lasttoken") for p in poolings)
    return is_language_model(folder)


def is_language_model(folder: Path) -> bool:
    """Whether a folder holds a causal language model as it was pre-trained, with nothing that makes it an encoder."""
    file = folder / "config.json"
    if (folder / "modules.json").exists() or not file.exists():
        return False
    config = json.loads(file.read_text("utf-8"))
    (architecture, *_) = config.get("architectures") or [""]
    return architecture.endswith("ForCausalLM") and config.get("is_causal", True)


def make_encoder_of(model: Any) -> None:
    """Have a language model, loaded by sentence-transformers, read plain texts and end each with the end-of-text token.

    Truncation leaves room for that token, and vectors are normalised. What is set here is saved with the model.

    Raises
    ------
    ModelError
        If its tokenizer knows no such token, or cannot append it.
    """
    tokenizer = model.tokenizer
    if tokenizer.eos_token is None:
        raise ModelError(f"{tokenizer.name_or_path}: the tokenizer has no end-of-text token; name another base model")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token  # masked wherever it pads
    ids = tokenizer("text")["input_ids"]
    if ids[-1] != tokenizer.eos_token_id:
        tokenizer.add_bos_token = ids[0] == tokenizer.bos_token_id
        tokenizer.add_eos_token = True
    if tokenizer("text")["input_ids"][-1] != tokenizer.eos_token_id:
        raise ModelError(
            f"{tokenizer.name_or_path}: the tokenizer does not append {tokenizer.eos_token}; save it as a fast "
            "tokenizer whose post-processor does"
        )
    from sentence_transformers.sentence_transformer.modules import Normalize

    model.append(Normalize())
    # A chat model's texts would be put into its chat template, and the query prompt would become a system message.
    model[0].modality_config.pop("message", None)


_TOKENS_ON_ACCELERATOR = 512
"""Tokens at once, per text of a batch, where memory is no cache."""


class Embedder:
    """A loaded encoder. Vectors are float32 and L2-normalised, so a dot product is the cosine."""

    def __init__(self, model: Any, identity: ModelIdentity, batch_size: int = 32) -> None:
        self.model = model
        self.identity = identity
        self.batch_size = batch_size
        self._routes: dict[str, Route | None] = {}

    def encode_queries(self, queries: Sequence[str]) -> np.ndarray:
        """Shape (n_queries, dimension) float32, L2-normalised; the query prompt is applied."""
        return self._encode("query", queries)

    def encode_passages(self, passages: Sequence[str]) -> np.ndarray:
        """Shape (n_passages, dimension) float32, L2-normalised; the document prompt is applied.

        One vector each, whatever the identity's windows: see `encode_windows`.
        """
        return self._encode("document", passages)

    def encode_windows(self, passages: Sequence[str]) -> PassageVectors:
        """The vectors by which passages are found: of their windows, where the identity has some."""
        whole = self.encode_passages(passages)
        if self.identity.windows is None:
            return PassageVectors.single(whole)
        cut = [parts if len(parts) > 1 else [] for parts in self.cut(passages)]
        own = self.encode_passages([part for parts in cut for part in parts])
        ends = np.cumsum([len(parts) for parts in cut])
        return mixed(whole, np.split(own, ends[:-1]) if cut else [], self.identity.windows.whole_share)

    def cut(self, passages: Sequence[str]) -> list[list[str]]:
        """The windows of each passage; the passage itself where the identity has none.

        Raises
        ------
        ModelError
            If the model's tokenizer does not say where tokens stand in a text.
        """
        if self.identity.windows is None:
            return [[passage] for passage in passages]
        return self._cutter.cut(passages)

    @cached_property
    def _cutter(self) -> WindowCutter:
        assert self.identity.windows is not None  # only asked for where it has some
        return WindowCutter(self.tokenizer(), self.identity.windows)

    def tokenizer(self) -> Any:
        """The document side's, as the library `tokenizers` has it."""
        tokenizer = getattr(input_module(self.model, "document"), "tokenizer", None)
        fast = getattr(tokenizer, "backend_tokenizer", tokenizer)
        if not hasattr(fast, "encode_batch"):
            raise ModelError(
                f"base model {self.identity.base} has no fast tokenizer, so its passages cannot be cut into windows; "
                "remove windows from the recipe, or save the model with a fast tokenizer"
            )
        return fast

    def _encode(self, side: Side, texts: Sequence[str]) -> np.ndarray:
        if not texts:
            return np.zeros((0, self.identity.dimension), np.float32)
        route = self._route(side)
        with self._arithmetic():
            if route is not None:
                return self._encode_in_batches(side, route, texts)
            encode = self.model.encode_query if side == "query" else self.model.encode_document
            vectors = encode(
                list(texts),
                batch_size=self.batch_size,
                normalize_embeddings=True,
                show_progress_bar=False,
                convert_to_numpy=True,
            )
        return np.ascontiguousarray(vectors, dtype=np.float32)

    def _arithmetic(self) -> AbstractContextManager[Any]:
        """Products in bfloat16 where the identity says so; means and norms stay float32, as in OpenVINO."""
        if self.identity.precision != BFLOAT16_IN_TORCH:
            return nullcontext()
        import torch

        return torch.autocast(self.model.device.type, dtype=torch.bfloat16)

    def _encode_in_batches(self, side: Side, route: Route, texts: Sequence[str]) -> np.ndarray:
        import torch

        self.model.eval()
        device = self.model.device
        vectors = np.empty((len(texts), self.identity.dimension), np.float32)
        n_tokens = self.batch_size * (TYPICAL_TOKENS if device.type == "cpu" else _TOKENS_ON_ACCELERATOR)
        with torch.inference_mode():
            for batch in route.batcher.batches(texts, n_tokens, route.prompt):
                features = {name: torch.from_numpy(part).to(device) for name, part in batch.inputs.items()}
                found = self.model(features | route.constants, task=side)["sentence_embedding"].float()
                found = found[:, : self.identity.dimension]  # a model may say to keep the first of them only
                vectors[batch.rows] = torch.nn.functional.normalize(found, dim=1).cpu().numpy()
        return vectors

    def _route(self, side: Side) -> Route | None:
        known = self._routes.get(side)
        if side not in self._routes or (
            known and known.batcher.max_length != input_module(self.model, side).max_seq_length
        ):
            self._routes[side] = route_of(self.model, side)
        return self._routes[side]


def load(
    folder: Path,
    identity: ModelIdentity,
    *,
    device: str | None = None,
    batch_size: int = 32,
    weights: dict[str, Any] | None = None,
    endpoints: Sequence[EmbeddingEndpoint] = (),
) -> Embedder:
    """Load a model folder in fp32 with the identity's length limit and prompts.

    Parameters
    ----------
    weights
        Arguments of transformers' `from_pretrained` instead of fp32, to train beside weights that are quantised.
    endpoints
        The configured ones, from which a folder that stands for a model behind one has its key.

    Raises
    ------
    ModelError
        If the folder does not load, or produces vectors of another dimension than its identity says.
    """
    from acronis_pipeline.encoders import endpoint  # which builds on this module

    if endpoint.is_endpoint(folder):
        return endpoint.load(folder, identity, endpoints)
    import torch
    from safetensors import SafetensorError
    from sentence_transformers import SentenceTransformer
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    _use_fast_float32_if_exact()
    try:
        # A half-precision checkpoint stays half on CPU by default, which is some hundred times slower.
        model = SentenceTransformer(
            str(folder), device=device, model_kwargs=weights or {"dtype": torch.float32}, local_files_only=True
        )
    except (OSError, ValueError, ImportError, KeyError, RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(
            f"model in {folder} does not load ({reason}); train it again or name another base model"
        ) from error
    model.eval()
    if is_language_model(folder):
        make_encoder_of(model)
    if not (folder / IDENTITY_FILE).exists():
        with suppress(AttributeError):  # static word vectors take texts of any length
            model.max_seq_length = identity.max_seq_length
        model.prompts.update(query=identity.query_prompt, document=identity.document_prompt)
    if model.get_embedding_dimension() != identity.dimension:
        found = model.get_embedding_dimension()
        raise ModelError(f"model in {folder} makes vectors of {found}, not {identity.dimension}; train it again")
    return Embedder(model, identity, batch_size)


def set_aside(model: Any) -> None:
    """Free a GPU of a model that is kept for later, on the processor; one behind an endpoint is nowhere."""
    import torch

    if isinstance(model, torch.nn.Module) and next(model.parameters()).device.type != "cpu":
        model.to("cpu")


def load_base(
    name: str,
    *,
    max_seq_length: int | None = None,
    query_prompt: str | None = None,
    document_prompt: str | None = None,
    device: str | None = None,
    batch_size: int = 32,
) -> Embedder:
    """`find_base`, `describe` and `load` in one call."""
    folder = find_base(name)
    identity = describe(
        folder, base=name, max_seq_length=max_seq_length, query_prompt=query_prompt, document_prompt=document_prompt
    )
    return load(folder, identity, device=device, batch_size=batch_size)


@lru_cache(maxsize=1)
def _use_fast_float32_if_exact() -> None:
    """Send fp32 products to oneDNN where that changes nothing.

    On AMD processors MKL's fp32 product is slow; "medium" goes to oneDNN and encodes 1.4 times faster with the same
    vectors. On a processor with AMX the same switch may really use bf16, so it is kept only if a product stays exact.
    It would also let a GPU compute in TF32, which has ten bits of mantissa under the name of fp32.
    """
    import torch

    if torch.cuda.is_available():
        return
    left, right = torch.randn(64, 256, generator=torch.Generator().manual_seed(0)), torch.eye(256) * 1.2345678
    exact = left @ right
    torch.set_float32_matmul_precision("medium")
    if not torch.allclose(left @ right, exact, rtol=1e-5, atol=1e-6):
        torch.set_float32_matmul_precision("highest")
