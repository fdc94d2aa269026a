"""Counting a text's tokens."""

from collections.abc import Sequence
from pathlib import Path

from acronis_pipeline.errors import ModelError
from acronis_pipeline.fingerprint import digest


class TokenCounter:
    """Counts tokens with a model's own tokenizer, without loading the model."""

    def __init__(self, folder: Path) -> None:
        from tokenizers import Tokenizer

        file = folder / "tokenizer.json"
        if not file.exists():
            raise ModelError(f"base model in {folder} has no tokenizer.json; save it with a fast tokenizer")
        self._tokenizer = Tokenizer.from_file(str(file))
        self.fingerprint = digest(file.read_text("utf-8"))
        # The packaged file truncates at 128 and pads, which would hide every longer text.
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    def count(self, text: str) -> int:
        """Tokens of one text, special tokens included."""
        return len(self._tokenizer.encode(text).ids)

    def count_many(self, texts: Sequence[str]) -> list[int]:
        return [len(encoding.ids) for encoding in self._tokenizer.encode_batch(list(texts))]
