import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from acronis_pipeline.encoders.tokens import Batcher, Padding

WORDS = {"[PAD]": 0, "a": 1, "b": 2, "c": 3}


def batcher(*, left: bool = False, max_length: int | None = 8) -> Batcher:
    tokenizer = Tokenizer(models.WordLevel(WORDS, unk_token="c"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return Batcher(tokenizer, max_length, Padding(left=left))


texts = st.lists(st.lists(st.sampled_from("abc"), max_size=20).map(" ".join), max_size=30)


@given(texts, st.integers(1, 40))
def test_every_text_stands_in_one_batch_of_limited_size(given_texts, n_tokens):
    batches = list(batcher().batches(given_texts, n_tokens))
    assert sorted(int(row) for batch in batches for row in batch.rows) == list(range(len(given_texts)))
    for batch in batches:
        n_texts, length = batch.inputs["input_ids"].shape
        assert n_texts == len(batch.rows)
        assert n_texts == 1 or n_texts * length <= n_tokens


@given(texts, st.booleans())
def test_tokens_are_those_of_the_text_and_the_rest_is_masked(given_texts, left):
    for batch in batcher(left=left).batches(given_texts, 64):
        for row, ids, mask in zip(batch.rows, batch.inputs["input_ids"], batch.inputs["attention_mask"], strict=True):
            assert ids[mask == 1].tolist() == [WORDS[word] for word in given_texts[row].split()][:8]
            assert not ids[mask == 0].any()
            assert (np.diff(mask) >= 0).all() if left else (np.diff(mask) <= 0).all()


def test_prompt_stands_before_every_text_and_counts_for_the_limit():
    (batch,) = batcher(max_length=3).batches(["a a a a"], 64, prompt="b b ")
    assert batch.inputs["input_ids"].tolist() == [[2, 2, 1]]
