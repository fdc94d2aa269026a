"""A cross-encoder with random weights, made in a second: real files, real loading, meaningless scores."""

from pathlib import Path

from acronis_pipeline.encoders import PACKAGED_BASE, find_base


def write_cross_encoder(folder: Path, *, n_scores: int = 1, positions: int = 64) -> Path:
    """Save a tiny BERT with the packaged model's tokenizer."""
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification, set_seed

    tokenizer = AutoTokenizer.from_pretrained(find_base(PACKAGED_BASE), model_max_length=positions)
    set_seed(7)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=positions,
        initializer_range=1.0,
        id2label={n: f"score {n}" for n in range(n_scores)},
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
