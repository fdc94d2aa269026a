"""Encoders that run in torch: models as sentence-transformers loads them.

Among them decoder language models: a token of one sees only what stands before it, so the last one alone has read
everything, and its vector is the text's. e5-mistral (arXiv 2401.00368) appends the end-of-text token to have the same
one last in every text.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from acronis_pipeline.core.errors import ModelError
from acronis_pipeline.encoders.encoder import Encoder
from acronis_pipeline.encoders.folder import is_language_model
from acronis_pipeline.encoders.identity import BFLOAT16_IN_TORCH, IDENTITY_FILE, ModelIdentity
from acronis_pipeline.encoders.tokens import TYPICAL_TOKENS, Route, Side, input_module, route_of, tokenizer_of

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer
    from torch.nn import Module

_TOKENS_ON_ACCELERATOR = 512
"""Tokens at once, per text of a batch, where memory is no cache."""


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


class TorchEncoder(Encoder):
    """Runs a model in torch.

    Parameters
    ----------
    model
        A SentenceTransformer; whoever trains changes its weights in place.
    batch_size
        Texts of typical length at once.
    """

    def __init__(self, model: "SentenceTransformer", identity: ModelIdentity, batch_size: int = 32) -> None:
        super().__init__(identity)
        self.model = model
        self.batch_size = batch_size
        self._routes: dict[str, Route | None] = {}

    def encode_queries(self, queries: Sequence[str]) -> np.ndarray:
        return self._encode("query", queries)

    def encode_passages(self, passages: Sequence[str]) -> np.ndarray:
        return self._encode("document", passages)

    def tokenizer(self) -> "Tokenizer":
        from tokenizers import Tokenizer
        from transformers import PreTrainedTokenizerFast

        found = tokenizer_of(self.model, "document")
        if isinstance(found, PreTrainedTokenizerFast):
            return found.backend_tokenizer
        return found if isinstance(found, Tokenizer) else super().tokenizer()

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


def load_in_torch(
    folder: Path,
    identity: ModelIdentity,
    *,
    device: str | None = None,
    batch_size: int = 32,
    weights: dict[str, Any] | None = None,
) -> TorchEncoder:
    """Load a model folder in fp32 with the identity's length limit and prompts.

    Parameters
    ----------
    weights
        Arguments of transformers' `from_pretrained` instead of fp32, to train beside weights that are quantised.

    Raises
    ------
    ModelError
        If the folder does not load, or produces vectors of another dimension than its identity says.
    """
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    _use_fast_float32_if_exact()
    try:
        # A half-precision checkpoint stays half on CPU by default, which is some hundred times slower.
        model = SentenceTransformer(
            str(folder), device=device, model_kwargs=weights or {"dtype": torch.float32}, local_files_only=True
        )
    # What is in a folder decides what torch, transformers, tokenizers and their formats raise: a pickle, somebody's
    # configuration, weights of another shape. None of it is a bug of ours.
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        if "weights_only" in reason:  # torch advises to run what is in it
            reason = "its weights are a pickle of more than tensors, which could run code: save them as safetensors"
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
    return TorchEncoder(model, identity, batch_size)


def assembled(modules: "Sequence[Module]", like: "SentenceTransformer") -> "SentenceTransformer":
    """A model of stock modules with the prompts of another one and where that is."""
    from sentence_transformers import SentenceTransformer

    prompts: Any = like.prompts
    return SentenceTransformer(
        modules=[*modules], prompts=prompts, similarity_fn_name="cosine", device=str(like.device)
    )


def set_aside(model: object) -> None:
    """Free a GPU of a model that is kept for later, on the processor; one behind an endpoint is nowhere."""
    import torch

    if isinstance(model, torch.nn.Module) and next(model.parameters()).device.type != "cpu":
        model.to("cpu")


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
