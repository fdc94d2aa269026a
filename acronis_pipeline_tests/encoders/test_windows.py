from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acronis_pipeline import encoders
from acronis_pipeline.encoders import PACKAGED_BASE, ModelIdentity, PassageVectors, TorchEncoder, Windows, vector_cache
from acronis_pipeline.encoders.windows import WindowCutter, mixed
from acronis_pipeline.store import Store

pytestmark = pytest.mark.model

WINDOWS = Windows(tokens=8, overlap=4, whole_share=0.5)
LONG = "The agent copies files. " * 8 + "A bare metal recovery needs the bootable media of the same release."


@lru_cache(maxsize=1)
def base() -> TorchEncoder:
    return encoders.load_base(PACKAGED_BASE, max_seq_length=64, device="cpu")


def windowed() -> TorchEncoder:
    plain = base()
    identity = encoders.describe(
        encoders.find_base(PACKAGED_BASE), base=PACKAGED_BASE, max_seq_length=64, windows=WINDOWS
    )
    return TorchEncoder(plain.model, identity)


def cutter(windows: Windows) -> WindowCutter:
    return WindowCutter(base().tokenizer(), windows)


@settings(deadline=None)  # the first example loads the model
@given(
    st.lists(st.sampled_from("restore the backup of every virtual machine 你好 — RPO=15min".split()), max_size=150),
    st.integers(40, 64),
    st.integers(0, 30),
)
def test_windows_cover_the_text_in_order_and_none_is_too_long(words: list[str], tokens: int, overlap: int) -> None:
    text = " ".join(f"{n}{word}" for n, word in enumerate(words))  # no window stands in the text twice
    (parts,) = cutter(Windows(tokens, overlap, 0.5)).cut([text])
    place = 0
    for part in parts:
        found = text.index(part)
        assert text[place:found].strip() == ""  # nothing between two windows
        place = max(place, found + len(part))
    assert text[place:].strip() == ""
    if len(parts) > 1:
        counted = base().tokenizer().encode_batch(parts, add_special_tokens=False)
        assert all(sum(encoding.attention_mask) <= tokens for encoding in counted)


def test_a_text_of_one_window_stays_as_it_is() -> None:
    assert cutter(WINDOWS).cut(["  Restore  files ", ""]) == [["  Restore  files "], [""]]


def test_the_last_window_is_a_full_one() -> None:
    (parts,) = cutter(Windows(8, 4, 0.5)).cut(["one two three four five six seven eight nine"])
    assert parts == ["one two three four five six seven eight", "two three four five six seven eight nine"]


def test_each_vector_is_between_its_window_and_the_whole() -> None:
    made, plain = windowed().encode_windows([LONG, "Short."]), base()
    whole = plain.encode_passages([LONG, "Short."])
    own = plain.encode_passages(windowed().cut([LONG])[0])
    halfway = 0.5 * whole[0] + 0.5 * own
    assert np.allclose(made.of(0), halfway / np.linalg.norm(halfway, axis=1, keepdims=True), atol=1e-5)
    assert np.allclose(made.of(1), whole[1:], atol=1e-5)


def test_a_sentence_at_the_end_of_a_long_passage_is_found_by_its_window() -> None:
    question = base().encode_queries(["What does bare metal recovery need?"])
    plain = PassageVectors.single(base().encode_passages([LONG]))
    assert windowed().encode_windows([LONG]).similarities(question) > plain.similarities(question) + 0.1


@given(st.lists(st.integers(1, 4), min_size=1, max_size=8), st.integers(1, 3), st.randoms(use_true_random=False))
def test_similarity_is_that_of_the_closest_vector(counts: list[int], n_queries: int, random) -> None:
    rng = np.random.default_rng(random.randint(0, 2**32))
    blocks = [rng.normal(size=(n, 5)).astype(np.float32) for n in counts]
    queries = rng.normal(size=(n_queries, 5)).astype(np.float32)
    found = PassageVectors.joined(blocks, 5)
    expected = np.array([[(block @ query).max() for block in blocks] for query in queries])
    assert np.allclose(found.similarities(queries), expected, atol=1e-5)
    assert np.allclose(found.similarities(queries[0]), expected[0], atol=1e-5)
    order = rng.permutation(len(blocks))
    assert np.allclose(found.take(order).similarities(queries), expected[:, order], atol=1e-5)
    assert found.centres().shape == (len(blocks), 5)


def test_windows_make_another_document_side_and_leave_the_query_side() -> None:
    plain, other = base().identity, windowed().identity
    assert other.query_fingerprint == plain.query_fingerprint
    assert other.document_fingerprint != plain.document_fingerprint
    assert ModelIdentity.from_json(other.to_json()) == other
    assert ModelIdentity.from_json(plain.to_json()) == plain
    wider = replace(WINDOWS, tokens=16)
    assert wider.fingerprint != WINDOWS.fingerprint


def test_vectors_of_windows_come_out_of_the_cache_as_they_went_in(tmp_path: Path) -> None:
    store, encoder = Store(str(tmp_path)), windowed()
    first = vector_cache.embed_passages(store, encoder, [LONG, "Short."])
    again = vector_cache.embed_passages(store, encoder, ["Short.", LONG])
    assert np.array_equal(first.of(0), again.of(1))
    assert np.array_equal(first.of(1), again.of(0))
    assert len(first.of(0)) > 1


def test_a_passage_without_windows_has_the_vector_of_the_whole() -> None:
    whole = np.eye(2, dtype=np.float32)
    made = mixed(whole, [np.zeros((0, 2), np.float32), np.array([[1.0, 0.0]], np.float32)], 0.5)
    assert np.array_equal(made.of(0), whole[:1])
    assert made.of(1) == pytest.approx(np.array([[0.7071, 0.7071]]), abs=1e-3)
